"""Fixtures: the SDK in both shapes, and a network to use it on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.client.shapes import Shapes, opened


@pytest.fixture(params=["sync", "async"])
def shapes(request: pytest.FixtureRequest) -> Iterator[Shapes]:
    with opened(request.param) as shapes:
        yield shapes
