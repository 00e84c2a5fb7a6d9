"""Servers of their own, for tests that stop them or make them read-only."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from clearwindow.postgres.embedded.cluster import EmbeddedPostgres, start_embedded
from tests.support.databases import migrate_as_owner


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the user who runs PostgreSQL can enter."""
    with tempfile.TemporaryDirectory(prefix="clearwindow-test-") as name:
        folder = Path(name).resolve()
        folder.chmod(0o755)
        yield folder


@pytest.fixture
def primary(folder: Path) -> Iterator[EmbeddedPostgres]:
    with start_embedded(folder / "primary", durable=False) as server:
        migrate_as_owner(server.dsn)
        yield server
