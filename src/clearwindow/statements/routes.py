"""Members read the statements of their accounts. They are ours, beside the wire contract."""

from __future__ import annotations

from typing import Final

from clearwindow.api.docs import may_raise
from clearwindow.api.routing import Answer, Filters, Query, ServerRuntime, paged
from clearwindow.core.ids import parse_uuid
from clearwindow.identity.guards import NETWORK_V1, CallingMember, member_router
from clearwindow.statements import net_orders, order_schemas, schemas, views

router: Final = member_router("statements", NETWORK_V1)


@router.get(
    "/accounts/{account_id}/statement",
    operation_id="v1AccountStatementGetRoute",
    summary="Read the opening and closing of an account over a period, and what it holds",
    responses=may_raise("account_unknown"),
)
def read_statement(
    runtime: ServerRuntime, member: CallingMember, account_id: str, period: Query[schemas.StatementPeriod]
) -> schemas.StatementAnswer:
    """Opening + entries = closing, for each currency, available and held.

    The account is a Go Account of the enterprise, or the network account of a connection, which its client and its
    partner read. The entries of the same period are at ``…/statement/entries``. An entry that is being written
    while you read may come into a period that has just ended: state a period a minute after its end.
    """
    found = views.read_statement(runtime, member, schemas.account_id_of(account_id), period.to_model())
    return schemas.statement_answer(found, for_operators=False)


@router.get(
    "/accounts/{account_id}/statement/entries",
    operation_id="v1AccountStatementEntriesGetRoute",
    summary="List what entries changed of an account, with their causes",
    responses=may_raise("account_unknown"),
)
def list_entries(
    runtime: ServerRuntime,
    member: CallingMember,
    account_id: str,
    filters: Filters[schemas.StatementEntryFilters],
) -> Answer[schemas.StatementEntriesAnswer]:
    """Oldest first. An entry of several currencies is a row for each."""
    found = views.list_entries(runtime, member, schemas.account_id_of(account_id), filters.to_model())
    return paged(schemas.entries_answer(found), found.page, filters)


@router.get(
    "/partners/settlements/{settlement_id}/net-orders",
    operation_id="v1PartnerSettlementNetOrdersGetRoute",
    summary="List who pays whom how much of what in one settlement",
    responses=may_raise("not_a_partner", "settlement_not_found"),
)
def list_net_orders_for_partner(
    runtime: ServerRuntime,
    settlement_id: str,
    member: CallingMember,
    filters: Filters[order_schemas.NetOrderFilters],
) -> Answer[order_schemas.NetOrdersAnswer]:
    """One order for each pair of sides and currency, sorted by connection.

    It is the sum of the transfers that have run or still may: without disputed, rejected and withdrawn ones. While
    the dispute window is open, as if nobody disputes.
    """
    found = net_orders.for_partner(
        runtime, member, parse_uuid(settlement_id), filters.our_currencies(), filters.slice
    )
    return paged(order_schemas.net_orders_answer(found), found.page, filters)


@router.get(
    "/clients/settlements/{settlement_id}/net-orders",
    operation_id="v1ClientSettlementNetOrdersGetRoute",
    summary="List what the client's connections pay and get in one settlement",
    responses=may_raise("not_a_client", "settlement_not_found"),
)
def list_net_orders_for_client(
    runtime: ServerRuntime,
    settlement_id: str,
    member: CallingMember,
    filters: Filters[order_schemas.NetOrderFilters],
) -> Answer[order_schemas.NetOrdersAnswer]:
    """The same with the client's own connections. All other clients together are one side, which is not named."""
    found = net_orders.for_client(
        runtime, member, parse_uuid(settlement_id), filters.our_currencies(), filters.slice
    )
    return paged(order_schemas.net_orders_answer(found), found.page, filters)
