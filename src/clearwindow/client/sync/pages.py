# Made from ../aio by `make sdk`: change it there.
"""Lists that are read page by page during the iteration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Generic, Literal, TypeVar

from clearwindow.client.answers.base import Value
from clearwindow.client.calls import Call, Page, nothing, page_of
from clearwindow.client.sync.caller import Caller
from clearwindow.client.text import query

V = TypeVar("V", bound=Value)


class Pages(Generic[V]):
    """A list that is read from the server while you iterate. Each iteration reads it anew.

    Each entry that was there at the beginning is shown exactly once, whatever is added meanwhile. In a list that is
    sorted by what may change, such as the time of the last change, an entry that changes meanwhile may come twice
    or not at all. So may entries of the transfers of one settlement, which have no cursors.
    """

    def __init__(self, caller: Caller, path: str, name: str, model: type[V], filters: Mapping[str, object]) -> None:
        self._caller = caller
        self._path = path
        self._name = name
        self._model = model
        self._query = query(filters)

    def page(self, page_number: int = 0, *, cursor: str | None = None) -> Page[V]:
        """Returns one page: by its number, from 0, or by the ``next_cursor`` of the page before it."""
        place = ("pageNumber", str(page_number)) if cursor is None else ("cursor", cursor)
        read = page_of(self._model, self._name, page_number if cursor is None else None)
        return self._caller.send(Call("GET", self._path, read, (*self._query, place), repeatable=True))

    def export(self, kind: Literal["csv", "jsonl"], *, byte_order_mark: bool = False) -> Iterator[str]:
        """Yields the whole list as text, in pieces that may end anywhere, to write them to a file.

        ``page_size`` does not count here. If an error is raised, what came before it is not the whole list.

        Args:
            kind: CSV, or JSON lines.
            byte_order_mark: whether CSV begins with one. Old versions of Excel need it.
        """
        mark = [("bom", "true")] if byte_order_mark else []
        query = [*(one for one in self._query if one[0] != "pageSize"), ("format", kind), *mark]
        for piece in self._caller.stream(Call("GET", self._path, nothing, query, repeatable=True)):
            yield piece

    def __iter__(self) -> Iterator[V]:
        """Yields all entries, page by page."""
        page = self.page()
        seen = 0
        while True:
            for entry in page.items:
                yield entry
            seen += len(page.items)
            if page.next_cursor is not None:
                page = self.page(cursor=page.next_cursor)
            # The server may return fewer entries than requested: only an empty page or the total ends the list.
            elif page.page_number is None or not page.items or (page.total is not None and seen >= page.total):
                return
            else:
                page = self.page(page.page_number + 1)
