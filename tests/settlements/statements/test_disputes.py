"""Statements about disputes and closures read and change those that they name, and leave others as they are."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from psycopg.types.json import Jsonb

from clearwindow.postgres.pool import Transaction
from clearwindow.settlements.disputes import store
from clearwindow.settlements.disputes.models import (
    AssignedClosure,
    ClosureFilter,
    ClosureStatus,
    DisputeFilter,
    RaisedWith,
)
from clearwindow.settlements.transfers.models import Objections
from tests.conftest import START
from tests.settlements.statements import rows
from tests.support.prototypes import CLOSURE, DISPUTE

FIRST, SECOND, THIRD, PARTNER, OTHER, ANN, BOB, HAND = (UUID(int=number) for number in range(1, 9))
LATER = START + timedelta(minutes=1)
RETRACTED = {"retracted": True, "retracted_by": "anna", "retracted_at": START}


@pytest.fixture
def disputes(tx: Transaction) -> dict[str, UUID]:
    """Ann and Bob dispute two settlements of two partners. Bob has retracted his dispute of the first."""
    return {
        "ann": rows.dispute(
            tx, FIRST, ANN, partner_id=PARTNER, raised_with=Jsonb({"reason": "a", "expected_transfers": {}})
        ),
        "bob": rows.dispute(tx, FIRST, BOB, partner_id=PARTNER, **RETRACTED),
        "second ann": rows.dispute(tx, SECOND, ANN, partner_id=OTHER, created_at=LATER),
        "second bob": rows.dispute(tx, SECOND, BOB, partner_id=OTHER, created_at=LATER),
    }


def changed(tx: Transaction, before: rows.Table, name: str = "dispute") -> dict[UUID, set[str]]:
    return rows.changes(before, rows.table(tx, name))


def test_one_dispute_is_found_among_others(tx: Transaction, disputes: dict[str, UUID]) -> None:
    for one in disputes.values():
        found = store.find_dispute(tx, one)
        assert found is not None
        assert found.id == store.existing_dispute(tx, one).id == store.lock_dispute(tx, one).id == one
    of_party = [store.find_dispute_of_party(tx, *key) for key in ((FIRST, BOB), (SECOND, ANN), (THIRD, ANN))]
    assert [each and each.id for each in of_party] == [disputes["bob"], disputes["second ann"], None]
    assert store.find_raised_with(tx, disputes["ann"]) == RaisedWith("a", {})
    assert store.find_raised_with(tx, disputes["bob"]) is None


def test_new_dispute_stands(tx: Transaction) -> None:
    store.insert_dispute(tx, DISPUTE, RaisedWith(None, {}))
    found = store.existing_dispute(tx, DISPUTE.id)
    assert (found.retracted, found.settled_in_settlement_id) == (False, None)
    closure = replace(CLOSURE, dispute_id=DISPUTE.id)
    store.insert_closure(tx, closure)
    inserted = store.find_closure(tx, closure.id)
    assert inserted is not None
    assert (inserted.status, inserted.dispute_id) == (ClosureStatus.PENDING_REVIEW, DISPUTE.id)


def test_dispute_is_retracted_once_and_restored(tx: Transaction, disputes: dict[str, UUID]) -> None:
    before = rows.table(tx, "dispute")
    store.retract(tx, disputes["ann"], "anna", "settled")
    of_retraction = {"retracted", "retracted_by", "retracted_at", "retracted_reason"}
    assert changed(tx, before) == {disputes["ann"]: of_retraction}
    store.retract(tx, disputes["ann"], "berta", "another reason")
    assert store.existing_dispute(tx, disputes["ann"]).retracted_by == "anna"
    store.restore(tx, disputes["ann"], None, None)
    assert changed(tx, before) == {}
    store.restore(tx, disputes["ann"], "a reason", {"ofcbtc": "1"})
    assert changed(tx, before) == {disputes["ann"]: {"reason", "expected_transfers"}}
    tx.connection.execute("UPDATE dispute SET updated_at = %s", [START - timedelta(days=1)])
    store.touch(tx, disputes["bob"])
    touched = tx.connection.execute("SELECT id FROM dispute WHERE updated_at = %s", [START]).fetchall()
    assert touched == [(disputes["bob"],)]


def test_hands_of_clients_are_noted_once(tx: Transaction, disputes: dict[str, UUID]) -> None:
    before = rows.table(tx, "dispute")
    for _ in range(2):
        store.add_client_hand(tx, disputes["ann"], HAND)
    store.add_client_hand(tx, disputes["bob"], None)
    assert changed(tx, before) == {disputes["ann"]: {"client_hands"}}
    assert store.existing_dispute(tx, disputes["ann"]).client_hands == (HAND,)
    other = uuid4()
    store.add_client_hand(tx, disputes["second ann"], other)
    assert [store.client_hands_in(tx, each) for each in (FIRST, SECOND, THIRD)] == [[HAND], [other], []]
    tx.connection.execute(
        "UPDATE dispute SET settled_in_settlement_id = %s WHERE settlement_id = %s", [THIRD, SECOND]
    )
    assert store.client_hands_in(tx, THIRD) == [other]
    closures = [rows.closure(tx, disputes[name]) for name in ("ann", "second ann", "bob")]
    assert [store.client_hands_of_closure(tx, each) for each in closures] == [[HAND], [other], []]


def test_one_closure_is_found_among_others(tx: Transaction, disputes: dict[str, UUID]) -> None:
    old = rows.closure(tx, disputes["ann"], "rejected", request_sha256=b"a", created_at=START)
    new = rows.closure(tx, disputes["ann"], "approved", request_sha256=b"a", created_at=LATER)
    theirs = rows.closure(tx, disputes["second ann"], "pending_review", request_sha256=b"b", created_at=LATER)
    for one in (old, new, theirs):
        found = store.find_closure(tx, one)
        assert found is not None
        assert found.id == one
    keys = ((disputes["ann"], b"a"), (disputes["ann"], b"b"), (disputes["second ann"], b"b"))
    of_request = [store.find_closure_of_request(tx, *key) for key in keys]
    assert [each and each.id for each in of_request] == [new, None, theirs]
    standing = store.standing_closures(tx, [disputes["ann"], disputes["bob"]])
    assert {key: each.id for key, each in standing.items()} == {disputes["ann"]: new}


def test_evidence_of_a_closure_is_its_requests(tx: Transaction, disputes: dict[str, UUID]) -> None:
    mine, another = b"a" * 32, b"b" * 32
    one = rows.closure(tx, disputes["ann"], request_sha256=mine)
    rows.signed_request(tx, uuid4(), mine, "of another closure")
    rows.signed_request(tx, one, mine, "{}")
    rows.signed_request(tx, one, another, "of another request")
    found = store.find_closure(tx, one)
    assert found is not None
    assert (found.payload, found.signature) == ("{}", "signature of {}")


def test_closure_is_reviewed_once_and_cancelled_once(tx: Transaction, disputes: dict[str, UUID]) -> None:
    one, _ = (rows.closure(tx, disputes[name], "pending_review") for name in ("ann", "second ann"))
    before = rows.table(tx, "dispute_closure")
    store.review_closure(tx, one, ClosureStatus.APPROVED, "otto", "seen")
    of_review = {"status", "reviewed_by", "review_notes", "reviewed_at"}
    assert changed(tx, before, "dispute_closure") == {one: of_review}
    with pytest.raises(AssertionError):
        store.review_closure(tx, one, ClosureStatus.REJECTED, "otto", None)
    approved = rows.closure(tx, disputes["second bob"])
    before = rows.table(tx, "dispute_closure")
    store.cancel_closure(tx, one)
    assert changed(tx, before, "dispute_closure") == {one: {"cancelled_at"}}
    with pytest.raises(AssertionError):
        store.cancel_closure(tx, one)
    with pytest.raises(AssertionError):
        store.cancel_closure(tx, rows.closure(tx, disputes["bob"], "rejected"))
    store.cancel_closure(tx, approved)


def test_approved_closures_are_taken_once(tx: Transaction, disputes: dict[str, UUID]) -> None:
    expected = AssignedClosure(disputes["ann"], rows.closure(tx, disputes["ann"]), ANN, FIRST)
    rows.closure(tx, disputes["bob"])
    theirs = rows.closure(tx, disputes["second ann"])
    rows.closure(tx, disputes["second bob"], "rejected")
    assert store.lock_approved_closures(tx, PARTNER)() == store.ask_approved_closures(tx, PARTNER)() == [expected]
    found = store.ask_approved_closures(tx, OTHER)()
    assert [each.closure_id for each in found] == [theirs]
    before = rows.table(tx, "dispute")
    assert not store.settles_disputes(tx, THIRD)
    store.assign_closures(tx, THIRD, [expected])
    assert changed(tx, before) == {disputes["ann"]: {"settled_in_settlement_id"}}
    assert (store.settles_disputes(tx, THIRD), store.settles_disputes(tx, FIRST)) == (True, False)
    assert store.ask_approved_closures(tx, PARTNER)() == []
    with pytest.raises(AssertionError):
        store.assign_closures(tx, uuid4(), [expected])


def test_objections_are_the_disputes_that_stand(tx: Transaction, disputes: dict[str, UUID]) -> None:
    assert store.objections(tx, FIRST) == Objections({disputes["ann"]: ANN})
    rows.closure(tx, disputes["ann"], closed_by="admin")
    rows.closure(tx, disputes["second ann"], "pending_review")
    assert store.objections(tx, FIRST) == Objections({}, frozenset({ANN}))
    assert store.objections(tx, FIRST, as_standing=disputes["ann"]) == Objections({disputes["ann"]: ANN})
    assert store.objections(tx, SECOND).standing == {disputes["second ann"]: ANN, disputes["second bob"]: BOB}


def test_disputed_settlements_are_those_with_a_dispute_that_stands(
    tx: Transaction, disputes: dict[str, UUID]
) -> None:
    every = [FIRST, SECOND, THIRD]
    assert store.disputed_among(tx, every) == {FIRST, SECOND}
    assert store.disputed_among(tx, [SECOND, THIRD]) == {SECOND}
    assert store.disputed_among(tx, every, [BOB]) == {SECOND}
    assert (store.is_disputed(tx, FIRST), store.is_disputed(tx, THIRD)) == (True, False)
    assert store.involved_in_disputes(tx, every)() == {FIRST, SECOND}
    store.retract(tx, disputes["ann"], "anna", None)
    assert store.involved_in_disputes(tx, every)() == {SECOND}
    tx.connection.execute(
        "UPDATE dispute SET settled_in_settlement_id = %s WHERE id = %s", [THIRD, disputes["second ann"]]
    )
    assert store.involved_in_disputes(tx, every)() == {SECOND, THIRD}
    assert store.involved_in_disputes(tx, [FIRST])() == set()


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ({}, {"ann", "bob", "second ann", "second bob"}),
        ({"partner_ids": [PARTNER]}, {"ann", "bob"}),
        ({"own_connection_ids": [BOB]}, {"bob", "second bob"}),
        ({"connection_ids": [ANN]}, {"ann", "second ann"}),
        ({"settlement_ids": [SECOND]}, {"second ann", "second bob"}),
        ({"settled_in_settlement_ids": [THIRD]}, {"second ann"}),
        ({"closure_ids": [CLOSURE.id]}, {"second ann"}),
        ({"client_ids": [BOB]}, {"bob", "second bob"}),
        ({"settlement_external_ids": ["1"]}, {"ann", "bob"}),
        ({"settled_in_settlement_external_ids": ["3"]}, {"second ann"}),
        ({"closed": True}, {"second ann"}),
        ({"closed": False}, {"ann", "bob", "second bob"}),
        ({"show_retracted": False}, {"ann", "second ann", "second bob"}),
        ({"retracted": True}, {"bob"}),
        ({"retracted": False}, {"ann", "second ann", "second bob"}),
        ({"created_on_or_after": LATER}, {"second ann", "second bob"}),
        ({"created_before": LATER}, {"ann", "bob"}),
    ],
)
def test_list_has_what_the_filters_say(
    tx: Transaction, disputes: dict[str, UUID], wanted: dict[str, object], names: set[str]
) -> None:
    for number, one in enumerate((FIRST, SECOND, THIRD), 1):
        rows.settlement(tx, PARTNER, id=one, external_id=str(number))
    for each in (ANN, BOB):
        rows.connection(tx, each, client_id=each)
    rows.closure(tx, disputes["second ann"], id=CLOSURE.id)
    rows.closure(tx, disputes["ann"], "rejected")
    settled = "UPDATE dispute SET settled_in_settlement_id = %s WHERE id = %s"
    tx.connection.execute(settled, [THIRD, disputes["second ann"]])
    found = store.list_disputes(tx, DisputeFilter(**wanted))  # type: ignore[arg-type]  # of the test
    assert sorted(each.id for each in found.items) == sorted(disputes[name] for name in names)
    by_id = DisputeFilter(dispute_ids=[disputes["bob"], PARTNER])
    assert [each.id for each in store.list_disputes(tx, by_id).items] == [disputes["bob"]]


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ({}, {"first", "second"}),
        ({"statuses": ["rejected"]}, {"second"}),
        ({"dispute_ids": [FIRST]}, {"first"}),
        ({"partner_ids": [OTHER]}, {"second"}),
        ({"created_on_or_after": LATER}, {"second"}),
        ({"created_before": LATER}, {"first"}),
    ],
)
def test_list_of_closures_has_what_the_filters_say(
    tx: Transaction, wanted: dict[str, object], names: set[str]
) -> None:
    ids = {
        "first": rows.closure(tx, FIRST, partner_id=PARTNER),
        "second": rows.closure(tx, SECOND, "rejected", partner_id=OTHER, created_at=LATER),
    }
    found = store.list_closures(tx, ClosureFilter(**wanted))  # type: ignore[arg-type]  # of the test
    assert {each.id for each in found.items} == {ids[name] for name in names}
