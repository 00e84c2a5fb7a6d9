"""Refuses requests that would wait too long behind others, before anything is done for them. Protocol §2."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fastapi import APIRouter
from starlette.routing import BaseRoute
from starlette.types import Scope

from clearwindow.api.capacity import Capacity
from clearwindow.api.routing import Route
from clearwindow.core.errors import UnavailableError


class Room:
    """Knows which kind of work each request is.

    A busy server that looks for the token of a request, reads its body and then refuses it, has no time for the
    requests that it takes: with four times of what it could do, it did less than half. So the refusal comes first.
    """

    def __init__(self, capacity: Capacity, routers: Sequence[APIRouter]) -> None:
        self._capacity = capacity
        self._routes = [route for router in routers for route in _routes_of(router.routes)]

    def refusal(self, scope: Scope) -> UnavailableError | None:
        """Returns why the request is refused; None if there is room for the kind of work that it is."""
        long = self._capacity.long_lines()
        if not long:
            return None
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        for route in self._routes:
            if route.work in long and method in (route.methods or ()) and route.path_regex.match(scope["path"]):
                return self._capacity.refusal(route.work)
        return None


def _routes_of(routes: Sequence[BaseRoute]) -> Iterator[Route]:
    return (route for route in routes if isinstance(route, Route))
