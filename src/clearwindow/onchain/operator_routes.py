"""The operator's routes about the simulated chain and the partners' deposits."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from clearwindow.access.guards import ActingOperator
from clearwindow.http.bodies import read_body
from clearwindow.http.docs import may_answer, takes_body, takes_filters
from clearwindow.http.filters import counted_response, read_filters
from clearwindow.http.wire import json_response, replay_headers
from clearwindow.ids import parse_uuid
from clearwindow.onchain import operating
from clearwindow.onchain import operator_wire as wire
from clearwindow.onchain.simulated import ChainTransaction, Verdict

router: Final = APIRouter(prefix="/api/operator/v1", tags=["operator: chain"])


@router.get(
    "/chain/transactions",
    summary="What is on the simulated chain, the newest first",
    response_model=wire.ChainTransactionsAnswer,
    responses=may_answer(400, 401),
    openapi_extra=takes_filters(wire.ChainFilters),
)
async def list_transactions(request: Request, actor: ActingOperator) -> Response:  # noqa: ARG001 - the guard
    filters = await read_filters(request, wire.ChainFilters)
    page = await run_in_threadpool(operating.list_transactions, request.app.state.runtime, filters)
    shown = [wire.chain_transaction(found) for found in page.items]
    return counted_response(wire.ChainTransactionsAnswer(transactions=shown), page.total)


@router.post(
    "/chain/deposits",
    summary="Have a partner send a deposit over the simulated chain",
    response_model=wire.ChainTransactionAnswer,
    responses=may_answer(400, 401, 409),
    openapi_extra=takes_body(wire.ChainDepositRequest),
)
async def send_deposit(request: Request, actor: ActingOperator) -> Response:
    """It confirms by itself after a while, unless it is withheld. The same again changes nothing."""
    body = await read_body(request, wire.ChainDepositRequest)
    found, replayed = await run_in_threadpool(operating.send_deposit, request.app.state.runtime, actor, body.model)
    return _answer(found, replayed=replayed)


@router.post(
    "/chain/transactions/{transaction_id}/confirm",
    summary="Have the simulated chain confirm a transaction now",
    response_model=wire.ChainTransactionAnswer,
    responses=may_answer(400, 401, 404, 409),
)
async def confirm(request: Request, transaction_id: str, actor: ActingOperator) -> Response:
    """Also one that was withheld."""
    runtime, known = request.app.state.runtime, parse_uuid(transaction_id)
    return _answer(await run_in_threadpool(operating.decide, runtime, actor, known, Verdict.CONFIRM))


@router.post(
    "/chain/transactions/{transaction_id}/withhold",
    summary="Keep the simulated chain from confirming a transaction",
    response_model=wire.ChainTransactionAnswer,
    responses=may_answer(400, 401, 404, 409),
)
async def withhold(request: Request, transaction_id: str, actor: ActingOperator) -> Response:
    """Until it is confirmed or failed by an operator."""
    runtime, known = request.app.state.runtime, parse_uuid(transaction_id)
    return _answer(await run_in_threadpool(operating.decide, runtime, actor, known, Verdict.WITHHOLD))


@router.post(
    "/chain/transactions/{transaction_id}/fail",
    summary="Have the simulated chain give up a transaction",
    response_model=wire.ChainTransactionAnswer,
    responses=may_answer(400, 401, 404, 409),
    openapi_extra=takes_body(wire.ChainFailRequest, required=False),
)
async def fail(request: Request, transaction_id: str, actor: ActingOperator) -> Response:
    """While it is pending. A transfer whose transaction failed is sent again, in a new transaction."""
    body = await read_body(request, wire.ChainFailRequest, optional=True)
    runtime, known = request.app.state.runtime, parse_uuid(transaction_id)
    found = await run_in_threadpool(operating.decide, runtime, actor, known, Verdict.FAIL, body.model.reason)
    return _answer(found)


@router.get(
    "/onchain-deposits",
    summary="The deposits that partners gave for on-chain settlements, the newest first",
    response_model=wire.OnchainDepositsAnswer,
    responses=may_answer(400, 401),
    openapi_extra=takes_filters(wire.OnchainDepositFilters),
)
async def list_deposits(request: Request, actor: ActingOperator) -> Response:  # noqa: ARG001 - the guard
    filters = await read_filters(request, wire.OnchainDepositFilters)
    page = await run_in_threadpool(operating.list_deposits, request.app.state.runtime, filters)
    shown = [wire.onchain_deposit(deposit) for deposit in page.items]
    return counted_response(wire.OnchainDepositsAnswer(deposits=shown), page.total)


@router.post(
    "/onchain-deposits/{deposit_id}/release",
    summary="Give a partner its deposit back whose settlement does not come",
    response_model=wire.OnchainDepositAnswer,
    responses=may_answer(400, 401, 404, 409),
)
async def release_deposit(request: Request, deposit_id: str, actor: ActingOperator) -> Response:
    """It becomes available on the partner's Go Account."""
    runtime, known = request.app.state.runtime, parse_uuid(deposit_id)
    deposit = await run_in_threadpool(operating.release_deposit, runtime, actor, known)
    return json_response(wire.OnchainDepositAnswer(deposit=wire.onchain_deposit(deposit)))


def _answer(found: ChainTransaction, *, replayed: bool = False) -> Response:
    answer = wire.ChainTransactionAnswer(transaction=wire.chain_transaction(found))
    return json_response(answer, headers=replay_headers(replayed=replayed))
