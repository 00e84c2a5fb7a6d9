"""The rules of approvals, and the same rules in the database."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearwindow.approvals import rules
from clearwindow.approvals.models import Approval, ApprovalKind, ApprovalStatus, Change, Exceeded, RequestedApproval
from clearwindow.core.errors import ConflictError, PermissionDeniedError
from clearwindow.core.ids import NIL
from tests.support.databases import TestCluster

NOW = datetime(2026, 1, 5, tzinfo=UTC)
QUANTITIES = st.integers(0, 10)
THRESHOLDS = st.one_of(st.none(), QUANTITIES)


def waiting() -> Approval:
    return rules.requested(
        UUID(int=1), RequestedApproval(ApprovalKind.THRESHOLD, "ofcbtc", 20, 10), "e", "anna", NOW
    )


@given(threshold=THRESHOLDS, wanted=THRESHOLDS, quantity=QUANTITIES)
def test_change_that_takes_effect_at_once_is_never_less_strict(
    threshold: int | None, wanted: int | None, quantity: int
) -> None:
    change = rules.change_of(threshold, wanted)
    assert (change is Change.NONE) == (threshold == wanted)
    if change is Change.AT_ONCE and rules.needs_approval(quantity, threshold):
        assert rules.needs_approval(quantity, wanted)
    if change is Change.AFTER_APPROVAL:
        assert any(
            rules.needs_approval(amount, threshold) and not rules.needs_approval(amount, wanted)
            for amount in range(12)
        )


def test_only_quantities_above_the_threshold_need_approval() -> None:
    assert [rules.needs_approval(quantity, 10) for quantity in (9, 10, 11)] == [False, False, True]
    assert not rules.needs_approval(10**77, None)
    assert rules.needs_approval(1, 0)


def test_requester_may_reject_but_not_approve() -> None:
    rules.require_decidable(waiting(), "anna", ApprovalStatus.REJECTED)
    rules.require_decidable(waiting(), "berta", ApprovalStatus.APPROVED)
    rules.require_decidable(waiting(), "berta", ApprovalStatus.REJECTED)
    with pytest.raises(PermissionDeniedError):
        rules.require_decidable(waiting(), "anna", ApprovalStatus.APPROVED)


def test_change_needs_the_threshold_of_its_request() -> None:
    rules.require_unchanged(waiting(), 10)
    for threshold in (None, 9, 11):
        with pytest.raises(ConflictError):
            rules.require_unchanged(waiting(), threshold)


def test_request_becomes_a_pending_approval() -> None:
    request = RequestedApproval(ApprovalKind.ALLOCATION, "ofcbtc", 20, 10, UUID(int=2), UUID(int=3), 30)
    assert rules.requested(UUID(int=1), request, "e", "anna", NOW) == Approval(
        id=UUID(int=1),
        enterprise_id="e",
        partner_id=UUID(int=2),
        kind=ApprovalKind.ALLOCATION,
        allocation_id=UUID(int=3),
        currency="ofcbtc",
        quantity=20,
        threshold=10,
        status=ApprovalStatus.PENDING,
        initiated_by="anna",
        decided_by=None,
        decided_at=None,
        notes=None,
        created_at=NOW,
        updated_at=NOW,
        day_quantity=30,
    )


@pytest.mark.parametrize(
    ("quantity", "day_quantity", "expected"),
    [
        (10, 30, None),
        (11, 30, Exceeded(10)),
        (11, 31, Exceeded(10)),
        (10, 31, Exceeded(30, 31)),
    ],
)
def test_threshold_that_is_exceeded(quantity: int, day_quantity: int, expected: Exceeded | None) -> None:
    assert rules.exceeded(quantity, 10, day_quantity=day_quantity, daily_threshold=30) == expected
    assert rules.exceeded(quantity, None, day_quantity=day_quantity, daily_threshold=None) is None


@pytest.mark.parametrize(
    ("threshold", "wanted", "change"),
    [
        (None, None, Change.NONE),
        (5, 5, Change.NONE),
        (None, 5, Change.AT_ONCE),
        (5, 4, Change.AT_ONCE),
        (5, 6, Change.AFTER_APPROVAL),
        (5, None, Change.AFTER_APPROVAL),
    ],
)
def test_when_a_threshold_takes_effect(threshold: int | None, wanted: int | None, change: Change) -> None:
    assert rules.change_of(threshold, wanted) is change


def test_only_the_same_decision_of_the_same_user_is_a_repeat() -> None:
    decided = replace(waiting(), decided_by="berta", status=ApprovalStatus.APPROVED, notes="fine")
    assert rules.is_repeat(decided, "berta", ApprovalStatus.APPROVED, "fine")
    assert not rules.is_repeat(decided, "anna", ApprovalStatus.APPROVED, "fine")
    assert not rules.is_repeat(decided, "berta", ApprovalStatus.REJECTED, "fine")
    assert not rules.is_repeat(decided, "berta", ApprovalStatus.APPROVED, None)


@pytest.mark.parametrize("status", [ApprovalStatus.APPROVED, ApprovalStatus.REJECTED])
@pytest.mark.parametrize("decision", [ApprovalStatus.APPROVED, ApprovalStatus.REJECTED])
def test_approval_is_decided_once(status: ApprovalStatus, decision: ApprovalStatus) -> None:
    with pytest.raises(ConflictError, match=f"the approval is already {status}") as error:
        rules.require_decidable(replace(waiting(), status=status), "berta", decision)
    assert error.value.name == "approval_decided"


def test_own_request_is_refused_by_name() -> None:
    with pytest.raises(PermissionDeniedError, match="another user of the enterprise must approve it") as error:
        rules.require_decidable(waiting(), "anna", ApprovalStatus.APPROVED)
    assert error.value.name == "own_approval"


@pytest.mark.parametrize(("threshold", "text"), [(None, None), (9, "9")])
def test_changed_threshold_is_told(threshold: int | None, text: str | None) -> None:
    with pytest.raises(
        ConflictError, match=f"the threshold of ofcbtc is now {text or 'none'}, but was 10"
    ) as error:
        rules.require_unchanged(waiting(), threshold)
    assert (error.value.name, error.value.details) == ("threshold_changed", {"threshold": text})


@pytest.mark.parametrize(("quantity", "threshold"), [(21, 10), (20, 11), (None, 10)])
def test_second_change_while_one_waits_is_the_same_one(quantity: int | None, threshold: int) -> None:
    rules.require_same_change(waiting(), RequestedApproval(ApprovalKind.THRESHOLD, "ofcbtc", 20, 10))
    with pytest.raises(
        ConflictError, match=f"change of the threshold of ofcbtc is pending, {UUID(int=1)}"
    ) as error:
        rules.require_same_change(
            waiting(), RequestedApproval(ApprovalKind.THRESHOLD, "ofcbtc", quantity, threshold)
        )
    assert error.value.name == "threshold_change_waiting"
    assert error.value.details == {"pendingApprovalId": str(UUID(int=1))}


@pytest.fixture(scope="module")
def connection(cluster: TestCluster) -> Iterator[psycopg.Connection]:
    with cluster.fresh_database() as dsn, psycopg.connect(dsn) as connection:
        yield connection


INSERT = (
    "INSERT INTO approval (id, enterprise_id, partner_id, kind, allocation_id, currency, quantity, threshold,"
    " status, initiated_by, decided_by, decided_at, created_at, updated_at)"
    " VALUES (%(id)s, 'e', %(id)s, %(kind)s, %(allocation_id)s, 'ofcbtc', %(quantity)s, 10, %(status)s, 'anna',"
    " %(by)s, %(at)s, %(now)s, %(now)s)"
)


def row(status: ApprovalStatus = ApprovalStatus.PENDING, **changes: object) -> dict[str, object]:
    decided = status is not ApprovalStatus.PENDING
    columns = {
        "id": uuid4(),
        "kind": "allocation",
        "allocation_id": NIL,
        "quantity": 11,
        "status": status,
        "by": "berta" if decided else None,
        "at": NOW if decided else None,
        "now": NOW,
    }
    return columns | changes


@pytest.mark.parametrize(("before", "after"), list(itertools.permutations(ApprovalStatus, 2)))
def test_database_allows_the_same_transitions_as_the_rules(
    connection: psycopg.Connection, before: ApprovalStatus, after: ApprovalStatus
) -> None:
    values = row(before, allocation_id=uuid4())
    with connection.transaction():
        # Without foreign keys, because this test needs no other rows.
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute(INSERT, values)
    with connection.transaction(force_rollback=True):
        update = (
            "UPDATE approval SET status = %(status)s, decided_by = %(by)s, decided_at = %(at)s WHERE id = %(id)s"
        )
        changed = row(after) | {"id": values["id"]}
        if after in rules.TRANSITIONS[before]:
            assert connection.execute(update, changed).rowcount == 1
            return
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation) as found:
            connection.execute(update, changed)
        assert found.value.diag.constraint_name == "approval_transition_allowed"


@pytest.mark.parametrize(
    ("constraint", "values"),
    [
        ("approval_four_eyes", row(ApprovalStatus.APPROVED, by="anna")),
        ("approval_decided_as_a_whole", row(ApprovalStatus.APPROVED, by=None)),
        ("approval_decided_as_a_whole", row(ApprovalStatus.REJECTED, at=None)),
        ("approval_of_an_allocation", row(allocation_id=None)),
        ("approval_of_an_allocation", row(kind="threshold")),
        ("approval_of_an_allocation", row(quantity=None)),
        ("approval_above_the_threshold", row(quantity=10)),
    ],
)
def test_database_refuses_what_the_rules_refuse(
    connection: psycopg.Connection, constraint: str, values: dict[str, object]
) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute("SET LOCAL session_replication_role = replica")
        with pytest.raises(psycopg.errors.IntegrityError) as found:
            connection.execute(INSERT, values)
    assert found.value.diag.constraint_name == constraint


def test_database_accepts_what_the_rules_allow(connection: psycopg.Connection) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute(INSERT, row(ApprovalStatus.REJECTED, by="anna"))
        connection.execute(INSERT, row(kind="threshold", allocation_id=None, quantity=None))
