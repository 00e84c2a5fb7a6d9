"""A PostgreSQL for the test run, and a fresh migrated database for each test."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from clearwindow.database.embedded import start_embedded
from clearwindow.database.migrations import migrate

TEMPLATE = "clearwindow_template"


class TestCluster:
    """One server; databases are copied from a migrated template, which takes milliseconds."""

    __test__ = False

    def __init__(self, admin_dsn: str) -> None:
        self._admin_dsn = admin_dsn
        self._template = f"{TEMPLATE}_{uuid4().hex}"
        self._run("CREATE DATABASE {}", self._template)
        migrate(self.dsn(self._template))

    def dsn(self, database: str) -> str:
        return make_conninfo(self._admin_dsn, dbname=database)

    @contextmanager
    def fresh_database(self, template: str | None = None) -> Iterator[str]:
        """A database that lives as long as the block: a migrated one, or a copy of another template."""
        name = f"test_{uuid4().hex}"
        self._run("CREATE DATABASE {} TEMPLATE {}", name, template or self._template)
        try:
            yield self.dsn(name)
        finally:
            self._run("DROP DATABASE {} WITH (FORCE)", name)

    def close(self) -> None:
        self._run("DROP DATABASE {} WITH (FORCE)", self._template)

    def _run(self, statement: str, *names: str) -> None:
        with psycopg.connect(self._admin_dsn, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


@contextmanager
def running_cluster() -> Iterator[TestCluster]:
    """The server that CLEARWINDOW_TEST_DATABASE_URL names, else an embedded one of our own."""
    url = os.environ.get("CLEARWINDOW_TEST_DATABASE_URL")
    if url:
        cluster = TestCluster(url)
        yield cluster
        cluster.close()
        return
    with (
        tempfile.TemporaryDirectory(prefix="clearwindow-test-") as folder,
        start_embedded(Path(folder), durable=False) as embedded,
    ):
        yield TestCluster(embedded.dsn)
