"""Fixtures for tests of single statements."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clearwindow.postgres.pool import Database, Transaction
from tests.settlements.statements.rows import opened, rolled_back
from tests.support.databases import TestCluster


@pytest.fixture(scope="module")
def database(cluster: TestCluster) -> Iterator[Database]:
    with opened(cluster) as database:
        yield database


@pytest.fixture
def tx(database: Database) -> Iterator[Transaction]:
    """A transaction without foreign keys that is rolled back."""
    with rolled_back(database) as tx:
        yield tx
