"""What operators do with the simulated chain, and with deposits whose settlement does not come."""

from __future__ import annotations

from uuid import UUID

from clearwindow.access.values import Operator
from clearwindow.accounts import service as accounts
from clearwindow.audit import service as audit
from clearwindow.database.listing import Listing
from clearwindow.errors import ConflictError, InvalidRequestError, NotFoundError
from clearwindow.network import service as network
from clearwindow.onchain import depositing, operator_wire, simulated, store
from clearwindow.onchain.simulated import ChainTransaction, Verdict
from clearwindow.onchain.values import Deposit, DepositStatus
from clearwindow.runtime import Runtime
from clearwindow.settlements import service as settlements


def send_deposit(
    runtime: Runtime, operator: Operator, asked: operator_wire.ChainDepositRequest
) -> tuple[ChainTransaction, bool]:
    """The transaction, and whether it had been sent before."""
    with runtime.transaction() as tx:
        if network.partner_by_id(tx, asked.partner_id) is None:
            raise InvalidRequestError("partner_unknown", "partnerId: there is no partner with this id")
        currency = accounts.require_currency(tx, asked.currency)
        found, sent = simulated.send_deposit(
            tx,
            runtime.ids.new(),
            asked.partner_id,
            currency,
            asked.tx_id,
            int(asked.quantity),
            withheld=asked.withheld,
        )
        if sent:
            audit.record(
                tx,
                operator,
                "chain.deposit_sent",
                found.id,
                partnerId=str(asked.partner_id),
                currency=currency,
                quantity=asked.quantity,
                txId=asked.tx_id,
            )
        return found, not sent


def decide(
    runtime: Runtime, operator: Operator, transaction_id: UUID | None, verdict: Verdict, failure: str = ""
) -> ChainTransaction:
    with runtime.transaction() as tx:
        found, changed = simulated.decide(tx, transaction_id, verdict, failure)
        if changed:
            audit.record(tx, operator, f"chain.{verdict}", found.id, txId=found.tx_id)
        return found


def list_transactions(runtime: Runtime, wanted: operator_wire.ChainFilters) -> Listing[ChainTransaction]:
    with runtime.transaction() as tx:
        return simulated.list_transactions(
            tx,
            partner_ids=wanted.partner_ids,
            transfer_ids=wanted.transfer_ids,
            kinds=wanted.kinds,
            states=wanted.states,
            limit=wanted.limit,
            offset=wanted.offset,
        )


def list_deposits(runtime: Runtime, wanted: operator_wire.OnchainDepositFilters) -> Listing[Deposit]:
    with runtime.transaction() as tx:
        return store.list_deposits(
            tx,
            partner_ids=wanted.partner_ids,
            settlement_ids=wanted.settlement_ids,
            statuses=wanted.statuses,
            limit=wanted.limit,
            offset=wanted.offset,
        )


def release_deposit(runtime: Runtime, operator: Operator, deposit_id: UUID | None) -> Deposit:
    """Gives a partner its confirmed deposit back for any use, as long as its settlement has not come.

    Raises:
        NotFoundError: there is no such deposit.
        ConflictError: it is not held, or its settlement is there and needs it.
    """
    with runtime.transaction() as tx:
        found = store.find_deposit(tx, deposit_id) if deposit_id else None
        if found is None:
            raise NotFoundError("deposit_unknown", "there is no deposit with this id")
        partner = network.lock_partner(tx, found.partner_id)
        deposit = store.lock_deposit(tx, found.id)
        if deposit.status is DepositStatus.RELEASED:
            return deposit
        if deposit.status is not DepositStatus.CONFIRMED:
            raise ConflictError("deposit_state", f"the deposit is {deposit.status}: it is not held for anything")
        if settlements.find(tx, deposit.settlement_id) is not None:
            raise ConflictError("settlement_exists", "the deposit's settlement exists: carry it to its end")
        depositing.release_one(runtime, tx, partner, deposit)
        audit.record(tx, operator, "settlement.deposit_released", deposit.settlement_id, depositId=str(deposit.id))
        return store.lock_deposit(tx, deposit.id)
