"""What a settlement does to money: the rules decide for one balance, SQL for all of them. Protocol §5.4."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations
from typing import LiteralString
from uuid import UUID, uuid4

from hypothesis import given, settings
from hypothesis import strategies as st

from clearwindow.core.clock import ManualClock
from clearwindow.ledger import store as ledger
from clearwindow.ledger.models import Entry, EntryKind
from clearwindow.postgres.pool import Database, Transaction
from clearwindow.postgres.queries import Relation
from clearwindow.settlements import rules
from clearwindow.settlements.models import FundingGap
from clearwindow.settlements.transfers import store as transfers
from clearwindow.settlements.transfers.models import Objections
from tests.conftest import START
from tests.support.databases import TestCluster

QUANTITY = st.integers(-(10**30), 10**30) | st.integers(-5, 5)
PARTNER, PARTNER_ACCOUNT, SETTLEMENT = uuid4(), uuid4(), uuid4()
RICH = 10**40
# Its account has no row: only the number counts, and that it is no other's.
_INSERT_BALANCE: LiteralString = (
    "INSERT INTO balance (account_id, currency, account_number, currency_number, available, held)"
    " SELECT %s, name, 1000 + (SELECT count(*) FROM balance), number, %s, 0 FROM currency WHERE name = 'ofcbtc'"
)


GROUPS = st.dictionaries(st.integers(1, 5), QUANTITY, max_size=5)
"""What a balance gains by its new transfers with each counterparty."""


def left_over(new: dict[int, int], pulled_in: int, *, disputes: bool, disputing: set[int]) -> int:
    """Returns the gain if the connection itself or these counterparties dispute."""
    return pulled_in + (0 if disputes else sum(quantity for k, quantity in new.items() if k not in disputing))


def every_subset(new: dict[int, int]) -> list[set[int]]:
    return [set(some) for size in range(len(new) + 1) for some in combinations(new, size)]


@given(new=GROUPS, pulled_in=QUANTITY)
def test_liability_is_the_worst_case_over_all_disputes(new: dict[int, int], pulled_in: int) -> None:
    outcomes = [left_over(new, pulled_in, disputes=True, disputing=set())] + [
        left_over(new, pulled_in, disputes=False, disputing=disputing) for disputing in every_subset(new)
    ]
    assert rules.liability(new.values(), pulled_in) == max(0, -min(outcomes))


@given(new=QUANTITY, pulled_in=QUANTITY)
def test_liability_without_counterparties_is_the_formula_of_the_protocol(new: int, pulled_in: int) -> None:
    assert rules.liability([new], pulled_in) == max(0, -(new + pulled_in), -pulled_in)


@given(new=GROUPS, pulled_in=QUANTITY, disputes=st.booleans(), data=st.data())
def test_running_transfers_are_covered_and_disputed_ones_held(
    new: dict[int, int], pulled_in: int, *, disputes: bool, data: st.DataObject
) -> None:
    for disputing in every_subset(new):
        disputed = [quantity for k, quantity in new.items() if disputes or k in disputing]
        answering = data.draw(st.lists(st.integers(0, 2), min_size=len(disputed), max_size=len(disputed)))
        targets = [
            sum(max(0, -q) for q, dispute in zip(disputed, answering, strict=True) if dispute == number)
            for number in range(3)
        ]
        held = rules.liability(new.values(), pulled_in)
        handed = rules.hand_over(held, targets)
        kept = held - sum(handed)
        final = left_over(new, pulled_in, disputes=disputes, disputing=disputing)
        missing = [target - part for target, part in zip(targets, handed, strict=True)]
        done = rules.outcome(final, kept, missing)
        assert kept >= 0
        assert done.available >= 0
        assert done.available + done.held == final
        assert done.filled == missing


@given(final=QUANTITY, kept=st.integers(0, 10**30), missing=st.lists(st.integers(0, 10**30), max_size=3))
def test_gain_fills_at_most_itself_and_what_is_missing(final: int, kept: int, missing: list[int]) -> None:
    done = rules.outcome(final, kept, missing)
    assert done.available + done.held == final
    assert sum(done.filled) == min(max(0, final), sum(missing))
    assert all(0 <= filled <= gap for filled, gap in zip(done.filled, missing, strict=True))


@given(
    available=st.dictionaries(st.sampled_from("abc"), st.integers(0, 100)),
    change=st.dictionaries(st.sampled_from("abc"), st.integers(-100, 100)),
)
def test_settlement_executes_if_no_currency_ends_negative(
    available: dict[str, int], change: dict[str, int]
) -> None:
    gaps = rules.funding_gaps(available, change)
    ends = {currency: available.get(currency, 0) + quantity for currency, quantity in change.items()}
    assert {gap.currency: gap.shortfall for gap in gaps} == {name: -end for name, end in ends.items() if end < 0}


def test_failure_reason_names_every_currency_and_shortfall() -> None:
    gaps = [FundingGap("ofcbtc", 10, 4), FundingGap("ofcusd", 7, 0)]
    assert rules.failure_reason(gaps) == (
        "the partner's account is short of ofcbtc by 6 (needs 10, has 4), ofcusd by 7 (needs 7, has 0)"
    )


Move = tuple[int, int | None, int]
"""Destination, source or None for the partner, and quantity; connections by number."""
CONNECTIONS = range(4)
RISKY = st.integers(-(10**6), 10**6).filter(bool) | st.integers(-5, 5).filter(bool)
FLAT_MOVES = st.tuples(st.sampled_from(CONNECTIONS), st.none(), RISKY)
TRADES = st.tuples(st.sampled_from(CONNECTIONS), st.sampled_from(CONNECTIONS), RISKY).filter(lambda m: m[0] != m[1])


@dataclass(frozen=True)
class Case:
    """A settlement in one currency, its disputes in order, and how they ended."""

    new: list[Move]
    pulled_in: list[Move]
    disputing: list[int]
    approved: dict[int, bool]
    available: list[int]

    def groups(self, balance: int) -> dict[int | None, int]:
        """Returns what the balance gains by new transfers with each counterparty."""
        found: dict[int | None, int] = {}
        for other, quantity in _gains(self.new, balance):
            found[other] = found.get(other, 0) + quantity
        return found

    def pulled(self, balance: int) -> int:
        return sum(quantity for _, quantity in _gains(self.pulled_in, balance))

    def final(self, balance: int) -> int:
        runs = {
            other: quantity
            for other, quantity in self.groups(balance).items()
            if balance not in self.disputing and other not in self.disputing
        }
        return sum(runs.values()) + self.pulled(balance)

    def targets(self, balance: int, standing: list[int], upheld: set[int]) -> dict[int, int]:
        """Returns what the transfers that each dispute stops would take from the balance, by connection."""
        found = dict.fromkeys(standing, 0)
        for other, quantity in self.groups(balance).items():
            answering = [one for one in standing if one in {balance, other}]
            if answering and not {balance, other} & upheld:
                found[answering[0]] += max(0, -quantity)
        return found


def _gains(moves: list[Move], balance: int) -> list[tuple[int | None, int]]:
    gained = [(source, quantity) for destination, source, quantity in moves if destination == balance]
    return gained + [(destination, -quantity) for destination, source, quantity in moves if source == balance]


CASES = st.builds(
    Case,
    new=st.lists(FLAT_MOVES, min_size=1, max_size=5) | st.lists(TRADES, min_size=1, max_size=8),
    pulled_in=st.lists(FLAT_MOVES | TRADES, max_size=4),
    disputing=st.permutations(CONNECTIONS).flatmap(lambda order: st.integers(0, 4).map(lambda n: list(order[:n]))),
    approved=st.dictionaries(st.sampled_from(CONNECTIONS), st.booleans()),
    available=st.lists(st.just(RICH) | st.integers(0, 20), min_size=4, max_size=4),
)


def test_sql_and_rules_agree(cluster: TestCluster) -> None:
    with cluster.fresh_database() as dsn:
        database = Database(dsn, ManualClock(START))
        database.open()

        @settings(max_examples=300, deadline=None)
        @given(case=CASES)
        def agree(case: Case) -> None:
            with database.transaction() as tx:
                Comparison(tx, case).run()
                tx.connection.rollback()

        agree()
        database.close()


class Comparison:
    """Runs a case in SQL. A connection and its account share an id, since neither is looked up here."""

    def __init__(self, tx: Transaction, case: Case) -> None:
        self.tx, self.case = tx, case
        self.ids = [uuid4() for _ in CONNECTIONS]
        self.disputes = {connection: uuid4() for connection in case.disputing}
        # Without foreign keys, so that the rows that these refer to need not exist.
        tx.connection.execute("SET LOCAL session_replication_role = replica")
        for account, available in zip(self.ids, case.available, strict=True):
            self._write(_INSERT_BALANCE, account, Decimal(available))
            party = "INSERT INTO settlement_party VALUES (%s, %s, %s, %s, false)"
            self._write(party, SETTLEMENT, PARTNER, account, tx.now())
        for moves, pulled_in in ((case.new, False), (case.pulled_in, True)):
            for move in moves:
                self._transfer(move, uuid4() if pulled_in else None)
        self._write(_INSERT_BALANCE, PARTNER_ACCOUNT, Decimal(RICH))

    def run(self) -> None:
        entry = Entry(uuid4(), EntryKind.SETTLEMENT_HELD, SETTLEMENT, PARTNER)
        uncovered = ledger.hold_liabilities(self.tx, entry, transfers.liabilities(SETTLEMENT))()
        short = {gap.account_id: gap.shortfall for gap in uncovered}
        wanted = [rules.liability(self.case.groups(n).values(), self.case.pulled(n)) for n in CONNECTIONS]
        assert short == {
            self.ids[n]: wanted[n] - self.case.available[n]
            for n in CONNECTIONS
            if wanted[n] > self.case.available[n]
        }
        if short:
            return
        assert self._holds(SETTLEMENT) == {self.ids[n]: wanted[n] for n in CONNECTIONS if wanted[n]}
        if self.disputes:
            self._finalise(wanted)
        self._execute()

    def _finalise(self, wanted: list[int]) -> None:
        standing = {dispute: self.ids[n] for n, dispute in self.disputes.items()}
        transfers.mark_disputed(self.tx, SETTLEMENT, list(standing.values()))
        stopped = transfers.dispute_targets(self.tx, SETTLEMENT, Objections(standing))
        assert stopped is not None
        ledger.hand_holds_to_disputes(self.tx, PARTNER, SETTLEMENT, stopped)
        for n in CONNECTIONS:
            targets = self.case.targets(n, self.case.disputing, set())
            handed = rules.hand_over(wanted[n], list(targets.values()))
            assert self._holds(SETTLEMENT).get(self.ids[n], 0) == wanted[n] - sum(handed)
            assert self._held_by_disputes(n) == dict(zip(targets, handed, strict=True))

    def _execute(self) -> None:
        standing = [n for n in self.disputes if n not in self.case.approved]
        upheld = {n for n in self.disputes if self.case.approved.get(n)}
        objections = Objections(
            {self.disputes[n]: self.ids[n] for n in standing}, frozenset(self.ids[n] for n in upheld)
        )
        before = {n: (self._balance(n), self._held_by_disputes(n)) for n in CONNECTIONS}
        kept = self._holds(SETTLEMENT)
        run = transfers.run(self.tx, SETTLEMENT)
        assert run.net.get("ofcbtc", 0) == sum(self.case.final(n) for n in CONNECTIONS)
        entry = Entry(uuid4(), EntryKind.SETTLEMENT_EXECUTED, SETTLEMENT, PARTNER)
        change = {name: -by for name, by in run.net.items()}
        stopped = transfers.dispute_targets(self.tx, SETTLEMENT, objections)
        ledger.settle_run(self.tx, entry, run.moves, stopped, PARTNER_ACCOUNT, change)
        for n in CONNECTIONS:
            (available, in_hold), held = before[n]
            targets = self.case.targets(n, standing, upheld)
            missing = [max(0, target - held[one]) for one, target in targets.items()]
            done = rules.outcome(self.case.final(n), kept.get(self.ids[n], 0), missing)
            assert self._balance(n) == (available + done.available, in_hold + done.held)
            filled = dict(zip(targets, done.filled, strict=True))
            assert self._held_by_disputes(n) == {one: was + filled.get(one, 0) for one, was in held.items()}
        assert self._holds(SETTLEMENT) == {}

    def _transfer(self, move: Move, closure_id: UUID | None) -> None:
        destination, source, quantity = move
        other = None if source is None else self.ids[source]
        own = self.ids[destination]
        self._write(
            "INSERT INTO settlement_transfer (id, partner_id, settlement_id, dispute_closure_id, connection_id,"
            " network_account_id, counterparty_connection_id, counterparty_account_id, currency, quantity,"
            " created_at) VALUES (gen_random_uuid(), %s, %s, %s, %s, %s, %s, %s, 'ofcbtc', %s, %s)",
            *(PARTNER, SETTLEMENT, closure_id, own, own, other, other, Decimal(quantity), self.tx.now()),
        )

    def _write(self, statement: LiteralString, *values: object) -> None:
        self.tx.connection.execute(statement, values)

    def _balance(self, number: int) -> tuple[int, int]:
        statement = "SELECT available, held FROM balance WHERE account_id = %s"
        row = self.tx.connection.execute(statement, (self.ids[number],)).fetchone()
        assert row is not None
        return int(row[0]), int(row[1])

    def _held_by_disputes(self, number: int) -> dict[int, int]:
        account = self.ids[number]
        return {one: self._holds(dispute).get(account, 0) for one, dispute in self.disputes.items()}

    def _holds(self, cause: UUID) -> dict[UUID, int]:
        statement = "SELECT account_id, quantity FROM hold WHERE cause_id = %s"
        rows = self.tx.connection.execute(statement, (cause,)).fetchall()
        return {account: int(quantity) for account, quantity in rows}


@given(
    balances=st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 100), max_size=6),
    change=st.dictionaries(st.sampled_from("abcdef"), st.integers(-120, 120), max_size=6),
)
def test_balance_covers_a_change_that_keeps_it_from_going_negative(
    balances: dict[str, int], change: dict[str, int]
) -> None:
    for name, by in change.items():
        gap = rules.uncovered(balances.get(name, 0), by)
        assert gap >= 0
        assert (gap == 0) == (balances.get(name, 0) + by >= 0)
        assert balances.get(name, 0) + gap + by >= 0


def test_sql_and_rules_agree_on_shortfalls_of_immediate_settlements(cluster: TestCluster) -> None:
    with cluster.fresh_database() as dsn:
        database = Database(dsn, ManualClock(START))
        database.open()

        @settings(max_examples=100, deadline=None)
        @given(parts=st.lists(st.tuples(st.none() | st.integers(0, 10) | st.just(RICH), QUANTITY), max_size=8))
        def agree(parts: list[tuple[int | None, int]]) -> None:
            with database.transaction() as tx:
                given = {uuid4(): part for part in parts}
                run = _seed_run(tx, given)
                expected = {
                    account: rules.uncovered(available or 0, by) for account, (available, by) in given.items()
                }
                short = {gap.account_id: gap.shortfall for gap in ledger.uncovered_losses(tx, run)}
                assert short == {account: gap for account, gap in expected.items() if gap}
                tx.connection.rollback()

        agree()
        database.close()


def _seed_run(tx: Transaction, parts: dict[UUID, tuple[int | None, int]]) -> Relation:
    """Returns a run with one line for each balance. None: the account has no balance yet."""
    connection = tx.connection
    connection.execute("SET LOCAL session_replication_role = replica")
    for account, (available, _) in parts.items():
        if available is not None:
            connection.execute(_INSERT_BALANCE, (account, Decimal(available)))
    moves = {"accounts": list(parts), "moves": [Decimal(by) for _, by in parts.values()]}
    return Relation(
        "SELECT account_id, 'ofcbtc' AS currency, quantity"
        " FROM unnest(%(accounts)s::uuid[], %(moves)s::numeric[]) AS given (account_id, quantity)",
        moves,
    )


def test_failure_reason_of_an_immediate_settlement_names_both_sides() -> None:
    gaps = [FundingGap("ofcbtc", 10, 4)]
    assert rules.not_covered_reason("connection c is short of 1", []) == "connection c is short of 1"
    assert rules.not_covered_reason(None, gaps) == rules.failure_reason(gaps)
    both = rules.not_covered_reason("connection c is short of 1", gaps)
    assert both == f"connection c is short of 1; {rules.failure_reason(gaps)}"
