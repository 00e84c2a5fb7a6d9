"""What a settlement does to money: the rules say it for one balance, SQL for all of them. Protocol §5.4."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID, uuid4

from hypothesis import given, settings
from hypothesis import strategies as st

from clearwindow.accounts import batches
from clearwindow.accounts.values import Entry, EntryKind
from clearwindow.clock import ManualClock
from clearwindow.database.pool import Database, Transaction
from clearwindow.settlements import rules
from clearwindow.settlements.values import FundingGap
from clearwindow.transfers import service as transfers
from tests.conftest import START
from tests.support.databases import TestCluster

QUANTITY = st.integers(-(10**30), 10**30) | st.integers(-5, 5)
PARTNER, PARTNER_ACCOUNT, SETTLEMENT = uuid4(), uuid4(), uuid4()
RICH = 10**40


@dataclass(frozen=True)
class Part:
    """What a settlement does on one balance, and what the balance has."""

    new: int
    pulled_in: int
    disputed: bool
    approved: bool
    available: int

    @property
    def quantities(self) -> list[tuple[int, bool]]:
        """(quantity, pulled in) of its transfers."""
        parts = [(self.new, False), (self.pulled_in, True)]
        return [(quantity, pulled) for quantity, pulled in parts if quantity != 0]


PARTS = st.builds(
    Part,
    new=QUANTITY,
    pulled_in=QUANTITY,
    disputed=st.booleans(),
    approved=st.booleans(),
    available=st.just(RICH) | st.integers(0, 10),
)


@given(new=QUANTITY, pulled_in=QUANTITY)
def test_the_liability_covers_both_outcomes(new: int, pulled_in: int) -> None:
    held = rules.liability(new, pulled_in)
    assert held >= 0
    assert held + new + pulled_in >= 0
    assert held + pulled_in >= 0
    assert held == 0 or 0 in {held + new + pulled_in, held + pulled_in}


@given(new=QUANTITY, pulled_in=QUANTITY)
def test_a_split_hold_loses_nothing(new: int, pulled_in: int) -> None:
    keeps, handed_over = rules.split_hold(new, pulled_in)
    assert keeps >= 0
    assert handed_over >= 0
    assert keeps + handed_over == rules.liability(new, pulled_in)
    assert keeps + pulled_in >= 0


@given(new=QUANTITY, pulled_in=QUANTITY, disputed=st.booleans(), held=st.none() | st.integers(0, 10**30))
def test_executing_takes_exactly_what_is_final(
    new: int, pulled_in: int, *, disputed: bool, held: int | None
) -> None:
    done = rules.outcome(new, pulled_in, disputed=disputed, dispute_held=held)
    assert done.available + done.held == pulled_in + (0 if disputed else new)
    assert done.available >= 0
    assert done.dispute_filled >= 0
    if held is not None and disputed:
        assert done.dispute_filled == 0 or held + done.dispute_filled <= -new


@given(
    available=st.dictionaries(st.sampled_from("abc"), st.integers(0, 100)),
    change=st.dictionaries(st.sampled_from("abc"), st.integers(-100, 100)),
)
def test_a_settlement_executes_when_no_currency_ends_negative(
    available: dict[str, int], change: dict[str, int]
) -> None:
    gaps = rules.funding_gaps(available, change)
    ends = {currency: available.get(currency, 0) + quantity for currency, quantity in change.items()}
    assert {gap.currency: gap.shortfall for gap in gaps} == {name: -end for name, end in ends.items() if end < 0}


def test_the_reason_names_every_currency_and_shortfall() -> None:
    gaps = [FundingGap("ofcbtc", 10, 4), FundingGap("ofcusd", 7, 0)]
    assert rules.failure_reason(gaps) == (
        "the partner's account is short of ofcbtc by 6 (needs 10, has 4), ofcusd by 7 (needs 7, has 0)"
    )


def test_sql_and_rules_agree(cluster: TestCluster) -> None:
    with cluster.fresh_database() as dsn:
        database = Database(dsn, ManualClock(START))
        database.open()

        @settings(max_examples=150, deadline=None)
        @given(parts=st.lists(PARTS, min_size=1, max_size=6))
        def agree(parts: list[Part]) -> None:
            with database.transaction() as tx:
                _compare(tx, parts)
                tx.connection.rollback()

        agree()
        database.close()


def _compare(tx: Transaction, parts: list[Part]) -> None:
    # The rows around these, which foreign keys would ask for, decide nothing here.
    tx.connection.execute("SET LOCAL session_replication_role = replica")
    accounts = [_seed(tx, part) for part in parts]
    _seed_partner(tx)
    transfers.compute_liabilities(tx, SETTLEMENT)
    entry = Entry(uuid4(), EntryKind.SETTLEMENT_HELD, SETTLEMENT, PARTNER)
    short = {gap.account_id: gap.shortfall for gap in batches.hold_liabilities(tx, entry, [])}
    wanted = {
        account: rules.liability(part.new, part.pulled_in) for account, part in zip(accounts, parts, strict=True)
    }
    assert short == {
        account: wanted[account] - part.available
        for account, part in zip(accounts, parts, strict=True)
        if wanted[account] > part.available
    }
    if short:
        return
    assert _holds(tx, SETTLEMENT) == {account: held for account, held in wanted.items() if held}
    disputes = {
        uuid4(): account for account, part in zip(accounts, parts, strict=True) if part.disputed and part.new
    }
    _dispute(tx, disputes)
    by_account = {account: dispute for dispute, account in disputes.items()}
    for account, part in zip(accounts, parts, strict=True):
        if account in by_account:
            keeps, handed_over = rules.split_hold(part.new, part.pulled_in)
            assert _holds(tx, SETTLEMENT).get(account, 0) == keeps
            assert _holds(tx, by_account[account]).get(account, 0) == handed_over
    _execute_and_compare(tx, dict(zip(accounts, parts, strict=True)), by_account)


def _execute_and_compare(tx: Transaction, parts: dict[UUID, Part], disputes: dict[UUID, UUID]) -> None:
    unapproved = {disputes[account]: account for account in disputes if not parts[account].approved}
    before = {account: _balance(tx, account) for account in parts}
    held = {account: _holds(tx, dispute).get(account, 0) for account, dispute in disputes.items()}
    change = {
        currency: -quantity for currency, quantity in transfers.compute_run(tx, SETTLEMENT, unapproved).items()
    }
    entry = Entry(uuid4(), EntryKind.SETTLEMENT_EXECUTED, SETTLEMENT, PARTNER)
    batches.settle_run(tx, entry, PARTNER_ACCOUNT, {name: by for name, by in change.items() if by})
    for account, part in parts.items():
        disputed = account in disputes
        open_hold = held[account] if disputed and not part.approved else None
        done = rules.outcome(part.new, part.pulled_in, disputed=disputed, dispute_held=open_hold)
        available, in_hold = before[account]
        assert _balance(tx, account) == (available + done.available, in_hold + done.held)
        if disputed:
            assert _holds(tx, disputes[account]).get(account, 0) == held[account] + done.dispute_filled
    assert _holds(tx, SETTLEMENT) == {}


def _seed(tx: Transaction, part: Part) -> UUID:
    """One balance with its transfers; connection and account share an id, for neither is looked up here."""
    account = uuid4()
    connection = tx.connection
    connection.execute("INSERT INTO balance VALUES (%s, 'ofcbtc', %s, 0)", (account, Decimal(part.available)))
    connection.execute(
        "INSERT INTO settlement_party VALUES (%s, %s, %s, %s, false)", (SETTLEMENT, PARTNER, account, tx.now())
    )
    for quantity, pulled_in in part.quantities:
        connection.execute(
            "INSERT INTO settlement_transfer (id, partner_id, settlement_id, dispute_closure_id, connection_id,"
            " network_account_id, currency, quantity, created_at)"
            " VALUES (gen_random_uuid(), %s, %s, %s, %s, %s, 'ofcbtc', %s, %s)",
            (PARTNER, SETTLEMENT, uuid4() if pulled_in else None, account, account, Decimal(quantity), tx.now()),
        )
    return account


def _seed_partner(tx: Transaction) -> None:
    tx.connection.execute("INSERT INTO balance VALUES (%s, 'ofcbtc', %s, 0)", (PARTNER_ACCOUNT, Decimal(RICH)))


def _dispute(tx: Transaction, disputes: dict[UUID, UUID]) -> None:
    if disputes:
        transfers.mark_disputed(tx, SETTLEMENT, list(disputes.values()))
        transfers.compute_kept(tx, SETTLEMENT, disputes)
        batches.hand_holds_to_disputes(tx, PARTNER, SETTLEMENT)


def _balance(tx: Transaction, account: UUID) -> tuple[int, int]:
    row = tx.connection.execute("SELECT available, held FROM balance WHERE account_id = %s", (account,)).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def _holds(tx: Transaction, cause: UUID) -> dict[UUID, int]:
    rows = tx.connection.execute("SELECT account_id, quantity FROM hold WHERE cause_id = %s", (cause,)).fetchall()
    return {account: int(quantity) for account, quantity in rows}


@given(
    balances=st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 100), max_size=6),
    change=st.dictionaries(st.sampled_from("abcdef"), st.integers(-120, 120), max_size=6),
)
def test_a_balance_covers_what_does_not_take_it_below_nothing(
    balances: dict[str, int], change: dict[str, int]
) -> None:
    for name, by in change.items():
        gap = rules.uncovered(balances.get(name, 0), by)
        assert gap >= 0
        assert (gap == 0) == (balances.get(name, 0) + by >= 0)
        assert balances.get(name, 0) + gap + by >= 0


def test_sql_and_rules_agree_on_what_settling_at_once_is_short_of(cluster: TestCluster) -> None:
    with cluster.fresh_database() as dsn:
        database = Database(dsn, ManualClock(START))
        database.open()

        @settings(max_examples=100, deadline=None)
        @given(parts=st.lists(st.tuples(st.none() | st.integers(0, 10) | st.just(RICH), QUANTITY), max_size=8))
        def agree(parts: list[tuple[int | None, int]]) -> None:
            with database.transaction() as tx:
                given = {uuid4(): part for part in parts}
                _seed_run(tx, given)
                expected = {
                    account: rules.uncovered(available or 0, by) for account, (available, by) in given.items()
                }
                short = {gap.account_id: gap.shortfall for gap in batches.uncovered_losses(tx)}
                assert short == {account: gap for account, gap in expected.items() if gap}
                tx.connection.rollback()

        agree()
        database.close()


def _seed_run(tx: Transaction, parts: dict[UUID, tuple[int | None, int]]) -> None:
    """A run with one balance to each line; None where the account has no balance yet."""
    connection = tx.connection
    connection.execute("SET LOCAL session_replication_role = replica")
    connection.execute(
        "CREATE TEMPORARY TABLE run (account_id uuid, currency text, quantity numeric) ON COMMIT DROP"
    )
    for account, (available, by) in parts.items():
        connection.execute("INSERT INTO run VALUES (%s, 'ofcbtc', %s)", (account, Decimal(by)))
        if available is not None:
            connection.execute("INSERT INTO balance VALUES (%s, 'ofcbtc', %s, 0)", (account, Decimal(available)))


def test_the_reason_of_settling_at_once_names_both_sides() -> None:
    gaps = [FundingGap("ofcbtc", 10, 4)]
    assert rules.not_covered_reason("connection c is short of 1", []) == "connection c is short of 1"
    assert rules.not_covered_reason(None, gaps) == rules.failure_reason(gaps)
    both = rules.not_covered_reason("connection c is short of 1", gaps)
    assert both == f"connection c is short of 1; {rules.failure_reason(gaps)}"
