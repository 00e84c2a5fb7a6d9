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
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from clearwindow.postgres.embedded.access import APPLICATION, OWNER, SUPERUSER
from clearwindow.postgres.embedded.cluster import start_embedded
from clearwindow.postgres.migrations import migrate

TEMPLATE = "clearwindow_template"


def as_owner(dsn: str) -> str:
    """Returns the address of an embedded database for the role that owns it. Others stay as they are."""
    return _as_role(dsn, OWNER)


def as_application(dsn: str) -> str:
    """Returns the address of an embedded database for the application's role. Others stay as they are."""
    return _as_role(dsn, APPLICATION)


def as_superuser(dsn: str) -> str:
    """Returns the address of an embedded database for its superuser. Others stay as they are."""
    user = conninfo_to_dict(dsn).get("user")
    return make_conninfo(dsn, user=SUPERUSER) if user in (APPLICATION, OWNER) else dsn


def _as_role(dsn: str, role: str) -> str:
    return make_conninfo(dsn, user=role) if conninfo_to_dict(dsn).get("user") == SUPERUSER else dsn


def migrate_as_owner(dsn: str) -> None:
    """Upgrades an embedded database as the product does: as its owner, and with the grants of the application."""
    migrate(as_owner(dsn), APPLICATION if as_application(dsn) != dsn else None)


class TestCluster:
    """One server. Databases are copied from a migrated template, which takes milliseconds."""

    __test__ = False

    def __init__(self, admin_dsn: str) -> None:
        self._admin_dsn = admin_dsn
        self._template = f"{TEMPLATE}_{uuid4().hex}"
        self._owner = conninfo_to_dict(as_owner(admin_dsn)).get("user")
        self._make(self._template, "template1")
        migrate_as_owner(self.dsn(self._template))

    def dsn(self, database: str) -> str:
        return make_conninfo(self._admin_dsn, dbname=database)

    @contextmanager
    def fresh_database(self, template: str | None = None) -> Iterator[str]:
        """Makes a database for the block: a copy of the migrated template, or of another one."""
        name = f"test_{uuid4().hex}"
        self._make(name, template or self._template)
        try:
            yield self.dsn(name)
        finally:
            self._run("DROP DATABASE {} WITH (FORCE)", name)

    def close(self) -> None:
        self._run("DROP DATABASE {} WITH (FORCE)", self._template)

    def _make(self, name: str, template: str) -> None:
        owned = () if self._owner is None else (str(self._owner),)
        self._run("CREATE DATABASE {} TEMPLATE {}" + (" OWNER {}" if owned else ""), name, template, *owned)

    def _run(self, statement: str, *names: str) -> None:
        with psycopg.connect(self._admin_dsn, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


@contextmanager
def running_cluster() -> Iterator[TestCluster]:
    """Gives the server in CLEARWINDOW_TEST_DATABASE_URL, or starts an embedded one."""
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
