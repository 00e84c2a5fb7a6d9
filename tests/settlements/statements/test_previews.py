"""A preview reads what a settlement would do that is not stored, and nothing of those that are."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from clearwindow.ledger import store as ledger
from clearwindow.ledger.models import AccountKind, BalanceKey, Hold, HoldCause, Shortfall
from clearwindow.postgres.paging import Slice
from clearwindow.postgres.pool import Transaction
from clearwindow.settlements.transfers import previews
from clearwindow.settlements.transfers.models import AmountArrays, LossBeyondLimit, PreviewedBalance, PreviewedTotal
from clearwindow.settlements.transfers.previews import Previewed
from tests.conftest import START
from tests.settlements.statements import rows

FIRST, PARTNER, CLOSURE, OTHER_CLOSURE, DISPUTE = (UUID(int=number) for number in range(1, 6))
ANN, BOB, CAT = (UUID(int=number) for number in range(11, 14))
WHOLE = Slice(100)


@pytest.fixture
def previewed(tx: Transaction) -> Previewed:
    """Amounts of three connections with the partner, and a closure that takes from Ann and gives to Bob.

    Each connection has 10 of each currency. A dispute holds 1 of Ann's.
    Beside it are another closure and a settlement.
    """
    for account in (ANN, BOB, CAT):
        ledger.insert_account(tx, account, AccountKind.NETWORK, PARTNER)
    keys = [BalanceKey(account, name) for account in (ANN, BOB, CAT) for name in ("ofcbtc", "ofceth")]
    ledger.lock_balances(tx, keys)
    tx.connection.execute("UPDATE balance SET available = 10")
    ledger.put_holds(tx, [Hold(HoldCause.DISPUTE, DISPUTE, PARTNER, keys[0], 1)])
    rows.transfer(tx, None, ANN, -3, dispute_closure_id=CLOSURE)
    rows.transfer(tx, None, ANN, -2, dispute_closure_id=CLOSURE, counterparty_connection_id=BOB)
    rows.transfer(tx, None, ANN, -100, dispute_closure_id=OTHER_CLOSURE)
    rows.transfer(tx, FIRST, ANN, -100, dispute_closure_id=CLOSURE)
    rows.transfer(tx, FIRST, CAT, -100)
    connections = [ANN, BOB, CAT]
    written = {"places": ["1", "2", "3", "3", "2"], "currency_numbers": ["1", "1", "1", "2", "2"]}
    amounts = AmountArrays(connections, connections, sources=None, amounts=["-7", "5", "4", "-12", "6"], **written)
    return Previewed(amounts, ["ofcbtc", "ofceth"], [0, 0], [CLOSURE], [DISPUTE])


OF_ANN = PreviewedBalance(ANN, ANN, "ofcbtc", 0, 7, -5, 12, 11, 1)
OF_CAT = PreviewedBalance(CAT, CAT, "ofceth", 0, 12, 0, 12, 10, 2)


def test_balances_that_are_short_come_first(tx: Transaction, previewed: Previewed) -> None:
    found = previews.list_balances(tx, previewed, WHOLE)
    assert found.items == [
        OF_ANN,
        OF_CAT,
        PreviewedBalance(BOB, BOB, "ofcbtc", 5, 0, 2, 0, None, 0),
        PreviewedBalance(BOB, BOB, "ofceth", 6, 0, 0, 0, None, 0),
        PreviewedBalance(CAT, CAT, "ofcbtc", 4, 0, 0, 0, None, 0),
    ]
    assert found.total == 5


def test_totals_are_sums_and_what_the_partner_pays(tx: Transaction, previewed: Previewed) -> None:
    assert previews.totals(tx, previewed) == [
        PreviewedTotal("ofcbtc", 3, 9, 7, -3, 12, 1, 1, from_partner=-1, from_partner_at_most=6),
        PreviewedTotal("ofceth", 2, 6, 12, 0, 12, 2, 1, from_partner=-6, from_partner_at_most=6),
    ]


def test_partner_pays_nothing_if_all_it_pays_comes_back(tx: Transaction, previewed: Previewed) -> None:
    rows.transfer(tx, None, ANN, -50, dispute_closure_id=CLOSURE)
    (total, _) = previews.totals(tx, previewed)
    assert (total.from_partner, total.from_partner_at_most) == (-51, 0)


def test_transfers_between_connections_are_not_with_the_partner(tx: Transaction, previewed: Previewed) -> None:
    written = {"places": ["1"], "sources": ["2"], "currency_numbers": ["1"], "amounts": ["-4"]}
    between = AmountArrays(previewed.amounts.connection_ids, previewed.amounts.account_ids, **written)
    only = Previewed(between, ["ofcbtc"], [0], [], [])
    assert previews.totals(tx, only) == [
        PreviewedTotal("ofcbtc", 2, 4, 4, 0, 4, 0, 0, from_partner=0, from_partner_at_most=0)
    ]


@pytest.mark.usefixtures("previewed")
def test_equal_amounts_count_each(tx: Transaction) -> None:
    twice = AmountArrays([ANN], [ANN], ["1", "1"], None, ["1", "1"], ["-4", "-4"])
    (total,) = previews.totals(tx, Previewed(twice, ["ofcbtc"], [0], [], []))
    assert (total.lost, total.liability) == (8, 8)


def test_shortfalls_are_those_that_staging_names(tx: Transaction, previewed: Previewed) -> None:
    short = Shortfall(ANN, "ofcbtc", 12, 11)
    assert previews.shortfalls(tx, previewed) == [short, Shortfall(CAT, "ofceth", 12, 10)]
    tx.connection.execute("UPDATE balance SET available = 12 WHERE account_id = %s", [CAT])
    assert previews.shortfalls(tx, previewed) == [short]


def test_losses_beyond_limits_are_of_the_amounts_alone(tx: Transaction, previewed: Previewed) -> None:
    def beyond() -> list[LossBeyondLimit]:
        return previews.ask_losses_beyond_limits(tx, previewed, PARTNER, START, START + timedelta(days=1))()

    limit = {"partner_id": PARTNER, "updated_by": "anna", "updated_at": START}
    rows.insert(tx, "loss_limit", **limit, connection_id=ANN, currency="ofcbtc", per_settlement=7, per_day=7)
    assert beyond() == []
    rows.insert(tx, "loss_limit", **limit, connection_id=CAT, currency="ofceth", per_settlement=11, per_day=12)
    assert [(each.connection_id, each.currency) for each in beyond()] == [(CAT, "ofceth")]
