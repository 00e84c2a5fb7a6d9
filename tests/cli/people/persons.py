"""People with the command, in a folder of their own, with their own profiles; ``terminal`` is a real one."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import chdir, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from typer.testing import CliRunner

from clearwindow.cli.failures import exit_code_of, line_of
from clearwindow.cli.main import app
from tests.support.processes import COMMAND, environment

TIMEOUT_SECONDS = 120
_FROM_A_TERMINAL = (signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Persons:
    folder: Path
    url: str

    def environment(self, **more: str) -> dict[str, str]:
        own = {"XDG_CONFIG_HOME": str(self.folder / "settings"), "TZ": "UTC", "COLUMNS": "200"}
        return {**environment(), **own, **more}

    def run(self, *arguments: str, given: str = "", **more: str) -> Ran:
        """Runs a command to its end, in this process: one of its own would mostly import."""
        with chdir(self.folder):
            result = CliRunner().invoke(
                app, arguments, input=given, env=self.environment(**more), prog_name="clearwindow"
            )
        if result.exception is None or isinstance(result.exception, SystemExit):
            return Ran(result.exit_code, result.stdout, result.stderr)
        code = exit_code_of(result.exception) if isinstance(result.exception, Exception) else None
        if code is None:
            raise result.exception
        assert isinstance(result.exception, Exception)
        return Ran(code, result.stdout, f"{result.stderr}clearwindow: {line_of(result.exception)}\n")

    def done(self, *arguments: str, given: str = "", **more: str) -> str:
        """Returns what a command prints that succeeds."""
        ran = self.run(*arguments, given=given, **more)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def json(self, *arguments: str) -> Any:  # noqa: ANN401 - any JSON document
        return json.loads(self.done(*arguments, "--json"))

    def fails(self, code: int, *arguments: str, given: str = "", **more: str) -> str:
        """Returns what a command says that ends with this code."""
        ran = self.run(*arguments, given=given, **more)
        assert ran.returncode == code, (ran.returncode, ran.stdout + ran.stderr)
        return ran.stderr

    def operator(self, name: str) -> None:
        """Makes another operator, with a profile of the same name."""
        made = self.json("operator", "operators", "create", "--name", name, "--profile", "ada")["id"]
        token = self.json("operator", "operators", "create-token", made, "--profile", "ada")["value"]
        (self.folder / f"{name}.token").write_text(token)
        self.done("profile", "add", name, "--url", self.url, "--token-file", f"{name}.token")

    def profiles(self) -> Path:
        return self.folder / "settings" / "clearwindow" / "profiles.json"

    def mode(self, path: Path) -> int:
        return os.stat(path).st_mode & 0o777  # noqa: PTH116 - a number


class Terminal:
    """A command on a terminal. ``text`` is what it has shown."""

    def __init__(self, process: subprocess.Popen[bytes], screen: int) -> None:
        self.process = process
        self.text = ""
        self._screen = screen

    def until(self, words: str) -> None:
        ends_at = time.monotonic() + TIMEOUT_SECONDS
        while words not in self.text:
            assert time.monotonic() < ends_at, self.text
            if select.select([self._screen], [], [], 0.2)[0]:
                try:
                    self.text += os.read(self._screen, 65536).decode()
                except OSError:
                    # The other end is closed: nothing more comes.
                    assert words in self.text, self.text

    def types(self, text: str) -> None:
        os.write(self._screen, text.encode())

    def sends(self, number: signal.Signals) -> None:
        os.killpg(self.process.pid, number)

    def end(self) -> int:
        return self.process.wait(TIMEOUT_SECONDS)


@contextmanager
def as_from_a_shell() -> Iterator[None]:
    """Programs that are started in the block notice Ctrl-C and a terminal that closes.

    A test run in the background of a shell, or under nohup, ignores these signals, and hands that on. What has a
    handler is not handed on.
    """
    given = {number: signal.signal(number, signal.default_int_handler) for number in _FROM_A_TERMINAL}
    try:
        yield
    finally:
        for number, handler in given.items():
            signal.signal(number, handler)


@contextmanager
def terminal(persons: Persons, *arguments: str, **more: str) -> Iterator[Terminal]:
    """A command in a process of its own, with a terminal for all three streams."""
    screen, theirs = pty.openpty()
    with as_from_a_shell():
        process = subprocess.Popen(  # noqa: S603 - ours
            [*COMMAND, *arguments],
            cwd=persons.folder,
            env=persons.environment(TERM="xterm", **more),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
    os.close(theirs)
    try:
        yield Terminal(process, screen)
    finally:
        process.kill()
        process.wait()
        os.close(screen)


class Relay:
    """Carries connections to a server on this machine, while it is open. ``port`` is always the same."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._opened: list[socket.socket] = []
        self.port = 0

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        listener = socket.create_server(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        self._opened = [listener]
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def close(self) -> None:
        """Ends all connections, and refuses new ones."""
        for each in self._opened:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._opened = []

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                theirs, _ = listener.accept()
                ours = socket.create_connection(("127.0.0.1", self._server_port))
                self._opened += [theirs, ours]
                for source, sink in ((theirs, ours), (ours, theirs)):
                    threading.Thread(target=_carry, args=(source, sink), daemon=True).start()


def _carry(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while block := source.recv(65536):
            sink.sendall(block)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)
