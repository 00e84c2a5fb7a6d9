"""What the database's address says holds for every connection, and what the database is, is looked at first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from clearwindow import bootstrap
from clearwindow.bootstrap import DatabaseUnreachableError
from clearwindow.core.clock import SystemClock
from clearwindow.postgres.address import (
    RELIED_ON,
    address,
    beginning_with,
    connected,
    own_options,
    takes_standby,
)
from clearwindow.postgres.pool import Database, Transaction
from clearwindow.settings import load_settings
from tests.support.databases import TestCluster

SECRET_KEY = "ab" * 32


@contextmanager
def pool(dsn: str) -> Iterator[Database]:
    database = Database(dsn, SystemClock())
    database.open()
    try:
        yield database
    finally:
        database.close()


def setting(tx: Transaction, name: str) -> str:
    return tx.scalars(str, "SELECT current_setting(%(name)s)", name=name)[0]


def test_options_of_the_address_hold_for_every_connection(dsn: str) -> None:
    given = make_conninfo(dsn, options="-c statement_timeout=7s --lock-timeout=3s -c search_path=public,pg_temp")
    with pool(given) as database, database.transaction() as tx:
        assert setting(tx, "statement_timeout") == "7s"
        assert setting(tx, "lock_timeout") == "3s"
        assert setting(tx, "search_path") == "public,pg_temp"
        assert setting(tx, "idle_in_transaction_session_timeout") == "1min"
    with connected(given) as connection:
        assert connection.execute("SHOW statement_timeout").fetchone() == ("7s",)


def test_options_of_the_environment_hold_too(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c lock_timeout=4s")
    with pool(dsn) as database, database.transaction() as tx:
        assert (setting(tx, "lock_timeout"), setting(tx, "statement_timeout")) == ("4s", "2min")


def test_application_name_of_the_address_holds(dsn: str) -> None:
    for given, expected in ((dsn, "clearwindow"), (make_conninfo(dsn, application_name="desk"), "desk")):
        with pool(given) as database, database.transaction() as tx:
            assert setting(tx, "application_name") == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DateStyle", "SQL, DMY"),
        ("IntervalStyle", "iso_8601"),
        ("TimeZone", "Asia/Kolkata"),
        ("standard_conforming_strings", "off"),
        ("bytea_output", "escape"),
        ("client_encoding", "LATIN1"),
        ("default_transaction_isolation", "serializable"),
        ("array_nulls", "off"),
    ],
)
def test_settings_of_the_database_do_not_change_what_statements_mean(dsn: str, name: str, value: str) -> None:
    database_name = conninfo_to_dict(dsn)["dbname"]
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE \"{database_name}\" SET {name} = '{value}'".encode())
    with opened(dsn) as opened_database, opened_database.database.transaction() as tx:
        (found,) = tx.records(
            "SELECT now() AS moment, '\\x00ff'::bytea AS bytes, 'a\\b' AS text, '李' AS name,"
            " '{NULL}'::text[] AS nulls"
        )
        assert str(getattr(found["moment"], "tzinfo", None)) in {"UTC", "Etc/UTC"}
        assert (found["bytes"], found["text"], found["name"], found["nulls"]) == (b"\x00\xff", "a\\b", "李", [None])
        assert {each: setting(tx, each) for each in RELIED_ON} == RELIED_ON


@contextmanager
def opened(dsn: str) -> Iterator[bootstrap.Opened]:
    settings = load_settings(database_url=dsn, secret_key=SECRET_KEY)
    with bootstrap.opened_database(settings, share_running=True) as found:
        yield found


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_database_of_another_encoding_is_refused_in_one_line(cluster: TestCluster, encoding: str) -> None:
    name = f"other_{encoding.lower()}"
    with cluster.fresh_database() as dsn, psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0".encode())
        try:
            with pytest.raises(DatabaseUnreachableError) as caught, opened(make_conninfo(dsn, dbname=name)):
                pass
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
    assert f"{name} has the encoding {encoding}, but UTF8 is needed" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_read_only_database_is_refused_in_one_line_at_the_start(dsn: str) -> None:
    database_name = conninfo_to_dict(dsn)["dbname"]
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{database_name}" SET default_transaction_read_only = on'.encode())
        connection.execute("DROP TABLE schema_migration CASCADE")
    for given in (dsn, make_conninfo(dsn, target_session_attrs="any")):
        with pytest.raises(DatabaseUnreachableError, match="read-only") as caught, opened(given):
            pass
        assert "\n" not in str(caught.value)


def test_address_gets_what_it_leaves_out_and_keeps_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    added = conninfo_to_dict(address("postgresql://a,b/name"))
    assert (added["target_session_attrs"], added["connect_timeout"]) == ("read-write", "2")
    assert conninfo_to_dict(address("postgresql://a/name"))["connect_timeout"] == "3"
    kept = conninfo_to_dict(address("host=a target_session_attrs=any connect_timeout=30 keepalives_idle=1"))
    assert (kept["target_session_attrs"], kept["connect_timeout"], kept["keepalives_idle"]) == ("any", "30", "1")
    assert not takes_standby("host=a")
    assert takes_standby("host=a target_session_attrs=any")
    monkeypatch.setenv("PGTARGETSESSIONATTRS", "any")
    assert takes_standby("host=a")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", {}),
        ("-c a=1 -cb=2 --c-d=3", {"a": "1", "b": "2", "c_d": "3"}),
        (r"-c search_path=one,\ two -c x=a\\b", {"search_path": "one, two", "x": "a\\b"}),
        ("-c", {}),
    ],
)
def test_options_are_read_as_the_server_reads_them(options: str, expected: dict[str, str]) -> None:
    assert own_options(make_conninfo("host=a", options=options)) == expected


@pytest.mark.parametrize(
    ("dsn", "last", "hosts", "ports"),
    [
        ("host=a,b,c port=1,2,3", ("c", 3), "c,a,b", "3,1,2"),
        ("host=a,b port=5", ("b", 5), "b,a", "5"),
        ("host=a,a port=1,2 hostaddr=10.0.0.1,10.0.0.2", ("a", 2), "a,a", "2,1"),
        ("host=a,b port=1,2", ("a", 1), "a,b", "1,2"),
        ("host=a,b port=1,2", ("b", 9), "a,b", "1,2"),
        ("host=/run/here port=5432", ("/run/here", 5432), "/run/here", "5432"),
    ],
)
def test_server_that_last_took_writes_is_tried_first(
    dsn: str, last: tuple[str, int], hosts: str, ports: str
) -> None:
    moved = conninfo_to_dict(beginning_with(dsn, *last))
    assert (moved["host"], str(moved["port"])) == (hosts, ports)
    if "hostaddr" in moved:
        assert moved["hostaddr"] == "10.0.0.2,10.0.0.1"
