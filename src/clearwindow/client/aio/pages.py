"""Lists that are read page by page, as far as they are walked through."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Generic, TypeVar

from clearwindow.client.aio.caller import AsyncCaller
from clearwindow.client.answers.base import Value
from clearwindow.client.calls import Call, Page, page_of
from clearwindow.client.text import query

V = TypeVar("V", bound=Value)


class AsyncPages(Generic[V]):
    """A list that stays on the server until it is walked through; each walk reads it anew.

    An entry that comes to the front of the list during a walk moves the others on, so that one of them may be
    seen twice, and one that leaves it may hide another. A walk that must see all looks at the ids.
    """

    def __init__(
        self, caller: AsyncCaller, path: str, name: str, model: type[V], filters: Mapping[str, object]
    ) -> None:
        self._caller = caller
        self._path = path
        self._name = name
        self._model = model
        self._query = query(filters)

    async def page(self, page_number: int = 0) -> Page[V]:
        """One page; they count from 0."""
        numbered = (*self._query, ("pageNumber", str(page_number)))
        read = page_of(self._model, self._name, page_number)
        return await self._caller.send(Call("GET", self._path, read, numbered, repeatable=True))

    async def __aiter__(self) -> AsyncIterator[V]:
        """All entries, a page at a time."""
        page_number = 0
        seen = 0
        while True:
            page = await self.page(page_number)
            for entry in page.items:
                yield entry
            seen += len(page.items)
            # The server may give fewer on a page than were asked for: only an empty page, or the count, ends it.
            if not page.items or (page.total is not None and seen >= page.total):
                return
            page_number += 1
