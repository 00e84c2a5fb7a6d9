"""How the connections are divided, and how long a session waits for a lock. Decision 12."""

from __future__ import annotations

from contextlib import ExitStack

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from psycopg.errors import LockNotAvailable

from clearwindow import bootstrap
from clearwindow.core.clock import SystemClock
from clearwindow.core.work import Purpose, working_for
from clearwindow.postgres.address import connected
from clearwindow.postgres.budget import Budget, LockWaits, divided
from clearwindow.postgres.failures import NoConnectionError
from clearwindow.postgres.pool import Database
from clearwindow.settings import SettingsError, load_settings


@settings(deadline=None)
@given(connections=st.integers(4, 500), share=st.floats(0.01, 1))
def test_every_number_of_connections_can_be_divided(connections: int, share: float) -> None:
    budget = divided(connections, share=share)
    assert budget.reserved_for_reading >= 1
    assert budget.writing + budget.background + budget.probing + budget.reserved_for_reading == connections
    assert 1 <= budget.lock_waits <= budget.writing
    assert budget.reading < connections
    for purpose, places in budget.places().items():
        part = places.size if purpose in {Purpose.BACKGROUND, Purpose.PROBING} else places.size * share + 0.001
        assert 1 <= places.share <= max(1, part)


def test_defaults_of_the_table_in_the_decision() -> None:
    budget = divided(20)
    sizes = {str(purpose): (places.size, places.share) for purpose, places in budget.places().items()}
    assert sizes == {"reading": (16, 4), "writing": (9, 2), "background": (5, 5), "probing": (2, 2)}
    assert budget.reserved_for_reading == 4
    assert {name: places.size for name, places in budget.lock_wait_places().items()}[Purpose.WRITING] == 5


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"database_connections_writing": 14}, "leave none of 20 to read"),
        ({"database_connections_writing": 3, "database_lock_waits": 4}, "more than the 3 that write"),
        ({"database_connections": 3}, "3 connections are too few for a server"),
    ],
)
def test_settings_that_contradict_each_other_are_refused_in_one_line(
    numbers: dict[str, int], said: str, dsn: str
) -> None:
    loaded = load_settings(**{"database_connections": 20, "database_url": dsn, **numbers})
    opening = bootstrap.opened_database(loaded, share_running=False, serves=True)
    with pytest.raises(SettingsError) as refused, opening:
        raise AssertionError("it must not open")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "CLEARWINDOW_DATABASE_CONNECTIONS_WRITING" in str(refused.value)


def test_every_session_has_a_lock_timeout_of_its_purpose(dsn: str) -> None:
    database = Database(dsn, SystemClock(), max_connections=1, lock_waits=LockWaits(7, 11))
    database.open()
    try:
        for _ in range(2):
            with database.transaction() as tx:
                assert tx.scalars(str, "SHOW lock_timeout") == ["11s"]
            with working_for("acme", Purpose.WRITING), database.transaction() as tx:
                assert tx.scalars(str, "SHOW lock_timeout") == ["7s"]
                with tx.waiting_for_locks(3):
                    assert tx.scalars(str, "SHOW lock_timeout") == ["3s"]
                assert tx.scalars(str, "SHOW lock_timeout") == ["7s"]
    finally:
        database.close()
    with connected(dsn) as connection:
        assert connection.execute("SHOW lock_timeout").fetchone() == ("1min",)


def test_purpose_that_uses_its_part_leaves_the_others_theirs(dsn: str) -> None:
    database = Database(
        dsn, SystemClock(), max_connections=4, wait_seconds=60, lock_waits=LockWaits(0.1, 0.1), budget=divided(4)
    )
    database.open()
    try:
        with ExitStack() as held:
            for holder, purpose in (("a", Purpose.WRITING), (None, Purpose.BACKGROUND), (None, Purpose.PROBING)):
                held.enter_context(working_for(holder, purpose))
                held.enter_context(database.transaction())
                refused = pytest.raises(NoConnectionError, match=f"all connections for {purpose} are in use")
                with refused, database.transaction(timeout_seconds=0.01):
                    raise AssertionError("there must be none")
            with working_for("stranger", Purpose.READING), database.transaction() as tx:
                assert tx.scalars(int, "SELECT 1") == [1]
        assert {name: use.in_use for name, use in database.uses().items()} == dict.fromkeys(database.uses(), 0)
    finally:
        database.close()


def test_lock_wait_without_a_place_ends_at_once_and_its_session_is_usable(dsn: str) -> None:
    budget = Budget(connections=8, writing=3, background=2, lock_waits=1, share=1)
    database = Database(dsn, SystemClock(), max_connections=8, lock_waits=LockWaits(100, 100), budget=budget)
    database.open()
    holder = Database(dsn, SystemClock(), max_connections=1)
    holder.open()
    try:
        with holder.transaction() as holding, ExitStack() as stack:
            holding.run("LOCK TABLE partner IN ACCESS EXCLUSIVE MODE")
            places = database.uses()["lock_waits"]
            assert places.size == 1
            stack.enter_context(working_for("acme", Purpose.WRITING))
            only = database._sessions._lock_places[Purpose.WRITING].try_enter("beta")  # noqa: SLF001
            assert only is not None
            with pytest.raises(LockNotAvailable), database.transaction() as tx:
                tx.records("SELECT * FROM partner")
            with database.transaction() as tx:
                assert tx.scalars(int, "SELECT 1") == [1]
        assert database.uses()["lock_waits"].refused == 1
    finally:
        database.close()
        holder.close()
