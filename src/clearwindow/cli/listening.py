"""The addresses on which commands listen."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from clearwindow.cli.failures import CommandError


def url_of(listener: socket.socket, *, tls: bool = False) -> str:
    """Returns the URL at which the listener is reached on this machine."""
    name, port = listener.getsockname()[:2]
    return f"{'https' if tls else 'http'}://{f'[{name}]' if ':' in name else name}:{port}"


@contextmanager
def bound(host: str, port: int, option: str = "--port") -> Iterator[socket.socket]:
    """Opens the address before anything else starts, so that a port in use is reported first."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise CommandError(f"There is no address {host}: {error.strerror}.") from None
    except UnicodeError:
        raise CommandError(f"There is no address {host}: it cannot be the name of a host.") from None
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError as error:
            raise CommandError(
                f"Cannot listen on {host}, port {port}: {error.strerror}. Choose another port with {option}."
            ) from None
        yield listener
