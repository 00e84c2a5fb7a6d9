"""A PostgreSQL that is not ours: made by initdb, with a superuser and no password."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg

from clearwindow.postgres.embedded.account import Account, reachable_binaries
from clearwindow.postgres.embedded.binaries import find_binaries
from clearwindow.postgres.embedded.database import address_of
from clearwindow.postgres.embedded.environment import server_environment
from clearwindow.postgres.embedded.home import Home
from clearwindow.postgres.embedded.postmaster import Postmaster, launch_command

_PATIENCE_SECONDS: Final = 60


@contextmanager
def plain_cluster(data_dir: Path, superuser: str) -> Iterator[Home]:
    """Makes the cluster and runs it until the block ends, under root as ``nobody``."""
    home = make_plain_cluster(data_dir, superuser)
    with running_cluster(home, superuser):
        yield home


def make_plain_cluster(data_dir: Path, superuser: str) -> Home:
    """Makes the cluster, and does not start it."""
    nobody = pwd.getpwnam("nobody")
    account = Account(nobody.pw_uid, nobody.pw_gid) if os.geteuid() == 0 else None
    home = Home(data_dir, data_dir, account)
    data_dir.mkdir(mode=0o711)
    home.cluster.mkdir(mode=0o700)
    if account is not None:
        account.own(home.cluster)
    binaries = reachable_binaries(find_binaries(), account)
    making = [str(binaries.initdb), f"--pgdata={home.cluster}", f"--username={superuser}", "--auth=trust"]
    making += ["--encoding=UTF8", "--locale=C", "--data-checksums", "--no-sync"]
    subprocess.run(  # noqa: S603 - our launcher and initdb
        launch_command(making, account, signal.SIGKILL),
        check=True,
        stdout=subprocess.DEVNULL,
        env=server_environment(),
        cwd="/",
    )
    return home


@contextmanager
def running_cluster(home: Home, superuser: str) -> Iterator[None]:
    """Runs the cluster until the block ends."""
    binaries = reachable_binaries(find_binaries(), home.account)
    home.prepare_socket_dir()
    command = [str(binaries.postgres), "-D", str(home.cluster), "-c", "listen_addresses="]
    command += ["-c", f"unix_socket_directories={home.socket_dir}", "-c", f"cluster_name={home.marker}"]
    server = Postmaster(command, home)
    try:
        _await(home, superuser)
        yield
    finally:
        server.stop()
        home.remove_socket_dir()


def _await(home: Home, superuser: str) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            psycopg.connect(address_of(home, superuser, "postgres")).close()
        except psycopg.OperationalError:
            assert time.monotonic() < deadline, home.log.read_text()
            time.sleep(0.05)
        else:
            return
