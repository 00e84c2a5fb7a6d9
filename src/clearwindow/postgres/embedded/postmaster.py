"""The PostgreSQL server process: starts it, watches it, stops it, and ends servers that outlived their owner."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from clearwindow.postgres.embedded.account import Account
from clearwindow.postgres.embedded.binaries import EmbeddedPostgresError
from clearwindow.postgres.embedded.environment import server_environment
from clearwindow.postgres.embedded.home import Home
from clearwindow.postgres.embedded.lock import open_private

_LAUNCHER = Path(__file__).with_name("launch.py")

# Fast shutdown, then immediate shutdown. After that one, recovery runs at the next start.
_SHUTDOWN_STEPS = ((signal.SIGINT, 60.0), (signal.SIGQUIT, 15.0))
_POLL_SECONDS = 0.01

# In the arguments of any embedded server, and in the titles of its children.
_OUR_SIGNS = (b"cluster_name=clearwindow-", b"postgres: clearwindow-")


def launch_command(program: Sequence[str], account: Account | None, death_signal: signal.Signals) -> list[str]:
    """Returns the command that runs the program as the account and signals it when the calling thread ends."""
    uid, gid = (-1, -1) if account is None else (account.uid, account.gid)
    who = (str(os.getpid()), str(int(death_signal)), str(uid), str(gid))
    return [sys.executable, "-I", "-S", str(_LAUNCHER), *who, *program]


class Postmaster:
    """A server process.

    Linux sends the death signal when the *thread* that started a process ends. So a thread of its own starts the
    server and then waits for it. That thread ends with the server or with our whole process, and not when the
    caller's thread ends.
    """

    def __init__(self, program: Sequence[str], home: Home) -> None:
        self._command = launch_command(program, home.account, signal.SIGINT)
        self._log = home.log
        self._started = threading.Event()
        self._ended = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._error: OSError | None = None
        threading.Thread(target=self._keep, name="embedded-postgres", daemon=True).start()
        self._started.wait()
        if self._error is not None:
            raise self._error

    def _keep(self) -> None:
        try:
            log = open_private(self._log)
            try:
                self._process = subprocess.Popen(  # noqa: S603 - our launcher and programs from find_binaries
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd="/",
                    env=server_environment(),
                    # Ctrl-C in a terminal goes to the whole session. The server must outlive its clients.
                    start_new_session=True,
                )
            finally:
                os.close(log)
        except OSError as error:
            self._error = error
            return
        finally:
            self._started.set()
        self._process.wait()
        self._ended.set()

    @property
    def running(self) -> bool:
        return not self._ended.is_set()

    def wait(self, patience_seconds: float) -> bool:
        """Waits at most so long for the server to end. Returns whether it has ended."""
        return self._ended.wait(patience_seconds)

    @property
    def pid(self) -> int:
        if self._process is None:
            raise EmbeddedPostgresError("The server process was not started.")
        return self._process.pid

    def stop(self) -> None:
        """Stops the server within a limited time. Does nothing if it has ended.

        Raises:
            EmbeddedPostgresError: it does not stop.
        """
        for step, patience_seconds in _SHUTDOWN_STEPS:
            if self._process is not None and self.running:
                self._process.send_signal(step)
            if self._ended.wait(patience_seconds):
                return
        raise EmbeddedPostgresError(
            f"PostgreSQL (process {self.pid}) does not stop: see {self._log}, and end that process yourself."
        )


def stop_leftovers(home: Home) -> None:
    """Ends the cluster's processes that outlived their owner, and makes a stale postmaster.pid harmless.

    The caller must hold the data folder's lock: then none of these processes has a running owner.

    Raises:
        EmbeddedPostgresError: a process does not end.
    """
    postmaster = _recorded_pid(home.cluster)
    for step, patience_seconds in (*_SHUTDOWN_STEPS, (signal.SIGKILL, 5.0)):
        left = set(_processes(home.marker))
        # A running server ends its own children in order. Without it, each gets the signal.
        for pid in {postmaster} if postmaster in left else left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, step)
        if _all_gone(home.marker, patience_seconds):
            break
    else:
        raise EmbeddedPostgresError(
            f"A PostgreSQL server without an owner still runs on {home.cluster} (processes "
            f"{', '.join(map(str, sorted(_processes(home.marker))))}) and does not stop: end it yourself."
        )
    # Read again: a server that ended in order has removed the file.
    stale = _recorded_pid(home.cluster)
    if stale is not None and stale > 0 and not _is_foreign_server(stale):
        _disown_pid_file(home.cluster / "postmaster.pid")


def _all_gone(marker: str, patience_seconds: float) -> bool:
    deadline = time.monotonic() + patience_seconds
    while any(_processes(marker)):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _disown_pid_file(pid_file: Path) -> None:
    """Writes our own process number into a stale postmaster.pid.

    After a reboot, the recorded number may belong to any process, and PostgreSQL would take that for a running
    server. PostgreSQL ignores the number of its own parent. The file is not removed: from its other lines,
    PostgreSQL finds out whether an orphan still uses the cluster's shared memory.
    """
    # Another user may own the folder and must not lead root elsewhere by a link.
    with os.fdopen(os.open(pid_file, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW), "r+") as file:
        lines = file.read().splitlines(keepends=True)
        file.seek(0)
        file.write("".join([f"{os.getpid()}\n", *lines[1:]]))
        file.truncate()


def _recorded_pid(cluster: Path) -> int | None:
    """Returns the number in postmaster.pid. It is negative for a server in single-user mode."""
    try:
        first, *_ = (cluster / "postmaster.pid").read_text().splitlines()
        return int(first)
    except (FileNotFoundError, ValueError):
        return None


def _is_foreign_server(pid: int) -> bool:
    """Returns whether the process is a PostgreSQL server that Clearwindow has not started."""
    return any(
        number == pid and _is_postgres(command) and not any(sign in command for sign in _OUR_SIGNS)
        for number, command in _command_lines()
    )


def _processes(marker: str) -> Iterator[int]:
    """Yields the cluster's processes: the server has the marker in its arguments, its children in their titles."""
    for pid, command in _command_lines():
        if marker.encode() in command and _is_postgres(command):
            yield pid


def _is_postgres(command: bytes) -> bool:
    program = command.replace(b"\0", b" ").split(b" -D ")[0].split(b" -c ")[0].strip()
    return command.startswith(b"postgres: ") or program.rsplit(b"/", 1)[-1] in {b"postgres", b"postmaster"}


def _command_lines() -> Iterator[tuple[int, bytes]]:
    if Path("/proc/self/cmdline").exists():
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                with contextlib.suppress(OSError):
                    yield int(entry.name), (entry / "cmdline").read_bytes()
        return
    listing = subprocess.run(["/bin/ps", "-A", "-ww", "-o", "pid=,command="], capture_output=True, check=True)
    for line in listing.stdout.splitlines():
        pid, _, command = line.strip().partition(b" ")
        yield int(pid), command.strip()
