from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clearwindow.simulator.server import temporary_folder


@pytest.fixture(scope="module")
def open_folder() -> Iterator[Path]:
    """A folder that PostgreSQL may enter if root runs the tests; pytest's own folders are closed to it."""
    with temporary_folder("test") as folder:
        yield folder
