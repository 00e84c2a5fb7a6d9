"""PostgreSQL that Clearwindow brings along: its own cluster in the data folder, started and stopped with us.

It listens on a Unix socket in a private folder only. Nothing of it outlives the process that owns it: the
server of a killed owner ends by itself. A server that is killed while its owner lives is started again at once.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
from psycopg import conninfo, errors

from clearwindow.database.account import reachable_binaries
from clearwindow.database.binaries import (
    Binaries,
    BinariesNotFoundError,
    EmbeddedPostgresError,
    find_binaries,
)
from clearwindow.database.home import PORT, Home, find_home, known_home, make_data_dir, sync_folder
from clearwindow.database.keeper import Keeper
from clearwindow.database.lock import FolderLock, holder_pid
from clearwindow.database.postmaster import Postmaster, clean_environment, launch_command, stop_leftovers

__all__ = [
    "BinariesNotFoundError",
    "DataFolderInUseError",
    "DataFolderVersionError",
    "EmbeddedPostgres",
    "EmbeddedPostgresError",
    "StartError",
    "start_embedded",
]

DATABASE = "clearwindow"
USER = "clearwindow"

# Long enough to replay all the write-ahead log that max_wal_size lets pile up, on a slow disk.
_START_TIMEOUT_SECONDS = 180
_INITDB_TIMEOUT_SECONDS = 120
_CONNECT_TIMEOUT_SECONDS = 10
_POLL_SECONDS = 0.01
_LOG_TAIL_LINES = 15
_LOG_ROTATION_BYTES = 16 * 1024 * 1024

_SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    # A bulk load of some hundred thousand amounts should not run into a forced checkpoint.
    "max_wal_size": "2GB",
    "min_wal_size": "256MB",
    "wal_compression": "on",
    # Short statements only; and one wheel has it while another has not.
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
}
# Compressing what is never synced would be most of what copying a database costs.
_UNSAFE_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_compression": "off",
}


class DataFolderInUseError(EmbeddedPostgresError):
    """Another living process owns the data folder; `pid` is that process as far as known."""

    def __init__(self, data_dir: Path, pid: int | None) -> None:
        holder = "another process" if pid is None else f"process {pid}"
        super().__init__(
            f"The data folder {data_dir} is in use by {holder}: stop it, use another data folder, "
            "or set a database URL to share one database."
        )
        self.pid = pid


class DataFolderVersionError(EmbeddedPostgresError):
    """The cluster was made by a major version of PostgreSQL whose programs are not on this machine."""


class StartError(EmbeddedPostgresError):
    """PostgreSQL could not make its cluster or did not come up; the message ends with what it said."""


class EmbeddedPostgres:
    """A running server: `dsn` connects to its database, `major` is its version, `cluster` its folder.

    As a context manager it stops at the end of the block. `shared` says that another process owns it;
    stopping does nothing then.
    """

    def __init__(self, dsn: str, major: int, cluster: Path, owned: contextlib.ExitStack | None = None) -> None:
        self.dsn = dsn
        self.major = major
        self.cluster = cluster
        self.shared = owned is None
        self._owned = owned
        self._owner_pid = os.getpid()
        self._stopping = threading.Lock()

    def stop(self) -> None:
        """Shut down fast: open transactions are rolled back. Returns within a bounded time; may be repeated.

        Raises:
            EmbeddedPostgresError: the server does not end.
        """
        # A forked child has a copy of this object and not of the right to stop its parent's server.
        if self._owned is None or os.getpid() != self._owner_pid:
            return
        with self._stopping:
            self._owned.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start_embedded(
    data_dir: Path, *, binaries_path: Path | None = None, durable: bool = True, share_running: bool = False
) -> EmbeddedPostgres:
    """Start the data folder's PostgreSQL and return when it takes connections; make both where missing.

    Args:
        data_dir: holds the cluster, its log and its lock.
        binaries_path: where PostgreSQL's programs are; None searches the usual places.
        durable: False is for tests: a killed server may lose the last commits, a crash of the machine all.
        share_running: use the server of the process that owns the folder instead of failing, if there is one.

    Raises:
        DataFolderInUseError: another process owns the folder.
        DataFolderVersionError: the cluster needs another major version of PostgreSQL.
        BinariesNotFoundError: there are no PostgreSQL programs.
        StartError: PostgreSQL failed.
        EmbeddedPostgresError: anything else that a person has to put right.
    """
    try:
        folder = make_data_dir(data_dir)
        with contextlib.ExitStack() as stack:
            if not _lock(folder, stack):
                if not share_running:
                    raise DataFolderInUseError(folder, holder_pid(folder))
                return _join(folder)
            home = find_home(folder, durable=durable)
            # Two data folders name one sheltered cluster when one of them is a copy.
            if home.root != folder and not _lock(home.root, stack):
                raise DataFolderInUseError(home.root, holder_pid(home.root))
            return _start(home, binaries_path, stack, durable=durable)
    except OSError as error:
        raise EmbeddedPostgresError(f"The data folder {data_dir} cannot be used: {error}.") from error


def _lock(folder: Path, stack: contextlib.ExitStack) -> bool:
    lock = FolderLock.take(folder)
    if lock is not None:
        stack.callback(lock.release)
    return lock is not None


def _start(
    home: Home, binaries_path: Path | None, stack: contextlib.ExitStack, *, durable: bool
) -> EmbeddedPostgres:
    binaries = reachable_binaries(_fitting_binaries(home.cluster, binaries_path), home.account)
    if home.cluster.exists():
        stop_leftovers(home)
        # Put back from a backup it may be open to others, which PostgreSQL refuses.
        home.cluster.chmod(0o700)
    else:
        _make_cluster(home, binaries, durable=durable)
    home.prepare_socket_dir()
    stack.callback(home.remove_socket_dir)
    _rotate_log(home.log)
    said_before_bytes = home.log.stat().st_size if home.log.exists() else 0
    command = _server_command(home, binaries, durable=durable)
    postmaster = Postmaster(command, home)
    stack.callback(postmaster.stop)
    dsn = _dsn(home)
    try:
        _make_database(home, lambda: postmaster.running)
        _wait_for(dsn, lambda: postmaster.running)
    except psycopg.Error as error:
        tail = _log_tail(home.log, said_before_bytes)
        raise StartError(
            f"PostgreSQL {binaries.major} did not come up on {home.cluster}; {home.log} ends with:\n{tail or error}"
        ) from error
    keeper = Keeper(postmaster, lambda: _restart(home, command))
    stack.callback(keeper.stop)
    return EmbeddedPostgres(dsn, binaries.major, home.cluster, stack.pop_all())


def _restart(home: Home, command: Sequence[str]) -> Postmaster:
    """The next server process after one that was killed; what it left running is ended first."""
    stop_leftovers(home)
    home.prepare_socket_dir()
    return Postmaster(command, home)


def _join(folder: Path) -> EmbeddedPostgres:
    home = known_home(folder)
    dsn = _dsn(home)
    try:
        major = _wait_for(dsn, lambda: True)
    except psycopg.Error as error:
        raise StartError(
            f"Process {holder_pid(folder)} holds the data folder {folder}, "
            f"but its PostgreSQL cannot be reached: {error}"
        ) from error
    return EmbeddedPostgres(dsn, major, home.cluster)


def _fitting_binaries(cluster: Path, binaries_path: Path | None) -> Binaries:
    if not cluster.exists():
        return find_binaries(binaries_path)
    try:
        major = int((cluster / "PG_VERSION").read_text())
    except (OSError, ValueError) as error:
        raise EmbeddedPostgresError(
            f"{cluster} is not a PostgreSQL cluster (its PG_VERSION cannot be read): move it away, "
            "or use another data folder."
        ) from error
    try:
        return find_binaries(binaries_path, major)
    except BinariesNotFoundError as error:
        if not error.found:
            raise
        raise DataFolderVersionError(
            f"The cluster {cluster} was made by PostgreSQL {major}, and this machine has only "
            f"PostgreSQL {', '.join(map(str, error.found))}: install PostgreSQL {major}, "
            "or convert the cluster with pg_upgrade."
        ) from error


def _make_cluster(home: Home, binaries: Binaries, *, durable: bool) -> None:
    # Made beside its place and renamed when complete: killed half-way, it leaves nothing like a cluster.
    for abandoned in home.root.glob("postgres.new-*"):
        shutil.rmtree(abandoned, ignore_errors=True)
    scratch = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=home.root))
    if home.account is not None:
        home.account.own(scratch)
    program = [
        str(binaries.initdb),
        f"--pgdata={scratch}",
        f"--username={USER}",
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C",
        "--data-checksums",
        "--no-instructions",
        *([] if durable else ["--no-sync"]),
    ]
    try:
        outcome = subprocess.run(  # noqa: S603 - our launcher and initdb from find_binaries
            launch_command(program, home.account, signal.SIGKILL),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=clean_environment(),
            text=True,
            errors="replace",
            check=False,
            timeout=_INITDB_TIMEOUT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise StartError(f"initdb took longer than {_INITDB_TIMEOUT_SECONDS} s to make {home.cluster}.") from None
    if outcome.returncode != 0:
        tail = "\n".join(outcome.stdout.splitlines()[-_LOG_TAIL_LINES:])
        shutil.rmtree(scratch, ignore_errors=True)
        raise StartError(f"{binaries.initdb} could not make {home.cluster}; it said:\n{tail}")
    scratch.rename(home.cluster)
    if durable:
        sync_folder(home.root)


def _server_command(home: Home, binaries: Binaries, *, durable: bool) -> list[str]:
    settings = _SETTINGS | {"unix_socket_directories": str(home.socket_dir), "cluster_name": home.marker}
    if not durable:
        settings |= _UNSAFE_SETTINGS
    command = [str(binaries.postgres), "-D", str(home.cluster)]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    return command


def _dsn(home: Home, database: str = DATABASE) -> str:
    return conninfo.make_conninfo("", host=str(home.socket_dir), port=PORT, user=USER, dbname=database)


def _make_database(home: Home, alive: Callable[[], bool]) -> None:
    maintenance = _dsn(home, "postgres")
    _wait_for(maintenance, alive)
    with (
        psycopg.connect(maintenance, autocommit=True, connect_timeout=_CONNECT_TIMEOUT_SECONDS) as connection,
        contextlib.suppress(errors.DuplicateDatabase),
    ):
        if connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is None:
            connection.execute(f"CREATE DATABASE {DATABASE}")


def _wait_for(dsn: str, alive: Callable[[], bool]) -> int:
    """Wait for the first connection; returns the server's major version, or raises psycopg's last error."""
    deadline = time.monotonic() + _START_TIMEOUT_SECONDS
    while True:
        running = alive()
        try:
            with psycopg.connect(dsn, connect_timeout=_CONNECT_TIMEOUT_SECONDS) as connection:
                return connection.info.server_version // 10_000
        except psycopg.OperationalError:
            if not running or time.monotonic() > deadline:
                raise
        time.sleep(_POLL_SECONDS)


def _rotate_log(log: Path) -> None:
    # One earlier log is kept; the server writes little, so that doing this at a start is often enough.
    if log.exists() and log.stat().st_size > _LOG_ROTATION_BYTES:
        log.rename(log.with_suffix(".log.1"))


def _log_tail(log: Path, from_byte: int) -> str:
    try:
        with log.open("rb") as file:
            file.seek(from_byte)
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(lines[-_LOG_TAIL_LINES:])
