"""Members read the statements of their accounts. They are ours, beside the wire contract."""

from __future__ import annotations

from typing import Final

from clearwindow.api.docs import may_raise
from clearwindow.api.routing import Answer, Filters, Query, ServerRuntime, paged
from clearwindow.identity.guards import NETWORK_V1, CallingMember, member_router
from clearwindow.statements import schemas, views

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
