"""Programs in which server processes count requests together. They listen on a socket in a folder, on no port."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

_PATIENCE_SECONDS = 60


@dataclass
class Store:
    """A store that runs. It may be stopped and started again."""

    address: str
    command: list[str]
    path: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL)  # noqa: S603 - found by ``which``
        give_up_at = time.monotonic() + _PATIENCE_SECONDS
        while not self._answers():
            assert self.process.poll() is None, f"{self.command[0]} has ended"
            assert time.monotonic() < give_up_at, f"{self.command[0]} does not answer"
            time.sleep(0.02)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
            self.path.unlink(missing_ok=True)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(str(self.path))
            except OSError:
                return False
            return True


@contextmanager
def store(kind: str, folder: Path) -> Iterator[Store]:
    """Runs Redis or Memcached until the block ends.

    Args:
        kind: ``redis`` or ``memcached``.
        folder: for its socket. The path of a socket has at most 107 characters.
    """
    path = folder / "s"
    if kind == "redis":
        options = [
            "--port",
            "0",
            "--unixsocket",
            str(path),
            "--save",
            "",
            "--dir",
            str(folder),
            "--loglevel",
            "warning",
        ]
        made = Store(f"redis+unix://{path}", [_program("redis-server"), *options], path)
    else:
        # It refuses root without a user.
        made = Store(
            f"memcached://{path}", [_program("memcached"), "-u", "nobody", "-a", "777", "-s", str(path)], path
        )
    made.start()
    try:
        yield made
    finally:
        made.stop()


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.fail(f"install {name} (.ci/run has the package)")
    return found
