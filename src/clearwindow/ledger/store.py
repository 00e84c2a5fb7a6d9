"""All SQL of accounts, balances, holds and the journal. Money moves only through the functions of this module.

The functions for a whole settlement (``hold_liabilities`` to ``release_holds``) run one statement over queries that
the caller gives: what it takes, what disputes stop, what moves. ``queries.sql`` has their columns, as the relations
``liability``, ``dispute_target`` and ``run``. The caller holds the partner's lock. Under that lock nothing else
moves more than one network balance at a time, so these statements need not lock balances first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Final
from uuid import UUID

from clearwindow.core.errors import UnavailableError
from clearwindow.ledger.models import (
    AccountKind,
    Balance,
    BalanceKey,
    Balances,
    Entry,
    EntryFilter,
    HeldTotal,
    Hold,
    HoldCause,
    JournalEntry,
    Movement,
    Shortfall,
)
from clearwindow.postgres.asking import Later
from clearwindow.postgres.paging import NEWEST_FIRST, Listing, Slice, keyset_page
from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.queries import Queries, Relation

sql: Final = Queries("clearwindow.ledger")
_CHANGED_MEANWHILE: Final = (
    "balances changed while your request was carried out, and nothing was written: send exactly the same request"
    " again"
)


@dataclass(frozen=True, slots=True)
class _Uncovered:
    """A liability that its balance did not cover. ``already``: what former causes held of it."""

    account_id: UUID
    currency: str
    liability: int
    already: int


@dataclass(frozen=True, slots=True)
class _BalanceRow:
    account_id: UUID
    currency: str
    available: int
    held: int

    def key(self) -> BalanceKey:
        return BalanceKey(self.account_id, self.currency)

    def balance(self) -> Balance:
        return Balance(self.available, self.held)


@dataclass(frozen=True, slots=True)
class _HoldRow:
    cause_id: UUID
    account_id: UUID
    currency: str
    quantity: int


@dataclass(frozen=True, slots=True)
class _Moved:
    wanted: int
    done: int


def insert_account(tx: Transaction, account_id: UUID, kind: AccountKind, partner_id: UUID) -> None:
    """Opens an account without balances. A Go Account belongs to no partner: its ``partner_id`` is NIL."""
    tx.run(sql["insert_account"], id=account_id, kind=kind, partner_id=partner_id, now=tx.now())


def balances_of(tx: Transaction, account_ids: Iterable[UUID]) -> dict[UUID, dict[str, Balance]]:
    """Returns the balances of each account by currency. An account without balances has an empty record."""
    wanted = list(account_ids)
    found: dict[UUID, dict[str, Balance]] = {account_id: {} for account_id in wanted}
    for row in tx.all(_BalanceRow, sql["list_balances"], account_ids=wanted):
        found[row.account_id][row.currency] = row.balance()
    return found


def lock_balances(tx: Transaction, keys: Iterable[BalanceKey]) -> Balances:
    """Locks the balances in the one fixed order and returns them. A missing balance is created with zero.

    One call must lock all balances that one decision needs.
    """
    wanted = sorted(set(keys))
    arrays = {
        "account_ids": [key.account_id for key in wanted],
        "currencies": [key.currency for key in wanted],
    }
    tx.run(sql["add_missing_balances"], **arrays)
    return {row.key(): row.balance() for row in tx.all(_BalanceRow, sql["lock_balances"], **arrays)}


def post(tx: Transaction, entry: Entry, movements: Sequence[Movement], holds: Sequence[Hold] = ()) -> None:
    """Writes one journal entry, moves the balances and sets the holds that explain it. Protocol §10.3.

    The caller has locked the balances. The database refuses a balance below zero.
    """
    _require_zero_sum(movements)
    insert_entry(tx, entry)
    (moved,) = tx.scalars(
        int,
        sql["post_movements"],
        entry_id=entry.id,
        account_ids=[movement.key.account_id for movement in movements],
        currencies=[movement.key.currency for movement in movements],
        available=[Decimal(movement.available) for movement in movements],
        held=[Decimal(movement.held) for movement in movements],
    )
    if moved != len({movement.key for movement in movements}):
        raise LookupError("a movement names a balance that does not exist")
    if holds:
        put_holds(tx, holds)


def insert_entry(tx: Transaction, entry: Entry) -> None:
    tx.tell(
        sql["insert_entry"],
        id=entry.id,
        partner_id=entry.partner_id,
        kind=entry.kind,
        cause_id=entry.cause_id,
        reference=entry.reference,
        now=tx.now(),
    )


def put_holds(tx: Transaction, holds: Sequence[Hold]) -> None:
    """Sets each hold to its ``quantity``. Zero removes the hold. No balance changes."""
    tx.run(
        sql["put_holds"],
        cause_ids=[hold.cause_id for hold in holds],
        cause_kinds=[str(hold.cause) for hold in holds],
        partner_ids=[hold.partner_id for hold in holds],
        account_ids=[hold.key.account_id for hold in holds],
        currencies=[hold.key.currency for hold in holds],
        quantities=[Decimal(hold.quantity) for hold in holds],
    )


def reduce_holds(tx: Transaction, cause_id: UUID, quantities: Mapping[BalanceKey, int]) -> None:
    """Reduces the holds of a cause by quantities that an entry has moved."""
    covered = tx.scalars(
        int,
        sql["reduce_holds"],
        cause_id=cause_id,
        account_ids=[key.account_id for key in quantities],
        currencies=[key.currency for key in quantities],
        quantities=[Decimal(quantity) for quantity in quantities.values()],
    )[0]
    if covered != len(quantities):
        raise AssertionError(f"{len(quantities)} holds had to cover a movement, {covered} did")


def drop_holds(tx: Transaction, cause_ids: Iterable[UUID]) -> None:
    """Removes the holds of these causes. The caller moves the balances back or holds them for another cause."""
    tx.run(sql["drop_holds"], cause_ids=list(cause_ids))


def holds_of(tx: Transaction, cause_ids: Iterable[UUID]) -> dict[UUID, dict[BalanceKey, int]]:
    """Returns what each cause holds on each balance. A cause without holds has an empty record."""
    causes = list(cause_ids)
    held: dict[UUID, dict[BalanceKey, int]] = {cause_id: {} for cause_id in causes}
    for row in tx.all(_HoldRow, sql["list_holds"], cause_ids=causes):
        held[row.cause_id][BalanceKey(row.account_id, row.currency)] = row.quantity
    return held


def held_totals(tx: Transaction, cause_id: UUID) -> list[HeldTotal]:
    """Returns how much a cause holds of each currency."""
    return tx.all(HeldTotal, sql["held_totals"], cause_id=cause_id)


def holds_on(
    tx: Transaction, cause_ids: Iterable[UUID], account_ids: Iterable[UUID]
) -> dict[UUID, dict[BalanceKey, int]]:
    """Returns what each cause holds on the balances of these accounts."""
    causes, accounts = list(cause_ids), list(account_ids)
    held: dict[UUID, dict[BalanceKey, int]] = {cause_id: {} for cause_id in causes}
    for row in tx.all(_HoldRow, sql["list_holds_on"], cause_ids=causes, account_ids=accounts):
        held[row.cause_id][BalanceKey(row.account_id, row.currency)] = row.quantity
    return held


def list_entries(tx: Transaction, wanted: EntryFilter, part: Slice) -> Listing[JournalEntry]:
    return keyset_page(tx, JournalEntry, sql["list_entries"], asdict(wanted), NEWEST_FIRST, part)


def hold_liabilities(
    tx: Transaction, entry: Entry, liability: Relation, former_cause_ids: Sequence[UUID] = ()
) -> Later[list[Shortfall]]:
    """Holds every liability for the entry's settlement and takes over the holds of the former causes.

    Returns:
        The liabilities that are not covered. If there is one, the caller must roll the transaction back.
    """
    insert_entry(tx, entry)
    uncovered = tx.ask.all(
        _Uncovered,
        sql.over("hold_liabilities", liability=liability),
        **liability.values,
        partner_id=entry.partner_id,
        entry_id=entry.id,
        cause_id=entry.cause_id,
        cause_kind=HoldCause.SETTLEMENT,
        former_cause_ids=list(former_cause_ids),
    )
    return uncovered.then(lambda short: _shortfalls(tx, short))


def coverage(liability: Relation, former_cause_ids: Sequence[UUID] = ()) -> Relation:
    """Returns the query for what ``hold_liabilities`` would find: what each balance must cover, and can.

    Its columns are account_id, currency, needed, available and shortfall.
    """
    values = {**liability.values, "former_cause_ids": list(former_cause_ids)}
    return Relation(sql.over("coverage", liability=liability), values)


def replace_holds(
    tx: Transaction,
    entry: Entry,
    settlement_id: UUID,
    liability: Relation,
    ended_cause_ids: Sequence[UUID] = (),
) -> list[Shortfall]:
    """Makes what the settlement holds equal to its liabilities and ends the holds of other causes.

    Returns:
        The liabilities that are not covered. If there is one, the caller must roll the transaction back.
    """
    insert_entry(tx, entry)
    uncovered = tx.all(
        _Uncovered,
        sql.over("replace_holds", liability=liability),
        **liability.values,
        partner_id=entry.partner_id,
        entry_id=entry.id,
        cause_id=settlement_id,
        cause_kind=HoldCause.SETTLEMENT,
        ended_cause_ids=list(ended_cause_ids),
    )
    return _shortfalls(tx, uncovered)


def _shortfalls(tx: Transaction, uncovered: Sequence[_Uncovered]) -> list[Shortfall]:
    """Returns what is short by what the balances have now.

    Raises:
        UnavailableError: money has come since, so that nothing is short any more.
    """
    if not uncovered:
        return []
    left = balances_of(tx, {one.account_id for one in uncovered})
    found = []
    for one in uncovered:
        balance = left[one.account_id].get(one.currency)
        available = one.already + (balance.available if balance else 0)
        found.append(Shortfall(one.account_id, one.currency, one.liability, available))
    short = [one for one in found if one.shortfall > 0]
    if not short:
        raise UnavailableError("database_busy", _CHANGED_MEANWHILE)
    return short


def hand_holds_to_disputes(tx: Transaction, partner_id: UUID, settlement_id: UUID, targets: Relation) -> None:
    """Moves holds from the settlement to its disputes, up to what each stops. No balance changes."""
    statement = sql.over("hand_holds_to_disputes", dispute_target=targets)
    tx.run(statement, **{**targets.values, "partner_id": partner_id, "settlement_id": settlement_id})


def settle_run(
    tx: Transaction,
    entry: Entry,
    run: Relation,
    targets: Relation | None,
    partner_account_id: UUID,
    partner_change: Mapping[str, int],
) -> None:
    """Executes what runs for the entry's settlement. The partner's account changes by ``partner_change``.

    Gains first fill the holds of the disputes in ``targets``, up to what each stops.
    """
    insert_entry(tx, entry)
    given = {"run": run} if targets is None else {"run": run, "dispute_target": targets}
    values = {name: value for relation in given.values() for name, value in relation.values.items()}
    values |= {
        "partner_id": entry.partner_id,
        "entry_id": entry.id,
        "settlement_id": entry.cause_id,
        "partner_account_id": partner_account_id,
        "partner_currencies": list(partner_change),
        "partner_quantities": [Decimal(quantity) for quantity in partner_change.values()],
    }
    moved = tx.one(_Moved, sql.over("settle_run", **given), **values)
    if moved.wanted != moved.done:
        raise AssertionError(f"{moved.wanted} balances had to move, {moved.done} did")


def settle_each(
    tx: Transaction, partner_id: UUID, entries: Sequence[Entry], moves: Relation, partner_account_id: UUID
) -> None:
    """Executes settlements of one partner, each by the entry that names it, and as if each were executed alone.

    What runs needs no hold of a dispute. The partner's account gains what connections lose, and the reverse.
    """
    tx.tell(
        sql["insert_entries"],
        ids=[entry.id for entry in entries],
        partner_id=partner_id,
        kinds=[str(entry.kind) for entry in entries],
        cause_ids=[entry.cause_id for entry in entries],
        now=tx.now(),
    )
    values = dict(moves.values) | {
        "partner_id": partner_id,
        "entry_ids": [entry.id for entry in entries],
        "cause_ids": [entry.cause_id for entry in entries],
        "partner_account_id": partner_account_id,
    }
    moved = tx.one(_Moved, sql.over("settle_each", runs=moves), **values)
    if moved.wanted != moved.done:
        raise AssertionError(f"{moved.wanted} balances had to move, {moved.done} did")


def uncovered_losses(tx: Transaction, run: Relation) -> list[Shortfall]:
    """Returns the losses of ``run`` that the available balances do not cover. The losing balances stay locked."""
    tx.run(sql.over("lock_losing_balances", run=run), **run.values)
    return tx.all(Shortfall, sql.over("uncovered_losses", run=run), **run.values)


def release_holds(tx: Transaction, entry: Entry) -> None:
    """Releases everything that the entry's cause holds."""
    insert_entry(tx, entry)
    moved = tx.one(_Moved, sql["release_holds"], entry_id=entry.id, cause_id=entry.cause_id)
    if moved.wanted != moved.done:
        raise AssertionError(f"{moved.wanted} balances had to move, {moved.done} did")


def _require_zero_sum(movements: Iterable[Movement]) -> None:
    """An entry that creates or destroys money is a defect of the caller, so it never reaches the journal."""
    sums: defaultdict[str, int] = defaultdict(int)
    for movement in movements:
        sums[movement.key.currency] += movement.available + movement.held
    unbalanced = sorted(currency for currency, total in sums.items() if total != 0)
    if unbalanced:
        raise AssertionError(f"a journal entry does not sum to zero in {', '.join(unbalanced)}")
