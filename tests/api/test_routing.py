"""The route class: the guard comes first, threads are bounded for each kind of work. Protocol §2."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import httpx2
import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from clearwindow.api.routing import Route, documented
from clearwindow.bootstrap import all_routers
from clearwindow.identity import guards
from tests.support.http import loopback_client

GUARDS: Final = (guards.calling_member, guards.token_holder, guards.token_in_force, guards.acting_operator)
PUBLIC: Final = {"/api/v1/client/constants", "/.well-known/jwks.json"}
"""Callers use these before they have a token."""
OPEN: Final = {"/healthz", "/readyz", "/metrics"}


def routes() -> list[APIRoute]:
    """Returns all routes of the API. Health and documentation are open to anybody and have another route class."""
    found = [route for router in all_routers(60) for route in router.routes if isinstance(route, APIRoute)]
    return [route for route in found if route.path not in OPEN]


def method_of(route: APIRoute) -> str:
    return min(route.methods or {"GET"})


@pytest.mark.parametrize("route", routes(), ids=lambda route: f"{method_of(route)} {route.path}")
def test_guard_is_the_first_dependency_of_a_route(route: APIRoute) -> None:
    assert isinstance(route, Route)
    asked: list[Dependant] = route.dependant.dependencies
    if route.path in PUBLIC:
        assert not any(dependency.call in GUARDS for dependency in asked)
    else:
        assert asked[0].call in GUARDS


def bodies() -> Iterator[tuple[str, str]]:
    for route in documented(routes()):
        if route.openapi_extra and "requestBody" in route.openapi_extra:
            yield method_of(route), route.path


@pytest.mark.parametrize(("method", "path"), list(bodies()))
def test_malformed_body_without_a_valid_token_is_401(base_url: str, method: str, path: str) -> None:
    with loopback_client(base_url=base_url) as client:
        refused: httpx2.Response = client.request(
            method, path.replace("{", "").replace("}", ""), content=b"[" * 100_000
        )
    assert (refused.status_code, refused.json()["name"]) == (401, "token_missing")
