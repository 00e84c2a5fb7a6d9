"""The code and the database allow the same transitions of settlements and closures."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import psycopg
import pytest

from clearwindow.settlements.disputes.models import ClosureStatus
from clearwindow.settlements.disputes.rules import CLOSURE_TRANSITIONS
from clearwindow.settlements.models import TRANSITIONS, SettlementState
from tests.support.databases import TestCluster

NOW = datetime(2026, 1, 5, tzinfo=UTC)
OPEN = (SettlementState.DISPUTE_WINDOW, SettlementState.TOP_UP_WINDOW, SettlementState.ONCHAIN)
NOT_EXECUTED = (SettlementState.FAILED, SettlementState.REJECTED)
ENDED = (SettlementState.COMPLETED, SettlementState.REJECTED)


def columns_of(state: SettlementState) -> dict[str, object]:
    """Returns the columns that a row must have in this state."""
    return {
        "state": state,
        "due_at": NOW if state in OPEN else None,
        "reason": "why" if state in NOT_EXECUTED else None,
        "finalized_at": NOW if state in ENDED else None,
    }


@pytest.fixture(scope="module")
def connection(cluster: TestCluster) -> Iterator[psycopg.Connection]:
    with cluster.fresh_database() as dsn, psycopg.connect(dsn) as connection:
        yield connection


@pytest.mark.parametrize(("before", "after"), list(itertools.permutations(SettlementState, 2)))
def test_settlement_transitions_agree_with_the_database(
    connection: psycopg.Connection, before: SettlementState, after: SettlementState
) -> None:
    with connection.transaction():
        # Without foreign keys, so that the rows that this one refers to need not exist.
        connection.execute("SET LOCAL session_replication_role = replica")
        settlement_id = uuid4()
        kind = "onchain" if SettlementState.ONCHAIN in (before, after) else "offchain"
        connection.execute(
            "INSERT INTO settlement (id, partner_id, external_id, state, settlement_type, request_sha256,"
            " staged_answer, initiated_by, cutoff_at, created_at, updated_at, dispute_deadline_at,"
            " top_up_deadline_at, execute_when_funded, due_at, reason, finalized_at)"
            " VALUES (%(id)s, %(id)s, %(id)s::text, %(state)s, %(type)s, '', '', 'x', %(now)s, %(now)s, %(now)s,"
            " %(now)s, %(now)s, false, %(due_at)s, %(reason)s, %(finalized_at)s)",
            {"id": settlement_id, "now": NOW, "type": kind, **columns_of(before)},
        )
    with connection.transaction(force_rollback=True):
        update = (
            "UPDATE settlement SET state = %(state)s, due_at = %(due_at)s, reason = %(reason)s,"
            " finalized_at = %(finalized_at)s WHERE id = %(id)s"
        )
        values = {"id": settlement_id, **columns_of(after)}
        if after in TRANSITIONS[before]:
            assert connection.execute(update, values).rowcount == 1
        else:
            with pytest.raises(psycopg.errors.IntegrityConstraintViolation) as refused:
                connection.execute(update, values)
            assert refused.value.diag.constraint_name == "settlement_transition_allowed"


@pytest.mark.parametrize(("before", "after"), list(itertools.permutations(ClosureStatus, 2)))
def test_closure_transitions_agree_with_the_database(
    connection: psycopg.Connection, before: ClosureStatus, after: ClosureStatus
) -> None:
    with connection.transaction():
        connection.execute("SET LOCAL session_replication_role = replica")
        closure_id = uuid4()
        connection.execute(
            "INSERT INTO dispute_closure (id, partner_id, dispute_id, status, closed_by, user_id, notes,"
            " adjusted_transfers, request_sha256, reviewed_by, created_at, updated_at)"
            " VALUES (%(id)s, %(id)s, %(id)s, %(status)s, 'client', 'x', 'x', '{}', '', %(by)s, %(now)s, %(now)s)",
            {"id": closure_id, "status": before, "by": reviewer(before), "now": NOW},
        )
    with connection.transaction(force_rollback=True):
        update = "UPDATE dispute_closure SET status = %(status)s, reviewed_by = %(by)s WHERE id = %(id)s"
        values = {"id": closure_id, "status": after, "by": reviewer(after)}
        if after in CLOSURE_TRANSITIONS[before]:
            assert connection.execute(update, values).rowcount == 1
        else:
            with pytest.raises(psycopg.errors.IntegrityConstraintViolation) as refused:
                connection.execute(update, values)
            assert refused.value.diag.constraint_name == "dispute_closure_transition_allowed"


def reviewer(status: ClosureStatus) -> str | None:
    return None if status is ClosureStatus.PENDING_REVIEW else "somebody"
