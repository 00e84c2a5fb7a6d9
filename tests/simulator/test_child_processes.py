"""The processes that a rehearsal or a demo has started end with it, however it ends."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from clearwindow.simulator.server import temporary_folder
from tests.support.long import long
from tests.support.processes import COMMAND, environment

REHEARSAL = ("rehearsal", "--exchanges", "1", "--traders", "1", "--rounds", "1")
PARTS = ("serve", "worker", "exchange", "postgres")


@pytest.fixture
def folder() -> Iterator[Path]:
    """The folder in which the command makes its temporary folders."""
    with temporary_folder("test") as made:
        yield made


def command_lines() -> list[str]:
    """Returns the command lines of all processes."""
    if not Path("/proc/self/cmdline").exists():
        listing = ["/bin/ps", "-A", "-ww", "-o", "command="]
        return subprocess.run(listing, capture_output=True, text=True, check=True).stdout.splitlines()  # noqa: S603
    found: list[str] = []
    for entry in Path("/proc").iterdir():
        try:
            found.append((entry / "cmdline").read_bytes().decode(errors="replace"))
        except OSError:
            continue
    return found


def running(folder: Path) -> list[str]:
    """Returns the processes that a command has started in this folder."""
    return [line for line in command_lines() if str(folder) in line]


def are_all_running(folder: Path, parts: Sequence[str]) -> bool:
    lines = running(folder)
    return all(any(part in line for line in lines) for part in parts)


def wait_until(done: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "the condition was not met in time"
        time.sleep(0.2)


@contextmanager
def started(folder: Path, arguments: Sequence[str], parts: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a command; the block begins when it has started all these parts."""
    with subprocess.Popen(  # noqa: S603 - our own program
        [*COMMAND, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env=environment() | {"TMPDIR": str(folder)},
    ) as process:
        try:
            wait_until(lambda: process.poll() is not None or are_all_running(folder, parts), 120)
            assert process.poll() is None
            yield process
        finally:
            process.kill()


@long
def test_processes_of_killed_rehearsal_end(folder: Path) -> None:
    with started(folder, REHEARSAL, PARTS) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        wait_until(lambda: not running(folder), 30)
    (left,) = folder.glob("clearwindow-rehearsal-*")
    assert not (left / "data" / "postgres" / "postmaster.pid").exists(), "the database was shut down in order"


def test_stopped_demo_cleans_up_and_exits_with_code_of_the_signal(folder: Path) -> None:
    with started(folder, ("demo",), ("serve",)) as process:
        process.terminate()
        assert process.wait(60) == 128 + signal.SIGTERM
    assert running(folder) == []
    assert list(folder.iterdir()) == []
