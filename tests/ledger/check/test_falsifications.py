"""What somebody changes in the database is refused, or named by the check. A network in order has no findings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from fastapi import FastAPI
from psycopg import Connection, errors

from clearwindow.core.ids import RandomIds
from clearwindow.ledger.check.invariants import INVARIANTS
from clearwindow.ledger.check.service import findings
from clearwindow.postgres.pool import Transaction
from tests.ledger.check.falsifications import NAMED, UNSEEN
from tests.ledger.check.onchain_breaks import ONCHAIN_BREAKS
from tests.ledger.check.scenario import Scenario, build
from tests.support.databases import as_application, as_superuser
from tests.support.settlements import Testbed

REFUSALS = (errors.IntegrityConstraintViolation, errors.IntegrityError, errors.InsufficientPrivilege)
"""What the database answers to a change that it refuses."""


@pytest.fixture
def scenario(testbed: Testbed, served_app: tuple[FastAPI, str]) -> Iterator[Scenario]:
    with testbed.operator.another() as second:
        yield build(testbed, served_app[0], second)


@contextmanager
def falsified(connection: Connection[Any], scenario: Scenario, change: str) -> Iterator[None]:
    """Runs the statements of a change until the block ends."""
    with connection.transaction(force_rollback=True):
        for statement in change.format(**scenario.ids).split("; "):
            changed = connection.execute(statement.encode())
            assert changed.rowcount != 0, statement
        yield


def found(connection: Connection[Any], scenario: Scenario) -> set[str]:
    tx = Transaction(connection, scenario.testbed.clock, RandomIds(), None, 10)
    return {finding.invariant for finding in findings(tx)}


def test_application_cannot_falsify_what_the_check_does_not_name(scenario: Scenario) -> None:
    with psycopg.connect(as_application(scenario.testbed.runtime.database.dsn), autocommit=True) as connection:
        for what, (change, expected) in NAMED.items():
            try:
                with falsified(connection, scenario, change):
                    assert expected <= found(connection, scenario), what
            except REFUSALS:
                continue
        refused = set()
        for what, change in UNSEEN.items():
            try:
                with falsified(connection, scenario, change):
                    assert found(connection, scenario) == set(), what
            except REFUSALS:
                refused.add(what[:2])
    assert refused == {"22", "36", "37", "41", "42", "44"}


def test_what_is_falsified_without_triggers_is_named(scenario: Scenario) -> None:
    with psycopg.connect(as_superuser(scenario.testbed.runtime.database.dsn), autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        assert found(connection, scenario) == set()
        missed = {}
        for what, (change, expected) in NAMED.items():
            with falsified(connection, scenario, change):
                named = found(connection, scenario)
            if not expected <= named:
                missed[what] = (expected - named, named)
        assert missed == {}
        for what, change in UNSEEN.items():
            with falsified(connection, scenario, change):
                # If one of these is named one day, say so in docs/explanation/correctness.md.
                assert found(connection, scenario) == set(), what


def test_every_invariant_is_falsified_once() -> None:
    expected = [*(named for _, named in NAMED.values()), *(named for _, named in ONCHAIN_BREAKS.values())]
    assert set().union(*expected) == set(INVARIANTS)
