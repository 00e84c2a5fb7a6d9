"""The chain that is built in: kept in our own database, confirming by the clock, and told by operators what to do.

It stands where a real chain would, on the other side of ``Chain``: nothing of ours reads its table, and it reads
nothing of ours.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final
from uuid import UUID

from clearwindow.database.listing import Listing, list_page
from clearwindow.database.pool import Transaction
from clearwindow.database.queries import Queries
from clearwindow.errors import ConflictError, NotFoundError
from clearwindow.onchain.chain import ChainState, DepositReport, Payment, PaymentReport
from clearwindow.runtime import Runtime

sql: Final = Queries("clearwindow.onchain")

CONFIRMATION_SECONDS: Final = 30


class Verdict(StrEnum):
    """What an operator has the chain do with a transaction that is pending."""

    CONFIRM = "confirm"
    FAIL = "fail"
    WITHHOLD = "withhold"


@dataclass(frozen=True, slots=True)
class ChainTransaction:
    """A transaction as the chain has it; one that is withheld confirms only when it is told to."""

    id: UUID
    partner_id: UUID
    kind: str
    tx_id: str
    payment_id: UUID | None
    transfer_id: UUID | None
    route_id: str | None
    currency: str
    quantity: Decimal
    state: ChainState
    withheld: bool
    failure: str | None
    confirms_at: datetime
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class _Report:
    payment_id: UUID
    state: str
    tx_id: str
    failure: str | None


class SimulatedChain:
    """Each call is a transaction of its own, as each call to a real chain would be."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def pay(self, payments: Sequence[Payment]) -> None:
        with self._runtime.transaction() as tx:
            now = tx.now()
            tx.run(
                sql["chain_pay"],
                payment_ids=[payment.id for payment in payments],
                partner_ids=[payment.partner_id for payment in payments],
                tx_ids=[hashlib.sha256(payment.id.bytes).hexdigest() for payment in payments],
                transfer_ids=[payment.transfer_id for payment in payments],
                route_ids=[payment.route_id for payment in payments],
                currencies=[payment.currency for payment in payments],
                quantities=[Decimal(payment.quantity) for payment in payments],
                confirms_at=now + timedelta(seconds=CONFIRMATION_SECONDS),
                now=now,
            )

    def payments(self, payment_ids: Sequence[UUID]) -> list[PaymentReport]:
        wanted = list(payment_ids)
        with self._runtime.transaction() as tx:
            _pass_time(tx, ids=wanted)
            rows = tx.all(_Report, sql["chain_payments"], payment_ids=wanted)
        return [PaymentReport(row.payment_id, ChainState(row.state), row.tx_id, row.failure) for row in rows]

    def deposit(self, partner_id: UUID, currency: str, tx_id: str) -> DepositReport | None:
        place = {"partner_id": partner_id, "tx_id": tx_id, "currency": currency}
        with self._runtime.transaction() as tx:
            tx.run(sql["chain_pass_time"], ids=[], **place, now=tx.now())
            row = tx.first(ChainTransaction, sql["chain_find_deposit"], **place)
        if row is None:
            return None
        found = _typed(row)
        return DepositReport(found.state, int(found.quantity), found.failure)


def send_deposit(
    tx: Transaction, deposit_id: UUID, partner_id: UUID, currency: str, tx_id: str, quantity: int, *, withheld: bool
) -> tuple[ChainTransaction, bool]:
    """A partner's transaction to its deposit address, and whether it was sent just now.

    Raises:
        ConflictError: the chain has this transaction with another quantity.
    """
    place = {"partner_id": partner_id, "tx_id": tx_id, "currency": currency}
    now = tx.now()
    confirms_at = now + timedelta(seconds=CONFIRMATION_SECONDS)
    values = {"id": deposit_id, "quantity": Decimal(quantity), "withheld": withheld, "confirms_at": confirms_at}
    sent = tx.run(sql["chain_deposit"], **place, **values, now=now) == 1
    found = _typed(tx.one(ChainTransaction, sql["chain_find_deposit"], **place))
    if found.quantity != quantity:
        raise ConflictError("transaction_differs", "the chain has this transaction already, with another quantity")
    return found, sent


def decide(
    tx: Transaction, transaction_id: UUID | None, verdict: Verdict, failure: str
) -> tuple[ChainTransaction, bool]:
    """The transaction as it is now, and whether this changed it; a repeat changes nothing.

    Raises:
        NotFoundError: the chain has no such transaction.
        ConflictError: it is confirmed or failed, and cannot become the other.
    """
    if transaction_id is not None:
        _pass_time(tx, ids=[transaction_id])
    row = tx.first(ChainTransaction, sql["chain_lock"], id=transaction_id)
    if row is None:
        raise NotFoundError("transaction_unknown", "the simulated chain has no transaction with this id")
    found = _typed(row)
    wanted = _told(found, verdict, failure)
    if found.state is wanted.state and (found.state is not ChainState.PENDING or found.withheld):
        return found, False
    if found.state is not ChainState.PENDING:
        raise ConflictError("transaction_final", f"the transaction is {found.state}, which the chain never undoes")
    values = {"state": wanted.state, "withheld": wanted.withheld, "failure": wanted.failure}
    now = tx.now()
    tx.run(sql["chain_change"], id=found.id, **values, now=now)
    return replace(wanted, updated_at=now), True


def list_transactions(
    tx: Transaction,
    *,
    partner_ids: Sequence[UUID] | None,
    transfer_ids: Sequence[UUID] | None,
    kinds: Sequence[str] | None,
    states: Sequence[str] | None,
    limit: int,
    offset: int,
) -> Listing[ChainTransaction]:
    filters = {"partner_ids": partner_ids, "transfer_ids": transfer_ids, "kinds": kinds, "states": states}
    return list_page(tx, ChainTransaction, sql["chain_list"], filters, limit=limit, offset=offset)


def _told(found: ChainTransaction, verdict: Verdict, failure: str) -> ChainTransaction:
    if verdict is Verdict.CONFIRM:
        return replace(found, state=ChainState.CONFIRMED, withheld=False)
    if verdict is Verdict.FAIL:
        return replace(found, state=ChainState.FAILED, failure=failure)
    return replace(found, state=ChainState.PENDING, withheld=True)


def _pass_time(tx: Transaction, *, ids: Sequence[UUID]) -> None:
    tx.run(sql["chain_pass_time"], ids=list(ids), partner_id=None, tx_id=None, currency=None, now=tx.now())


def _typed(row: ChainTransaction) -> ChainTransaction:
    return replace(row, state=ChainState(row.state))
