"""Operators read and steer the simulated chain, and read and release the partners' deposits."""

from __future__ import annotations

from typing import Final

from clearwindow.api.docs import may_raise
from clearwindow.api.routing import Answer, Filters, JsonBody, OptionalJsonBody, ServerRuntime, paged
from clearwindow.api.schema import replay_headers
from clearwindow.core.ids import parse_uuid
from clearwindow.identity.guards import ActingOperator, operator_router
from clearwindow.settlements.onchain import chain_control
from clearwindow.settlements.onchain import operator_schemas as schemas
from clearwindow.settlements.onchain.models import ChainAction, ChainTransaction

router: Final = operator_router("chain")


@router.get(
    "/chain/transactions",
    summary="List the transactions of the simulated chain, newest first",
)
def list_transactions(
    runtime: ServerRuntime, filters: Filters[schemas.ChainFilters]
) -> Answer[schemas.ChainTransactionsAnswer]:
    page = chain_control.list_transactions(runtime, filters.to_model())
    return paged(schemas.chain_transactions_answer(page.items), page, filters)


@router.post(
    "/chain/deposits",
    summary="Have a partner send a deposit over the simulated chain",
    responses=may_raise("currency_unknown", ("partner_unknown", 400), "transaction_differs"),
)
def send_deposit(
    runtime: ServerRuntime, actor: ActingOperator, body: JsonBody[schemas.ChainDepositRequest]
) -> Answer[schemas.ChainTransactionAnswer]:
    """It confirms after 30 seconds, unless it is withheld. The same request again changes nothing."""
    found, replayed = chain_control.send_deposit(runtime, actor, body.model.to_model())
    return _answer(found, replayed=replayed)


@router.post(
    "/chain/transactions/{transaction_id}/confirm",
    summary="Make the simulated chain confirm a transaction now",
    responses=may_raise("transaction_unknown", "transaction_final"),
)
def confirm(
    runtime: ServerRuntime, transaction_id: str, actor: ActingOperator
) -> Answer[schemas.ChainTransactionAnswer]:
    """Confirms a withheld transaction, too."""
    known = parse_uuid(transaction_id)
    return _answer(chain_control.decide(runtime, actor, known, ChainAction.CONFIRM))


@router.post(
    "/chain/transactions/{transaction_id}/withhold",
    summary="Keep the simulated chain from confirming a transaction",
    responses=may_raise("transaction_unknown", "transaction_final"),
)
def withhold(
    runtime: ServerRuntime, transaction_id: str, actor: ActingOperator
) -> Answer[schemas.ChainTransactionAnswer]:
    """Until an operator confirms it or lets it fail."""
    known = parse_uuid(transaction_id)
    return _answer(chain_control.decide(runtime, actor, known, ChainAction.WITHHOLD))


@router.post(
    "/chain/transactions/{transaction_id}/fail",
    summary="Make a transaction fail on the simulated chain",
    responses=may_raise("transaction_unknown", "transaction_final"),
)
def fail(
    runtime: ServerRuntime,
    transaction_id: str,
    actor: ActingOperator,
    body: OptionalJsonBody[schemas.ChainFailRequest],
) -> Answer[schemas.ChainTransactionAnswer]:
    """While it is pending. A transfer whose transaction failed is sent again in a new transaction."""
    known = parse_uuid(transaction_id)
    found = chain_control.decide(runtime, actor, known, ChainAction.FAIL, body.model.reason)
    return _answer(found)


@router.get(
    "/onchain-deposits",
    summary="List the partners' deposits for on-chain settlements, newest first",
)
def list_deposits(
    runtime: ServerRuntime, filters: Filters[schemas.OnchainDepositFilters]
) -> Answer[schemas.OnchainDepositsAnswer]:
    page = chain_control.list_deposits(runtime, filters.to_model())
    return paged(schemas.onchain_deposits_answer(page.items), page, filters)


@router.post(
    "/onchain-deposits/{deposit_id}/release",
    summary="Release a deposit whose settlement was never sent",
    responses=may_raise("deposit_unknown", "deposit_state", "settlement_exists"),
)
def release_deposit(runtime: ServerRuntime, deposit_id: str, actor: ActingOperator) -> schemas.OnchainDepositAnswer:
    """Its money becomes available on the partner's Go Account."""
    known = parse_uuid(deposit_id)
    return schemas.onchain_deposit_answer(chain_control.release_deposit(runtime, actor, known))


def _answer(found: ChainTransaction, *, replayed: bool = False) -> Answer[schemas.ChainTransactionAnswer]:
    return Answer(schemas.chain_transaction_answer(found), headers=replay_headers(replayed=replayed))
