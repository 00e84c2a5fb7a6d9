"""HTTP as bytes on a socket, for requests that no client would send."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 60
_PIECE_BYTES = 65536


@dataclass(frozen=True)
class RawAnswer:
    """One answer, and what followed it on the connection."""

    status: int
    headers: dict[str, str]
    body: bytes
    rest: bytes

    @property
    def problem(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@contextmanager
def connected(url: str) -> Iterator[socket.socket]:
    address = urlsplit(url)
    with socket.create_connection((address.hostname or "", address.port or 0), TIMEOUT_SECONDS) as connection:
        yield connection


def ask(url: str, sent: bytes) -> RawAnswer:
    """Sends the bytes on a new connection, and reads until the server closes it."""
    with connected(url) as connection:
        connection.sendall(sent)
        return parsed(read_to_end(connection))


def read_to_end(connection: socket.socket) -> bytes:
    """Reads until the server closes the connection, also if it resets it."""
    received = b""
    with suppress(ConnectionResetError):
        while piece := connection.recv(_PIECE_BYTES):
            received += piece
    return received


def read_answer(connection: socket.socket) -> RawAnswer:
    """Reads one answer with a Content-Length, and leaves the connection open."""
    received = b""
    while True:
        head, end, after = received.partition(b"\r\n\r\n")
        if end:
            answer = parsed(received)
            if len(after) >= int(answer.headers["content-length"]):
                return answer
        piece = connection.recv(_PIECE_BYTES)
        if not piece:
            raise ConnectionError(f"the connection ended inside an answer: {head!r}")
        received += piece


def send_until_cut_off(connection: socket.socket, piece: bytes, most_bytes: int) -> bool:
    """Sends the piece again and again. Returns whether the server ended the connection before ``most_bytes``."""
    with suppress(ConnectionError):
        for _ in range(most_bytes // len(piece)):
            connection.sendall(piece)
        return False
    return True


def parsed(received: bytes) -> RawAnswer:
    head, _, after = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(headers.get("content-length", len(after)))
    return RawAnswer(int(first.split()[1]), headers, after[:length], after[length:])
