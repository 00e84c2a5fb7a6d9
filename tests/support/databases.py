"""A PostgreSQL for the test run, and a migrated database without rows for each test."""

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
from tests.support.recycling import RecycledDatabase

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
    """One server. New databases are copied from a migrated template, and used again after they are emptied."""

    __test__ = False

    def __init__(self, admin_dsn: str) -> None:
        self._admin_dsn = admin_dsn
        self._template = f"{TEMPLATE}_{uuid4().hex}"
        self._owner = conninfo_to_dict(as_owner(admin_dsn)).get("user")
        self._free: list[RecycledDatabase] = []
        self._make(self._template, "template1")
        migrate_as_owner(self.dsn(self._template))

    def dsn(self, database: str) -> str:
        return make_conninfo(self._admin_dsn, dbname=database)

    @contextmanager
    def fresh_database(self, template: str | None = None) -> Iterator[str]:
        """Gives a database to the block: as the migrations left it, or a copy of another template."""
        if template is not None or self._owner is None:
            yield from self._new_database(template or self._template)
            return
        database = self._free.pop() if self._free else RecycledDatabase(self._new(self._template))
        database.use()
        try:
            yield database.dsn
        except BaseException:
            self._end(database)
            raise
        if database.is_as_new():
            self._free.append(database)
        else:
            self._end(database)

    def close(self) -> None:
        while self._free:
            self._end(self._free.pop())
        self._run("DROP DATABASE {} WITH (FORCE)", self._template)

    def _new_database(self, template: str) -> Iterator[str]:
        dsn = self._new(template)
        try:
            yield dsn
        finally:
            self._drop(dsn)

    def _end(self, database: RecycledDatabase) -> None:
        database.close()
        self._drop(database.dsn)

    def _new(self, template: str) -> str:
        name = f"test_{uuid4().hex}"
        self._make(name, template)
        return self.dsn(name)

    def _drop(self, dsn: str) -> None:
        self._run("DROP DATABASE {} WITH (FORCE)", str(conninfo_to_dict(dsn)["dbname"]))

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
        cluster = TestCluster(embedded.dsn)
        yield cluster
        cluster.close()
