"""Refuses requests that would wait too long behind others, before anything is done for them. Protocol §2."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

from fastapi import APIRouter
from starlette.routing import BaseRoute
from starlette.types import Scope

from clearwindow.api.bodies import declared_size
from clearwindow.api.capacity import Capacity
from clearwindow.api.routing import Route, work_with
from clearwindow.core.work import Work


class Room:
    """Knows which kind of work each request is.

    A busy server that looks for the token of a request, reads its body and then refuses it, has no time for the
    requests that it takes: with four times of what it could do, it did less than half. So the refusal comes first.
    """

    def __init__(self, capacity: Capacity, routers: Sequence[APIRouter]) -> None:
        self._capacity = capacity
        self._routes: defaultdict[tuple[str, int], list[Route]] = defaultdict(list)
        for router in routers:
            for route in _routes_of(router.routes):
                for method in route.methods or ():
                    self._routes[method, _parts(route.path)].append(route)

    def let_in(self, scope: Scope) -> AbstractContextManager[None]:
        """Lets a request in, until the block ends. What has no route needs no room.

        Raises:
            UnavailableError: it would wait too long.
        """
        work = self._work_of(scope)
        return nullcontext() if work is None else self._capacity.let_in(work)

    def _work_of(self, scope: Scope) -> Work | None:
        method, path = "GET" if scope["method"] == "HEAD" else scope["method"], scope["path"]
        # No parameter of a path has a slash in it.
        for route in self._routes.get((method, _parts(path)), ()):
            if route.path_regex.match(path):
                return work_with(route.work, _declared_size(scope))
        return None


def _declared_size(scope: Scope) -> int:
    values = [value for name, value in scope["headers"] if name == b"content-length"]
    return declared_size(values[0].decode("latin-1")) if values else 0


def _parts(path: str) -> int:
    return path.count("/")


def _routes_of(routes: Sequence[BaseRoute]) -> Iterator[Route]:
    return (route for route in routes if isinstance(route, Route))
