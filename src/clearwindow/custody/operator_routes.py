"""Operators open Go Accounts, manage their keys, record deposits and withdrawals, and add currencies."""

from __future__ import annotations

from typing import Final

from clearwindow.api.docs import may_raise
from clearwindow.api.routing import Answer, JsonBody, NoContent, ServerRuntime, counted
from clearwindow.api.schema import replay_headers
from clearwindow.custody import acts, currencies, go_accounts
from clearwindow.custody.models import CustodyOutcome
from clearwindow.custody.schemas import (
    BalancesAnswer,
    CurrenciesAnswer,
    CurrencyAnswer,
    CurrencyRequest,
    CustodyAnswer,
    CustodyMovementRequest,
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
from clearwindow.identity.act_schemas import PROPOSED, answered
from clearwindow.identity.acts import Asked, perform
from clearwindow.identity.guards import ActingOperator, operator_router

router: Final = operator_router("accounts")


@router.post(
    "/enterprises/{enterprise_id}/go-accounts",
    summary="Open a Go Account with signing keys. The enterprise's first account is its default",
    responses=may_raise("enterprise_unknown", "key_twice", "no_key"),
)
def open_go_account(
    runtime: ServerRuntime, actor: ActingOperator, enterprise_id: str, body: JsonBody[GoAccountRequest]
) -> GoAccountAnswer:
    account, keys = go_accounts.open_go_account(runtime, actor, enterprise_id, body.model.to_model())
    return go_account_answer(account, keys)


@router.post(
    "/go-accounts/{go_account_id}/keys",
    summary="Add a signing key to a Go Account, or have the custodian create one",
    responses=may_raise(
        "go_account_unknown",
        "key_differs",
        "go_account_key_active_once",
        "go_account_key_custodian_once",
        "proposal_differs",
    )
    | PROPOSED,
)
def add_key(
    runtime: ServerRuntime, actor: ActingOperator, go_account_id: str, body: JsonBody[KeyRequest]
) -> Answer[KeyAnswer]:
    """The same key again changes nothing and answers the same key. Its signatures count after the cool-off."""
    done = perform(runtime, actor, acts.FURTHER_KEY, Asked(go_account_id, body.model.to_model()))
    return answered(done, lambda key: KeyAnswer(key=key_view(key)))


@router.delete(
    "/go-accounts/{go_account_id}/keys/{key_id}",
    summary="Revoke a signing key at once and permanently",
    responses=may_raise("go_account_unknown", "key_unknown"),
)
def revoke_key(runtime: ServerRuntime, actor: ActingOperator, go_account_id: str, key_id: str) -> NoContent:
    go_accounts.revoke_key(runtime, actor, go_account_id, key_id)
    return NoContent()


@router.post(
    "/go-accounts/{go_account_id}/withdrawals",
    summary="Record a withdrawal from custody, once for each reference",
    responses=may_raise(
        "go_account_unknown",
        "currency_unknown",
        "reference_used",
        "custody_movement_pkey",
        "insufficient_funds",
        "proposal_differs",
    )
    | PROPOSED,
)
def withdraw(
    runtime: ServerRuntime, actor: ActingOperator, go_account_id: str, body: JsonBody[CustodyMovementRequest]
) -> Answer[CustodyAnswer]:
    """Fails if the available balance does not cover the quantity. A proposed withdrawal holds it."""
    done = perform(runtime, actor, acts.WITHDRAWAL, Asked(go_account_id, body.model.to_model()))
    return answered(done, _moved)


@router.get(
    "/go-accounts/{go_account_id}/balances",
    summary="Read the balances of a Go Account, in base units",
    responses=may_raise("go_account_unknown"),
)
def balances(runtime: ServerRuntime, go_account_id: str) -> BalancesAnswer:
    return balances_answer(go_accounts.balances(runtime, go_account_id))


@router.get("/currencies", name="currencies", summary="List the currencies of the network")
def list_currencies(runtime: ServerRuntime) -> Answer[CurrenciesAnswer]:
    found = currencies.list_currencies(runtime)
    return counted(CurrenciesAnswer(currencies=[currency_view(currency) for currency in found]), len(found))


@router.post(
    "/currencies",
    summary="Add a currency",
    responses=may_raise("currency_name_malformed", "currency_differs"),
)
def add_currency(runtime: ServerRuntime, actor: ActingOperator, body: JsonBody[CurrencyRequest]) -> CurrencyAnswer:
    """The same body again changes nothing and answers the same currency."""
    return CurrencyAnswer(currency=currency_view(currencies.add_currency(runtime, actor, body.model.to_model())))


@router.post(
    "/go-accounts/{go_account_id}/deposits",
    summary="Record a deposit into custody, once for each reference",
    responses=may_raise(
        "go_account_unknown",
        "currency_unknown",
        "reference_used",
        "custody_movement_pkey",
        "base_units_78_digits",
        "proposal_differs",
    )
    | PROPOSED,
)
def deposit(
    runtime: ServerRuntime, actor: ActingOperator, go_account_id: str, body: JsonBody[CustodyMovementRequest]
) -> Answer[CustodyAnswer]:
    """Failed settlements that wait for this money are tried again at once."""
    done = perform(runtime, actor, acts.DEPOSIT, Asked(go_account_id, body.model.to_model()))
    return answered(done, _moved)


def _moved(outcome: CustodyOutcome) -> Answer[CustodyAnswer]:
    return Answer(custody_answer(outcome), headers=replay_headers(replayed=outcome.replayed))
