"""Ports for programs that must be told theirs before they start."""

from __future__ import annotations

import socket
from typing import Final

_held: Final[list[socket.socket]] = []


def reserved_port() -> int:
    """Returns a port of 127.0.0.1 that nobody else is given while this process runs.

    Its socket is bound and does not listen: until a program listens there, connections are refused. A program that
    sets ``SO_REUSEADDR``, as every server here does, may bind the port too.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    _held.append(held)
    return int(held.getsockname()[1])
