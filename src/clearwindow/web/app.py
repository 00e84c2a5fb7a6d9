"""Assembles the application: the edge, the routes and the answers to errors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from typing import Final

from fastapi import APIRouter, FastAPI

from clearwindow.api import problems
from clearwindow.api.capacity import Capacity
from clearwindow.api.limits import CallerLimits
from clearwindow.api.lookups import Known, Presented
from clearwindow.console.router import console_router
from clearwindow.console.sessions import find_known as find_sessions
from clearwindow.core.work import CapacityTerms
from clearwindow.identity.presented import find_known
from clearwindow.runtime import Runtime
from clearwindow.web import docs_page, errors_page, openapi
from clearwindow.web.edge import Edge
from clearwindow.web.room import Room

_UNLIMITED: Final = CallerLimits()
_PATIENT: Final = CapacityTerms(share=1, wait_seconds=60, line_seconds=60)


def create_app(
    runtime: Runtime,
    routers: Sequence[APIRouter],
    limits: CallerLimits = _UNLIMITED,
    capacity: CapacityTerms = _PATIENT,
) -> FastAPI:
    """Returns the application.

    Args:
        runtime: what every use case is handed.
        routers: the routes.
        limits: how often one caller may send requests.
        capacity: how much of the server one kind of work, and one caller, may use.
    """
    app = FastAPI(
        title="Clearwindow",
        version=version("clearwindow"),
        redirect_slashes=False,
        # FastAPI's own pages load scripts from other servers.
        docs_url=None,
        openapi_url=None,
        redoc_url=None,
    )
    app.state.runtime = runtime
    app.openapi = partial(openapi.describe, app)  # type: ignore[method-assign]  # FastAPI's own way to extend it
    problems.register(app)
    for router in (docs_page.router, errors_page.router, *routers, console_router()):
        # A router that is included builds each of its routes once more, at the first request.
        app.router.routes.extend(router.routes)
    app.state.capacity = Capacity(capacity)
    app.state.room = Room(app.state.capacity, routers)
    app.add_middleware(
        Edge,
        limits=limits,
        capacity=app.state.capacity,
        find=lambda presented: _find(app.state.runtime, presented),
    )
    return app


def _find(runtime: Runtime, presented: Sequence[Presented]) -> Sequence[Known | None]:
    """Returns which of the tokens and of the console's sessions are in force. One statement for each of the two."""
    tokens = [each for each in presented if not each.of_console]
    sessions = [each for each in presented if each.of_console]
    of_tokens = iter(find_known(runtime, tokens) if tokens else ())
    of_sessions = iter(find_sessions(runtime, sessions) if sessions else ())
    return [next(of_sessions if each.of_console else of_tokens) for each in presented]
