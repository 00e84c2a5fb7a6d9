"""Statements about settlements read and change the one that they name, and leave others as they are."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from psycopg.types.json import Jsonb

from clearwindow.postgres.pool import Transaction
from clearwindow.settlements import store
from clearwindow.settlements.models import (
    Settlement,
    SettlementFilter,
    SettlementState,
    SettlementType,
    Withdrawal,
    WorkFilter,
)
from tests.conftest import START
from tests.settlements.statements import rows

PARTNER, OTHER, ANN, BOB, CAT = (UUID(int=number) for number in range(1, 6))
OFFCHAIN, ONCHAIN = SettlementType.OFFCHAIN, SettlementType.ONCHAIN
LATER, EARLIER = START + timedelta(minutes=1), START - timedelta(minutes=1)
ON_CHAIN_FROM = EARLIER - timedelta(seconds=1)


def existing(tx: Transaction, settlement_id: UUID) -> Settlement:
    found = store.find(tx, settlement_id)
    assert found is not None
    return found


def test_one_settlement_is_found_among_others(tx: Transaction) -> None:
    scale = Jsonb({"BTC": ["ofcbtc", 8]})
    ids = [rows.settlement(tx, partner, external_id="7", amount_scale=scale) for partner in (PARTNER, OTHER)]
    ids += [rows.settlement(tx, PARTNER, external_id="8")]
    for one in ids:
        assert existing(tx, one).id == store.lock(tx, one).id == store.require(tx, one).id == one
    found = [store.find_by_external_id(tx, partner, "7")() for partner in (PARTNER, OTHER)]
    assert [each and each.id for each in found] == ids[:2]
    assert store.find_by_external_id(tx, OTHER, "8")() is None
    assert [store.find_amount_scale(tx, one) is None for one in ids] == [False, False, True]


def test_settlement_of_an_enterprise_is_its_partners(tx: Transaction) -> None:
    ids = []
    for partner in (PARTNER, OTHER):
        rows.partner(tx, partner, enterprise_id=f"of {partner}")
        ids += [rows.settlement(tx, partner, external_id=number) for number in ("7", "8")]
    found = [store.find_of_enterprise(tx, f"of {each}", "8")() for each in (PARTNER, OTHER, ANN)]
    assert [each and each.id for each in found] == [ids[1], ids[3], None]


def test_last_cutoff_is_of_the_partners_last_settlement_that_counts(tx: Transaction) -> None:
    times = [START + timedelta(minutes=number) for number in range(7)]
    withdrawn: dict[str, Any] = {"withdrawn_at": START, "withdrawn_reason": "a mistake", "withdrawn_by": "anna"}
    deadline: dict[str, Any] = {"dispute_deadline_at": times[6], "top_up_deadline_at": times[6]}
    rows.settlement(tx, PARTNER, created_at=times[0], cutoff_at=times[5], **deadline)
    rows.settlement(tx, PARTNER, created_at=times[1], cutoff_at=times[1], **deadline)
    rows.settlement(tx, PARTNER, "rejected", created_at=times[2], cutoff_at=times[2], **deadline)
    rows.settlement(tx, PARTNER, created_at=times[3], cutoff_at=times[3], **deadline, **withdrawn)
    rows.settlement(
        tx, PARTNER, "onchain", created_at=times[4], cutoff_at=None, settlement_type="onchain", **deadline
    )
    rows.settlement(tx, OTHER, created_at=times[5], cutoff_at=times[4], **deadline)
    assert store.last_cutoff(tx, PARTNER)() == times[1]
    assert store.last_cutoff(tx, ANN)() is None


def changed(tx: Transaction, before: rows.Table) -> dict[UUID, set[str]]:
    return rows.changes(before, rows.table(tx, "settlement"))


def test_answer_is_written_once(tx: Transaction) -> None:
    one, _ = (rows.settlement(tx, PARTNER, staged_answer="") for _ in range(2))
    before = rows.table(tx, "settlement")
    store.set_staged_answer(tx, one, "an answer")()
    assert changed(tx, before) == {one: {"staged_answer"}}
    with pytest.raises(AssertionError):
        store.set_staged_answer(tx, one, "another answer")()


def test_state_is_changed_of_the_settlements_that_are_named(tx: Transaction) -> None:
    failed_once: dict[str, Any] = {"attempts": 3, "last_error": "no connection"}
    one, two, three, _ = (rows.settlement(tx, PARTNER, **failed_once) for _ in range(4))
    before = rows.table(tx, "settlement")
    store.change_state(tx, existing(tx, one), SettlementState.TOP_UP_WINDOW, due_at=LATER)
    of_change = {"state", "due_at", "attempts", "last_error"}
    assert changed(tx, before) == {one: of_change}
    before = rows.table(tx, "settlement")
    due = {two: LATER, three: EARLIER}
    store.change_states(tx, [existing(tx, each) for each in due], SettlementState.TOP_UP_WINDOW, due_at=due)
    assert changed(tx, before) == {two: of_change, three: of_change}
    assert {each: existing(tx, each).due_at for each in due} == due
    with pytest.raises(AssertionError):
        store.change_state(
            tx,
            replace(existing(tx, one), state=SettlementState.DISPUTE_WINDOW),
            SettlementState.REJECTED,
            due_at=None,
        )


def test_withdrawal_is_of_one_open_settlement(tx: Transaction) -> None:
    one, _ = (rows.settlement(tx, PARTNER) for _ in range(2))
    before = rows.table(tx, "settlement")
    how = Withdrawal("a mistake", "anna", START)
    withdrawn = store.set_withdrawn(tx, existing(tx, one), how)
    assert changed(tx, before) == {one: {"withdrawn_at", "withdrawn_reason", "withdrawn_by"}}
    with pytest.raises(AssertionError):
        store.set_withdrawn(tx, withdrawn, how)
    with pytest.raises(AssertionError):
        store.set_withdrawn(tx, existing(tx, rows.settlement(tx, PARTNER, "top_up_window")), how)


def test_closures_of_one_rejected_settlement_end(tx: Transaction) -> None:
    one, _ = (rows.settlement(tx, PARTNER, "rejected", closures_wait=True, due_at=LATER) for _ in range(2))
    before = rows.table(tx, "settlement")
    ended = store.end_closures(tx, existing(tx, one))
    assert changed(tx, before) == {one: {"closures_wait", "due_at"}}
    with pytest.raises(AssertionError):
        store.end_closures(tx, ended)


def test_attempts_are_counted_and_postponed_ever_longer(tx: Transaction) -> None:
    one, two, never = (rows.settlement(tx, PARTNER, due_at=START) for _ in range(3))
    before = rows.table(tx, "settlement")
    store.claim_step(tx, one, LATER)
    assert changed(tx, before) == {one: {"due_at"}}
    store.record_failed_attempt(tx, one, "too late")
    assert existing(tx, one).attempts == 0
    store.set_due(tx, one, START)
    waits = []
    for attempt in range(12):
        if attempt % 2:
            store.record_failed_step(tx, one, "no answer")
        else:
            store.set_due(tx, two, START)
            store.record_failed_attempt(tx, one, "no connection")
        found = existing(tx, one)
        assert found.due_at is not None
        waits.append((found.due_at - START).total_seconds())
        tx.connection.execute("UPDATE settlement SET due_at = %s WHERE id = %s", [START, one])
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    assert (existing(tx, one).attempts, existing(tx, one).last_error) == (12, "no answer")
    assert changed(tx, before) == {one: {"attempts", "last_error"}}
    ended = rows.settlement(tx, PARTNER, "failed")
    before = rows.table(tx, "settlement")
    store.record_failed_step(tx, ended, "no answer")
    store.record_failed_attempt(tx, ended, "no answer")
    assert changed(tx, before) == {}
    store.set_due(tx, one, LATER)
    assert changed(tx, before) == {one: {"due_at", "attempts", "last_error"}}
    assert existing(tx, never).attempts == 0


def test_alerts_are_noted_once_and_stay(tx: Transaction) -> None:
    kind: dict[str, Any] = {"settlement_type": "onchain", "state": "onchain"}
    one, _ = (rows.settlement(tx, PARTNER, **kind) for _ in range(2))
    before = rows.table(tx, "settlement")
    store.mark_sla_alerts(tx, one, loss=True, gain=False)
    assert changed(tx, before) == {one: {"loss_sla_alert_sent"}}
    store.mark_sla_alerts(tx, one, loss=False, gain=True)
    assert changed(tx, before) == {one: {"loss_sla_alert_sent", "gain_sla_alert_sent"}}
    store.mark_sla_alerts(tx, one, loss=False, gain=False)
    assert changed(tx, before) == {one: {"loss_sla_alert_sent", "gain_sla_alert_sent"}}


def test_retry_that_fails_keeps_the_reason(tx: Transaction) -> None:
    one, _ = (rows.settlement(tx, PARTNER, "failed", due_at=START, attempts=1, last_error="x") for _ in range(2))
    before = rows.table(tx, "settlement")
    store.keep_failed(tx, existing(tx, one), "still short")
    assert changed(tx, before) == {one: {"due_at", "reason", "attempts", "last_error"}}
    with pytest.raises(AssertionError):
        store.keep_failed(tx, existing(tx, rows.settlement(tx, PARTNER)), "still short")


def test_deposit_wakes_those_that_wait_for_money(tx: Transaction) -> None:
    rejected: dict[str, Any] = {"state": "rejected", "closures_wait": True}
    woken = {
        rows.settlement(tx, PARTNER, "failed"),
        rows.settlement(tx, PARTNER, "top_up_window", execute_when_funded=True),
        rows.settlement(tx, PARTNER, **rejected),
    }
    rows.settlement(tx, PARTNER, "failed", due_at=EARLIER)
    for others in (
        {"partner_id": OTHER, "state": "failed"},
        {"state": "failed", "immediate": True},
        {"state": "failed", "settlement_type": "onchain"},
        {"state": "top_up_window"},
        {"state": "dispute_window", "execute_when_funded": True},
        {"state": "completed"},
        rejected | {"due_at": START + timedelta(hours=1)},
    ):
        rows.settlement(tx, **{"partner_id": PARTNER} | others)
    before = rows.table(tx, "settlement")
    store.wake_waiting(tx, [PARTNER, ANN], START)
    found = changed(tx, before)
    assert found == {each: {"due_at"} for each in woken}
    assert {existing(tx, each).due_at for each in woken} == {START}


@pytest.fixture
def due(tx: Transaction) -> dict[str, UUID]:
    """Settlements that are due, and some that are not: not yet, of another kind, or paused."""
    found = {
        "second": rows.settlement(tx, PARTNER, "top_up_window", due_at=START),
        "first": rows.settlement(tx, PARTNER, "top_up_window", due_at=EARLIER),
        "of another": rows.settlement(tx, OTHER, "top_up_window", due_at=START, traceparent="a trace"),
    }
    rows.settlement(tx, PARTNER, "top_up_window", due_at=LATER)
    found["later"] = rows.settlement(tx, CAT, "top_up_window", due_at=LATER)
    found["on chain"] = rows.settlement(tx, PARTNER, "onchain", due_at=ON_CHAIN_FROM, settlement_type="onchain")
    found["paused"] = rows.settlement(tx, ANN, "top_up_window", due_at=EARLIER - timedelta(minutes=1))
    rows.pause(tx, "partner", partner_id=ANN)
    return found


def test_due_settlements_are_those_whose_time_has_come_and_which_nothing_pauses(
    tx: Transaction, due: dict[str, UUID]
) -> None:
    found = store.list_due(tx, OFFCHAIN, 9)
    assert [(each.id, each.traceparent) for each in found] == [(due["first"], None), (due["of another"], "a trace")]
    assert [store.is_first_due(tx, each, OFFCHAIN) for each in found] == [True, True]
    assert not store.is_first_due(tx, replace(found[0], id=due["second"]), OFFCHAIN)
    assert not store.is_first_due(tx, replace(found[0], id=due["paused"], partner_id=ANN), OFFCHAIN)
    assert not store.is_first_due(tx, replace(found[0], id=due["later"], partner_id=CAT), OFFCHAIN)
    assert [each.id for each in store.list_due(tx, ONCHAIN, 9)] == [due["on chain"]]
    assert store.is_first_due(tx, replace(found[0], id=due["on chain"]), ONCHAIN)
    assert [each.id for each in store.list_due(tx, OFFCHAIN, 1)] == [due["first"]]
    assert (store.count_due(tx, OFFCHAIN), store.count_due(tx, ONCHAIN)) == (3, 1)
    assert (store.next_due_at(tx, OFFCHAIN), store.next_due_at(tx, ONCHAIN)) == (EARLIER, ON_CHAIN_FROM)
    assert [each.id for each in store.lock_due(tx, PARTNER, 9)] == [due["first"], due["second"]]
    assert [each.id for each in store.lock_due(tx, PARTNER, 1)] == [due["first"]]
    assert store.lock_due(tx, ANN, 9) == []


def test_pause_is_shown_from_its_first_moment(tx: Transaction, due: dict[str, UUID]) -> None:
    rows.pause(tx, "network", paused_at=LATER)
    assert existing(tx, due["paused"]).paused_since == START
    assert existing(tx, due["first"]).paused_since == LATER


@pytest.fixture
def listed(tx: Transaction) -> dict[str, UUID]:
    """Two settlements between Ann and Bob, and of Cat, of two partners. Bob disputes the first."""
    first = rows.settlement(tx, PARTNER, external_id="1", created_at=START, updated_at=START)
    second = rows.settlement(tx, OTHER, "failed", external_id="2", created_at=LATER, updated_at=LATER, due_at=LATER)
    work = rows.settlement(tx, PARTNER, "top_up_window", external_id="3", created_at=EARLIER, due_at=START)
    for connection in (ANN, BOB):
        rows.party(tx, first, connection)
    rows.transfer(tx, first, ANN, -1, counterparty_connection_id=BOB)
    for connection in (ANN, CAT):
        rows.party(tx, second, connection)
    rows.transfer(tx, second, ANN, 1)
    rows.transfer(tx, second, CAT, 1)
    rows.dispute(tx, first, BOB)
    rows.dispute(tx, second, CAT, retracted=True, retracted_by="anna", retracted_at=START)
    return {"first": first, "second": second, "work": work}


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ({}, {"first", "second", "work"}),
        ({"partner_ids": [PARTNER]}, {"first", "work"}),
        ({"own_connection_ids": [ANN]}, {"first", "second"}),
        ({"own_connection_ids": [CAT]}, {"second"}),
        ({"party_connection_ids": [BOB]}, {"first"}),
        ({"party_connection_ids": [CAT, BOB]}, {"first", "second"}),
        ({"counterparty_connection_ids": [BOB]}, {"first"}),
        ({"counterparty_connection_ids": [ANN]}, {"first"}),
        ({"counterparty_connection_ids": [BOB], "party_connection_ids": [ANN]}, {"first"}),
        ({"counterparty_connection_ids": [BOB], "party_connection_ids": [BOB]}, set()),
        ({"external_ids": ["2", "3"]}, {"second", "work"}),
        ({"states": ["failed"]}, {"second"}),
        ({"created_on_or_after": START}, {"first", "second"}),
        ({"created_before": START}, {"work"}),
        ({"updated_on_or_after": LATER}, {"second"}),
        ({"updated_before": LATER}, {"first", "work"}),
        ({"only_disputed": True}, {"first"}),
        ({"only_disputed": True, "own_connection_ids": [ANN]}, set()),
        ({"only_disputed": True, "own_connection_ids": [BOB]}, {"first"}),
    ],
)
def test_list_has_what_the_filters_say(
    tx: Transaction, listed: dict[str, UUID], wanted: dict[str, object], names: set[str]
) -> None:
    found = store.list_settlements(tx, SettlementFilter(**wanted))  # type: ignore[arg-type]  # of the test
    assert {each.id for each in found.items} == {listed[name] for name in names}
    by_id = SettlementFilter(settlement_ids=[listed["work"], PARTNER])
    assert [each.id for each in store.list_settlements(tx, by_id).items] == [listed["work"]]


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ({}, ["work", "second", "first"]),
        ({"partner_ids": [PARTNER]}, ["work", "first"]),
        ({"states": ["failed"]}, ["second"]),
        ({"due_before": LATER}, ["work"]),
        ({"due_on_or_after": LATER}, ["second", "first"]),
    ],
)
def test_work_is_what_is_due_at_a_time(
    tx: Transaction, listed: dict[str, UUID], wanted: dict[str, object], names: list[str]
) -> None:
    rows.settlement(tx, PARTNER, "completed")
    found = store.list_work(tx, WorkFilter(**wanted))  # type: ignore[arg-type]  # of the test
    assert [each.id for each in found.items] == [listed[name] for name in names]
