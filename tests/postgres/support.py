"""Helpers for the tests of the embedded PostgreSQL."""

import contextlib
import functools
import json
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from clearwindow.postgres.embedded.account import Account
from clearwindow.postgres.embedded.binaries import MINIMUM_MAJOR, Binaries, candidates, system_installations
from clearwindow.postgres.embedded.cluster import EmbeddedPostgres, start_embedded
from tests.support.long import long_unless

INSTALLATIONS = [
    binaries for binaries in (*candidates(), *system_installations()) if binaries.major >= MINIMUM_MAJOR
]
WHEEL = next(binaries for binaries in INSTALLATIONS if binaries.bin_dir.parent.name == "pginstall")

# Not for tests that kill the server: the last commits may not be written yet.
start_fast = functools.partial(start_embedded, durable=False)

# The users that run the owning process: our own, and under root also a normal user.
_DAEMON = pwd.getpwnam("daemon")
ROLES: list[Account | None] = [None]
if os.geteuid() == 0:
    ROLES.append(Account(_DAEMON.pw_uid, _DAEMON.pw_gid))


def role_name(role: Account | None) -> str:
    if role is None:
        return "root" if os.geteuid() == 0 else "ourselves"
    return "normal-user"


def installation_name(binaries: Binaries) -> str:
    return f"postgresql-{binaries.major}"


each_installation = pytest.mark.parametrize(
    "binaries", long_unless(lambda binaries: binaries == WHEEL, INSTALLATIONS), ids=installation_name
)
# The whole run is one of our own user.
each_role = pytest.mark.parametrize("role", long_unless(lambda role: role == ROLES[-1], ROLES), ids=role_name)


@dataclass(frozen=True)
class Owner:
    """A process that owns a server. `answer` is the line that it printed."""

    process: "subprocess.Popen[str]"
    answer: dict[str, Any]

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(90)


def spawn(role: Account | None, data_dir: Path, **request: str) -> "subprocess.Popen[str]":
    who = {} if role is None else {"uid": str(role.uid), "gid": str(role.gid)}
    return subprocess.Popen(  # noqa: S603 - a program of these tests
        [
            sys.executable,
            str(Path(__file__).with_name("owner.py")),
            json.dumps({"data_dir": str(data_dir)} | who | request),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@contextlib.contextmanager
def owner(role: Account | None, data_dir: Path, **request: str) -> Iterator[Owner]:
    """Starts an owning process and ends it cleanly, unless the test has killed it."""
    with spawn(role, data_dir, **request) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            yield Owner(process, json.loads(line))
            process.communicate(timeout=60)
        finally:
            process.kill()


def server_pid(data_dir: Path) -> int:
    return int((data_dir / "postgres" / "postmaster.pid").read_text().splitlines()[0])


def is_alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    # A process that has ended stays in the list until its parent waits for it.
    return status.rpartition(")")[2].split()[0] != "Z"


def wait_until(done: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def answers(server: EmbeddedPostgres) -> bool:
    with contextlib.suppress(psycopg.OperationalError), psycopg.connect(server.dsn):
        return True
    return False


def write_row(dsn: str, text: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (line text PRIMARY KEY)")
        connection.execute("INSERT INTO kept VALUES (%s)", [text])


def rows(server: EmbeddedPostgres) -> list[str]:
    with psycopg.connect(server.dsn) as connection:
        return [line for (line,) in connection.execute("SELECT line FROM kept ORDER BY line").fetchall()]


def setting(server: EmbeddedPostgres, name: str) -> str:
    with psycopg.connect(server.dsn) as connection:
        answer = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
    assert answer is not None
    return str(answer[0])
