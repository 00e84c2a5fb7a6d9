"""Counts round trips to PostgreSQL from outside: how often the client speaks after the server has spoken."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from psycopg.conninfo import conninfo_to_dict, make_conninfo

_CHUNK: Final = 65_536


@dataclass
class RoundTrips:
    """A place between client and server. ``dsn`` leads through it."""

    dsn: str = ""
    count: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def relay(self, client: socket.socket, server: socket.socket) -> None:
        """Carries a connection's bytes both ways until one side closes it."""
        turn = {"client": False}

        def carry(source: socket.socket, target: socket.socket, *, from_client: bool) -> None:
            with suppress(OSError):
                while chunk := source.recv(_CHUNK):
                    # Before it is sent on: whoever answers it does so after this.
                    with self._lock:
                        if from_client and not turn["client"]:
                            self.count += 1
                        turn["client"] = from_client
                    target.sendall(chunk)
            for end in (source, target):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

        back = threading.Thread(target=carry, args=(server, client), kwargs={"from_client": False})
        back.start()
        carry(client, server, from_client=True)
        back.join()


@contextmanager
def counted_round_trips(dsn: str) -> Iterator[RoundTrips]:
    """Puts a counter before the server of this address. The block must close its connections."""
    given = conninfo_to_dict(dsn)
    counter = RoundTrips()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        counter.dsn = make_conninfo(dsn, host="127.0.0.1", port=listener.getsockname()[1])

        def serve(client: socket.socket) -> None:
            with closing(client), closing(_connected(str(given["host"]), str(given["port"]))) as server:
                counter.relay(client, server)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    threading.Thread(target=serve, args=(client,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield counter


def _connected(host: str, port: str) -> socket.socket:
    if not host.startswith("/"):
        return socket.create_connection((host, int(port)))
    server = socket.socket(socket.AF_UNIX)
    server.connect(f"{host}/.s.PGSQL.{port}")
    return server
