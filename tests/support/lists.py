"""Reads lists page by page, as their ``Link`` headers say."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2

NEXT = re.compile(r'<([^>]+)>; rel="next"')
Json = dict[str, Any]
Get = Callable[..., httpx2.Response]


def next_address(response: httpx2.Response) -> str | None:
    """Returns the address of the next page, as the header has it."""
    found = NEXT.fullmatch(response.headers.get("Link", ""))
    return found[1] if found else None


def next_query(response: httpx2.Response) -> dict[str, str] | None:
    """Returns the query of the next page."""
    address = next_address(response)
    return dict(parse_qsl(urlsplit(address).query)) if address else None


def next_cursor(response: httpx2.Response) -> str:
    query = next_query(response)
    assert query is not None
    return query["cursor"]


def followed(get: Get, path: str, name: str, **filters: Any) -> list[Json]:  # noqa: ANN401 - whatever a query takes
    """Returns every entry of the list, following the links from page to page."""
    entries: list[Json] = []
    query: dict[str, Any] | None = filters
    while query is not None:
        response = get(path, **query)
        assert response.status_code == 200, response.text
        entries += response.json()[name]
        query = next_query(response)
    return entries
