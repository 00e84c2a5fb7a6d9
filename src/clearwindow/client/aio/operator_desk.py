"""What the calls of an operator share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from clearwindow.client.aio.caller import AsyncCaller
from clearwindow.client.aio.pages import AsyncPages
from clearwindow.client.answers.base import Value
from clearwindow.client.answers.proposals import carried_out
from clearwindow.client.calls import Answer, Call, json_body
from clearwindow.client.text import Id, query, segment

T = TypeVar("T")
V = TypeVar("V", bound=Value)

OPERATOR_API: Final = "/api/operator/v1"


class AsyncOperatorDesk:
    """One operator at one server."""

    def __init__(self, caller: AsyncCaller) -> None:
        self._caller = caller

    def path(self, path: str, *ids: Id) -> str:
        """Returns the whole path, with an id in place of each ``{}``."""
        return OPERATOR_API + path.format(*(segment(given) for given in ids))

    def pages(self, path: str, name: str, model: type[V], filters: Mapping[str, object]) -> AsyncPages[V]:
        return AsyncPages(self._caller, self.path(path), name, model, filters)

    async def get(self, path: str, read: Callable[[Answer], T], filters: Mapping[str, object] | None = None) -> T:
        return await self._caller.send(Call("GET", path, read, query(filters or {}), repeatable=True))

    async def send(
        self,
        method: str,
        path: str,
        read: Callable[[Answer], T],
        fields: Mapping[str, object] | None = None,
        *,
        repeatable: bool,
        min_timeout_seconds: float = 0,
        reads_proposals: bool = False,
    ) -> T:
        """Sends a change; ``repeatable`` if a key of the caller or the path identifies it.

        Raises:
            WaitsForApprovalError: it was only proposed, and ``read`` does not read proposals.
        """
        read = read if reads_proposals else carried_out(read)
        content = None if fields is None else json_body(fields)
        call = Call(
            method, path, read, content=content, repeatable=repeatable, min_timeout_seconds=min_timeout_seconds
        )
        return await self._caller.send(call)
