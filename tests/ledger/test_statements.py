"""The ledger's statements move and hold what they are given, and leave everything beside it as it was.

Each test has other causes, accounts and currencies beside those that it names: a statement with a condition too few
would change them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from clearwindow.core.clock import ManualClock
from clearwindow.core.ids import NIL
from clearwindow.ledger import store
from clearwindow.ledger.models import (
    AccountKind,
    Balance,
    BalanceKey,
    Entry,
    EntryFilter,
    EntryKind,
    HeldTotal,
    Hold,
    HoldCause,
    Movement,
    Shortfall,
)
from clearwindow.postgres.paging import FIRST_PAGE
from clearwindow.postgres.pool import Database, Transaction
from clearwindow.postgres.queries import Relation
from tests.conftest import START
from tests.support.databases import TestCluster
from tests.support.races import TIMEOUT_SECONDS, until_waiting

ANN, BOB, PARTNER, FIRST, SECOND, THIRD = (uuid4() for _ in range(6))
ANN_BTC, ANN_ETH, BOB_BTC, BOB_ETH = (BalanceKey(of, name) for of in (ANN, BOB) for name in ("ofcbtc", "ofceth"))
KEYS = (ANN_BTC, ANN_ETH, BOB_BTC, BOB_ETH)
Holds = dict[tuple[UUID, BalanceKey], int]


@contextmanager
def opened(cluster: TestCluster) -> Iterator[Database]:
    with cluster.fresh_database() as dsn:
        database = Database(dsn, ManualClock(START))
        database.open()
        yield database
        database.close()


@pytest.fixture(scope="module")
def database(cluster: TestCluster) -> Iterator[Database]:
    with opened(cluster) as database:
        yield database


@pytest.fixture
def tx(database: Database) -> Iterator[Transaction]:
    """A transaction that is rolled back, with 100 available and 50 held of each balance."""
    with database.transaction() as tx:
        # Without foreign keys, so that the partner and the causes need not exist.
        tx.connection.execute("SET LOCAL session_replication_role = replica")
        for account in (ANN, BOB):
            store.insert_account(tx, account, AccountKind.NETWORK, PARTNER)
        store.lock_balances(tx, KEYS)
        tx.connection.execute("UPDATE balance SET available = 100, held = 50")
        yield tx
        tx.connection.rollback()


def put(tx: Transaction, holds: Mapping[tuple[UUID, BalanceKey], int]) -> None:
    store.put_holds(
        tx, [Hold(HoldCause.SETTLEMENT, cause, PARTNER, key, quantity) for (cause, key), quantity in holds.items()]
    )


def held(tx: Transaction) -> Holds:
    found = store.holds_of(tx, [FIRST, SECOND, THIRD])
    return {(cause, key): quantity for cause, held in found.items() for key, quantity in held.items()}


def moved(tx: Transaction) -> dict[BalanceKey, tuple[int, int]]:
    """Returns how much each balance has changed, available and held."""
    balances = store.balances_of(tx, [ANN, BOB])
    changes = {key: balances[key.account_id][key.currency] for key in KEYS}
    found = {key: (balance.available - 100, balance.held - 50) for key, balance in changes.items()}
    return {key: change for key, change in found.items() if change != (0, 0)}


def posted(tx: Transaction, entry: Entry) -> dict[BalanceKey, tuple[int, int]]:
    rows = tx.connection.execute(
        "SELECT account.id, currency.name, posting.available, posting.held, posting.of_settlement"
        " FROM ledger_entry JOIN entry_posting AS posting ON entry_number = ledger_entry.number"
        " JOIN account ON account.number = account_number JOIN currency ON currency.number = currency_number"
        " WHERE ledger_entry.id = %s",
        [entry.id],
    ).fetchall()
    assert all(of_settlement is (entry.kind is not EntryKind.DEPOSIT) for *_, of_settlement in rows)
    return {BalanceKey(account, name): (int(available), int(held)) for account, name, available, held, _ in rows}


def entry(kind: EntryKind = EntryKind.SETTLEMENT_HELD, cause: UUID = FIRST) -> Entry:
    return Entry(uuid4(), kind, cause, PARTNER)


def needs(quantities: Mapping[BalanceKey, int]) -> Relation:
    return Relation(
        "SELECT account_id, currency, needed FROM unnest(%(of)s::uuid[], %(names)s::text[], %(needs)s::numeric[])"
        " AS given (account_id, currency, needed)",
        {
            "of": [key.account_id for key in quantities],
            "names": [key.currency for key in quantities],
            "needs": [Decimal(quantity) for quantity in quantities.values()],
        },
    )


BESIDE: Holds = {(SECOND, ANN_BTC): 7, (SECOND, BOB_ETH): 8}


def test_locked_balances_are_those_that_are_named(tx: Transaction) -> None:
    other = BalanceKey(ANN, "ofcusd")
    found = store.lock_balances(tx, [ANN_ETH, BOB_BTC, other])
    assert found == {ANN_ETH: Balance(100, 50), BOB_BTC: Balance(100, 50), other: Balance(0, 0)}


def test_go_accounts_are_locked_before_network_accounts(tx: Transaction) -> None:
    go = UUID(int=2**128 - 1)
    store.insert_account(tx, go, AccountKind.GO, NIL)
    keys = [BalanceKey(account, "ofcbtc") for account in (go, *sorted([ANN, BOB]))]
    assert list(store.lock_balances(tx, reversed(keys))) == keys


def test_entry_moves_the_balances_that_it_names(tx: Transaction) -> None:
    one = entry(EntryKind.DEPOSIT)
    parts = [Movement(ANN_BTC, 5, -2), Movement(ANN_BTC, -1, 0), Movement(BOB_BTC, -4, 2), Movement(BOB_ETH, 0, 0)]
    store.post(tx, one, parts)
    assert moved(tx) == posted(tx, one) == {ANN_BTC: (4, -2), BOB_BTC: (-4, 2)}
    missing = BalanceKey(ANN, "ofcusd")
    with pytest.raises(LookupError):
        store.post(tx, entry(EntryKind.DEPOSIT), [Movement(missing, 1, 0), Movement(missing, -1, 0)])


def test_hold_is_set_or_removed(tx: Transaction) -> None:
    put(tx, BESIDE | {(FIRST, ANN_BTC): 5, (FIRST, ANN_ETH): 3, (FIRST, BOB_BTC): 2})
    put(tx, {(FIRST, ANN_BTC): 0, (FIRST, BOB_BTC): 9, (THIRD, ANN_BTC): 0, (THIRD, BOB_ETH): 1})
    assert held(tx) == BESIDE | {(FIRST, ANN_ETH): 3, (FIRST, BOB_BTC): 9, (THIRD, BOB_ETH): 1}
    assert moved(tx) == {}


def test_holds_of_causes_and_of_accounts(tx: Transaction) -> None:
    put(tx, BESIDE | {(FIRST, ANN_BTC): 5, (FIRST, BOB_BTC): 2})
    assert store.holds_of(tx, [FIRST, THIRD]) == {FIRST: {ANN_BTC: 5, BOB_BTC: 2}, THIRD: {}}
    assert store.holds_on(tx, [FIRST, THIRD], [BOB]) == {FIRST: {BOB_BTC: 2}, THIRD: {}}
    store.drop_holds(tx, [FIRST, THIRD])
    assert held(tx) == BESIDE


def test_totals_are_of_what_one_cause_holds(tx: Transaction) -> None:
    put(tx, BESIDE | {(FIRST, ANN_BTC): 5, (FIRST, BOB_BTC): 2, (FIRST, ANN_ETH): 3})
    assert store.held_totals(tx, FIRST) == [HeldTotal("ofcbtc", 7, 2), HeldTotal("ofceth", 3, 1)]


def test_hold_is_reduced_or_ended(tx: Transaction) -> None:
    put(tx, BESIDE | {(FIRST, ANN_BTC): 7, (FIRST, ANN_ETH): 3, (FIRST, BOB_BTC): 2, (FIRST, BOB_ETH): 4})
    store.reduce_holds(tx, FIRST, {ANN_BTC: 7, BOB_BTC: 1})
    assert held(tx) == BESIDE | {(FIRST, ANN_ETH): 3, (FIRST, BOB_BTC): 1, (FIRST, BOB_ETH): 4}
    with pytest.raises(AssertionError):
        store.reduce_holds(tx, FIRST, {ANN_ETH: 4})


def test_release_returns_what_one_cause_held(tx: Transaction) -> None:
    put(tx, BESIDE | {(FIRST, ANN_BTC): 5, (FIRST, BOB_BTC): 2})
    one = entry(EntryKind.SETTLEMENT_REJECTED)
    store.release_holds(tx, one)
    assert held(tx) == BESIDE
    assert moved(tx) == posted(tx, one) == {ANN_BTC: (5, -5), BOB_BTC: (2, -2)}


def test_liabilities_are_held_in_place_of_former_holds(tx: Transaction) -> None:
    put(tx, BESIDE | {(THIRD, ANN_BTC): 5, (THIRD, ANN_ETH): 3, (THIRD, BOB_BTC): 2})
    one = entry()
    short = store.hold_liabilities(tx, one, needs({ANN_BTC: 105, BOB_BTC: 2, BOB_ETH: 6}), [THIRD])()
    assert short == []
    assert held(tx) == BESIDE | {(FIRST, ANN_BTC): 105, (FIRST, BOB_BTC): 2, (FIRST, BOB_ETH): 6}
    assert moved(tx) == posted(tx, one) == {ANN_BTC: (-100, 100), ANN_ETH: (3, -3), BOB_ETH: (-6, 6)}


def test_liabilities_that_are_not_covered_are_named(tx: Transaction) -> None:
    put(tx, {(THIRD, ANN_BTC): 5})
    liability = needs({ANN_BTC: 106, ANN_ETH: 100, BOB_BTC: 101})
    wanted = [Shortfall(ANN, "ofcbtc", 106, 105), Shortfall(BOB, "ofcbtc", 101, 100)]
    covered = store.coverage(liability, [THIRD])
    rows = tx.connection.execute(covered.query, dict(covered.values)).fetchall()
    assert {BalanceKey(*row[:2]): tuple(map(int, row[2:])) for row in rows} == {
        ANN_BTC: (106, 105, 1),
        ANN_ETH: (100, 100, 0),
        BOB_BTC: (101, 100, 1),
    }
    assert sorted(store.hold_liabilities(tx, entry(), liability, [THIRD])(), key=str) == sorted(wanted, key=str)


def test_holds_of_a_settlement_become_what_it_needs_now(tx: Transaction) -> None:
    put(tx, BESIDE | {(FIRST, ANN_BTC): 5, (FIRST, ANN_ETH): 3, (FIRST, BOB_BTC): 2, (THIRD, BOB_BTC): 4})
    one = entry(cause=SECOND)
    assert store.replace_holds(tx, one, FIRST, needs({ANN_BTC: 105, BOB_BTC: 1, BOB_ETH: 6}), [THIRD]) == []
    assert held(tx) == BESIDE | {(FIRST, ANN_BTC): 105, (FIRST, BOB_BTC): 1, (FIRST, BOB_ETH): 6}
    assert (
        moved(tx)
        == posted(tx, one)
        == {
            ANN_BTC: (-100, 100),
            ANN_ETH: (3, -3),
            BOB_BTC: (5, -5),
            BOB_ETH: (-6, 6),
        }
    )
    short = store.replace_holds(tx, entry(cause=SECOND), FIRST, needs({ANN_BTC: 106, BOB_ETH: 6}))
    assert short == [Shortfall(ANN, "ofcbtc", 106, 105)]


def test_liability_of_nothing_needs_no_balance(tx: Transaction) -> None:
    usd = BalanceKey(ANN, "ofcusd")
    assert store.hold_liabilities(tx, entry(), needs({usd: 0, ANN_BTC: 1}), [])() == []
    assert store.replace_holds(tx, entry(cause=SECOND), FIRST, needs({usd: 0, ANN_BTC: 2})) == []
    assert held(tx) == {(FIRST, ANN_BTC): 2}
    assert balance(tx, usd) == Balance(0, 0)


def test_equal_holds_of_several_causes_count_each(tx: Transaction) -> None:
    put(tx, {(FIRST, ANN_BTC): 3, (SECOND, ANN_BTC): 3, (THIRD, ANN_BTC): 3})
    assert store.replace_holds(tx, entry(), FIRST, needs({ANN_BTC: 10}), [SECOND, THIRD]) == []
    assert held(tx) == {(FIRST, ANN_BTC): 10}
    assert moved(tx) == {ANN_BTC: (-1, 1)}
    put(tx, {(SECOND, ANN_BTC): 4, (THIRD, ANN_BTC): 4})
    assert store.hold_liabilities(tx, entry(cause=ANN), needs({ANN_BTC: 10}), [SECOND, THIRD])() == []
    assert moved(tx) == {ANN_BTC: (-3, 3)}


def test_disputes_take_holds_over_in_their_order(tx: Transaction) -> None:
    beside = {(uuid4(), key): 9 for key in KEYS}
    put(tx, beside | {(FIRST, ANN_BTC): 10, (FIRST, ANN_ETH): 3, (FIRST, BOB_BTC): 4, (FIRST, BOB_ETH): 5})
    targets = Relation(
        "SELECT dispute_id, rank, account_id, currency, quantity FROM unnest("
        "%(disputes)s::uuid[], %(ranks)s::bigint[], %(of)s::uuid[], %(names)s::text[], %(quantities)s::numeric[])"
        " AS given (dispute_id, rank, account_id, currency, quantity)",
        {
            "disputes": [THIRD, SECOND, THIRD, SECOND, SECOND],
            "ranks": [2, 1, 2, 1, 1],
            "of": [ANN, ANN, ANN, BOB, BOB],
            "names": ["ofcbtc", "ofcbtc", "ofceth", "ofcbtc", "ofceth"],
            "quantities": list(map(Decimal, [9, 6, 2, 4, 9])),
        },
    )
    store.hand_holds_to_disputes(tx, PARTNER, FIRST, targets)
    assert held(tx) == {
        (SECOND, ANN_BTC): 6,
        (THIRD, ANN_BTC): 4,
        (FIRST, ANN_ETH): 1,
        (THIRD, ANN_ETH): 2,
        (SECOND, BOB_BTC): 4,
        (SECOND, BOB_ETH): 5,
    }
    assert store.holds_of(tx, [cause for cause, _ in beside]) == {cause: {key: 9} for cause, key in beside}
    assert moved(tx) == {}


def moves(quantities: Mapping[BalanceKey, int]) -> Relation:
    return Relation(
        "SELECT account_id, currency, quantity FROM unnest("
        "%(run_of)s::uuid[], %(run_names)s::text[], %(run_quantities)s::numeric[])"
        " AS given (account_id, currency, quantity)",
        {
            "run_of": [key.account_id for key in quantities],
            "run_names": [key.currency for key in quantities],
            "run_quantities": [Decimal(quantity) for quantity in quantities.values()],
        },
    )


def targets(*rows: tuple[UUID, int, BalanceKey, int]) -> Relation:
    return Relation(
        "SELECT dispute_id, rank, account_id, currency, quantity FROM unnest("
        "%(disputes)s::uuid[], %(ranks)s::bigint[], %(of)s::uuid[], %(names)s::text[], %(quantities)s::numeric[])"
        " AS given (dispute_id, rank, account_id, currency, quantity)",
        {
            "disputes": [row[0] for row in rows],
            "ranks": [row[1] for row in rows],
            "of": [row[2].account_id for row in rows],
            "names": [row[2].currency for row in rows],
            "quantities": [Decimal(row[3]) for row in rows],
        },
    )


def balance(tx: Transaction, key: BalanceKey) -> Balance:
    return store.balances_of(tx, [key.account_id]).get(key.account_id, {}).get(key.currency, Balance(0, 0))


def partner_with_funds(tx: Transaction) -> UUID:
    """Returns an account with 100 available and 50 held of each currency."""
    partner = uuid4()
    store.insert_account(tx, partner, AccountKind.NETWORK, PARTNER)
    store.lock_balances(tx, [BalanceKey(partner, name) for name in ("ofcbtc", "ofceth", "ofcusd")])
    tx.connection.execute("UPDATE balance SET available = 100, held = 50 WHERE account_id = %s", [partner])
    return partner


def test_settlement_releases_what_it_held_and_moves_what_runs(tx: Transaction) -> None:
    put(tx, BESIDE | {(FIRST, ANN_BTC): 5, (FIRST, BOB_BTC): 2})
    partner, ann_usd = partner_with_funds(tx), BalanceKey(ANN, "ofcusd")
    one = entry()
    run = moves({ANN_BTC: -5, ANN_ETH: 3, BOB_BTC: 5, ann_usd: 9})
    store.settle_run(tx, one, run, None, partner, {"ofceth": -3, "ofcusd": -9, "ofcbtc": 0})
    assert held(tx) == BESIDE
    assert moved(tx) == {ANN_BTC: (0, -5), ANN_ETH: (3, 0), BOB_BTC: (7, -2)}
    assert balance(tx, ann_usd) == Balance(9, 0)
    of_partner = {BalanceKey(partner, "ofceth"): (-3, 0), BalanceKey(partner, "ofcusd"): (-9, 0)}
    assert posted(tx, one) == moved(tx) | {ann_usd: (9, 0)} | of_partner
    for key, (available, _) in of_partner.items():
        assert balance(tx, key) == Balance(100 + available, 50)


def test_gains_fill_the_holds_of_disputes_in_their_order(tx: Transaction) -> None:
    put(tx, {(SECOND, ANN_BTC): 4, (FIRST, BOB_BTC): 2, (SECOND, BOB_ETH): 1})
    fourth = uuid4()
    wanted = targets(
        (THIRD, 2, ANN_BTC, 5),
        (SECOND, 1, ANN_BTC, 10),
        (fourth, 3, ANN_BTC, 5),
        (SECOND, 1, BOB_ETH, 1),
        (THIRD, 2, ANN_ETH, 2),
        (SECOND, 1, ANN_ETH, 2),
    )
    one = entry()
    store.settle_run(tx, one, moves({ANN_BTC: 8, ANN_ETH: 9, BOB_ETH: 7, BOB_BTC: -2}), wanted, PARTNER, {})
    assert held(tx) == {
        (SECOND, ANN_BTC): 10,
        (THIRD, ANN_BTC): 2,
        (SECOND, ANN_ETH): 2,
        (THIRD, ANN_ETH): 2,
        (SECOND, BOB_ETH): 1,
    }
    assert moved(tx) == posted(tx, one) == {ANN_BTC: (0, 8), ANN_ETH: (5, 4), BOB_ETH: (7, 0), BOB_BTC: (0, -2)}


def test_gain_adds_to_a_balance_that_is_made_at_the_same_time(cluster: TestCluster) -> None:
    with opened(cluster) as database:
        found, filled = settled_beside_an_allocation(database)
    assert found == Balance(available=12, held=5)
    assert filled == 4


def settled_beside_an_allocation(database: Database) -> tuple[Balance, int]:
    """Makes a balance with 7 available and 1 held while a settlement that gains 9 waits. A dispute wants 4.

    Returns the balance, and what is held for the dispute.
    """
    account, dispute = uuid4(), uuid4()
    key = BalanceKey(account, "ofcusd")

    def settle() -> None:
        with database.transaction() as tx:
            tx.connection.execute("SET LOCAL session_replication_role = replica")
            store.settle_run(tx, entry(cause=uuid4()), moves({key: 9}), targets((dispute, 1, key, 4)), PARTNER, {})

    with database.transaction() as tx:
        tx.connection.execute("SET LOCAL session_replication_role = replica")
        store.insert_account(tx, account, AccountKind.NETWORK, PARTNER)
    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as tx:
            store.lock_balances(tx, [key])
            tx.connection.execute("UPDATE balance SET available = 7, held = 1 WHERE account_id = %s", [account])
            settling = pool.submit(settle)
            until_waiting(database, 1)
        settling.result(TIMEOUT_SECONDS)
    with database.transaction() as tx:
        return balance(tx, key), store.holds_of(tx, [dispute])[dispute][key]


def test_many_settlements_move_each_by_its_entry(tx: Transaction) -> None:
    put(tx, {(THIRD, ANN_BTC): 7, (FIRST, ANN_BTC): 5, (SECOND, ANN_BTC): 5, (SECOND, BOB_BTC): 2})
    partner, bob_usd = partner_with_funds(tx), BalanceKey(BOB, "ofcusd")
    run = Relation(
        "SELECT settlement_id, account_id, currency, quantity FROM unnest("
        "%(settlements)s::uuid[], %(of)s::uuid[], %(names)s::text[], %(quantities)s::numeric[])"
        " AS given (settlement_id, account_id, currency, quantity)",
        {
            "settlements": [FIRST, SECOND, SECOND, SECOND],
            "of": [ANN, ANN, BOB, BOB],
            "names": ["ofcbtc", "ofcbtc", "ofcbtc", "ofcusd"],
            "quantities": [Decimal(-5), Decimal(-5), Decimal(5), Decimal(9)],
        },
    )
    entries = [entry(cause=FIRST), entry(cause=SECOND)]
    store.settle_each(tx, PARTNER, entries, run, partner)
    assert held(tx) == {(THIRD, ANN_BTC): 7}
    assert moved(tx) == {ANN_BTC: (0, -10), BOB_BTC: (7, -2)}
    assert balance(tx, bob_usd) == Balance(9, 0)
    partners = {name: BalanceKey(partner, name) for name in ("ofcbtc", "ofcusd")}
    assert posted(tx, entries[0]) == {ANN_BTC: (0, -5), partners["ofcbtc"]: (5, 0)}
    assert posted(tx, entries[1]) == {
        ANN_BTC: (0, -5),
        BOB_BTC: (7, -2),
        bob_usd: (9, 0),
        partners["ofcusd"]: (-9, 0),
    }
    assert [balance(tx, key) for key in partners.values()] == [Balance(105, 50), Balance(91, 50)]


def test_partner_pays_each_of_equal_gains(tx: Transaction) -> None:
    partner = partner_with_funds(tx)
    run = Relation(
        "SELECT %(settlement)s::uuid AS settlement_id, account_id, 'ofcbtc' AS currency, 3::numeric AS quantity"
        " FROM unnest(%(of)s::uuid[]) AS given (account_id)",
        {"settlement": FIRST, "of": [ANN, BOB]},
    )
    store.settle_each(tx, PARTNER, [entry()], run, partner)
    assert moved(tx) == {ANN_BTC: (3, 0), BOB_BTC: (3, 0)}
    assert balance(tx, BalanceKey(partner, "ofcbtc")) == Balance(94, 50)


def test_losses_are_uncovered_that_exceed_what_is_available(tx: Transaction) -> None:
    usd = BalanceKey(ANN, "ofcusd")
    found = store.uncovered_losses(tx, moves({ANN_BTC: -101, ANN_ETH: -100, BOB_BTC: 500, BOB_ETH: -300, usd: -1}))
    assert sorted(found, key=str) == sorted(
        [
            Shortfall(ANN, "ofcbtc", 101, 100),
            Shortfall(ANN, "ofcusd", 1, 0),
            Shortfall(BOB, "ofceth", 300, 100),
        ],
        key=str,
    )


def test_liability_on_a_balance_that_does_not_exist_is_uncovered(tx: Transaction) -> None:
    covered = store.coverage(needs({BalanceKey(ANN, "ofcusd"): 3, ANN_BTC: 3}))
    rows = tx.connection.execute(covered.query, dict(covered.values)).fetchall()
    assert {row[1]: tuple(map(int, row[2:])) for row in rows} == {"ofcusd": (3, 0, 3), "ofcbtc": (3, 100, 0)}


def test_journal_has_the_entries_of_an_account_a_cause_and_a_time(tx: Transaction) -> None:
    of_ann, of_bob = entry(EntryKind.DEPOSIT, FIRST), entry(EntryKind.DEPOSIT, SECOND)
    partner = partner_with_funds(tx)
    for one, key in ((of_ann, ANN_BTC), (of_bob, BOB_ETH)):
        store.post(tx, one, [Movement(key, 5, 0), Movement(BalanceKey(partner, key.currency), -5, 0)])
    everything: dict[str, object] = dict.fromkeys(
        ("cause_id", "account_id", "created_on_or_after", "created_before")
    )
    later = START + timedelta(minutes=1)
    for wanted, found in (
        ({}, [of_ann, of_bob]),
        ({"cause_id": SECOND}, [of_bob]),
        ({"account_id": ANN}, [of_ann]),
        ({"created_on_or_after": START}, [of_ann, of_bob]),
        ({"created_on_or_after": later}, []),
        ({"created_before": START}, []),
        ({"created_before": later}, [of_ann, of_bob]),
    ):
        listed = store.list_entries(tx, EntryFilter(**everything | wanted), FIRST_PAGE)  # type: ignore[arg-type]
        assert {each.id for each in listed.items} == {each.id for each in found}
        assert all({int(part["quantity"]) for part in each.postings} == {5, -5} for each in listed.items)
