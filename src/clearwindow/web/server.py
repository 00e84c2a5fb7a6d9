"""The HTTP server: it accepts connections within their limits, and ends when the requests under way have ended."""

from __future__ import annotations

import asyncio
import resource
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

import structlog
import uvicorn

from clearwindow.core.errors import RequestError
from clearwindow.runtime import ServerLimits
from clearwindow.web.admission import Admission
from clearwindow.web.connections import Places, proxy_networks
from clearwindow.web.http_protocol import LimitedProtocol, whole_answer
from clearwindow.web.room import Room
from clearwindow.web.tls import TlsError, TlsFiles, tls_context

log = structlog.get_logger(__name__)

_BACKLOG: Final = 2048
_PAUSE_SECONDS: Final = 0.1
_SWITCH_SECONDS: Final = 0.0005
"""How long a thread keeps Python's lock while others wait for it. The event loop takes it at each of its steps,
behind every thread at work. With the usual 5 ms, even a refusal takes twice as long on a busy server."""
_OTHER_FILES: Final = 1_000
"""Open files beside connections: of the database, of calls to others, of logs."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How the server serves. ``trusted_proxies`` is as the setting of this name."""

    limits: ServerLimits = field(default_factory=ServerLimits)
    trusted_proxies: str | None = None
    shutdown_seconds: float = 20
    tls: TlsFiles | None = None


class Server(uvicorn.Server):
    """uvicorn's server over one listening socket, with our protocol and our own way to accept connections."""

    def __init__(self, app: Any, listener: socket.socket, terms: Terms) -> None:  # noqa: ANN401 - any ASGI application
        """Raises TlsError if the certificate cannot be used."""
        limits = terms.limits
        room: Room | None = getattr(getattr(app, "state", None), "room", None)
        super().__init__(
            uvicorn.Config(
                Admission(app, limits.requests_at_once, room),
                http=LimitedProtocol,
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",
                server_header=False,
                proxy_headers=terms.trusted_proxies is not None,
                forwarded_allow_ips=terms.trusted_proxies or "",
                timeout_keep_alive=limits.idle_seconds,  # type: ignore[arg-type] # it is only added to a time
                timeout_graceful_shutdown=round(terms.shutdown_seconds),
            )
        )
        self._listener = listener
        self._limits = limits
        self._places = Places(
            limits.connections, limits.connections_per_address, proxy_networks(terms.trusted_proxies)
        )
        self._tls_files = terms.tls
        self._tls = tls_context(terms.tls) if terms.tls else None
        self._accepting: asyncio.Task[None] | None = None
        self._opening: set[asyncio.Task[None]] = set()

    def reload_certificates(self) -> None:
        """Reads the files of TLS again. New connections use them. If they cannot be used, the earlier ones stay."""
        if self._tls_files is None:
            return
        try:
            self._tls = tls_context(self._tls_files)
        except TlsError as error:
            log.error("certificates_not_reloaded", problem=str(error))  # noqa: TRY400 - the message says all
        else:
            log.info("certificates_reloaded")

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Replaces uvicorn's own start, which knows no limit for connections."""
        del sockets
        _allow_open_files(self._limits.connections + _OTHER_FILES)
        sys.setswitchinterval(_SWITCH_SECONDS)
        self._listener.setblocking(False)  # noqa: FBT003 - the socket's own
        self._listener.listen(_BACKLOG)
        self.servers = []
        self._accepting = asyncio.get_running_loop().create_task(self._accept())
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        ending = [task for task in (self._accepting, *self._opening) if task is not None]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        await super().shutdown(sockets)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, address = await loop.sock_accept(self._listener)
            except OSError as error:
                # The caller went away at once, or this process may open no more files.
                log.warning("not_accepted", problem=error.strerror)
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            task = loop.create_task(self._open(connection, str(address[0])))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _open(self, connection: socket.socket, host: str) -> None:
        """Opens HTTP on the connection; before it TLS, if there is a certificate."""
        opening = asyncio.current_task()
        if opening is None:
            raise AssertionError("it runs as a task")
        try:
            place = self._places.enter(host, opening.cancel)
        except RequestError as error:
            self._turn_away(connection, error)
            return

        def make_protocol() -> LimitedProtocol:
            return LimitedProtocol(
                self.config, self.server_state, self.lifespan.state, limits=self._limits, place=place
            )

        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                make_protocol,
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=self._limits.tls_handshake_seconds if self._tls else None,
            )
        except OSError as error:
            # Callers that do not finish TLS are ordinary for a public server.
            log.debug("not_opened", problem=str(error))
            place.leave()
        except asyncio.CancelledError:
            place.leave()
            connection.close()
            raise

    def _turn_away(self, connection: socket.socket, error: RequestError) -> None:
        """Says why in one piece, if that is possible without waiting, and closes."""
        request_id = str(uuid4())
        log.info("refused", name=error.name, request_id=request_id)
        with connection, suppress(OSError):
            connection.setblocking(False)  # noqa: FBT003 - the socket's own
            if self._tls is None:
                connection.send(whole_answer(error, request_id))


def _allow_open_files(wanted: int) -> None:
    """Raises the limit of this process, which is often 1024, as far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
