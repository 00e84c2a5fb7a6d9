"""Routes that read back what happened."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from clearwindow.http.docs import may_answer, takes_filters
from clearwindow.http.filters import TOTAL_COUNT_HEADER, read_filters
from clearwindow.http.wire import json_response
from clearwindow.operator import history
from clearwindow.operator.history_wire import (
    AuditFilters,
    AuditLogAnswer,
    CheckAnswer,
    EntriesAnswer,
    EntryFilters,
    EventFilters,
    EventsAnswer,
    audit_log_answer,
    check_answer,
    entries_answer,
    events_answer,
)

router: Final = APIRouter(tags=["operator: history"])


@router.get(
    "/audit-log",
    summary="Who did what, when, in which request; newest first",
    response_model=AuditLogAnswer,
    responses=may_answer(400, 401),
    openapi_extra=takes_filters(AuditFilters),
)
async def audit_log(request: Request) -> Response:
    filters = await read_filters(request, AuditFilters)
    records, total = await run_in_threadpool(history.audit_log, request.app.state.runtime, filters)
    return json_response(audit_log_answer(records), headers={TOTAL_COUNT_HEADER: str(total)})


@router.get(
    "/ledger/entries",
    summary="The journal, newest first",
    response_model=EntriesAnswer,
    responses=may_answer(400, 401),
    openapi_extra=takes_filters(EntryFilters),
)
async def entries(request: Request) -> Response:
    filters = await read_filters(request, EntryFilters)
    found, total = await run_in_threadpool(history.entries, request.app.state.runtime, filters)
    return json_response(entries_answer(found), headers={TOTAL_COUNT_HEADER: str(total)})


@router.get(
    "/ledger/check",
    summary="Recompute every balance from the journal and verify what must always hold",
    response_model=CheckAnswer,
    responses=may_answer(401),
)
async def check_ledger(request: Request) -> Response:
    findings, checked_at = await run_in_threadpool(history.check_ledger, request.app.state.runtime)
    return json_response(check_answer(findings, checked_at))


@router.get(
    "/events",
    summary="The events of all enterprises, newest first",
    response_model=EventsAnswer,
    responses=may_answer(400, 401),
    openapi_extra=takes_filters(EventFilters),
)
async def events(request: Request) -> Response:
    filters = await read_filters(request, EventFilters)
    found, total = await run_in_threadpool(history.events, request.app.state.runtime, filters)
    return json_response(events_answer(found), headers={TOTAL_COUNT_HEADER: str(total)})
