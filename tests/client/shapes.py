"""Runs one test on both shapes of the SDK: it calls the asynchronous clients like the synchronous ones."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar, cast

import anyio.from_thread

from clearwindow.client import AsyncClient, AsyncOperator, AsyncPages, AsyncPartner, Client, Operator, Partner
from clearwindow.client.aio import (
    allocations,
    approvals,
    connections,
    disputes,
    go_accounts,
    member_tokens,
    notifications,
    operator_accounts,
    operator_chain,
    operator_lists,
    operator_partner_calls,
    operator_pauses,
    operator_people,
    operator_proposals,
    operator_settlements,
    settlements,
    signed_requests,
    standing_top_ups,
    statements,
    webhook_endpoints,
)

T = TypeVar("T")
_NOUNS: Final = tuple(
    kind
    for module in (
        allocations,
        approvals,
        connections,
        disputes,
        go_accounts,
        member_tokens,
        notifications,
        operator_accounts,
        operator_chain,
        operator_partner_calls,
        operator_pauses,
        operator_people,
        operator_proposals,
        operator_lists,
        operator_settlements,
        settlements,
        signed_requests,
        standing_top_ups,
        statements,
        webhook_endpoints,
    )
    for name, kind in vars(module).items()
    if name.startswith("Async") and isinstance(kind, type)
)


class _Blocking:
    """Runs coroutines of the inner object, and wraps returned objects that may have coroutines too."""

    def __init__(self, inner: object, portal: anyio.from_thread.BlockingPortal) -> None:
        self._inner = inner
        self._portal = portal

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the client has
        its_own = "aclose" if name == "close" and hasattr(self._inner, "aclose") else name
        return self._wrapped(getattr(self._inner, its_own))

    def __iter__(self) -> Iterator[Any]:
        async def whole() -> list[Any]:
            return [entry async for entry in cast("AsyncIterable[Any]", self._inner)]

        return iter(self._portal.call(whole))

    def _wrapped(self, found: Any) -> Any:  # noqa: ANN401 - the same
        if isinstance(found, _NOUNS):
            return _Blocking(found, self._portal)
        if not callable(found) or isinstance(found, type):
            return found

        def call(*args: object, **kwargs: object) -> object:
            async def awaited() -> object:
                made = found(*args, **kwargs)
                return await made if inspect.isawaitable(made) else made

            made = self._portal.call(awaited)
            lazy = isinstance(made, AsyncPages) or inspect.isasyncgen(made)
            return _Blocking(made, self._portal) if lazy else made

        return call


class Shapes:
    """Makes clients of one shape; all of them have the type of the synchronous one."""

    def __init__(self, portal: anyio.from_thread.BlockingPortal | None) -> None:
        self._portal = portal
        self._closing: list[Callable[[], None]] = []

    @property
    def is_async(self) -> bool:
        return self._portal is not None

    def client(self, *args: Any, **kwargs: Any) -> Client:  # noqa: ANN401 - what a client takes
        return self._made(Client, AsyncClient, args, kwargs)

    def partner(self, *args: Any, **kwargs: Any) -> Partner:  # noqa: ANN401 - what a partner takes
        return self._made(Partner, AsyncPartner, args, kwargs)

    def operator(self, *args: Any, **kwargs: Any) -> Operator:  # noqa: ANN401 - what an operator takes
        return self._made(Operator, AsyncOperator, args, kwargs)

    def close(self) -> None:
        for close in self._closing:
            close()

    def _made(self, kind: type[T], twin: type[object], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
        made: Any = (
            kind(*args, **kwargs) if self._portal is None else _Blocking(twin(*args, **kwargs), self._portal)
        )
        self._closing.append(made.close)
        return cast("T", made)


@contextmanager
def opened(shape: str) -> Iterator[Shapes]:
    """``sync`` or ``async``."""
    if shape == "sync":
        shapes = Shapes(None)
        yield shapes
        shapes.close()
        return
    with anyio.from_thread.start_blocking_portal() as portal:
        shapes = Shapes(portal)
        yield shapes
        shapes.close()
