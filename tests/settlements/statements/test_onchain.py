"""Statements about payments, deposits and the simulated chain change what they name, and leave the rest alone."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from clearwindow.postgres.pool import Transaction
from clearwindow.settlements.onchain import simulated_chain, store
from clearwindow.settlements.onchain.chain import ChainState, Payment, PaymentReport, Side
from clearwindow.settlements.onchain.models import (
    ChainAction,
    ChainDeposit,
    ChainFilter,
    DepositFilter,
    DepositStatus,
    Paid,
    Phase,
    Sla,
    Tally,
)
from clearwindow.settlements.onchain.rules import TRIES
from tests.conftest import START
from tests.settlements.statements import rows

FIRST, SECOND, PARTNER, OTHER, ANN, BOB, PAYMENT, THEIRS = (UUID(int=number) for number in range(1, 9))
LATER, EARLIER = START + timedelta(minutes=1), START - timedelta(minutes=1)
UNDER_WAY, FAILED, DONE, PENDING = "onchain_initiated", "onchain_failed", "completed", "pending_onchain"


def payments(tx: Transaction) -> rows.Table:
    return rows.table(tx, "onchain_transfer", "transfer_id")


def changed(tx: Transaction, before: rows.Table) -> dict[UUID, set[str]]:
    return rows.changes(before, payments(tx))


def test_external_id_is_reserved_once_for_each_partner(tx: Transaction) -> None:
    assert store.reserve(tx, PARTNER, "7", FIRST) == FIRST
    assert store.reserve(tx, PARTNER, "8", uuid4()) != FIRST
    assert store.reserve(tx, OTHER, "7", SECOND) == SECOND
    assert store.reserve(tx, PARTNER, "7", SECOND) == FIRST
    keys = ((PARTNER, FIRST), (OTHER, FIRST), (OTHER, SECOND), (PARTNER, SECOND))
    assert [store.reserved_external_id(tx, *key) for key in keys] == ["7", None, "7", None]


def test_progress_begins_with_the_losses_of_its_transfers(tx: Transaction) -> None:
    loss, gain = rows.transfer(tx, FIRST, ANN, -5), rows.transfer(tx, FIRST, BOB, 1)
    rows.transfer(tx, SECOND, BOB, -1)
    store.insert_progress(tx, FIRST, PARTNER, losses=Sla(START, LATER), gains=None)
    assert {key: (row["side"], row["quantity"], row["status"]) for key, row in payments(tx).items()} == {
        loss: ("loss", 5, PENDING),
        gain: ("gain", 1, PENDING),
    }
    rows.insert(tx, "onchain_course", settlement_id=SECOND, partner_id=OTHER, phase="losses")
    progress = store.progress(tx, FIRST)
    assert (progress.settlement_id, progress.phase, progress.loss_sla_at) == (FIRST, Phase.LOSSES, LATER)
    assert store.progress(tx, SECOND).settlement_id == SECOND
    deposits = store.change_phase(tx, progress, Phase.DEPOSITS)
    assert [store.progress(tx, each).phase for each in (FIRST, SECOND)] == [Phase.DEPOSITS, Phase.LOSSES]
    with pytest.raises(AssertionError):
        store.change_phase(tx, progress, Phase.GAINS)
    store.change_phase(tx, deposits, Phase.GAINS)


def test_tallies_count_each_state_of_each_side(tx: Transaction) -> None:
    for status, times in ((PENDING, 1), (UNDER_WAY, 2), (DONE, 3)):
        for _ in range(times):
            rows.on_chain(tx, FIRST, status)
    for failures, retry_at in ((1, LATER), (2, START), (TRIES, EARLIER), (TRIES + 1, EARLIER)):
        rows.on_chain(tx, FIRST, FAILED, failures=failures, retry_at=retry_at)
    rows.on_chain(tx, FIRST, DONE, side="gain", failures=TRIES)
    rows.on_chain(tx, SECOND, FAILED)
    found = {
        side: (each.pending, each.initiated, each.failed, each.completed, each.exhausted, each.retry_at)
        for side, each in store.tallies(tx, FIRST).items()
    }
    assert found == {Side.LOSS: (1, 2, 4, 3, 2, START), Side.GAIN: (0, 0, 0, 1, 0, None)}
    assert store.tallies(tx, PARTNER) == {side: Tally() for side in Side}


def test_payments_begin_that_are_pending_or_may_be_tried_again(tx: Transaction) -> None:
    begun = {rows.on_chain(tx, FIRST), rows.on_chain(tx, FIRST, FAILED, failures=TRIES - 1, tx_id="an old one")}
    rows.on_chain(tx, FIRST, side="gain")
    rows.on_chain(tx, FIRST, FAILED, failures=TRIES)
    rows.on_chain(tx, FIRST, FAILED, retry_at=LATER)
    rows.on_chain(tx, FIRST, UNDER_WAY)
    rows.on_chain(tx, FIRST, DONE)
    rows.on_chain(tx, SECOND)
    before = payments(tx)
    assert store.initiate(tx, FIRST, Side.LOSS, 9) == 2
    assert changed(tx, before).keys() == begun
    after = payments(tx)
    assert {(after[key]["status"], after[key]["tx_id"], after[key]["failure"]) for key in begun} == {
        (UNDER_WAY, None, None)
    }
    assert len({after[key]["payment_id"] for key in begun}) == 2
    rows.on_chain(tx, SECOND)
    assert store.initiate(tx, SECOND, Side.LOSS, 1) == 1


@pytest.fixture
def under_way(tx: Transaction) -> dict[str, UUID]:
    return {
        "mine": rows.on_chain(tx, FIRST, UNDER_WAY, payment_id=PAYMENT, network_account_id=ANN, quantity=5),
        "beside": rows.on_chain(tx, FIRST, UNDER_WAY),
        "failed": rows.on_chain(tx, FIRST, FAILED, payment_id=UUID(int=20)),
        "theirs": rows.on_chain(tx, SECOND, UNDER_WAY, payment_id=THEIRS),
        "done": rows.on_chain(tx, FIRST, DONE, payment_id=UUID(int=21)),
        "not begun": rows.on_chain(tx, FIRST),
    }


def reports(state: ChainState, *more: UUID) -> list[PaymentReport]:
    return [PaymentReport(each, state, f"of {each.int}", "no route") for each in (PAYMENT, *more, uuid4())]


ENDED = (UUID(int=20), UUID(int=21))


def test_payments_under_way_are_those_of_the_settlement(tx: Transaction, under_way: dict[str, UUID]) -> None:
    found = store.payments_under_way(tx, FIRST, None, 9)
    assert {each.transfer_id for each in found} == {under_way["mine"], under_way["beside"]}
    assert store.count_under_way(tx, FIRST) == 2
    assert store.count_under_way(tx, SECOND) == 1
    before = payments(tx)
    store.record_transaction_ids(tx, reports(ChainState.PENDING, *ENDED))
    assert changed(tx, before) == {under_way["mine"]: {"tx_id"}}
    tx.connection.execute("UPDATE onchain_transfer SET updated_at = %s", [EARLIER])
    before = payments(tx)
    store.record_transaction_ids(tx, reports(ChainState.PENDING))
    assert changed(tx, before) == {}


def test_confirmed_payment_completes_once(tx: Transaction, under_way: dict[str, UUID]) -> None:
    before = payments(tx)
    paid = [Paid(ANN, "ofcbtc", Side.LOSS, 5)]
    assert store.complete(tx, FIRST, reports(ChainState.CONFIRMED, THEIRS, *ENDED)) == paid
    assert changed(tx, before) == {under_way["mine"]: {"status", "tx_id"}}
    assert store.complete(tx, FIRST, reports(ChainState.CONFIRMED)) == []


def test_failed_payment_is_tried_again_ever_later(tx: Transaction, under_way: dict[str, UUID]) -> None:
    before = payments(tx)
    store.fail(tx, FIRST, reports(ChainState.FAILED, THEIRS, *ENDED))
    of_failure = {"status", "tx_id", "failure", "failures", "retry_at"}
    assert changed(tx, before) == {under_way["mine"]: of_failure}
    after = payments(tx)[under_way["mine"]]
    assert (after["status"], after["failures"], after["failure"]) == (FAILED, 1, "no route")
    tx.connection.execute("UPDATE onchain_transfer SET failures = 7 WHERE status = %s", [FAILED])
    rows.on_chain(tx, SECOND, FAILED, failures=7)
    before = payments(tx)
    assert store.retry_failed(tx, FIRST) == 2
    assert changed(tx, before) == {
        under_way[name]: {"failures"} | ({"retry_at"} if name == "mine" else set()) for name in ("mine", "failed")
    }


def test_last_failure_is_of_the_side(tx: Transaction) -> None:
    rows.on_chain(tx, FIRST, FAILED, failure="old", updated_at=EARLIER)
    rows.on_chain(tx, FIRST, FAILED, failure="new")
    rows.on_chain(tx, FIRST, FAILED, failure="of gains", side="gain", updated_at=LATER)
    rows.on_chain(tx, SECOND, FAILED, failure="of another", updated_at=LATER)
    assert store.last_failure(tx, FIRST, Side.LOSS) == "new"
    assert store.last_failure(tx, FIRST, Side.GAIN) == "of gains"
    for settlement, side, quantity in ((FIRST, "gain", 2), (FIRST, "gain", 3), (SECOND, "gain", 40)):
        rows.on_chain(tx, settlement, side=side, quantity=quantity)
    assert store.gains(tx, FIRST) == {"ofcbtc": 6}


def deposits(tx: Transaction) -> rows.Table:
    return rows.table(tx, "onchain_deposit")


def test_deposits_are_found_by_their_transaction(tx: Transaction) -> None:
    key: dict[str, Any] = {"on_chain_tx_id": "1", "request_sha256": b"a"}
    mine = rows.deposit(tx, FIRST, partner_id=PARTNER, **key)
    rows.deposit(tx, FIRST, partner_id=PARTNER, **key | {"on_chain_tx_id": "2"})
    rows.deposit(tx, FIRST, partner_id=PARTNER, **key | {"request_sha256": b"b"}, currency="ofceth")
    theirs = rows.deposit(tx, SECOND, partner_id=OTHER, **key)
    found = store.find_deposits(tx, PARTNER, [("ofcbtc", "1"), ("ofceth", "2")])
    assert {name: each.id for name, each in found.items()} == {("ofcbtc", "1"): mine}
    of_request = store.find_deposits_of_request(tx, PARTNER, b"a", [("BTC", "1")])
    assert [each.id for each in of_request] == [mine]
    assert store.find_deposits_of_request(tx, PARTNER, b"c", [("BTC", "1")]) == []
    assert store.find_deposits_of_request(tx, OTHER, b"b", [("BTC", "1")]) == []
    for one in (mine, theirs):
        found_one = store.find_deposit(tx, one)
        assert found_one is not None
        assert found_one.id == store.lock_deposit(tx, one).id == one


def test_one_pending_deposit_is_decided_postponed_and_ended(tx: Transaction) -> None:
    one, _ = (rows.deposit(tx, FIRST, attempts=1, last_error="no answer") for _ in range(2))
    before = deposits(tx)
    store.postpone_deposit(tx, one, LATER, 2, "no answer yet")
    assert rows.changes(before, deposits(tx)) == {one: {"due_at", "attempts", "last_error"}}
    store.decide_deposit(tx, one, DepositStatus.CONFIRMED, quantity=5, entry_id=uuid4())
    decided = {"status", "quantity", "entry_id", "due_at", "attempts", "last_error"}
    assert rows.changes(before, deposits(tx)) == {one: decided}
    with pytest.raises(AssertionError):
        store.decide_deposit(tx, one, DepositStatus.FAILED, failure="too late")
    before = deposits(tx)
    store.postpone_deposit(tx, one, LATER, 3)
    assert rows.changes(before, deposits(tx)) == {}
    rows.deposit(tx, SECOND, "confirmed")
    confirmed = store.confirmed_deposits(tx, FIRST)
    assert [each.id for each in confirmed] == [one]
    before = deposits(tx)
    store.end_deposits(tx, confirmed, DepositStatus.SPENT)
    assert rows.changes(before, deposits(tx)) == {one: {"status"}}
    with pytest.raises(AssertionError):
        store.end_deposits(tx, confirmed, DepositStatus.RELEASED)


def test_due_deposits_are_those_whose_time_has_come(tx: Transaction) -> None:
    now, before = rows.deposit(tx, FIRST, due_at=START), rows.deposit(tx, FIRST, due_at=EARLIER)
    rows.deposit(tx, FIRST, due_at=LATER)
    rows.deposit(tx, FIRST, "confirmed")
    assert [each.id for each in store.due_deposits(tx, 9)] == [before, now]
    assert [each.id for each in store.due_deposits(tx, 1)] == [before]
    assert store.count_due_deposits(tx) == 2
    assert store.next_deposit_due_at(tx) == EARLIER


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ({}, {"first", "second"}),
        ({"partner_ids": [PARTNER]}, {"first"}),
        ({"settlement_ids": [SECOND]}, {"second"}),
        ({"statuses": ["pending"]}, {"first"}),
        ({"created_on_or_after": LATER}, {"second"}),
        ({"created_before": LATER}, {"first"}),
    ],
)
def test_list_of_deposits_has_what_the_filters_say(
    tx: Transaction, wanted: dict[str, Any], names: set[str]
) -> None:
    ids = {
        "first": rows.deposit(tx, FIRST, partner_id=PARTNER),
        "second": rows.deposit(tx, SECOND, "confirmed", partner_id=OTHER, created_at=LATER),
    }
    found = store.list_deposits(tx, DepositFilter(**wanted))
    assert {each.id for each in found.items} == {ids[name] for name in names}


@pytest.fixture
def chain(tx: Transaction) -> dict[str, UUID]:
    """Two deposits that are due, one that is withheld and one that is not due yet."""
    sent = ChainDeposit(PARTNER, "ofcbtc", 5, "1", withheld=False)
    found = {
        "first": simulated_chain.send_deposit(tx, sent)[0].id,
        "second": simulated_chain.send_deposit(tx, replace(sent, partner_id=OTHER))[0].id,
        "withheld": simulated_chain.send_deposit(tx, replace(sent, tx_id="2", withheld=True))[0].id,
        "later": simulated_chain.send_deposit(tx, replace(sent, tx_id="3", currency="ofceth"))[0].id,
    }
    assert not simulated_chain.send_deposit(tx, sent)[1]
    tx.connection.execute("UPDATE chain_transaction SET confirms_at = %s", [START])
    tx.connection.execute("UPDATE chain_transaction SET confirms_at = %s WHERE tx_id = '3'", [LATER])
    return found


class _Same:
    """A runtime whose transactions are the test's own."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def transaction(self) -> AbstractContextManager[Transaction]:
        return nullcontext(self._tx)


def test_chain_has_each_payment_once(tx: Transaction, chain: dict[str, UUID]) -> None:
    assert chain
    of_chain = simulated_chain.SimulatedChain(_Same(tx))  # type: ignore[arg-type]  # all that it needs of a runtime
    payment = Payment(PAYMENT, ANN, PARTNER, uuid4(), Side.LOSS, "ofcbtc", 5, None)
    for _ in range(2):
        of_chain.pay([payment, replace(payment, id=THEIRS, transfer_id=BOB)])
    (report,) = of_chain.payments([PAYMENT, uuid4()])
    assert (report.payment_id, report.state) == (PAYMENT, ChainState.PENDING)
    for wanted in (ChainFilter(transfer_ids=[ANN]), ChainFilter(transfer_ids=[ANN], kinds=["payment"])):
        assert [each.id for each in simulated_chain.list_transactions(tx, wanted).items] == [PAYMENT]
    paid = simulated_chain.list_transactions(tx, ChainFilter(kinds=["payment"])).items
    assert {each.transfer_id for each in paid} == {ANN, BOB}
    assert not any(each.withheld for each in paid)
    found = of_chain.deposit(OTHER, "ofcbtc", "1")
    assert found is not None
    assert (found.state, found.quantity) == (ChainState.CONFIRMED, 5)
    assert {key for key, state in states(tx).items() if state != "pending"} == {chain["second"]}
    assert of_chain.deposit(OTHER, "ofcbtc", "2") is None


def states(tx: Transaction) -> dict[UUID, object]:
    return {key: row["state"] for key, row in rows.table(tx, "chain_transaction").items()}


def test_transaction_is_confirmed_when_its_time_has_come(tx: Transaction, chain: dict[str, UUID]) -> None:
    for name in ("withheld", "later", "first"):
        simulated_chain._pass_time(tx, ids=[chain[name]])  # noqa: SLF001 - what every look at the chain begins with
    assert {key for key, state in states(tx).items() if state != "pending"} == {chain["first"]}
    tx.connection.execute("UPDATE chain_transaction SET state = 'failed', failure = 'no route' WHERE tx_id = '2'")
    tx.connection.execute("UPDATE chain_transaction SET withheld = false")
    simulated_chain._pass_time(tx, ids=[chain["withheld"]])  # noqa: SLF001 - as above
    assert states(tx)[chain["withheld"]] == "failed"


def test_transaction_is_locked_before_an_operator_decides(tx: Transaction, chain: dict[str, UUID]) -> None:
    # As it was, and not locked yet.
    row = rows.table(tx, "chain_transaction")[chain["withheld"]]
    tx.connection.execute("DELETE FROM chain_transaction")
    rows.insert(tx, "chain_transaction", **row)
    assert rows.locked(tx, "chain_transaction") == set()
    kept, changes = simulated_chain.decide(tx, chain["withheld"], ChainAction.WITHHOLD, "")
    assert (kept.id, changes) == (chain["withheld"], False)
    assert rows.locked(tx, "chain_transaction") == {(chain["withheld"],)}


def test_operator_decides_about_one_transaction(tx: Transaction, chain: dict[str, UUID]) -> None:
    before = rows.table(tx, "chain_transaction")
    found, changes = simulated_chain.decide(tx, chain["later"], ChainAction.FAIL, "no route")
    assert (found.id, found.state, changes) == (chain["later"], ChainState.FAILED, True)
    assert rows.changes(before, rows.table(tx, "chain_transaction")) == {chain["later"]: {"state", "failure"}}


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ({}, {"first", "second", "withheld", "later"}),
        ({"partner_ids": [OTHER]}, {"second"}),
        ({"transfer_ids": [ANN]}, set()),
        ({"kinds": ["payment"]}, set()),
        ({"states": ["pending"]}, {"first", "second", "withheld", "later"}),
        ({"states": ["confirmed"]}, set()),
        ({"created_on_or_after": LATER}, set()),
        ({"created_before": LATER}, {"first", "second", "withheld", "later"}),
    ],
)
def test_list_of_transactions_has_what_the_filters_say(
    tx: Transaction, chain: dict[str, UUID], wanted: dict[str, Any], names: set[str]
) -> None:
    found = simulated_chain.list_transactions(tx, ChainFilter(**wanted))
    assert {each.id for each in found.items} == {chain[name] for name in names}
