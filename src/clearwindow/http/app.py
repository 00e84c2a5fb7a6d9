"""The application: routes, request ids and errors under one roof."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Final, Protocol
from uuid import uuid4

import structlog
from fastapi import APIRouter, FastAPI
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clearwindow.http import docs_page, problems
from clearwindow.http.metrics import RequestMetrics
from clearwindow.runtime import Runtime

SECURITY_HEADERS: Final = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


def create_app(
    runtime: Runtime, routers: Sequence[APIRouter], middlewares: Sequence[type[Middleware]] = ()
) -> FastAPI:
    """The application.

    Args:
        runtime: what every use case is handed.
        routers: the routes.
        middlewares: what stands before the routes; the last of them sees a request first.
    """
    app = FastAPI(
        title="Clearwindow",
        description="A self-hosted off-exchange settlement network.",
        version=version("clearwindow"),
        redirect_slashes=False,
        # FastAPI's own pages load their scripts from a content network.
        docs_url=None,
        redoc_url=None,
    )
    app.state.runtime = runtime
    problems.register(app)
    for router in (docs_page.router, *routers):
        app.include_router(router)
    # The last one added is the first to see a request: what is logged of it has its id.
    for middleware in middlewares:
        app.add_middleware(middleware)
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
