"""A server with faults: it answers each request with the next of the given acts."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Act = Callable[[socket.socket], None]
_WAIT_SECONDS = 60


@dataclass
class FaultServer:
    """The received requests, byte for byte, and their times."""

    url: str
    bodies: list[bytes] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)
    at_seconds: list[float] = field(default_factory=list)


def answer(status: int, body: object = None, headers: Mapping[str, str] | None = None) -> Act:
    """Sends a whole answer: a str as it is, anything else as JSON."""

    def act(connection: socket.socket) -> None:
        connection.sendall(_whole(status, body, headers or {}))

    return act


def cut(connection: socket.socket) -> None:
    """Reads the request and ends the connection without an answer."""
    # With a reset, like a killed process.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def half(body: object) -> Act:
    """Sends a part of the answer."""

    def act(connection: socket.socket) -> None:
        whole = _whole(200, body, {})
        connection.sendall(whole[: len(whole) - 5])

    return act


def silent(seconds: float) -> Act:
    """Sends nothing for this time."""

    def act(_connection: socket.socket) -> None:
        time.sleep(seconds)

    return act


def dripping(pause_seconds: float) -> Act:
    """Sends an endless answer byte by byte."""

    def act(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        while True:
            connection.sendall(b" ")
            time.sleep(pause_seconds)

    return act


def endless(connection: socket.socket) -> None:
    """Sends an endless answer in large parts."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    while True:
        connection.sendall(b" " * 65536)


@contextmanager
def misbehaving(acts: Iterable[Act]) -> Iterator[FaultServer]:
    """Serves each request on a connection of its own. After the last act it answers nothing."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = FaultServer(f"http://127.0.0.1:{listener.getsockname()[1]}")
    waiting = iter(acts)

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=attend, args=(connection,), daemon=True).start()

    def attend(connection: socket.socket) -> None:
        # A client that gives up closes the connection during an act.
        with connection, suppress(OSError):
            connection.settimeout(_WAIT_SECONDS)
            head, body = _read(connection)
            server.at_seconds.append(time.monotonic())
            server.heads.append(head)
            server.bodies.append(body)
            act = next(waiting, None)
            if act is not None:
                act(connection)

    threading.Thread(target=serve, daemon=True).start()
    yield server
    listener.close()


def _read(connection: socket.socket) -> tuple[bytes, bytes]:
    raw = b""
    while b"\r\n\r\n" not in raw:
        raw += _more(connection)
    head, _, body = raw.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        body += _more(connection)
    return head, body


def _more(connection: socket.socket) -> bytes:
    part = connection.recv(65536)
    if not part:
        raise ConnectionError("the request ended early")
    return part


def _whole(status: int, body: object, headers: Mapping[str, str]) -> bytes:
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(content)}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content
