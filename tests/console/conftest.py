from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.console.browsing import Visitor


@pytest.fixture
def visitor(base_url: str) -> Iterator[Visitor]:
    """Somebody before a browser who has not signed in."""
    with Visitor(base_url) as visitor:
        yield visitor


@pytest.fixture
def second(base_url: str) -> Iterator[Visitor]:
    """Somebody else, before another browser."""
    with Visitor(base_url) as visitor:
        yield visitor
