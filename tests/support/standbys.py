"""A hot standby of an embedded server, made with pg_basebackup."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from clearwindow.postgres.embedded.account import reachable_binaries
from clearwindow.postgres.embedded.binaries import find_binaries
from clearwindow.postgres.embedded.cluster import EmbeddedPostgres
from clearwindow.postgres.embedded.environment import server_environment
from clearwindow.postgres.embedded.home import Home, find_home
from clearwindow.postgres.embedded.postmaster import Postmaster, launch_command
from tests.support.access import let_in


@contextmanager
def standby_of(primary: EmbeddedPostgres, folder: Path) -> Iterator[str]:
    """Runs a standby of the server until the block ends, and gives its address."""
    home = find_home(folder, durable=False)
    binaries = reachable_binaries(find_binaries(major=primary.major), home.account)
    source = conninfo_to_dict(primary.dsn)
    copy = [str(binaries.bin_dir / "pg_basebackup"), "-D", str(home.cluster), "-R", "-X", "stream", "-c", "fast"]
    copy += ["-h", str(source["host"]), "-p", str(source["port"]), "-U", str(source["user"])]
    home.root.chmod(0o777)
    let_in(primary.dsn)
    subprocess.run(  # noqa: S603 - our launcher and PostgreSQL's program
        launch_command(copy, home.account, signal.SIGKILL), check=True, env=server_environment(), cwd="/"
    )
    home.prepare_socket_dir()
    options = {"unix_socket_directories": str(home.socket_dir), "cluster_name": home.marker, "fsync": "off"}
    options |= {"listen_addresses": "", "shared_buffers": "16MB", "shared_preload_libraries": "plpgsql"}
    command = [str(binaries.postgres), "-D", str(home.cluster)]
    for name, value in options.items():
        command += ["-c", f"{name}={value}"]
    server = Postmaster(command, home)
    try:
        yield _when_it_answers(make_conninfo(primary.dsn, host=str(home.socket_dir)), home)
    finally:
        server.stop()
        home.remove_socket_dir()


def promote(standby: str) -> None:
    """Makes a primary of the standby."""
    with psycopg.connect(standby, autocommit=True) as connection:
        connection.execute("SELECT pg_promote()")


def _when_it_answers(dsn: str, home: Home) -> str:
    deadline = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(dsn).close()
        except psycopg.OperationalError:
            assert time.monotonic() < deadline, home.log.read_text()
            time.sleep(0.05)
        else:
            return dsn


def both(first: str, second: str) -> str:
    """Returns an address with two hosts, in this order."""
    hosts, ports = ([str(conninfo_to_dict(dsn)[name]) for dsn in (first, second)] for name in ("host", "port"))
    return make_conninfo(first, host=",".join(hosts), port=",".join(ports))
