"""Reads and writes of on-chain settlements: their progress, their transfers, and the partners' deposits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from clearwindow.postgres.paging import NEWEST_FIRST, Listing, keyset_page
from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.queries import Queries
from clearwindow.settlements.onchain import rules
from clearwindow.settlements.onchain.chain import Payment, PaymentReport, Side
from clearwindow.settlements.onchain.models import (
    Deposit,
    DepositFilter,
    DepositStatus,
    Paid,
    Phase,
    Progress,
    Sla,
    Tally,
)

sql: Final = Queries("clearwindow.settlements.onchain")


@dataclass(frozen=True, slots=True)
class _Sum:
    currency: str
    quantity: int


@dataclass(frozen=True, slots=True)
class _SideTally(Tally):
    side: Side = Side.LOSS


@dataclass(frozen=True, slots=True)
class _PaymentRow:
    payment_id: UUID
    transfer_id: UUID
    partner_id: UUID
    network_account_id: UUID
    side: Side
    currency: str
    quantity: int


def reserve(tx: Transaction, partner_id: UUID, external_id: str, settlement_id: UUID) -> UUID:
    """Returns the id for the settlement with this externalId: a reserved one, else the given one."""
    key = {"partner_id": partner_id, "external_id": external_id}
    tx.run(sql["reserve_settlement"], **key, settlement_id=settlement_id, now=tx.now())
    return tx.scalars(UUID, sql["reserved_settlement"], **key)[0]


def reserved_external_id(tx: Transaction, partner_id: UUID, settlement_id: UUID) -> str | None:
    values = {"partner_id": partner_id, "settlement_id": settlement_id}
    found = tx.scalars(str, sql["reserved_external_id"], **values)
    return found[0] if found else None


def insert_progress(
    tx: Transaction, settlement_id: UUID, partner_id: UUID, *, losses: Sla | None, gains: Sla | None
) -> None:
    """Stores the progress of a settlement and of its transfers."""
    tx.run(
        sql["insert_progress"],
        settlement_id=settlement_id,
        partner_id=partner_id,
        phase=Phase.LOSSES,
        loss_alert_at=losses.alert_at if losses else None,
        loss_sla_at=losses.breach_at if losses else None,
        gain_alert_at=gains.alert_at if gains else None,
        gain_sla_at=gains.breach_at if gains else None,
    )
    tx.run(sql["insert_transfers"], settlement_id=settlement_id, now=tx.now())


def progress(tx: Transaction, settlement_id: UUID) -> Progress:
    """Returns the progress of a settlement. Lock the settlement first to change it."""
    return tx.one(Progress, sql["find_progress"], settlement_id=settlement_id)


def change_phase(tx: Transaction, progress: Progress, to: Phase) -> Progress:
    values = {"settlement_id": progress.settlement_id, "from": progress.phase, "to": to}
    if tx.run(sql["change_phase"], **values) != 1:
        raise AssertionError("a locked settlement changed its phase")
    return replace(progress, phase=to)


def tallies(tx: Transaction, settlement_id: UUID) -> dict[Side, Tally]:
    rows = tx.all(_SideTally, sql["tallies"], settlement_id=settlement_id, tries=rules.TRIES)
    found = {row.side: row for row in rows}
    return {side: found.get(side, Tally()) for side in Side}


def initiate(tx: Transaction, settlement_id: UUID, side: Side, limit: int) -> int:
    values = {"settlement_id": settlement_id, "side": side, "limit": limit}
    return tx.run(sql["initiate"], **values, tries=rules.TRIES, now=tx.now())


def count_under_way(tx: Transaction, settlement_id: UUID) -> int:
    return tx.scalars(int, sql["count_under_way"], settlement_id=settlement_id)[0]


def payments_under_way(tx: Transaction, settlement_id: UUID, route_id: str | None, limit: int) -> list[Payment]:
    rows = tx.all(_PaymentRow, sql["payments_under_way"], settlement_id=settlement_id, limit=limit)
    return [
        Payment(
            id=row.payment_id,
            transfer_id=row.transfer_id,
            partner_id=row.partner_id,
            network_account_id=row.network_account_id,
            side=row.side,
            currency=row.currency,
            quantity=row.quantity,
            route_id=route_id,
        )
        for row in rows
    ]


def record_transaction_ids(tx: Transaction, reports: Sequence[PaymentReport]) -> None:
    if reports:
        tx.run(sql["record_transaction_ids"], **_arrays(reports), now=tx.now())


def complete(tx: Transaction, settlement_id: UUID, reports: Sequence[PaymentReport]) -> list[Paid]:
    """Completes those of the payments that are still under way. Returns what they moved."""
    if not reports:
        return []
    return tx.all(Paid, sql["complete"], settlement_id=settlement_id, **_arrays(reports), now=tx.now())


def fail(tx: Transaction, settlement_id: UUID, reports: Sequence[PaymentReport]) -> None:
    if not reports:
        return
    tx.run(
        sql["fail"],
        settlement_id=settlement_id,
        **_arrays(reports),
        failures=[report.failure or "the chain gave no reason" for report in reports],
        retry_seconds=[rules.retry_seconds(failures) for failures in range(1, rules.TRIES + 1)],
        tries=rules.TRIES,
        now=tx.now(),
    )


def retry_failed(tx: Transaction, settlement_id: UUID) -> int:
    return tx.run(sql["retry_failed"], settlement_id=settlement_id, now=tx.now())


def last_failure(tx: Transaction, settlement_id: UUID, side: Side) -> str:
    return tx.scalars(str, sql["last_failure"], settlement_id=settlement_id, side=side)[0]


def gains(tx: Transaction, settlement_id: UUID) -> dict[str, int]:
    """Returns what all clients together gain, by currency."""
    rows = tx.all(_Sum, sql["gains"], settlement_id=settlement_id)
    return {row.currency: row.quantity for row in rows}


def insert_deposits(
    tx: Transaction,
    partner_id: UUID,
    settlement_id: UUID,
    external_settlement_id: str,
    given: Mapping[UUID, tuple[str, str, str]],
    request_sha256: bytes,
) -> None:
    """Stores deposits. ``given``: by id our currency, the partner's name of it, the chain's transaction id."""
    tx.run(
        sql["insert_deposits"],
        partner_id=partner_id,
        settlement_id=settlement_id,
        external_settlement_id=external_settlement_id,
        ids=list(given),
        currencies=[currency for currency, _, _ in given.values()],
        partner_currencies=[name for _, name, _ in given.values()],
        tx_ids=[tx_id for _, _, tx_id in given.values()],
        request_sha256=request_sha256,
        now=tx.now(),
    )


def find_deposits_of_request(
    tx: Transaction, partner_id: UUID, request_sha256: bytes, transactions: Sequence[tuple[str, str]]
) -> list[Deposit]:
    """Returns the request's deposits in its order, if exactly this request has stored one of them. Else none.

    ``transactions``: the partner's currency name and the chain's transaction id of each.
    """
    rows = tx.all(
        Deposit,
        sql["find_deposits_of_request"],
        partner_id=partner_id,
        request_sha256=request_sha256,
        partner_currencies=[name for name, _ in transactions],
        tx_ids=[tx_id for _, tx_id in transactions],
    )
    found = {(row.partner_currency, row.on_chain_tx_id): row for row in rows}
    return [found[key] for key in transactions] if found.keys() == set(transactions) else []


def find_deposits(
    tx: Transaction, partner_id: UUID, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], Deposit]:
    """Returns the partner's deposits, by our currency and the chain's transaction id."""
    rows = tx.all(
        Deposit,
        sql["find_deposits"],
        partner_id=partner_id,
        currencies=[currency for currency, _ in keys],
        tx_ids=[tx_id for _, tx_id in keys],
    )
    return {(row.currency, row.on_chain_tx_id): row for row in rows}


def find_deposit(tx: Transaction, deposit_id: UUID) -> Deposit | None:
    return tx.first(Deposit, sql["find_deposit"], id=deposit_id)


def lock_deposit(tx: Transaction, deposit_id: UUID) -> Deposit:
    return tx.one(Deposit, sql["lock_deposit"], id=deposit_id)


def confirmed_deposits(tx: Transaction, settlement_id: UUID) -> list[Deposit]:
    """Locks and returns the deposits that are held for the settlement."""
    return tx.all(Deposit, sql["confirmed_deposits"], settlement_id=settlement_id)


def decide_deposit(
    tx: Transaction,
    deposit_id: UUID,
    to: DepositStatus,
    *,
    quantity: int | None = None,
    entry_id: UUID | None = None,
    failure: str | None = None,
) -> None:
    values = {"to": to, "quantity": quantity, "entry_id": entry_id, "failure": failure}
    if tx.run(sql["decide_deposit"], id=deposit_id, **values, now=tx.now()) != 1:
        raise AssertionError("a locked deposit changed its status")


def end_deposits(tx: Transaction, deposits: Sequence[Deposit], to: DepositStatus) -> None:
    if tx.run(sql["end_deposits"], ids=[deposit.id for deposit in deposits], to=to, now=tx.now()) != len(deposits):
        raise AssertionError("a locked deposit changed its status")


def postpone_deposit(
    tx: Transaction, deposit_id: UUID, due_at: datetime, attempts: int, error: str | None = None
) -> None:
    tx.run(sql["postpone_deposit"], id=deposit_id, due_at=due_at, attempts=attempts, error=error)


def due_deposits(tx: Transaction, limit: int) -> list[Deposit]:
    return tx.all(Deposit, sql["due_deposits"], now=tx.now(), limit=limit)


def count_due_deposits(tx: Transaction) -> int:
    return tx.scalars(int, sql["count_due_deposits"], now=tx.now())[0]


def next_deposit_due_at(tx: Transaction) -> datetime | None:
    return tx.scalars(datetime, sql["next_deposit_due_at"])[0]


def list_deposits(tx: Transaction, wanted: DepositFilter) -> Listing[Deposit]:
    filters = {
        "partner_ids": wanted.partner_ids,
        "settlement_ids": wanted.settlement_ids,
        "statuses": wanted.statuses,
        "created_on_or_after": wanted.created_on_or_after,
        "created_before": wanted.created_before,
    }
    return keyset_page(tx, Deposit, sql["list_deposits"], filters, NEWEST_FIRST, wanted.part)


def _arrays(reports: Sequence[PaymentReport]) -> dict[str, list[object]]:
    return {
        "payment_ids": [report.payment_id for report in reports],
        "tx_ids": [report.tx_id for report in reports],
    }
