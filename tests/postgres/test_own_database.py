"""A database of one's own, prepared as the page says, word for word."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import psycopg
from psycopg.conninfo import make_conninfo

from clearwindow.postgres.embedded.database import address_of
from clearwindow.postgres.embedded.home import Home
from clearwindow.postgres.grants import granted
from tests.support.long import long
from tests.support.processes import command, serving_folder
from tools import grants_page

from .plain_clusters import plain_cluster

PAGE: Final = grants_page.PAGE.read_text()
URLS: Final = dict(re.findall(r"export (CLEARWINDOW_\w*DATABASE_URL)='([^']+)'", PAGE))
KEY: Final = "ab" * 32
HELD: Final = (
    "SELECT table_name::text, privilege_type::text FROM information_schema.role_table_grants"
    " WHERE grantee = 'clearwindow_app' AND table_schema = 'public'"
)


def sql_under(heading: str) -> list[str]:
    """Returns the statements of the page's block under the heading."""
    section = PAGE.partition(heading)[2]
    block = re.search(r"```sql\n(.*?)```", section, re.DOTALL)
    assert block is not None
    return [statement.strip() for statement in block[1].split(";") if statement.strip()]


def run(dsn: str, statements: list[str]) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def url(name: str, home: Home) -> str:
    """Returns an address of the page, at the test's server."""
    return make_conninfo(URLS[name], host=str(home.socket_dir), port=5432)


def held(home: Home) -> set[tuple[str, str]]:
    with psycopg.connect(address_of(home, "postgres")) as connection:
        return set(connection.execute(HELD).fetchall())


def test_page_has_the_grants_of_this_version() -> None:
    assert grants_page.page() == PAGE


@long
def test_page_prepares_an_empty_cluster(data_dir: Path, open_dir: Path) -> None:
    with plain_cluster(data_dir, "postgres") as home:
        run(address_of(home, "postgres", "postgres"), sql_under("## 1. Make the roles and the database"))
        application = url("CLEARWINDOW_DATABASE_URL", home)
        owner = url("CLEARWINDOW_MIGRATION_DATABASE_URL", home)

        early = command("worker", database_url=application, secret_key=KEY)
        assert early.returncode == 1
        assert "run clearwindow migrate with CLEARWINDOW_MIGRATION_DATABASE_URL" in early.stderr
        alone = command("migrate", migration_database_url=owner, data_dir=str(open_dir / "none"))
        assert alone.returncode == 2
        assert "CLEARWINDOW_MIGRATION_DATABASE_URL is set without CLEARWINDOW_DATABASE_URL" in alone.stderr

        for said in ("Applied 0001_access", "The database is up to date."):
            migrated = command("migrate", database_url=application, migration_database_url=owner)
            assert migrated.returncode == 0, migrated.stderr
            assert migrated.stdout.startswith(said)
        expected = {(table, privilege) for table, privileges in granted().items() for privilege in privileges}
        assert held(home) == expected
        run(owner, ["REVOKE ALL ON ALL TABLES IN SCHEMA public FROM clearwindow_app"])
        run(owner, sql_under("<!-- grants -->"))
        assert held(home) == expected

        with serving_folder(open_dir / "served", database_url=application, secret_key=KEY) as served:
            assert served.get("/readyz").status_code == 200
            assert "application_owns_tables" not in served.log.read_text()
        with serving_folder(open_dir / "owned", database_url=owner, secret_key=KEY) as served:
            assert served.get("/readyz").status_code == 200
            assert served.log.read_text().count("application_owns_tables") == 1


@long
def test_page_parts_the_roles_of_a_database_that_one_role_owns(data_dir: Path) -> None:
    with plain_cluster(data_dir, "postgres") as home:
        making = ["CREATE ROLE clearwindow_app LOGIN", "CREATE DATABASE clearwindow OWNER clearwindow_app"]
        run(address_of(home, "postgres", "postgres"), making)
        application = url("CLEARWINDOW_DATABASE_URL", home)
        assert command("migrate", database_url=application).returncode == 0

        run(address_of(home, "postgres"), sql_under("## If one role owns the tables already"))
        owner = url("CLEARWINDOW_MIGRATION_DATABASE_URL", home)
        migrated = command("migrate", database_url=application, migration_database_url=owner)
        assert migrated.returncode == 0, migrated.stderr
        assert held(home) == {(table, one) for table, privileges in granted().items() for one in privileges}
        assert command("check", database_url=application).returncode == 0
