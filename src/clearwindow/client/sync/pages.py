# Made from ../aio by `make sdk`: change it there.
"""Lists that are read page by page during the iteration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

from clearwindow.client.answers.base import Value
from clearwindow.client.calls import Call, Page, page_of
from clearwindow.client.sync.caller import Caller
from clearwindow.client.text import query

V = TypeVar("V", bound=Value)


class Pages(Generic[V]):
    """A list that is read from the server while you iterate. Each iteration reads it anew.

    If the list changes during an iteration, an entry may appear twice or be skipped: a new entry at the front moves
    the others on, and a removed entry moves them back. If you need every entry exactly once, compare the ids.
    """

    def __init__(self, caller: Caller, path: str, name: str, model: type[V], filters: Mapping[str, object]) -> None:
        self._caller = caller
        self._path = path
        self._name = name
        self._model = model
        self._query = query(filters)

    def page(self, page_number: int = 0) -> Page[V]:
        """Returns one page; pages count from 0."""
        numbered = (*self._query, ("pageNumber", str(page_number)))
        read = page_of(self._model, self._name, page_number)
        return self._caller.send(Call("GET", self._path, read, numbered, repeatable=True))

    def __iter__(self) -> Iterator[V]:
        """Yields all entries, page by page."""
        page_number = 0
        seen = 0
        while True:
            page = self.page(page_number)
            for entry in page.items:
                yield entry
            seen += len(page.items)
            # The server may return fewer entries than requested: only an empty page or the total ends the list.
            if not page.items or (page.total is not None and seen >= page.total):
                return
            page_number += 1
