"""Statements that are sent together are answered in their order, and fail and see what single ones would."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from clearwindow.core.clock import ManualClock
from clearwindow.postgres.pool import Database
from tests.conftest import START
from tests.support.databases import as_application


@pytest.fixture
def database(dsn: str) -> Iterator[Database]:
    database = Database(as_application(dsn), ManualClock(START), wait_seconds=60)
    database.open()
    yield database
    database.close()


def test_answers_are_there_when_the_block_has_ended(database: Database) -> None:
    with database.transaction() as tx:
        with tx.together():
            one = tx.ask.scalars(int, "SELECT 1")
            none = tx.ask.first(dict, "SELECT 2 WHERE false")
            changed = tx.ask.run("SELECT generate_series(1, 3)")
        assert (one(), none(), changed()) == ([1], None, 3)


def test_answer_that_is_read_within_the_block_is_waited_for(database: Database) -> None:
    with database.transaction() as tx, tx.together():
        tx.tell("SET LOCAL clearwindow.test = 'told'")
        assert tx.scalars(str, "SELECT current_setting('clearwindow.test')") == ["told"]
        assert tx.run("SELECT generate_series(1, 2)") == 2


def test_first_error_of_the_block_is_raised_and_nothing_is_kept(database: Database) -> None:
    insert = "INSERT INTO enterprise (id, name, trust_org, licensed, created_at, updated_at)"

    def fail() -> None:
        with database.transaction() as tx, tx.together():
            tx.tell(f"{insert} VALUES ('x', 'x', 'BitGo Trust', true, now(), now())")
            tx.tell("SELECT 1 / 0")
            tx.tell("SELECT 'no number'::integer")

    with pytest.raises(psycopg.errors.DivisionByZero):
        fail()
    with database.transaction() as tx:
        assert tx.scalars(int, "SELECT count(*) FROM enterprise") == [0]


def test_statement_after_a_lock_sees_what_was_committed_meanwhile(database: Database) -> None:
    with database.transaction() as tx:
        tx.run(
            "INSERT INTO enterprise (id, name, trust_org, licensed, created_at, updated_at)"
            " VALUES ('x', 'before', 'BitGo Trust', true, now(), now())"
        )
    with database.transaction() as tx, tx.together():
        tx.tell("SELECT count(*) FROM enterprise")
        # The first statement of the block has a view of its own; another transaction commits after it.
        assert tx.scalars(str, "SELECT name FROM enterprise") == ["before"]
        with database.transaction() as other:
            other.run("UPDATE enterprise SET name = 'after'")
        tx.tell("SELECT FROM enterprise FOR UPDATE")
        assert tx.scalars(str, "SELECT name FROM enterprise") == ["after"]


def test_look_up_over_a_broken_connection_is_done_again(database: Database, dsn: str) -> None:
    def read() -> list[int]:
        return database.look_up(lambda tx: tx.scalars(int, "SELECT 1"))

    assert read() == [1]
    with psycopg.connect(dsn, autocommit=True) as owner:
        owner.execute(
            "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'clearwindow'"
        )
    assert read() == [1]


def test_look_up_leaves_no_transaction_open(database: Database) -> None:
    database.look_up(lambda tx: tx.scalars(int, "SELECT 1"))
    with database.transaction() as tx:
        tx.run("SET LOCAL clearwindow.test = 'within'")
    with database.transaction() as tx:
        assert tx.scalars(str, "SELECT coalesce(current_setting('clearwindow.test', true), '')") == [""]
