"""A real ``clearwindow serve`` with its own data folder, and the ways in which it is killed."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import Final

import psycopg

from clearwindow.database.embedded import start_embedded

OPERATOR_TOKEN: Final = "the-operator-token-of-the-crash-tests"
START_SECONDS: Final = 60
RECOVERY_SECONDS: Final = 60
_LOOK_SECONDS: Final = 0.02


class Target(StrEnum):
    """What is killed with SIGKILL."""

    SERVER = "server"
    EVERYTHING = "everything"
    BACKEND = "backend"
    POSTMASTER = "postmaster"


LIVES_ON: Final = (Target.BACKEND, Target.POSTMASTER)
"""Where the server is not killed, and must recover by itself."""


class Server:
    """One data folder and the server that runs on it, at the same address after every restart."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self._log = folder / "server.log"
        self._port = _free_port()
        self._process: subprocess.Popen[str] | None = None
        self._dsn: str | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def dsn(self) -> str:
        """Of its embedded database, which must have been reached once."""
        if self._dsn is None:
            with start_embedded(self.data, share_running=True) as shared:
                assert shared.shared
                self._dsn = shared.dsn
        return self._dsn

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Returns when the server takes requests."""
        with self._log.open("a") as log:
            self._process = subprocess.Popen(  # noqa: S603 - this very program
                [sys.executable, "-m", "clearwindow", "serve", *self._arguments()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment(),
                start_new_session=True,
                text=True,
            )
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Until it says itself that the database answers and due work is done."""
        wait_until(self._ready, START_SECONDS, f"the server did not become ready: see {self._log}")

    def stop(self) -> None:
        if self._process is not None and self.alive:
            self._process.terminate()
            self._process.wait(START_SECONDS)

    def kill(self, target: Target, backend: int) -> None:
        """Kills the target at once; returns when it is dead.

        Args:
            target: what to kill.
            backend: the process of PostgreSQL that serves the transaction under way.
        """
        assert self._process is not None
        victims = [self._process.pid]
        if target is Target.EVERYTHING:
            # The server last: PostgreSQL would be told to end in order when it dies.
            victims = [*_descendants(self._process.pid), self._process.pid]
        elif target in LIVES_ON:
            victims = [backend if target is Target.BACKEND else _parent(backend)]
        for victim in victims:
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
        if target not in LIVES_ON:
            self._process.wait(START_SECONDS)
            # PostgreSQL ends with the server. What is held must be held until then: let go, it would still commit.
            victims.append(backend)
        wait_until(lambda: not any(map(_is_alive, victims)), START_SECONDS, "a killed process lives on")

    def recover(self, target: Target) -> None:
        """Starts the server again, or waits for the one that lives on to recover by itself."""
        if target in LIVES_ON:
            wait_until(self._ready, RECOVERY_SECONDS, f"the server did not recover by itself: see {self._log}")
            assert self.alive
        else:
            assert not self.alive
            self.start()

    def check(self) -> None:
        """``clearwindow check``, as a person would run it."""
        done = subprocess.run(  # noqa: S603 - this very program
            [sys.executable, "-m", "clearwindow", "check", "--data", str(self.data), "--json"],
            capture_output=True,
            text=True,
            env=self._environment(),
            check=False,
        )
        assert done.returncode == 0, f"check found: {done.stdout}{done.stderr}"
        assert json.loads(done.stdout)["ok"] is True

    def _environment(self) -> dict[str, str]:
        kept = "CLEARWINDOW_POSTGRES_BIN_DIR"
        ours = {
            name: value
            for name, value in os.environ.items()
            if name == kept or not name.startswith(("CLEARWINDOW_", "PYTHONDONTWRITEBYTECODE"))
        }
        return ours | {
            "CLEARWINDOW_OPERATOR_TOKEN": OPERATOR_TOKEN,
            # The load of these tests is more than a partner sends.
            "CLEARWINDOW_RATE_LIMIT_PER_MINUTE": "0",
            "CLEARWINDOW_WORKER_POLL_SECONDS": "0.05",
            "CLEARWINDOW_LOG_LEVEL": "warning",
            # Compiled once, so that a restart takes as long as that of an installed server.
            "PYTHONPYCACHEPREFIX": os.environ.get("PYTHONPYCACHEPREFIX", str(self.data.with_name("compiled"))),
        }

    def _arguments(self) -> list[str]:
        return ["--port", str(self._port), "--data", str(self.data)]

    def _ready(self) -> bool:
        assert self.alive, f"the server ended: see {self._log}\n{self._log.read_text()[-2_000:]}"
        # Asked often: a client that prepares for TLS would cost more than the server's start.
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


@contextmanager
def running_server() -> Iterator[Server]:
    """A server over an empty data folder of its own."""
    # Made so that an unprivileged PostgreSQL reaches it, which pytest's own folders do not let it.
    folder = Path(tempfile.mkdtemp(prefix="clearwindow-crash-")).resolve()
    folder.chmod(0o755)
    server = Server(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


def wait_until(done: Callable[[], bool], seconds: float, otherwise: str) -> None:
    give_up_at = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < give_up_at, otherwise
        time.sleep(_LOOK_SECONDS)


def connected(dsn: str) -> psycopg.Connection:
    """A connection of the test's own, whose commits wait for nobody."""
    options = "-c synchronous_commit=local -c timezone=UTC"
    return psycopg.connect(dsn, autocommit=True, application_name="crash-test", options=options)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _descendants(pid: int) -> Iterator[int]:
    """All processes below this one, parents before their children."""
    # A process may end while it is looked at.
    with suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                yield child
                yield from _descendants(child)


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _parent(pid: int) -> int:
    return int(_stat(pid)[1])


def _is_alive(pid: int) -> bool:
    try:
        # An ended process stays in the list until its parent asks for it.
        return _stat(pid)[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
