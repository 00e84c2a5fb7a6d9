"""The application: routes, request ids and errors under one roof."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from typing import Final, Protocol
from uuid import uuid4

import structlog
from fastapi import APIRouter, FastAPI
from pydantic.alias_generators import to_camel
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clearwindow.http import docs_page, openapi, problems
from clearwindow.http.limits import CallerLimits, Gate
from clearwindow.http.metrics import RequestMetrics
from clearwindow.runtime import Runtime

SECURITY_HEADERS: Final = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
_UNLIMITED: Final = CallerLimits()


def create_app(
    runtime: Runtime,
    routers: Sequence[APIRouter],
    limits: CallerLimits = _UNLIMITED,
    middlewares: Sequence[type[Middleware]] = (),
) -> FastAPI:
    """The application.

    Args:
        runtime: what every use case is handed.
        routers: the routes.
        limits: what one caller may do.
        middlewares: what stands between the limits and the routes; the last of them sees a request first.
    """
    app = FastAPI(
        title="Clearwindow",
        version=version("clearwindow"),
        redirect_slashes=False,
        generate_unique_id_function=lambda route: to_camel(route.name),
        # FastAPI's own pages load their scripts from a content network.
        docs_url=None,
        redoc_url=None,
    )
    app.state.runtime = runtime
    app.openapi = partial(openapi.describe, app)  # type: ignore[method-assign]  # FastAPI's own way to extend it
    problems.register(app)
    for router in (docs_page.router, *routers):
        app.include_router(router)
    for middleware in middlewares:
        app.add_middleware(middleware)
    app.add_middleware(Gate, limits=limits)
    # The last one added is the first to see a request: what is logged of it has its id.
    app.add_middleware(RequestMetrics)
    app.add_middleware(RequestIds)
    return app


class Middleware(Protocol):
    """What is built around an application."""

    def __init__(self, app: ASGIApp) -> None: ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...


class RequestIds:
    """Gives each request an id: in the answer's header, in every log line and in the audit trail."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = str(uuid4())
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self._app(scope, receive, send_with_id)
