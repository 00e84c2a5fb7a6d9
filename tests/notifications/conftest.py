"""A server with a mail server behind it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import FastAPI

from clearwindow.runtime import Runtime
from tests.notifications.support import Post, posting


@pytest.fixture
def per_hour() -> int:
    return 30


@pytest.fixture
def post(runtime: Runtime, served_app: tuple[FastAPI, str], base_url: str, per_hour: int) -> Iterator[Post]:
    """The mail server that the test's server and pump send by."""
    del base_url  # it must have its runtime before
    with posting(runtime, per_hour=per_hour) as (posting_runtime, server):
        served_app[0].state.runtime = posting_runtime
        yield Post(server, posting_runtime)
