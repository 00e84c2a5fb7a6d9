"""PgBouncer in front of a database."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from clearwindow.postgres.embedded.access import ROLES
from tests.support.access import let_in
from tests.support.ports import reserved_port

PROGRAM: Final = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@contextmanager
def pgbouncer(dsn: str, folder: Path, mode: str, *, more: str = "") -> Iterator[str]:
    """Runs it until the block ends. Yields the database's address through it."""
    if PROGRAM is None:
        pytest.fail("install PgBouncer (.ci/run has the package)")
    server = conninfo_to_dict(dsn)
    port = reserved_port()
    users = folder / "users.txt"
    users.write_text("".join(f'"{role}" ""\n' for role in {*ROLES, str(server["user"])}))
    settings = folder / "pgbouncer.ini"
    settings.write_text(f"""[databases]
* = host={server["host"]} port={server.get("port") or 5432}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
pool_mode = {mode}
default_pool_size = 30
{more}
""")
    # It refuses root. The user who runs the server can reach the server's socket.
    as_user = ["-u", let_in(dsn)] if os.geteuid() == 0 else []
    process = subprocess.Popen([PROGRAM, "-q", *as_user, str(settings)])  # noqa: S603 - the program found above
    address = make_conninfo(dsn, host="127.0.0.1", port=port)
    try:
        _wait(address)
        yield address
    finally:
        process.terminate()
        process.wait(60)


def _wait(address: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(address).close()
        except psycopg.OperationalError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return
