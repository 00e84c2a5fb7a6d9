"""Operators read the statements of all accounts."""

from __future__ import annotations

from typing import Final

from clearwindow.api.docs import may_raise
from clearwindow.api.routing import Answer, Filters, Query, ServerRuntime, paged
from clearwindow.core.ids import parse_uuid
from clearwindow.identity.guards import operator_router
from clearwindow.statements import net_orders, order_schemas, schemas, views

router: Final = operator_router("history")


@router.get(
    "/accounts/{account_id}/statement",
    summary="Read the opening and closing of an account over a period, and what it holds",
    responses=may_raise("account_unknown"),
)
def read_statement(
    runtime: ServerRuntime, account_id: str, period: Query[schemas.StatementPeriod]
) -> schemas.StatementAnswer:
    found = views.read_statement(runtime, None, schemas.account_id_of(account_id), period.to_model())
    return schemas.statement_answer(found, for_operators=True)


@router.get(
    "/accounts/{account_id}/statement/entries",
    summary="List what entries changed of an account, with their causes, oldest first",
    responses=may_raise("account_unknown"),
)
def list_statement_entries(
    runtime: ServerRuntime, account_id: str, filters: Filters[schemas.StatementEntryFilters]
) -> Answer[schemas.StatementEntriesAnswer]:
    found = views.list_entries(runtime, None, schemas.account_id_of(account_id), filters.to_model())
    return paged(schemas.entries_answer(found), found.page, filters)


@router.get(
    "/settlements/{settlement_id}/net-orders",
    summary="List who pays whom how much of what in one settlement",
    responses=may_raise("settlement_not_found"),
)
def list_net_orders(
    runtime: ServerRuntime, settlement_id: str, filters: Filters[order_schemas.NetOrderFilters]
) -> Answer[order_schemas.NetOrdersAnswer]:
    found = net_orders.for_operator(runtime, parse_uuid(settlement_id), filters.our_currencies(), filters.slice)
    return paged(order_schemas.net_orders_answer(found), found.page, filters)
