"""Operators read the journal and check the ledger."""

from __future__ import annotations

from typing import Final

from clearwindow.api.routing import Answer, Filters, ServerRuntime, paged
from clearwindow.identity.guards import operator_router
from clearwindow.ledger import views
from clearwindow.ledger.schemas import CheckAnswer, EntriesAnswer, EntryFilters, check_answer, entries_answer

router: Final = operator_router("history")


@router.get("/ledger/entries", summary="List the entries of the journal, newest first")
def entries(runtime: ServerRuntime, filters: Filters[EntryFilters]) -> Answer[EntriesAnswer]:
    found = views.list_entries(runtime, filters.to_model(), filters.slice)
    return paged(entries_answer(found.items), found, filters)


@router.get("/ledger/check", summary="Recompute every balance from the journal and check all invariants")
def check_ledger(runtime: ServerRuntime) -> CheckAnswer:
    findings, checked_at = views.check_ledger(runtime)
    return check_answer(findings, checked_at)
