"""``clearwindow`` as real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from tests.support.exchanges import hold_to_account
from tests.support.http import loopback_client

COMMAND = [sys.executable, "-m", "clearwindow"]
PATIENCE_SECONDS = 60
START_TOKEN = "the-token-in-the-settings-of-a-process"


def environment(**settings: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CLEARWINDOW_")}
    return kept | {f"CLEARWINDOW_{name.upper()}": value for name, value in settings.items()}


def command(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Runs to the end; ``settings`` are the environment's, without the prefix."""
    return subprocess.run(  # noqa: S603 - our own program
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS * 2,
        env=environment(**settings),
        stdin=subprocess.DEVNULL,
    )


@dataclass
class Running:
    """A process that has said that it is ready; ``said`` is what it said."""

    process: subprocess.Popen[str]
    said: Mapping[str, object]
    log: Path

    @property
    def url(self) -> str:
        return str(self.said["address"])

    def get(self, path: str, token: str = START_TOKEN) -> httpx2.Response:
        hooks = {"response": [hold_to_account]}
        with loopback_client(base_url=self.url, timeout=PATIENCE_SECONDS, event_hooks=hooks) as client:
            return client.get(path, headers={"Authorization": f"Bearer {token}"})

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """The exit code, and how many seconds the end took."""
        started = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS), time.monotonic() - started


@contextmanager
def running(folder: Path, *arguments: str, **settings: str) -> Iterator[Running]:
    """``serve`` or ``worker`` until the block ends; its log is kept in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{arguments[0]}.log"
    with log.open("a") as log_file:
        process = subprocess.Popen(  # noqa: S603 - our own program
            [*COMMAND, *arguments, "--json"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log_file,
            text=True,
            env=environment(**settings),
        )
    with process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, log.read_text()
        try:
            yield Running(process, json.loads(line), log)
        finally:
            if process.poll() is None:
                process.terminate()


@contextmanager
def serving_folder(data: Path, *arguments: str, **settings: str) -> Iterator[Running]:
    """A server over the data folder, on a free port, with ``START_TOKEN`` as its operator's."""
    token = {"operator_token": START_TOKEN}
    given = ("serve", "--port", "0", "--data", str(data), *arguments)
    with running(data.parent / "logs", *given, **(token | settings)) as served:
        yield served
