"""Only one process at a time moves a sandbox's clock: the lock is taken, refused and released."""

from __future__ import annotations

import psycopg
import pytest

from clearwindow.postgres.sandbox import holding_clock


def end_sessions(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_clock_is_refused_while_another_process_holds_it(dsn: str) -> None:
    with holding_clock(dsn) as first:
        with holding_clock(dsn) as second:
            assert (first, second) == (True, False)
        with holding_clock(dsn) as third:
            assert not third, "a refused caller releases nothing"


def test_clock_is_free_immediately_after_its_block(dsn: str) -> None:
    for _ in range(50):
        with holding_clock(dsn) as held:
            assert held


def test_lock_is_released_before_its_connection_closes(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    left_open: list[psycopg.Connection] = []

    def keep_open(connection: psycopg.Connection) -> None:
        left_open.append(connection)

    with monkeypatch.context() as patched:
        patched.setattr(psycopg.Connection, "close", keep_open)
        with pytest.raises(ZeroDivisionError), holding_clock(dsn):
            raise ZeroDivisionError
        with holding_clock(dsn) as held:
            assert held
    for connection in left_open:
        connection.close()


def test_lost_connection_does_not_hide_the_error_of_the_block(dsn: str) -> None:
    def fail_without_connection() -> None:
        with holding_clock(dsn):
            end_sessions(dsn)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_without_connection()
