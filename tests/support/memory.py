"""The memory that a block of a test needs."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def memory_limited(limit_bytes: int) -> Iterator[None]:
    """Fails if this process, in which the tests' server runs too, allocated more than this at any time."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit_bytes
    finally:
        tracemalloc.stop()
