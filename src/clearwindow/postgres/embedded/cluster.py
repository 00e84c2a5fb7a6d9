"""The embedded PostgreSQL: a cluster in the data folder that starts and stops with this process.

It listens only on a Unix socket in a private folder. It never outlives the process that owns it: if the owner is
killed, the server ends by itself. If the server is killed while its owner lives, it is started again at once.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from clearwindow.postgres.embedded.access import APPLICATION, OWNER, SUPERUSER, write_access
from clearwindow.postgres.embedded.account import reachable_binaries
from clearwindow.postgres.embedded.binaries import (
    Binaries,
    BinariesNotFoundError,
    EmbeddedPostgresError,
    cure,
    find_binaries,
)
from clearwindow.postgres.embedded.database import address_of, prepare_database, wait_until_prepared
from clearwindow.postgres.embedded.environment import server_environment
from clearwindow.postgres.embedded.home import PORT, Home, find_home, known_home, make_data_dir, sync_folder
from clearwindow.postgres.embedded.keeper import Keeper
from clearwindow.postgres.embedded.lock import FolderLock, holder_pid
from clearwindow.postgres.embedded.postmaster import Postmaster, launch_command, stop_leftovers
from clearwindow.postgres.embedded.upgrade import Upgrade

__all__ = [
    "BinariesNotFoundError",
    "DataFolderInUseError",
    "DataFolderVersionError",
    "EmbeddedPostgres",
    "EmbeddedPostgresError",
    "StartError",
    "start_embedded",
]

_INITDB_TIMEOUT_SECONDS = 120
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
    # Storing some hundred thousand amounts should not force a checkpoint.
    "max_wal_size": "2GB",
    "min_wal_size": "256MB",
    # The rows of a settlement touch many pages. Compressing each page cost more time than writing it.
    "wal_compression": "off",
    # All statements are short, and not every wheel has it.
    "jit": "off",
    # Loaded now, because its file may be replaced while the server runs.
    "shared_preload_libraries": "plpgsql",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
}
_UNSAFE_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}


class DataFolderInUseError(EmbeddedPostgresError):
    """Another running process owns the data folder. `pid` is that process, if known."""

    def __init__(self, data_dir: Path, pid: int | None) -> None:
        holder = "another process" if pid is None else f"process {pid}"
        super().__init__(
            f"The data folder {data_dir} is in use by {holder}: stop it, use another data folder, "
            "or set a database URL to share one database."
        )
        self.pid = pid


class DataFolderVersionError(EmbeddedPostgresError):
    """The cluster needs a major version of PostgreSQL that is not on this machine."""


class StartError(EmbeddedPostgresError):
    """PostgreSQL could not make its cluster or did not start; the message ends with its own output."""


class EmbeddedPostgres:
    """A running server. `major` is its version, `cluster` its folder.

    `application_dsn` is the database's address for requests and the worker, `owner_dsn` for migrations. `dsn` is
    that of the superuser, which tests and repairs need.

    As a context manager it stops at the end of the block. If `shared` is true, another process owns the server, and
    stopping does nothing.
    """

    def __init__(self, home: Home, major: int, owned: contextlib.ExitStack | None = None) -> None:
        self.dsn = address_of(home, SUPERUSER)
        self.owner_dsn = address_of(home, OWNER)
        self.application_dsn = address_of(home, APPLICATION)
        self.major = major
        self.cluster = home.cluster
        self.shared = owned is None
        self._owned = owned
        self._owner_pid = os.getpid()
        self._stopping = threading.Lock()

    def stop(self) -> None:
        """Stops the server. Open transactions are rolled back. It takes a limited time and may be repeated.

        Raises:
            EmbeddedPostgresError: the server does not stop.
        """
        # A forked child has a copy of this object, but must not stop its parent's server.
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
    data_dir: Path,
    *,
    binaries_path: Path | None = None,
    durable: bool = True,
    share_running: bool = False,
    system_user: str | None = None,
) -> EmbeddedPostgres:
    """Starts the data folder's PostgreSQL and waits for it. Makes folder and cluster if they are missing.

    Args:
        data_dir: holds the cluster, its log and its lock.
        binaries_path: where PostgreSQL's programs are. None takes those of an installed wheel.
        durable: False is for tests: a killed server may lose the last commits, a crash of the machine everything.
        share_running: if another process owns the folder, use its server instead of raising.
        system_user: runs PostgreSQL if we are root, instead of our own system user.

    Raises:
        DataFolderInUseError: another process owns the folder.
        DataFolderVersionError: the cluster needs another major version of PostgreSQL.
        BinariesNotFoundError: there are no PostgreSQL programs.
        StartError: PostgreSQL failed.
        EmbeddedPostgresError: anything else that a person has to correct.
    """
    try:
        folder = make_data_dir(data_dir)
        with contextlib.ExitStack() as stack:
            if not _lock(folder, stack):
                if not share_running:
                    raise DataFolderInUseError(folder, holder_pid(folder))
                return _join(folder)
            home = find_home(folder, durable=durable, system_user=system_user)
            # If a data folder was copied, both name the same cluster in the shelter.
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
        home.take_over()
        # A restored backup may be open to others, which PostgreSQL refuses.
        home.cluster.chmod(0o700)
    else:
        _make_cluster(home, binaries, durable=durable)
    write_access(home)
    home.prepare_socket_dir()
    stack.callback(home.remove_socket_dir)
    _rotate_log(home.log)
    said_before_bytes = home.log.stat().st_size if home.log.exists() else 0
    command = _server_command(home, binaries, durable=durable)
    postmaster = Postmaster(command, home)
    stack.callback(postmaster.stop)
    try:
        prepare_database(home, lambda: postmaster.running)
    except psycopg.Error as error:
        tail = _log_tail(home.log, said_before_bytes)
        raise StartError(
            f"PostgreSQL {binaries.major} did not start on {home.cluster}; {home.log} ends with:\n{tail or error}"
        ) from error
    upgrade = Upgrade(binaries, lambda: _try_out(home, binaries))
    keeper = Keeper(postmaster, lambda: _restart(home, command), upgrade)
    stack.callback(keeper.stop)
    return EmbeddedPostgres(home, binaries.major, stack.pop_all())


def _restart(home: Home, command: Sequence[str]) -> Postmaster:
    """Ends what a killed server left running, and returns the next server process."""
    stop_leftovers(home)
    home.prepare_socket_dir()
    return Postmaster(command, home)


def _join(folder: Path) -> EmbeddedPostgres:
    home = known_home(folder)
    try:
        major = wait_until_prepared(home)
    except psycopg.Error as error:
        raise StartError(
            f"Process {holder_pid(folder)} holds the data folder {folder}, "
            f"but its PostgreSQL cannot be reached: {error}"
        ) from error
    return EmbeddedPostgres(home, major)


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
            f"The cluster {cluster} was made by PostgreSQL {major}, and we have only "
            f"PostgreSQL {', '.join(map(str, error.found))}: {cure(major)}, "
            "or convert the cluster with pg_upgrade."
        ) from error


def _make_cluster(home: Home, binaries: Binaries, *, durable: bool) -> None:
    # Made beside its place and renamed when complete, so that a killed initdb leaves no half cluster.
    for abandoned in home.root.glob("postgres.new-*"):
        shutil.rmtree(abandoned, ignore_errors=True)
    scratch = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=home.root))
    _initialise(scratch, home, binaries, durable=durable)
    scratch.rename(home.cluster)
    if durable:
        sync_folder(home.root)


def _try_out(home: Home, binaries: Binaries) -> bool:
    """Returns whether the programs and their libraries work, by making another cluster."""
    scratch = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=home.root))
    try:
        _initialise(scratch, home, binaries, durable=False)
    except StartError:
        return False
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return True


def _initialise(scratch: Path, home: Home, binaries: Binaries, *, durable: bool) -> None:
    if home.account is not None:
        home.account.own(scratch)
    program = [
        str(binaries.initdb),
        f"--pgdata={scratch}",
        f"--username={SUPERUSER}",
        "--auth=reject",
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
            env=server_environment(),
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
        raise StartError(f"{binaries.initdb} could not make {home.cluster}; its output:\n{tail}")


def _server_command(home: Home, binaries: Binaries, *, durable: bool) -> list[str]:
    settings = _SETTINGS | {"unix_socket_directories": str(home.socket_dir), "cluster_name": home.marker}
    if not durable:
        settings |= _UNSAFE_SETTINGS
    command = [str(binaries.postgres), "-D", str(home.cluster)]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    return command


def _rotate_log(log: Path) -> None:
    # One earlier log is kept. The server logs little, so it is enough to do this when it starts.
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
