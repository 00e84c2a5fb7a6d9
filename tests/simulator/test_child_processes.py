"""Whatever ends a rehearsal, nothing that it has started goes on without it."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.processes import COMMAND, environment

REHEARSAL = ("rehearsal", "--exchanges", "1", "--traders", "1", "--rounds", "1")
PARTS = ("serve", "worker", "exchange", "postgres")


@pytest.fixture
def place() -> Iterator[Path]:
    """Where temporary folders are made; root's unprivileged PostgreSQL may enter."""
    folder = Path(tempfile.mkdtemp(prefix="clearwindow-test-")).resolve()
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


def command_lines() -> list[str]:
    """Of all processes there are."""
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


def running(place: Path) -> list[str]:
    """The processes that a command has started in this place."""
    return [line for line in command_lines() if str(place) in line]


def are_all_running(place: Path, parts: Sequence[str]) -> bool:
    lines = running(place)
    return all(any(part in line for line in lines) for part in parts)


def wait_until(done: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.2)


@contextmanager
def started(place: Path, arguments: Sequence[str], parts: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A command that has started all these parts of itself."""
    with subprocess.Popen(  # noqa: S603 - our own program
        [*COMMAND, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env=environment() | {"TMPDIR": str(place)},
    ) as process:
        try:
            wait_until(lambda: process.poll() is not None or are_all_running(place, parts), 120)
            assert process.poll() is None
            yield process
        finally:
            process.kill()


def test_what_a_killed_rehearsal_has_started_ends_by_itself(place: Path) -> None:
    with started(place, REHEARSAL, PARTS) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        wait_until(lambda: not running(place), 30)
    (left,) = place.glob("clearwindow-rehearsal-*")
    assert not (left / "data" / "postgres" / "postmaster.pid").exists(), "the database was shut down in order"


def test_what_is_stopped_clears_up_and_does_not_say_that_it_went_well(place: Path) -> None:
    with started(place, ("demo",), ("serve",)) as process:
        process.terminate()
        assert process.wait(60) == 128 + signal.SIGTERM
    assert running(place) == []
    assert list(place.iterdir()) == []
