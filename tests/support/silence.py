"""Database servers that no longer answer, and close nothing: frozen ones, and networks that drop packets."""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from clearwindow.postgres.embedded.cluster import EmbeddedPostgres
from tests.support.unavailable import becomes

_PIECE = 65_536


@contextmanager
def frozen(server: EmbeddedPostgres) -> Iterator[None]:
    """Stops all processes of the server until the block ends. The system goes on taking connections for it."""
    postmaster = int((server.cluster / "postmaster.pid").read_text().splitlines()[0])
    # Its first process first, so that it makes no other.
    stopped = [postmaster]
    os.kill(postmaster, signal.SIGSTOP)
    becomes(lambda: _state(postmaster) == "T", seconds=60)
    try:
        for child in _children(postmaster):
            os.kill(child, signal.SIGSTOP)
            stopped.append(child)
        yield
    finally:
        for pid in reversed(stopped):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def _children(pid: int) -> list[int]:
    return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


class Network:
    """Carries connections to a server. While `drops` is set it loses all that is sent, in both directions."""

    def __init__(self, socket_path: str) -> None:
        self._socket_path = socket_path
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.drops = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        self._ended.set()
        self._thread.join()

    def _serve(self) -> None:
        ends: dict[socket.socket, socket.socket] = {}
        with self._listener:
            while not self._ended.is_set():
                ready, _, _ = select.select([self._listener, *ends], [], [], 0.05)
                for one in ready:
                    if one is self._listener:
                        caller, _ = self._listener.accept()
                        server = socket.socket(socket.AF_UNIX)
                        server.connect(self._socket_path)
                        ends |= {caller: server, server: caller}
                    elif one in ends:
                        self._carry(one, ends)
        for one in ends:
            one.close()

    def _carry(self, one: socket.socket, ends: dict[socket.socket, socket.socket]) -> None:
        data = b""
        with suppress(OSError):
            data = one.recv(_PIECE)
        if data and not self.drops.is_set():
            with suppress(OSError):
                ends[one].sendall(data)
        elif not data:
            for end in (one, ends[one]):
                ends.pop(end).close()


@contextmanager
def network_to(server_socket: Path) -> Iterator[Network]:
    network = Network(str(server_socket))
    try:
        yield network
    finally:
        network.close()
