"""Routes about Go Accounts, their keys, custody and currencies."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from clearwindow.access.guards import ActingOperator
from clearwindow.accounts.custody import CustodyOutcome
from clearwindow.http.bodies import read_body
from clearwindow.http.docs import may_answer, takes_body
from clearwindow.http.filters import TOTAL_COUNT_HEADER
from clearwindow.http.wire import json_response, replay_headers
from clearwindow.operator import custody, go_accounts
from clearwindow.operator.accounts_wire import (
    BalancesAnswer,
    CurrenciesAnswer,
    CurrencyAnswer,
    CurrencyRequest,
    CustodyAnswer,
    CustodyRequest,
    GoAccountAnswer,
    GoAccountRequest,
    KeyAnswer,
    KeyRequest,
    balances_answer,
    currency_view,
    custody_answer,
    go_account_answer,
    key_view,
)

router: Final = APIRouter(tags=["operator: accounts"])


@router.post(
    "/enterprises/{enterprise_id}/go-accounts",
    summary="Open a Go Account with signing keys, the owner's or the custodian's; the first one is the default",
    response_model=GoAccountAnswer,
    responses=may_answer(400, 401, 404),
    openapi_extra=takes_body(GoAccountRequest),
)
async def open_go_account(request: Request, actor: ActingOperator, enterprise_id: str) -> Response:
    body = await read_body(request, GoAccountRequest)
    runtime = request.app.state.runtime
    account, keys = await run_in_threadpool(go_accounts.open_go_account, runtime, actor, enterprise_id, body.model)
    return json_response(go_account_answer(account, keys))


@router.post(
    "/go-accounts/{go_account_id}/keys",
    summary="Add a signing key, or have the custodian make one; the same key again is the same key",
    response_model=KeyAnswer,
    responses=may_answer(400, 401, 404, 409),
    openapi_extra=takes_body(KeyRequest),
)
async def add_key(request: Request, actor: ActingOperator, go_account_id: str) -> Response:
    body = await read_body(request, KeyRequest)
    runtime = request.app.state.runtime
    key = await run_in_threadpool(go_accounts.add_key, runtime, actor, go_account_id, body.model)
    return json_response(KeyAnswer(key=key_view(key)))


@router.delete(
    "/go-accounts/{go_account_id}/keys/{key_id}",
    summary="Revoke a signing key, at once and for good",
    status_code=204,
    response_class=Response,
    responses=may_answer(401, 404),
)
async def revoke_key(request: Request, actor: ActingOperator, go_account_id: str, key_id: str) -> Response:
    await run_in_threadpool(go_accounts.revoke_key, request.app.state.runtime, actor, go_account_id, key_id)
    return Response(status_code=204)


@router.post(
    "/go-accounts/{go_account_id}/deposits",
    summary="Record money that came in; once for each reference",
    response_model=CustodyAnswer,
    responses=may_answer(400, 401, 404, 409, 422),
    openapi_extra=takes_body(CustodyRequest),
)
async def deposit(request: Request, actor: ActingOperator, go_account_id: str) -> Response:
    body = await read_body(request, CustodyRequest)
    runtime = request.app.state.runtime
    return _moved(await run_in_threadpool(custody.deposit, runtime, actor, go_account_id, body.model))


@router.post(
    "/go-accounts/{go_account_id}/withdrawals",
    summary="Record money that went out, within what is available; once for each reference",
    response_model=CustodyAnswer,
    responses=may_answer(400, 401, 404, 409, 422),
    openapi_extra=takes_body(CustodyRequest),
)
async def withdraw(request: Request, actor: ActingOperator, go_account_id: str) -> Response:
    body = await read_body(request, CustodyRequest)
    runtime = request.app.state.runtime
    return _moved(await run_in_threadpool(custody.withdraw, runtime, actor, go_account_id, body.model))


@router.get(
    "/go-accounts/{go_account_id}/balances",
    summary="The balances of a Go Account, in base units",
    response_model=BalancesAnswer,
    responses=may_answer(401, 404),
)
async def balances(request: Request, go_account_id: str) -> Response:
    found = await run_in_threadpool(go_accounts.balances, request.app.state.runtime, go_account_id)
    return json_response(balances_answer(found))


@router.get(
    "/currencies",
    summary="All currencies that the network knows",
    response_model=CurrenciesAnswer,
    responses=may_answer(401),
)
async def currencies(request: Request) -> Response:
    found = await run_in_threadpool(go_accounts.currencies, request.app.state.runtime)
    answer = CurrenciesAnswer(currencies=[currency_view(currency) for currency in found])
    return json_response(answer, headers={TOTAL_COUNT_HEADER: str(len(found))})


@router.post(
    "/currencies",
    summary="Make a currency known; the same body again is the same currency",
    response_model=CurrencyAnswer,
    responses=may_answer(400, 401, 409),
    openapi_extra=takes_body(CurrencyRequest),
)
async def add_currency(request: Request, actor: ActingOperator) -> Response:
    body = await read_body(request, CurrencyRequest)
    currency = await run_in_threadpool(go_accounts.add_currency, request.app.state.runtime, actor, body.model)
    return json_response(CurrencyAnswer(currency=currency_view(currency)))


def _moved(outcome: CustodyOutcome) -> Response:
    headers = replay_headers(replayed=outcome.replayed)
    return json_response(custody_answer(outcome), headers=headers)
