"""What every page of this server says at its head: that one person runs the network alone."""

from __future__ import annotations

from functools import partial
from html import escape
from typing import Final

import anyio.to_thread
import psycopg
from fastapi import Request

from clearwindow.api.request import runtime_of
from clearwindow.core.errors import RequestError
from clearwindow.core.work import Purpose, working_for
from clearwindow.identity.opening import SINGLE_OPERATOR, find_opening, is_alone
from clearwindow.runtime import Runtime

_NOTICE: Final = f'<p role="note"><strong>{escape(SINGLE_OPERATOR)}</strong></p>\n'


async def notice_of(request: Request) -> str:
    """Returns the notice as HTML, which is empty for a network with several operators.

    An opening is never taken back, so that it is read until there is one. If the database is away, a page does not
    fail: it says nothing about it.
    """
    runtime = runtime_of(request)
    known: tuple[Runtime, str] | None = getattr(request.app.state, "notice", None)
    if known is not None and known[0] is runtime:
        return known[1]
    read = await anyio.to_thread.run_sync(partial(_read, runtime), abandon_on_cancel=True)
    if read is not None:
        request.app.state.notice = (runtime, read)
    return read or ""


def _read(runtime: Runtime) -> str | None:
    try:
        with working_for(None, Purpose.PROBING):
            opened = find_opening(runtime)
    except (psycopg.Error, RequestError):
        return None
    if opened is None:
        return None
    return _NOTICE if is_alone(opened) else ""
