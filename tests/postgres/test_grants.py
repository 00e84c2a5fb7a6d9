"""The application's role may do what its statements need, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import psycopg
import pytest
from psycopg import Connection
from psycopg.errors import InsufficientPrivilege
from psycopg.sql import SQL, Identifier

from clearwindow.postgres.embedded.access import APPLICATION
from clearwindow.postgres.grants import grant, granted
from tests.support.databases import as_application, as_owner

from .needs import Judge

APPEND_ONLY: Final = (
    "ledger_entry",
    "entry_posting",
    "custody_movement",
    "audit_record",
    "event",
    "signed_request",
    "key_set",
    "used_text",
)


@pytest.fixture
def admin(dsn: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(dsn) as connection:
        yield connection
        connection.rollback()


@pytest.fixture
def application(dsn: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(as_application(dsn), autocommit=True) as connection:
        yield connection


def test_every_table_has_its_row_and_statements_need_exactly_what_it_says(admin: Connection[Any]) -> None:
    assert Judge(admin).needs() == dict(granted())


def test_database_gives_the_application_exactly_these_privileges(admin: Connection[Any]) -> None:
    rows = admin.execute(
        "SELECT table_name::text, privilege_type::text FROM information_schema.role_table_grants"
        " WHERE grantee IN (%s, 'PUBLIC') AND table_schema = 'public'",
        [APPLICATION],
    ).fetchall()
    assert set(rows) == {(table, privilege) for table, held in granted().items() for privilege in held}
    columns = admin.execute("SELECT count(*) FROM pg_attribute WHERE attacl IS NOT NULL AND attrelid > 16383")
    assert columns.fetchone() == (0,)


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_journal_audit_and_events_cannot_be_changed(application: Connection[Any], table: str) -> None:
    column = {
        "audit_record": "action",
        "event": "type",
        "entry_posting": "available",
        "signed_request": "operation",
        "used_text": "operation",
        "key_set": "sha256",
    }.get(table, "kind")
    for statement in (
        f"UPDATE {table} SET {column} = {column}",  # noqa: S608 - names above
        f"DELETE FROM {table}",  # noqa: S608 - names above
        f"TRUNCATE {table} CASCADE",
        f"ALTER TABLE {table} DISABLE TRIGGER ALL",
        f"DROP TABLE {table} CASCADE",
    ):
        with pytest.raises(InsufficientPrivilege):
            application.execute(statement.encode())


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (a int)",
        "CREATE SCHEMA mine",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE ROLE mine",
        "SET ROLE clearwindow_owner",
        "SET SESSION AUTHORIZATION clearwindow",
        "SET session_replication_role = replica",
        "ALTER SYSTEM SET fsync = off",
        "COPY enterprise TO PROGRAM 'true'",
        "CREATE EVENT TRIGGER mine ON ddl_command_start EXECUTE FUNCTION refuse_change()",
        "INSERT INTO sandbox DEFAULT VALUES",
        "UPDATE schema_migration SET sha256 = ''",
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    ],
)
def test_application_cannot(application: Connection[Any], statement: str) -> None:
    with pytest.raises((InsufficientPrivilege, psycopg.errors.InvalidParameterValue)):
        application.execute(statement.encode())


def test_application_owns_nothing_and_is_nothing(admin: Connection[Any], application: Connection[Any]) -> None:
    application.execute("CREATE TEMPORARY TABLE mine (a int)")
    application.execute("DROP TABLE mine")
    owned = "SELECT count(*) FROM pg_shdepend WHERE refobjid = %s::regrole AND deptype = 'o'"
    assert admin.execute(owned, [APPLICATION]).fetchone() == (0,)
    flags = (
        "SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls FROM pg_roles WHERE rolname = %s"
    )
    assert admin.execute(flags, [APPLICATION]).fetchone() == (False,) * 5
    member = "SELECT count(*) FROM pg_auth_members WHERE member = %s::regrole"
    assert admin.execute(member, [APPLICATION]).fetchone() == (0,)


def test_function_that_runs_as_the_owner_does_not_use_the_callers_tables(application: Connection[Any]) -> None:
    application.execute("CREATE TEMPORARY TABLE enterprise (id text)")
    application.execute("CREATE TEMPORARY TABLE sandbox (only_row boolean)")
    application.execute("INSERT INTO sandbox VALUES (true)")
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="marked as a sandbox"):
        application.execute("SELECT empty_sandbox()")


def test_network_that_holds_enterprises_cannot_be_marked_as_a_sandbox(
    dsn: str, application: Connection[Any]
) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute("INSERT INTO enterprise VALUES ('a', 'A', 'A', true, now(), now())")
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="cannot become a sandbox"):
        application.execute("SELECT mark_sandbox()")


def test_grants_are_brought_back_to_what_they_should_be(dsn: str) -> None:
    with psycopg.connect(as_owner(dsn)) as owner:
        owner.execute(SQL("GRANT ALL ON entry_posting TO {}").format(Identifier(APPLICATION)))
        owner.execute(SQL("REVOKE ALL ON nonce FROM {}").format(Identifier(APPLICATION)))
        grant(owner, APPLICATION)
        held = (
            "SELECT privilege_type::text FROM information_schema.role_table_grants"
            " WHERE grantee = %s AND table_name = %s"
        )
        for table in ("entry_posting", "nonce"):
            found = {privilege for (privilege,) in owner.execute(held, [APPLICATION, table]).fetchall()}
            assert found == set(granted()[table])
