"""A connection's transport that closes without losing the answer, and that reads only what can be used."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from uvicorn.protocols.http.flow_control import FlowControl

_LINGERING_SECONDS: Final = 2.0


class GentleTransport:
    """The part of a transport that the HTTP protocol uses. It differs in how it closes.

    If a connection is closed while its caller still sends, the system resets it, and the caller may never see the
    answer. So the answer is ended first, what still arrives is thrown away for a moment, and then it is closed. A
    caller that does not read its answer is cut off after ``answer_seconds``.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        is_being_sent: Callable[[], bool],
        unread_bytes: int,
        answer_seconds: float,
    ) -> None:
        """Wraps a transport.

        Args:
            transport: the connection's own.
            is_being_sent: says whether the caller may be in the middle of a request.
            unread_bytes: how much is thrown away at most.
            answer_seconds: how long a caller may take to read.
        """
        self._transport = transport
        self._is_being_sent = is_being_sent
        self._unread_bytes = unread_bytes
        self._answer_seconds = answer_seconds
        self._timer: asyncio.TimerHandle | None = None
        self.lingers = False
        self.flow = Flow(transport)

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - as asyncio has it
        return self._transport.get_extra_info(name, default)

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    def pause_reading(self) -> None:
        self.flow.pause_reading()

    def resume_reading(self) -> None:
        self.flow.resume_reading()

    def is_closing(self) -> bool:
        return self.lingers or self._transport.is_closing()

    def close(self) -> None:
        if self.is_closing():
            return
        if not self._is_being_sent():
            self._end()
            return
        self.lingers = True
        self.flow.release()
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._start(_LINGERING_SECONDS, self._end)

    def throw_away(self, data: bytes) -> None:
        """Takes what arrives while the connection lingers."""
        self._unread_bytes -= len(data)
        if self._unread_bytes < 0:
            self._end()

    def abort(self) -> None:
        self._transport.abort()

    def limit_writing(self) -> None:
        """Begins the time in which the caller must read what is written."""
        self._start(self._answer_seconds, self.abort)

    def forget(self) -> None:
        """Ends the time that was begun."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self) -> None:
        self._transport.close()
        self.limit_writing()

    def _start(self, seconds: float, then: Callable[[], None]) -> None:
        self.forget()
        self._timer = asyncio.get_running_loop().call_later(seconds, then)


class Flow(FlowControl):
    """Reads no more while it is held, whoever asks for more."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__(transport)
        self._held = False

    def hold(self) -> None:
        self._held = True
        self.pause_reading()

    def let_go(self) -> None:
        """Lets others resume."""
        self._held = False

    def release(self) -> None:
        self.let_go()
        self.resume_reading()

    def resume_reading(self) -> None:
        if not self._held:
            super().resume_reading()
