"""What operators do with the simulated chain, and with deposits whose settlement was never sent."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from clearwindow.core.errors import ConflictError, InvalidRequestError, NotFoundError
from clearwindow.custody.currencies import require_currency
from clearwindow.identity import audit
from clearwindow.identity.models import Operator
from clearwindow.network import parties
from clearwindow.network import store as network
from clearwindow.postgres.paging import Listing
from clearwindow.runtime import Runtime
from clearwindow.settlements import store as settlements
from clearwindow.settlements.onchain import deposits, simulated_chain, store
from clearwindow.settlements.onchain.models import (
    ChainAction,
    ChainDeposit,
    ChainFilter,
    ChainTransaction,
    Deposit,
    DepositFilter,
    DepositStatus,
)


def send_deposit(runtime: Runtime, operator: Operator, asked: ChainDeposit) -> tuple[ChainTransaction, bool]:
    """Sends a deposit over the simulated chain. Returns the transaction, and whether it was sent before."""
    with runtime.transaction() as tx:
        if network.find_partner(tx, partner_id=asked.partner_id) is None:
            raise InvalidRequestError("partner_unknown", "partnerId: there is no partner with this id")
        currency = require_currency(tx, asked.currency)
        found, sent = simulated_chain.send_deposit(tx, replace(asked, currency=currency))
        if sent:
            audit.record(
                tx,
                operator,
                "chain.deposit_sent",
                found.id,
                partnerId=str(asked.partner_id),
                currency=currency,
                quantity=str(asked.quantity),
                txId=asked.tx_id,
            )
        return found, not sent


def decide(
    runtime: Runtime, operator: Operator, transaction_id: UUID | None, action: ChainAction, failure: str = ""
) -> ChainTransaction:
    with runtime.transaction() as tx:
        found, changed = simulated_chain.decide(tx, transaction_id, action, failure)
        if changed:
            audit.record(tx, operator, f"chain.{action}", found.id, txId=found.tx_id)
        return found


def list_transactions(runtime: Runtime, wanted: ChainFilter) -> Listing[ChainTransaction]:
    with runtime.transaction() as tx:
        return simulated_chain.list_transactions(tx, wanted)


def list_deposits(runtime: Runtime, wanted: DepositFilter) -> Listing[Deposit]:
    with runtime.transaction() as tx:
        return store.list_deposits(tx, wanted)


def release_deposit(runtime: Runtime, operator: Operator, deposit_id: UUID | None) -> Deposit:
    """Makes a partner's confirmed deposit available if its settlement was never sent.

    Raises:
        NotFoundError: there is no such deposit.
        ConflictError: it is not held, or its settlement exists.
    """
    with runtime.transaction() as tx:
        found = store.find_deposit(tx, deposit_id) if deposit_id else None
        if found is None:
            raise NotFoundError("deposit_unknown", "there is no deposit with this id")
        partner = parties.lock_partner(tx, found.partner_id)
        deposit = store.lock_deposit(tx, found.id)
        if deposit.status is DepositStatus.RELEASED:
            return deposit
        if deposit.status is not DepositStatus.CONFIRMED:
            raise ConflictError("deposit_state", f"the deposit is {deposit.status}: it is not held")
        if settlements.find(tx, deposit.settlement_id) is not None:
            raise ConflictError("settlement_exists", "the deposit's settlement exists: complete or reject it")
        deposits.release_one(tx, partner, deposit)
        audit.record(tx, operator, "settlement.deposit_released", deposit.settlement_id, depositId=str(deposit.id))
        return store.lock_deposit(tx, deposit.id)
