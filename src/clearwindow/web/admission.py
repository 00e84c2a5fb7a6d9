"""How many requests the server works on at once, whoever sends them, and for which there is no room. Protocol §2.

A server that is asked for four times what it can do refuses three of four. It has time for the fourth only if a
refusal costs next to nothing. So it stands before everything else.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Final
from uuid import uuid4

from starlette.types import ASGIApp, Receive, Scope, Send

from clearwindow.api.problems import answer_of
from clearwindow.core.errors import UnavailableError
from clearwindow.web.edge import LIMITED_PREFIX
from clearwindow.web.room import Room

_ABSOLUTE: Final = ("http://", "https://")


class Admission:
    """Stands before the application. A request over the limit is answered at once, and may be sent again."""

    def __init__(self, app: ASGIApp, at_once: int, room: Room | None = None) -> None:
        self._app = app
        self._at_once = at_once
        self._room = room
        self._inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            _use_origin_form(scope)
        if scope["type"] != "http" or not scope["path"].startswith(LIMITED_PREFIX):
            await self._app(scope, receive, send)
            return
        try:
            let_in = self._let_in(scope)
        except UnavailableError as error:
            await answer_of(error, str(uuid4()), scope["path"])(scope, receive, send)
            return
        self._inside += 1
        try:
            with let_in:
                await self._app(scope, receive, send)
        finally:
            self._inside -= 1

    def _let_in(self, scope: Scope) -> AbstractContextManager[None]:
        if self._inside >= self._at_once:
            raise UnavailableError(
                "server_busy", f"the server works on {self._at_once} requests: send the same bytes again"
            )
        return self._room.let_in(scope) if self._room else nullcontext()


def _use_origin_form(scope: Scope) -> None:
    """Takes the host out of an address such as ``http://host/path``, which servers must accept. RFC 9112, 3.2.2."""
    if not scope["path"].lower().startswith(_ABSOLUTE):
        return
    scope["path"] = _without_host(scope["path"])
    scope["raw_path"] = _without_host(scope["raw_path"].decode("latin-1")).encode("latin-1")


def _without_host(address: str) -> str:
    return "/" + address.partition("://")[2].partition("/")[2]
