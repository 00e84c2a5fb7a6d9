"""HTTP/1.1 on one connection, with a limit and a time for everything that a stranger can send. Protocol §2.

uvicorn and h11 do the work. This class hands h11 only so much at once, and answers in the form of all errors where
the application is not reached.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final
from uuid import uuid4

import h11
import structlog
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from clearwindow.api.problems import answer_of
from clearwindow.core.errors import (
    HeadTooLargeError,
    InvalidRequestError,
    RequestError,
    TooLargeError,
    TooSlowError,
)
from clearwindow.runtime import ServerLimits
from clearwindow.web.connections import Place
from clearwindow.web.request_head import RequestHead
from clearwindow.web.transport import Flow, GentleTransport

log = structlog.get_logger(__name__)

CLOSE: Final = (b"connection", b"close")
_CHUNKED_PIECE_BYTES: Final = 2 * 1024
"""How much of a chunked body is parsed before others have a turn: at one byte a chunk that takes milliseconds."""
_PHRASES: Final = {status.value: status.phrase.encode() for status in HTTPStatus}


class LimitedProtocol(H11Protocol):
    """One connection. See the module's docstring."""

    transport: GentleTransport  # type: ignore[assignment] # it has all that is used of a transport
    flow: Flow
    cycle: RequestResponseCycle | None  # type: ignore[assignment] # there is none before the first request
    conn: _Connection

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        *,
        limits: ServerLimits,
        place: Place,
    ) -> None:
        super().__init__(config, server_state, app_state)
        self._limits = limits
        self._place = place
        self.conn = _Connection(limits)
        self._arrived = bytearray()
        self._head: RequestHead | None = None
        # Of the body: bytes that h11 has not had yet; None if it comes in chunks, or there is none.
        self._body_bytes_left: int | None = None
        self._unread_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._next_piece: asyncio.Handle | None = None
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        gentle = GentleTransport(
            transport, self._is_being_sent, self._limits.unread_body_bytes, self._limits.answer_seconds
        )
        super().connection_made(gentle)  # type: ignore[arg-type]
        self.flow = gentle.flow
        self._place.drop = gentle.abort
        self._start_deadline(self._on_slow_head)

    def connection_lost(self, exc: Exception | None) -> None:
        self._place.leave()
        self._stop_deadline()
        self.transport.forget()
        if self._next_piece is not None:
            self._next_piece.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.lingers:
            self.transport.throw_away(data)
        elif not self.transport.is_closing():
            self._unset_keepalive_if_required()
            self._arrived += data
            self._read_on()

    def pause_writing(self) -> None:
        super().pause_writing()
        self.transport.limit_writing()

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.transport.is_closing():
            self.transport.forget()

    def handle_events(self) -> None:
        super().handle_events()
        if self._refused:
            return
        if self.conn.their_state is h11.IDLE:
            if self._head is not None and self._deadline is None:
                self._start_deadline(self._on_slow_head)
        elif self._head is not None:
            self._head = None
            self._place.work()
            self._body_bytes_left = _content_length(self.headers)
            self._stop_deadline()

    def on_response_complete(self) -> None:
        self._place.wait()
        super().on_response_complete()
        if self._is_unread():
            self._start_deadline(self.transport.abort)
        self._read_on()

    def shutdown(self) -> None:
        if self._refused or self.transport.is_closing():
            self.transport.abort()
        else:
            super().shutdown()

    def timeout_keep_alive_handler(self) -> None:
        if not self._is_unread():
            super().timeout_keep_alive_handler()

    def send_400_response(self, msg: str) -> None:
        self._refuse(
            self.conn.refusal or InvalidRequestError("request_malformed", f"{msg} It does not follow HTTP/1.1.")
        )

    def _should_upgrade(self) -> bool:
        # An offer of another protocol may be ignored, and is: the request is answered as any other.
        return False

    def _read_on(self) -> None:
        """Hands h11 what has arrived, as far as it may go on now."""
        if self._next_piece is not None:
            self._next_piece.cancel()
            self._next_piece = None
        while self._arrived and not self.transport.is_closing():
            try:
                size = self._next_size()
            except HeadTooLargeError as error:
                self._refuse(error)
                return
            if size == 0:
                break
            piece = bytes(self._arrived[:size])
            del self._arrived[:size]
            self.conn.receive_data(piece)
            self.handle_events()
            if self._arrived and self._body_bytes_left is None and self.conn.their_state is h11.SEND_BODY:
                self._next_piece = self.loop.call_soon(self._read_on)
                break
        if self.transport.is_closing():
            return
        if self._arrived:
            self.flow.hold()
        elif self.cycle is None or len(self.cycle.body) <= HIGH_WATER_LIMIT:
            self.flow.release()
        else:
            # The application has much to take, and resumes reading when it takes it.
            self.flow.let_go()

    def _next_size(self) -> int:
        """Returns how many of the bytes that have arrived h11 gets now. 0: the answer must be sent first.

        Raises:
            HeadTooLargeError: they are a head over its limits.
        """
        if self.conn.their_state is h11.IDLE:
            return self._head_bytes()
        if self.conn.their_state is not h11.SEND_BODY:
            return 0
        size = _CHUNKED_PIECE_BYTES
        if self._body_bytes_left is not None:
            size = self._body_bytes_left
            self._body_bytes_left -= min(size, len(self._arrived))
        if self._is_unread():
            self._unread_bytes += min(size, len(self._arrived))
            if self._unread_bytes > self._limits.unread_body_bytes:
                self.transport.abort()
        return size

    def _head_bytes(self) -> int:
        if self._head is None:
            self._head = RequestHead(self._limits)
            # h11 has a few bytes already if they came in one piece with the end of a chunked body.
            kept, _ = self.conn.trailing_data
            self._head.take(kept)
        return self._head.take(self._arrived)

    def _is_unread(self) -> bool:
        """Whether the request is answered, and its body still arrives."""
        return self.conn.their_state is h11.SEND_BODY and self.cycle is not None and self.cycle.response_complete

    def _is_being_sent(self) -> bool:
        return self._head is not None or self.conn.their_state in {h11.SEND_BODY, h11.ERROR}

    def _on_slow_head(self) -> None:
        self._deadline = None
        if self._head is None:
            self.transport.close()
            return
        seconds = self._limits.head_seconds
        self._refuse(
            TooSlowError(
                "head_too_slow",
                f"the head of the request did not arrive within {seconds:g} seconds: send it again",
                {"limitSeconds": seconds},
            )
        )

    def _refuse(self, error: RequestError) -> None:
        """Answers in place of the application, and closes."""
        request_id = str(uuid4())
        log.info("refused", name=error.name, request_id=request_id)
        self._refused = True
        self._arrived.clear()
        self._stop_deadline()
        is_head_request = False
        if self.cycle is not None and not self.cycle.response_complete:
            # The application still waits for the rest of the body.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            is_head_request = self.scope["method"] == "HEAD"
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            for event in _events_of(error, request_id, self.server_state.default_headers, empty=is_head_request):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _start_deadline(self, then: Callable[[], None]) -> None:
        self._stop_deadline()
        self._deadline = self.loop.call_later(self._limits.head_seconds, then)

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class _Connection(h11.Connection):
    """h11's parser, which also counts the chunks of a body, and refuses a body with two lengths."""

    def __init__(self, limits: ServerLimits) -> None:
        super().__init__(h11.SERVER, limits.head_bytes)
        self._limit_chunks = limits.chunks_per_body
        self._chunks = 0
        self.refusal: RequestError | None = None

    def next_event(self) -> type[h11.NEED_DATA | h11.PAUSED] | h11.Event:
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._chunks = 0
            if {b"content-length", b"transfer-encoding"} <= {name for name, _ in event.headers}:
                # A proxy before us may have believed the other one, and see two requests where we see one.
                raise h11.RemoteProtocolError("A request has Content-Length or Transfer-Encoding, not both.")
        elif isinstance(event, h11.Data) and event.chunk_end:
            self._chunks += 1
            if self._chunks > self._limit_chunks:
                self.refusal = TooLargeError(
                    "body_in_too_many_chunks",
                    f"the request body has more than {self._limit_chunks} chunks: send larger ones",
                    {"limitChunks": self._limit_chunks},
                )
                raise h11.RemoteProtocolError(self.refusal.message)
        return event


def _content_length(headers: list[tuple[bytes, bytes]]) -> int | None:
    """Returns the length of a body that is not chunked. h11 has checked both headers."""
    found = dict(headers)
    if b"transfer-encoding" in found or b"content-length" not in found:
        return None
    return int(found[b"content-length"])


def whole_answer(error: RequestError, request_id: str) -> bytes:
    """Returns an answer for a connection that nothing is read from."""
    connection = h11.Connection(h11.SERVER)
    return b"".join(connection.send(event) or b"" for event in _events_of(error, request_id, [], empty=False))


def _events_of(
    error: RequestError, request_id: str, default_headers: list[tuple[bytes, bytes]], *, empty: bool
) -> list[h11.Event]:
    answer = answer_of(error, request_id)
    own = [(name, value) for name, value in answer.raw_headers if name != b"connection"]
    return [
        h11.Response(
            status_code=answer.status_code,
            reason=_PHRASES[answer.status_code],
            headers=[*default_headers, *own, CLOSE],
        ),
        h11.Data(data=b"" if empty else bytes(answer.body)),
        h11.EndOfMessage(),
    ]
