"""The time of a network is the database's, whatever the clock of the application's host says."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self, cast

import psycopg
import pytest
from psycopg import Connection

from clearwindow.postgres.database_clock import DatabaseClock
from clearwindow.postgres.pool import Database
from clearwindow.postgres.sandbox import clock_of

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


@dataclass
class Server:
    """A server whose clock is ahead of the ticks, and whose answers take a while."""

    at: float = 1_000.0
    ahead: timedelta = timedelta()
    trip_seconds: float = 0.002
    autocommit: bool = False
    closed: bool = False
    asked: int = field(default=0)

    def ticks(self) -> float:
        return self.at

    def shows(self) -> datetime:
        return NOON + timedelta(seconds=self.at) + self.ahead

    def cursor(self, **_: object) -> Self:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def execute(self, *_: object, **__: object) -> Self:
        self.asked += 1
        self.at += self.trip_seconds
        self.answer = self.shows() - timedelta(seconds=self.trip_seconds / 2)
        return self

    def fetchone(self) -> tuple[datetime]:
        return (self.answer,)

    @property
    def connection(self) -> Connection[Any]:
        return cast("Connection[Any]", self)


def apart_seconds(clock: DatabaseClock, server: Server) -> float:
    return abs((clock.now() - server.shows()).total_seconds())


@pytest.mark.parametrize("ahead", [timedelta(), timedelta(seconds=5), timedelta(days=-400)])
def test_it_tells_what_the_server_shows(ahead: timedelta) -> None:
    server = Server(ahead=ahead)
    clock = DatabaseClock(server.ticks)
    clock.measure(server.connection)
    assert apart_seconds(clock, server) <= 0.001
    server.at += 3_600
    assert apart_seconds(clock, server) <= 0.001


def test_slow_answer_does_not_replace_a_good_one() -> None:
    server = Server()
    clock = DatabaseClock(server.ticks)
    clock.measure(server.connection)
    server.trip_seconds = 0.4
    clock.measure(server.connection)
    assert apart_seconds(clock, server) <= 0.001
    assert server.asked == 1 + 3


def test_another_server_is_followed_at_once() -> None:
    server = Server()
    clock = DatabaseClock(server.ticks)
    clock.measure(server.connection)
    clock.now()
    for step in (timedelta(seconds=7), timedelta(seconds=-9)):
        server.ahead += step
        clock.measure(server.connection)
        assert apart_seconds(clock, server) <= 0.001


def test_it_stands_still_instead_of_going_back_a_little() -> None:
    server = Server()
    clock = DatabaseClock(server.ticks)
    clock.measure(server.connection)
    seen = clock.now()
    server.ahead -= timedelta(milliseconds=300)
    clock.measure(server.connection)
    assert clock.now() == seen
    server.at += 0.4
    assert clock.now() > seen


def test_it_is_measured_again_after_a_while() -> None:
    server = Server()
    clock = DatabaseClock(server.ticks)
    assert clock.is_old
    clock.measure(server.connection)
    assert not clock.is_old
    server.at += 31
    assert clock.is_old


def test_transactions_of_a_network_have_the_time_of_their_server(dsn: str) -> None:
    ahead = 86_400.0
    clock = clock_of(dsn, sandbox=False)
    assert isinstance(clock, DatabaseClock)
    database = Database(dsn, clock, max_connections=1)
    database.open()
    try:
        with psycopg.connect(dsn, autocommit=True) as connection:
            for _ in range(2):
                (before,) = connection.execute("SELECT clock_timestamp()").fetchone() or (NOON,)
                with database.transaction() as tx:
                    now = tx.now()
                (after,) = connection.execute("SELECT clock_timestamp()").fetchone() or (NOON,)
                # As far as a measurement on a busy machine may be wrong.
                assert before - timedelta(seconds=10) <= now <= after + timedelta(seconds=10)
                # As if the machine had slept for a day: it is measured anew before the next transaction.
                clock._measured_at -= ahead  # noqa: SLF001 - nothing else makes it old
    finally:
        database.close()
