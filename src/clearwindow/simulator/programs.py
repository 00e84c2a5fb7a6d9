"""Starts ``clearwindow …`` processes, reads the lines that they write, stops them and kills them.

Everything that starts a server, a worker, an exchange or a trader starts it here: the simulators, the tests, the
crash runs and the benchmark.
"""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

from clearwindow.simulator import child

Line: TypeAlias = Mapping[str, Any]

_STOP_SECONDS: Final = 60
_POLL_SECONDS: Final = 0.02
_LOG_CHARACTERS: Final = 2_000


class ProgramEndedError(RuntimeError):
    """A program ended too early, or did not write an expected line. The message ends with its log."""


class Program:
    """One command with ``--json``, which may be started several times.

    Attributes:
        lines: all lines that it has written, over all of its starts.
        log: the file that gets what it writes to its standard error.
        starts: how often it was started.
    """

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        *,
        command: Sequence[str] = child.COMMAND,
    ) -> None:
        """Does not start it yet.

        Args:
            name: names the log, and the program in errors.
            arguments: of the command; ``--json`` is added.
            folder: gets the log.
            environment: the whole environment of the process.
            command: runs the arguments; ``clearwindow`` unless it is another module.
        """
        self.name = name
        self.lines: list[Line] = []
        self.log = folder / f"{name}.log"
        self.starts = 0
        self._command = [*command, *arguments]
        self._environment = environment
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    @property
    def process(self) -> subprocess.Popen[str]:
        """The process of the last start.

        Raises:
            ProgramEndedError: it was not started, or was stopped.
        """
        if self._process is None:
            raise ProgramEndedError(f"{self.name} is not started")
        return self._process

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, *more: str) -> None:
        """Starts it, with further arguments."""
        self.kill()
        with self.log.open("a") as log:
            process = subprocess.Popen(  # noqa: S603 - this very program
                [*self._command, *more, "--json"],
                stdin=child.input_pipe(),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                encoding="utf-8",
                errors="replace",
                env=dict(self._environment),
                # Ctrl-C goes to us alone, and we end everything in order.
                start_new_session=True,
            )
        self._process = process
        self._reader = threading.Thread(target=self._read, args=(process,), name=f"reads {self.name}", daemon=True)
        self._reader.start()
        self.starts += 1

    def stop(self) -> None:
        """Ends it as an operator would, and waits until it has written its last line.

        Raises:
            ProgramEndedError: it did not end.
        """
        if self._process is None:
            return
        try:
            self.end()
        finally:
            self.kill()

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Sends the signal and returns the exit code.

        Raises:
            ProgramEndedError: it did not end.
        """
        self.process.send_signal(number)
        try:
            return self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise ProgramEndedError(f"{self.name} did not end on {number.name}. Its log: {self.logged()}") from None

    def kill(self) -> None:
        """Ends it at once with SIGKILL, if it is running."""
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
            ProgramEndedError: it has ended.
        """
        if self._process is not None and self._process.poll() is not None:
            raise ProgramEndedError(
                f"{self.name} has ended with {self._process.returncode}. Its log: {self.logged()}"
            )

    def await_line(self, wanted: Callable[[Line], bool], seconds: float, *, since: int = 0) -> Line:
        """Waits for a line of this kind and returns the first one, from line number ``since`` on.

        Raises:
            ProgramEndedError: the line did not come in time.
        """
        give_up_at = time.monotonic() + seconds
        while time.monotonic() < give_up_at:
            for line in self.lines[since:]:
                if wanted(line):
                    return line
            self.require_running()
            time.sleep(_POLL_SECONDS)
        raise ProgramEndedError(f"{self.name} did not write an expected line. Its log: {self.logged()}")

    def logged(self) -> str:
        """Returns the end of the log."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-_LOG_CHARACTERS:].strip() or "nothing"

    def _read(self, process: subprocess.Popen[str]) -> None:
        if process.stdout is None:
            raise AssertionError("its output is a pipe")
        for text in process.stdout:
            # A program that is killed may leave half a line.
            if text.endswith("\n"):
                self.lines.append(json.loads(text))


def run_to_end(
    arguments: Sequence[str], environment: Mapping[str, str], seconds: float
) -> subprocess.CompletedProcess[str]:
    """Runs ``clearwindow`` with these arguments and returns its exit code and output.

    Raises:
        ProgramEndedError: it took more than ``seconds``.
    """
    try:
        return subprocess.run(  # noqa: S603 - this very program
            [*child.COMMAND, *arguments],
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=seconds,
            env=dict(environment),
            stdin=child.input_pipe(),
        )
    except subprocess.TimeoutExpired:
        raise ProgramEndedError(f"clearwindow {arguments[0]} took more than {seconds:g} seconds") from None
