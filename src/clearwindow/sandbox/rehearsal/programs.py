"""``clearwindow …`` as processes that are started, followed by the lines they write, stopped, and killed."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

from clearwindow.sandbox import tether

Line: TypeAlias = Mapping[str, Any]

_STOP_SECONDS: Final = 20
_LOOK_SECONDS: Final = 0.02
_LOG_CHARACTERS: Final = 2_000


class ProgramEndedError(RuntimeError):
    """A program ended that should not have, or did not say what it had to; the message ends with its log."""


class Program:
    """One command with ``--json``; ``lines`` is all that it has written, over all of its starts."""

    def __init__(self, name: str, arguments: list[str], folder: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.lines: list[Line] = []
        self.starts = 0
        self._arguments = arguments
        self._log = folder / f"{name}.log"
        self._environment = environment
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    def start(self, *more: str) -> None:
        """Starts it, with further arguments."""
        with self._log.open("a") as log:
            process = subprocess.Popen(  # noqa: S603 - this very program
                [*tether.COMMAND, *self._arguments, *more, "--json"],
                stdin=tether.tether(),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=dict(self._environment),
                # Ctrl-C goes to us alone, and we end everything in order.
                start_new_session=True,
            )
        self._process = process
        self._reader = threading.Thread(target=self._read, args=(process,), name=f"reads {self.name}", daemon=True)
        self._reader.start()
        self.starts += 1

    def stop(self) -> None:
        """Ends it as an operator would, and waits for what it says at its end."""
        process = self._process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise ProgramEndedError(f"{self.name} did not end on SIGTERM; it said: {self._said()}") from None
        finally:
            self.kill()

    def kill(self) -> None:
        """Ends it at once, wherever it is: SIGKILL."""
        process = self._process
        if process is None:
            return
        process.kill()
        process.wait()
        if self._reader is not None:
            self._reader.join()
        if process.stdout is not None:
            process.stdout.close()
        self._process = self._reader = None

    def require_running(self) -> None:
        """Notices a program that has ended by itself.

        Raises:
            ProgramEndedError: it has.
        """
        if self._process is not None and self._process.poll() is not None:
            raise ProgramEndedError(
                f"{self.name} has ended with {self._process.returncode}; it said: {self._said()}"
            )

    def await_line(self, what: Callable[[Line], bool], seconds: float, *, since: int = 0) -> Line:
        """The first line of this kind from number ``since`` on; waits for it.

        Raises:
            ProgramEndedError: it has not come.
        """
        give_up_at = time.monotonic() + seconds
        while time.monotonic() < give_up_at:
            for line in self.lines[since:]:
                if what(line):
                    return line
            self.require_running()
            time.sleep(_LOOK_SECONDS)
        raise ProgramEndedError(f"{self.name} did not say what it had to; it said: {self._said()}")

    def _read(self, process: subprocess.Popen[str]) -> None:
        if process.stdout is None:
            raise AssertionError("its output is a pipe")
        for text in process.stdout:
            # A program that is killed may leave half a line.
            if text.endswith("\n"):
                self.lines.append(json.loads(text))

    def _said(self) -> str:
        return self._log.read_text()[-_LOG_CHARACTERS:].strip() or "nothing"
