"""The built-in chain: it lives in our database, confirms after a fixed time, and obeys operators.

It takes the place of a real chain behind ``Chain``: nothing else reads its table, and it reads no other table.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final
from uuid import UUID

from clearwindow.core.errors import ConflictError, NotFoundError
from clearwindow.postgres.paging import NEWEST_FIRST, Listing, keyset_page
from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.queries import Queries
from clearwindow.runtime import Runtime
from clearwindow.settlements.onchain.chain import ChainState, DepositReport, Payment, PaymentReport
from clearwindow.settlements.onchain.models import ChainAction, ChainDeposit, ChainFilter, ChainTransaction

sql: Final = Queries("clearwindow.settlements.onchain")

CONFIRMATION_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class _Report:
    payment_id: UUID
    state: ChainState
    tx_id: str
    failure: str | None


class SimulatedChain:
    """Each call is a transaction of its own, as a call to a real chain would be."""

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
                quantities=[payment.quantity for payment in payments],
                confirms_at=now + timedelta(seconds=CONFIRMATION_SECONDS),
                now=now,
            )

    def payments(self, payment_ids: Sequence[UUID]) -> list[PaymentReport]:
        wanted = list(payment_ids)
        with self._runtime.transaction() as tx:
            _pass_time(tx, ids=wanted)
            rows = tx.all(_Report, sql["chain_payments"], payment_ids=wanted)
        return [PaymentReport(row.payment_id, row.state, row.tx_id, row.failure) for row in rows]

    def deposit(self, partner_id: UUID, currency: str, tx_id: str) -> DepositReport | None:
        key = {"partner_id": partner_id, "tx_id": tx_id, "currency": currency}
        with self._runtime.transaction() as tx:
            tx.run(sql["chain_pass_time"], ids=[], **key, now=tx.now())
            found = tx.first(ChainTransaction, sql["chain_find_deposit"], **key)
        return DepositReport(found.state, found.quantity, found.failure) if found else None


def send_deposit(tx: Transaction, deposit: ChainDeposit) -> tuple[ChainTransaction, bool]:
    """Sends a partner's transaction to its deposit address. Returns it, and whether it is new.

    Raises:
        ConflictError: the chain has this transaction with another quantity.
    """
    key = {"partner_id": deposit.partner_id, "tx_id": deposit.tx_id, "currency": deposit.currency}
    now = tx.now()
    confirms_at = now + timedelta(seconds=CONFIRMATION_SECONDS)
    values = {"quantity": deposit.quantity, "withheld": deposit.withheld, "confirms_at": confirms_at}
    sent = tx.run(sql["chain_deposit"], id=tx.new_id(), **key, **values, now=now) == 1
    found = tx.one(ChainTransaction, sql["chain_find_deposit"], **key)
    if found.quantity != deposit.quantity:
        raise ConflictError("transaction_differs", "the chain has this transaction already, with another quantity")
    return found, sent


def decide(
    tx: Transaction, transaction_id: UUID | None, action: ChainAction, failure: str
) -> tuple[ChainTransaction, bool]:
    """Carries out an operator's action. Returns the transaction, and whether it changed.

    Raises:
        NotFoundError: the chain has no such transaction.
        ConflictError: it is confirmed or failed, and cannot become the other.
    """
    if transaction_id is not None:
        _pass_time(tx, ids=[transaction_id])
    found = tx.first(ChainTransaction, sql["chain_lock"], id=transaction_id)
    if found is None:
        raise NotFoundError("transaction_unknown", "the simulated chain has no transaction with this id")
    wanted = _after(found, action, failure)
    if found.state is wanted.state and (found.state is not ChainState.PENDING or found.withheld):
        return found, False
    if found.state is not ChainState.PENDING:
        raise ConflictError("transaction_final", f"the transaction is {found.state}, which is final")
    values = {"state": wanted.state, "withheld": wanted.withheld, "failure": wanted.failure}
    now = tx.now()
    tx.run(sql["chain_change"], id=found.id, **values, now=now)
    return replace(wanted, updated_at=now), True


def list_transactions(tx: Transaction, wanted: ChainFilter) -> Listing[ChainTransaction]:
    filters = {
        "partner_ids": wanted.partner_ids,
        "transfer_ids": wanted.transfer_ids,
        "kinds": wanted.kinds,
        "states": wanted.states,
        "created_on_or_after": wanted.created_on_or_after,
        "created_before": wanted.created_before,
    }
    return keyset_page(tx, ChainTransaction, sql["chain_list"], filters, NEWEST_FIRST, wanted.part)


def _after(found: ChainTransaction, action: ChainAction, failure: str) -> ChainTransaction:
    if action is ChainAction.CONFIRM:
        return replace(found, state=ChainState.CONFIRMED, withheld=False)
    if action is ChainAction.FAIL:
        return replace(found, state=ChainState.FAILED, failure=failure)
    return replace(found, state=ChainState.PENDING, withheld=True)


def _pass_time(tx: Transaction, *, ids: Sequence[UUID]) -> None:
    """Confirms the transactions whose time has come."""
    tx.run(sql["chain_pass_time"], ids=list(ids), partner_id=None, tx_id=None, currency=None, now=tx.now())
