"""Reads and writes of on-chain settlements: their courses, their transfers, and the partners' deposits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from clearwindow.database.listing import Listing, list_page
from clearwindow.database.pool import Transaction
from clearwindow.database.queries import Queries
from clearwindow.onchain import rules
from clearwindow.onchain.chain import Payment, PaymentReport, Side
from clearwindow.onchain.values import Course, Deposit, DepositStatus, Paid, Phase, Sla, Tally

sql: Final = Queries("clearwindow.onchain")


@dataclass(frozen=True, slots=True)
class _CurrencyQuantity:
    currency: str
    quantity: Decimal


def reserve(tx: Transaction, partner_id: UUID, external_id: str, settlement_id: UUID) -> UUID:
    """The id of the settlement with this externalId: the one given, unless it has one already."""
    place = {"partner_id": partner_id, "external_id": external_id}
    tx.run(sql["reserve_settlement"], **place, settlement_id=settlement_id, now=tx.now())
    return tx.scalars(UUID, sql["reserved_settlement"], **place)[0]


def reserved_external_id(tx: Transaction, partner_id: UUID, settlement_id: UUID) -> str | None:
    values = {"partner_id": partner_id, "settlement_id": settlement_id}
    found = tx.scalars(str, sql["reserved_external_id"], **values)
    return found[0] if found else None


def insert_course(
    tx: Transaction, settlement_id: UUID, partner_id: UUID, *, losses: Sla | None, gains: Sla | None
) -> None:
    """Makes the course of a settlement and those of its transfers."""
    tx.run(
        sql["insert_course"],
        settlement_id=settlement_id,
        partner_id=partner_id,
        phase=Phase.LOSSES,
        loss_alert_at=losses.alert_at if losses else None,
        loss_sla_at=losses.breach_at if losses else None,
        gain_alert_at=gains.alert_at if gains else None,
        gain_sla_at=gains.breach_at if gains else None,
    )
    tx.run(sql["insert_transfers"], settlement_id=settlement_id, now=tx.now())


def course(tx: Transaction, settlement_id: UUID) -> Course:
    """The course of an on-chain settlement; the settlement is locked where it is about to be changed."""
    found = tx.one(Course, sql["find_course"], settlement_id=settlement_id)
    return replace(found, phase=Phase(found.phase))


def change_phase(tx: Transaction, course: Course, to: Phase) -> Course:
    values = {"settlement_id": course.settlement_id, "from": course.phase, "to": to}
    if tx.run(sql["change_phase"], **values) != 1:
        raise AssertionError("a locked settlement changed its phase")
    return replace(course, phase=to)


def tallies(tx: Transaction, settlement_id: UUID) -> dict[Side, Tally]:
    rows: list[dict[str, Any]] = tx.records(sql["tallies"], settlement_id=settlement_id, tries=rules.TRIES)
    found = {Side(row.pop("side")): Tally(**row) for row in rows}
    return {side: found.get(side, Tally()) for side in Side}


def initiate(tx: Transaction, settlement_id: UUID, side: Side, limit: int) -> int:
    values = {"settlement_id": settlement_id, "side": side, "limit": limit}
    return tx.run(sql["initiate"], **values, tries=rules.TRIES, now=tx.now())


def count_under_way(tx: Transaction, settlement_id: UUID) -> int:
    return tx.scalars(int, sql["count_under_way"], settlement_id=settlement_id)[0]


def payments_under_way(tx: Transaction, settlement_id: UUID, route_id: str | None, limit: int) -> list[Payment]:
    rows: list[dict[str, Any]] = tx.records(sql["payments_under_way"], settlement_id=settlement_id, limit=limit)
    return [
        Payment(
            id=row["payment_id"],
            transfer_id=row["transfer_id"],
            partner_id=row["partner_id"],
            network_account_id=row["network_account_id"],
            side=Side(row["side"]),
            currency=row["currency"],
            quantity=int(row["quantity"]),
            route_id=route_id,
        )
        for row in rows
    ]


def name_transactions(tx: Transaction, reports: Sequence[PaymentReport]) -> None:
    if reports:
        tx.run(sql["name_transactions"], **_arrays(reports), now=tx.now())


def complete(tx: Transaction, settlement_id: UUID, reports: Sequence[PaymentReport]) -> list[Paid]:
    """Completes what is still under way of these payments; gives what that moves."""
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
    """What all clients together gain, per currency."""
    rows = tx.all(_CurrencyQuantity, sql["gains"], settlement_id=settlement_id)
    return {row.currency: int(row.quantity) for row in rows}


def insert_deposits(
    tx: Transaction,
    partner_id: UUID,
    settlement_id: UUID,
    external_settlement_id: str,
    given: Mapping[UUID, tuple[str, str, str]],
) -> None:
    """``given``: by id our currency, the partner's name of it, and the chain's name of the transaction."""
    tx.run(
        sql["insert_deposits"],
        partner_id=partner_id,
        settlement_id=settlement_id,
        external_settlement_id=external_settlement_id,
        ids=list(given),
        currencies=[currency for currency, _, _ in given.values()],
        partner_currencies=[name for _, name, _ in given.values()],
        tx_ids=[tx_id for _, _, tx_id in given.values()],
        now=tx.now(),
    )


def find_deposits(
    tx: Transaction, partner_id: UUID, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], Deposit]:
    """The partner's deposits by our currency and the chain's name of the transaction."""
    rows = tx.all(
        Deposit,
        sql["find_deposits"],
        partner_id=partner_id,
        currencies=[currency for currency, _ in keys],
        tx_ids=[tx_id for _, tx_id in keys],
    )
    return {(row.currency, row.on_chain_tx_id): row for row in _typed(rows)}


def find_deposit(tx: Transaction, deposit_id: UUID) -> Deposit | None:
    found = tx.first(Deposit, sql["find_deposit"], id=deposit_id)
    return _typed([found])[0] if found else None


def lock_deposit(tx: Transaction, deposit_id: UUID) -> Deposit:
    return _typed([tx.one(Deposit, sql["lock_deposit"], id=deposit_id)])[0]


def confirmed_deposits(tx: Transaction, settlement_id: UUID) -> list[Deposit]:
    """What is held for the settlement, locked."""
    return _typed(tx.all(Deposit, sql["confirmed_deposits"], settlement_id=settlement_id))


def decide_deposit(
    tx: Transaction,
    deposit_id: UUID,
    to: DepositStatus,
    *,
    quantity: int | None = None,
    entry_id: UUID | None = None,
    failure: str | None = None,
) -> None:
    amount = None if quantity is None else Decimal(quantity)
    values = {"to": to, "quantity": amount, "entry_id": entry_id, "failure": failure}
    if tx.run(sql["decide_deposit"], id=deposit_id, **values, now=tx.now()) != 1:
        raise AssertionError("a locked deposit changed its status")


def end_deposits(tx: Transaction, deposits: Sequence[Deposit], to: DepositStatus) -> None:
    if tx.run(sql["end_deposits"], ids=[deposit.id for deposit in deposits], to=to, now=tx.now()) != len(deposits):
        raise AssertionError("a locked deposit changed its status")


def look_again(
    tx: Transaction, deposit_id: UUID, due_at: datetime, attempts: int, error: str | None = None
) -> None:
    tx.run(sql["look_again"], id=deposit_id, due_at=due_at, attempts=attempts, error=error)


def due_deposits(tx: Transaction, limit: int) -> list[Deposit]:
    return _typed(tx.all(Deposit, sql["due_deposits"], now=tx.now(), limit=limit))


def count_due_deposits(tx: Transaction) -> int:
    return tx.scalars(int, sql["count_due_deposits"], now=tx.now())[0]


def next_deposit_due_at(tx: Transaction) -> datetime | None:
    return tx.scalars(datetime, sql["next_deposit_due_at"])[0]


def list_deposits(
    tx: Transaction,
    *,
    partner_ids: Sequence[UUID] | None,
    settlement_ids: Sequence[UUID] | None,
    statuses: Sequence[str] | None,
    limit: int,
    offset: int,
) -> Listing[Deposit]:
    filters = {"partner_ids": partner_ids, "settlement_ids": settlement_ids, "statuses": statuses}
    page = list_page(tx, Deposit, sql["list_deposits"], filters, limit=limit, offset=offset)
    return Listing(_typed(page.items), page.total)


def _typed(rows: Iterable[Deposit]) -> list[Deposit]:
    return [replace(row, status=DepositStatus(row.status)) for row in rows]


def _arrays(reports: Sequence[PaymentReport]) -> dict[str, list[object]]:
    return {
        "payment_ids": [report.payment_id for report in reports],
        "tx_ids": [report.tx_id for report in reports],
    }
