"""``clearwindow`` as processes of their own, started by the product's own starter."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from clearwindow.simulator import server
from clearwindow.simulator.programs import Line, Program, run_to_end
from tests.support.exchanges import check_response
from tests.support.http import loopback_client

COMMAND = [sys.executable, "-m", "clearwindow"]
TIMEOUT_SECONDS = 60
START_TOKEN = "the-token-in-the-settings-of-a-process"


def environment(**settings: str) -> dict[str, str]:
    """Returns the environment of a process; the settings are named without their prefix.

    One operator acts alone, if they do not say otherwise.
    """
    given = {f"CLEARWINDOW_{name.upper()}": value for name, value in settings.items()}
    return server.environment({**server.ALONE, **given})


def command(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end; the settings are named without their prefix."""
    return run_to_end(arguments, environment(**settings), TIMEOUT_SECONDS * 2)


@dataclass
class Running:
    """A process that has written its first line, ``said``."""

    program: Program
    said: Line

    @property
    def process(self) -> subprocess.Popen[str]:
        return self.program.process

    @property
    def log(self) -> Path:
        return self.program.log

    @property
    def url(self) -> str:
        return str(self.said["address"])

    def get(self, path: str, token: str = START_TOKEN) -> httpx2.Response:
        hooks = {"response": [check_response]}
        with loopback_client(base_url=self.url, timeout=TIMEOUT_SECONDS, event_hooks=hooks) as client:
            return client.get(path, headers={"Authorization": f"Bearer {token}"})

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Returns the exit code, and how many seconds the end took."""
        started = time.monotonic()
        return self.program.end(number), time.monotonic() - started


@contextmanager
def running(folder: Path, *arguments: str, **settings: str) -> Iterator[Running]:
    """Runs ``serve``, ``worker`` or another command until the block ends. The folder keeps its log."""
    folder.mkdir(parents=True, exist_ok=True)
    program = Program(arguments[0], arguments, folder, environment(**settings))
    program.start()
    try:
        yield Running(program, program.await_line(lambda _: True, server.START_SECONDS))
    finally:
        program.stop()


@contextmanager
def serving_folder(data: Path, *arguments: str, **settings: str) -> Iterator[Running]:
    """Serves the data folder on a free port, with the operator's token ``START_TOKEN``."""
    token = {"operator_token": START_TOKEN}
    given = ("serve", "--port", "0", "--data", str(data), *arguments)
    with running(data.parent / "logs", *given, **(token | settings)) as served:
        yield served
