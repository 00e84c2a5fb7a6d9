"""Page sizes and query limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

PAGE_SIZE: Final = 500
MOST_IDS_IN_A_QUERY: Final = 50


def in_queries(ids: Sequence[str]) -> Iterator[list[str]]:
    """Yields the ids in lists that fit in one query."""
    for start in range(0, len(ids), MOST_IDS_IN_A_QUERY):
        yield list(ids[start : start + MOST_IDS_IN_A_QUERY])
