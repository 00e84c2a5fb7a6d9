# Made from ../aio by `make sdk`: change it there.
"""What the calls of an operator share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from clearwindow.client.answers.base import Value
from clearwindow.client.answers.proposals import carried_out
from clearwindow.client.calls import Answer, Call, json_body
from clearwindow.client.sync.caller import Caller
from clearwindow.client.sync.pages import Pages
from clearwindow.client.text import Id, query, segment

T = TypeVar("T")
V = TypeVar("V", bound=Value)

OPERATOR_API: Final = "/api/operator/v1"


class OperatorDesk:
    """One operator at one server."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def path(self, path: str, *ids: Id) -> str:
        """Returns the whole path, with an id in place of each ``{}``."""
        return OPERATOR_API + path.format(*(segment(given) for given in ids))

    def pages(self, path: str, name: str, model: type[V], filters: Mapping[str, object]) -> Pages[V]:
        return Pages(self._caller, self.path(path), name, model, filters)

    def get(self, path: str, read: Callable[[Answer], T], filters: Mapping[str, object] | None = None) -> T:
        return self._caller.send(Call("GET", path, read, query(filters or {}), repeatable=True))

    def send(
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
        return self._caller.send(call)
