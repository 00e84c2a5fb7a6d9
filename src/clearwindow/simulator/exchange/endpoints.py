"""Serves the partner's endpoints: checks signature, size and time limit of a call before it is answered."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from clearwindow.simulator.exchange.accounts import Kind, Outcome, StaleBalancesError, UnknownRequestError
from clearwindow.simulator.exchange.calls import Calls, InvalidBodyError, Reply
from clearwindow.simulator.exchange.events import Emit, Event, Tone
from clearwindow.simulator.exchange.faults import GARBAGE, Fault, Faults
from clearwindow.simulator.exchange.signatures import Checker, KeysUnavailableError, RefusedSignatureError

SIGNATURE_HEADER: Final = "X-BitGo-Signature"
SMALL_BODY_BYTES: Final = 64 * 1024
FINALIZE_BODY_BYTES: Final = 32 * 1024 * 1024
"""Large enough for the final amounts of 10 000 connections, which come in one call."""
BODY_SECONDS: Final = 10
KEY_SET_BYTES: Final = 64 * 1024
KEY_SET_SECONDS: Final = 5
_SHUTDOWN_SECONDS: Final = 2
_TRY_AGAIN_SECONDS: Final = "5"

Body: TypeAlias = Mapping[str, Any]
Work: TypeAlias = Callable[[Body, str], Reply]
"""Answers a call, given its body and the id in its path."""


class _RefusedError(Exception):
    """The call is rejected with this status."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class Endpoints:
    """Serves the calls. A real exchange leaves out only ``faults``, which happen after the signature check."""

    def __init__(
        self, calls: Calls, checker: Checker, faults: Faults, emit: Emit, *, header: str = SIGNATURE_HEADER
    ) -> None:
        self._calls = calls
        self._checker = checker
        self._faults = faults
        self._emit = emit
        self._header = header

    def app(self, callback_url: str) -> web.Application:
        """Returns the web application with the endpoints below the path of ``callback_url``."""
        base = urlsplit(callback_url).path.rstrip("/") + "/bitgo/v1"
        app = web.Application()
        app.router.add_post(f"{base}/connections", self._handler(self._calls.connect))
        for kind in Kind:
            app.router.add_post(f"{base}/{kind}s", self._handler(partial(_request_funds, self._calls, kind)))
            for outcome in Outcome:
                report = partial(self._calls.apply_outcome, kind, outcome)
                app.router.add_put(f"{base}/{kind}/{{id}}/{outcome}", self._handler(report))
        finalize = self._handler(self._calls.finalize, FINALIZE_BODY_BYTES)
        app.router.add_post(f"{base}/settlements/{{id}}/finalize", finalize)
        return app

    def _handler(self, work: Work, body_bytes: int = SMALL_BODY_BYTES) -> Callable[[web.Request], Any]:
        async def serve(request: web.Request) -> web.StreamResponse:
            try:
                return await self._serve(request, work, body_bytes)
            except _RefusedError as error:
                fields = {"path": request.rel_url.raw_path, "status": error.status.value, "why": str(error)}
                self._emit(Event("call.refused", f"{fields['path']}: {error}", fields, Tone.BAD))
                headers = (
                    {"Retry-After": _TRY_AGAIN_SECONDS} if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR else {}
                )
                return web.json_response({"error": str(error)}, status=error.status, headers=headers)

        return serve

    async def _serve(self, request: web.Request, work: Work, body_bytes: int) -> web.StreamResponse:
        path = request.rel_url.raw_path
        content = await self._authentic_body(request, path, body_bytes)
        drawn = self._faults.of_call(f"{path} {hashlib.sha256(content).hexdigest()}")
        fault, chance = drawn or (None, 0)
        if fault is not None:
            self._emit(Event("fault", f"{fault} at {path}", {"fault": str(fault), "path": path}, Tone.NOTICE))
        if fault is Fault.ERROR_500:
            return web.json_response({"error": "something broke"}, status=HTTPStatus.INTERNAL_SERVER_ERROR)
        if fault is Fault.SLOW:
            await asyncio.sleep(self._faults.slow_seconds)
        reply = _execute(work, _object(content), request.match_info.get("id", ""))
        if fault is Fault.TIMEOUT_AFTER_WORK:
            await asyncio.sleep(self._faults.late_seconds)
            if request.transport is not None:
                request.transport.abort()
        if fault is Fault.GARBAGE:
            # After the work: if a call only reports something, any 2xx acknowledges it.
            content_type, garbage = GARBAGE[chance % len(GARBAGE)]
            return web.Response(body=garbage, content_type=content_type)
        return web.json_response(reply.body, status=reply.status)

    async def _authentic_body(self, request: web.Request, path: str, body_bytes: int) -> bytes:
        """Returns the body of a call, after its signature was verified."""
        try:
            signed = await self._checker.check(request.headers.get(self._header), request.method, path)
            content = await _bounded_body(request, body_bytes)
            self._checker.accept(signed, content)
        except RefusedSignatureError as error:
            raise _RefusedError(HTTPStatus.UNAUTHORIZED, str(error)) from None
        except KeysUnavailableError as error:
            raise _RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, str(error)) from None
        return content


@asynccontextmanager
async def serving(app: web.Application, host: str, port: int) -> AsyncIterator[str]:
    """Serves the endpoints until the block ends, and yields their address.

    Raises:
        OSError: it cannot listen on the port.
    """
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield f"http://{host}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def fetch_key_set(url: str) -> bytes:
    """Reads the network's key set.

    Raises:
        OSError: there is no usable answer.
    """
    timeout = aiohttp.ClientTimeout(total=KEY_SET_SECONDS)
    content = bytearray()
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(url, allow_redirects=False, raise_for_status=True) as answer,
        ):
            async for chunk in answer.content.iter_any():
                content += chunk
                if len(content) > KEY_SET_BYTES:
                    raise OSError(f"more than {KEY_SET_BYTES} bytes")
    except aiohttp.ClientError as error:
        raise OSError(str(error)) from None
    return bytes(content)


def _request_funds(calls: Calls, kind: Kind, body: Body, _: str) -> Reply:
    return calls.request_funds(kind, body)


def _execute(work: Work, body: Body, subject_id: str) -> Reply:
    try:
        return work(body, subject_id)
    except InvalidBodyError as error:
        raise _RefusedError(HTTPStatus.BAD_REQUEST, str(error)) from None
    except UnknownRequestError as error:
        raise _RefusedError(HTTPStatus.NOT_FOUND, str(error)) from None
    except StaleBalancesError as error:
        raise _RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, str(error)) from None
    except ValueError as error:
        raise _RefusedError(HTTPStatus.CONFLICT, str(error)) from None


def _object(content: bytes) -> Body:
    try:
        document = json.loads(content)
    except ValueError:
        raise _RefusedError(HTTPStatus.BAD_REQUEST, "the body is not JSON") from None
    if not isinstance(document, dict):
        raise _RefusedError(HTTPStatus.BAD_REQUEST, "the body is not an object")
    return document


async def _bounded_body(request: web.Request, most_bytes: int) -> bytes:
    content = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.content.iter_any():
                content += chunk
                if len(content) > most_bytes:
                    raise _RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {most_bytes} bytes")
    except TimeoutError:
        raise _RefusedError(HTTPStatus.REQUEST_TIMEOUT, f"no body within {BODY_SECONDS} seconds") from None
    return bytes(content)
