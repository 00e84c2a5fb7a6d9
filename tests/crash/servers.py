"""A ``clearwindow serve`` process with its own data folder, and the ways to kill it."""

from __future__ import annotations

import http.client
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

import psycopg

from clearwindow.postgres.embedded.cluster import start_embedded
from clearwindow.simulator.programs import Program, run_to_end
from clearwindow.simulator.server import ALONE, START_SECONDS, data_folder, environment, temporary_folder
from tests.support.ports import reserved_port

OPERATOR_TOKEN: Final = "the-operator-token-of-the-crash-tests"
RECOVERY_SECONDS: Final = 60
CHECK_SECONDS: Final = 300
_LOOK_SECONDS: Final = 0.02


class Target(StrEnum):
    """What is killed with SIGKILL."""

    SERVER = "server"
    EVERYTHING = "everything"
    BACKEND = "backend"
    POSTMASTER = "postmaster"
    API = "api"
    WORKER = "worker"


SERVER_SURVIVES: Final = (Target.BACKEND, Target.POSTMASTER)
"""Targets that do not kill the server: it must recover by itself."""

EMBEDDED_TARGETS: Final = (Target.SERVER, Target.EVERYTHING, *SERVER_SURVIVES)
APART_TARGETS: Final = (Target.API, Target.WORKER, *SERVER_SURVIVES)
"""Those of a server and a worker as processes of their own, with a database that neither owns."""


class AnyServer(Protocol):
    """A server at one address, and the ways to kill it."""

    url: str

    @property
    def dsn(self) -> str:
        """Of the database, for its superuser."""

    @property
    def targets(self) -> Sequence[Target]:
        """What can be killed."""

    def kill(self, target: Target, backend: int) -> None:
        """Kills the target at once, and returns when it is dead.

        Args:
            target: what to kill.
            backend: the process of PostgreSQL that runs the held transaction.
        """

    def recover(self, target: Target) -> None:
        """Starts again what was killed, or waits until what survived recovers by itself."""

    def check(self) -> None:
        """Runs ``clearwindow check`` as an operator would."""


class Server:
    """One data folder and the server that runs on it, at the same address after every restart."""

    def __init__(self, folder: Path) -> None:
        self.data = data_folder(folder)
        port = reserved_port()
        self.url = f"http://127.0.0.1:{port}"
        arguments = ["serve", "--port", str(port), "--data", str(self.data)]
        self._program = Program("server", arguments, folder, self._environment())
        self._dsn: str | None = None

    @property
    def targets(self) -> Sequence[Target]:
        return EMBEDDED_TARGETS

    @property
    def dsn(self) -> str:
        """Of its embedded database, which must have been reached once."""
        if self._dsn is None:
            with start_embedded(self.data, share_running=True) as shared:
                assert shared.shared
                self._dsn = shared.dsn
        return self._dsn

    def start(self) -> None:
        """Returns when the server takes requests."""
        self._program.start()
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Returns when the server itself reports that the database answers and no work is overdue."""
        wait_until(self._ready, START_SECONDS, f"the server did not become ready: see {self._program.log}")

    def stop(self) -> None:
        self._program.stop()

    def kill(self, target: Target, backend: int) -> None:
        process = self._program.process
        victims = [process.pid]
        if target is Target.EVERYTHING:
            # The server last: at its end PostgreSQL would be told to shut down in order.
            victims = [*_descendants(process.pid), process.pid]
        elif target in SERVER_SURVIVES:
            victims = [backend if target is Target.BACKEND else parent(backend)]
        kill_all(victims)
        if target not in SERVER_SURVIVES:
            process.wait(START_SECONDS)
        # PostgreSQL ends with the server. The step stays held until then: if released, it would still commit.
        victims.append(backend)
        wait_until_dead(victims)

    def recover(self, target: Target) -> None:
        if target in SERVER_SURVIVES:
            wait_until(
                self._ready, RECOVERY_SECONDS, f"the server did not recover by itself: see {self._program.log}"
            )
            self._program.require_running()
        else:
            assert not self._program.is_running
            self.start()

    def check(self) -> None:
        check("--data", str(self.data), given=self._environment())

    def _environment(self) -> dict[str, str]:
        return settings_of(self.data.with_name("compiled"))

    def _ready(self) -> bool:
        self._program.require_running()
        return is_ready(self.url)


@contextmanager
def running_server() -> Iterator[Server]:
    """Runs a server over an empty data folder until the block ends."""
    with temporary_folder("crash") as folder:
        server = Server(folder)
        try:
            server.start()
            yield server
        finally:
            server.stop()


def settings_of(compiled: Path, **more: str) -> dict[str, str]:
    """Returns the environment of a server or a worker.

    Args:
        compiled: where its modules are kept, compiled once, so that a restart takes as long as that of an installed
            server.
        more: further settings, by their whole names.
    """
    settings = {
        **ALONE,
        "CLEARWINDOW_OPERATOR_TOKEN": OPERATOR_TOKEN,
        # These tests send more than a partner sends.
        "CLEARWINDOW_RATE_LIMIT_PER_MINUTE": "0",
        "CLEARWINDOW_WORKER_POLL_SECONDS": "0.05",
        "CLEARWINDOW_LOG_LEVEL": "warning",
        # Partners and receivers of webhooks are on loopback.
        "CLEARWINDOW_ALLOW_PRIVATE_ADDRESSES": "true",
        "PYTHONPYCACHEPREFIX": os.environ.get("PYTHONPYCACHEPREFIX", str(compiled)),
    }
    given = environment(settings | more)
    given.pop("PYTHONDONTWRITEBYTECODE", None)
    return given


def check(*arguments: str, given: Mapping[str, str]) -> None:
    """Runs ``clearwindow check``, which must find nothing."""
    done = run_to_end(["check", *arguments, "--json"], given, CHECK_SECONDS)
    assert done.returncode == 0, f"check failed: {done.stdout}{done.stderr}"


def is_ready(url: str) -> bool:
    # Called often: a client that prepares for TLS would take longer than the server's start.
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def kill_all(victims: Sequence[int]) -> None:
    for victim in victims:
        with suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)


def wait_until_dead(victims: Sequence[int]) -> None:
    wait_until(lambda: not any(map(is_alive, victims)), START_SECONDS, "a killed process is still running")


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Stops a process until the block ends.

    PostgreSQL ends its sessions one after the other. If the holder of a step ended first, the waiting transaction
    would go on, and commit, before it is told to end.
    """
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        # It may have been killed too.
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def wait_until(done: Callable[[], bool], seconds: float, otherwise: str) -> None:
    give_up_at = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < give_up_at, otherwise
        time.sleep(_LOOK_SECONDS)


def connected(dsn: str) -> psycopg.Connection:
    """Opens a connection whose commits wait for no standby."""
    options = "-c synchronous_commit=local -c timezone=UTC"
    return psycopg.connect(dsn, autocommit=True, application_name="crash-test", options=options)


def _descendants(pid: int) -> Iterator[int]:
    """Yields all processes below this one, parents before their children."""
    # A process may end while its files are read.
    with suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                yield child
                yield from _descendants(child)


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def parent(pid: int) -> int:
    return int(_stat(pid)[1])


def is_alive(pid: int) -> bool:
    try:
        # An ended process stays in the list until its parent asks for it.
        return _stat(pid)[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
