"""Reading back what happened, and proving that it adds up."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TypeVar

from clearwindow.accounts import service as accounts
from clearwindow.accounts.values import JournalEntry
from clearwindow.audit import service as audit
from clearwindow.audit.service import AuditRecord
from clearwindow.http.filters import Page
from clearwindow.notices import service as notices
from clearwindow.notices.service import RecordedEvent
from clearwindow.operator.history_wire import AuditFilters, EntryFilters, EventFilters
from clearwindow.proof import service as proof
from clearwindow.proof.service import Finding
from clearwindow.runtime import Runtime


class _Counted(Protocol):
    @property
    def total(self) -> int: ...


R = TypeVar("R", bound=_Counted)


def audit_log(runtime: Runtime, filters: AuditFilters) -> tuple[list[AuditRecord], int]:
    with runtime.transaction() as tx:

        def read(limit: int, offset: int) -> list[AuditRecord]:
            return audit.list_records(
                tx,
                subject_id=filters.subject_id,
                actor_id=filters.actor_id,
                enterprise_id=filters.enterprise_id,
                action=filters.action,
                limit=limit,
                offset=offset,
            )

        return _page(read, filters)


def entries(runtime: Runtime, filters: EntryFilters) -> tuple[list[JournalEntry], int]:
    with runtime.transaction() as tx:

        def read(limit: int, offset: int) -> list[JournalEntry]:
            cause_id, account_id = filters.cause_id, filters.account_id
            return accounts.list_entries(tx, cause_id=cause_id, account_id=account_id, limit=limit, offset=offset)

        return _page(read, filters)


def events(runtime: Runtime, filters: EventFilters) -> tuple[list[RecordedEvent], int]:
    with runtime.transaction() as tx:

        def read(limit: int, offset: int) -> list[RecordedEvent]:
            return notices.list_events(
                tx,
                enterprise_id=filters.enterprise_id,
                subject_id=filters.subject_id,
                types=filters.types,
                limit=limit,
                offset=offset,
            )

        return _page(read, filters)


def check_ledger(runtime: Runtime) -> tuple[list[Finding], datetime]:
    with runtime.transaction() as tx:
        return proof.check_ledger(tx), tx.now()


def _page(read: Callable[[int, int], list[R]], page: Page) -> tuple[list[R], int]:
    """The rows of a page, and how many there are on all pages."""
    rows = read(page.limit, page.offset)
    # The count comes with each row: a page after the last has none, and asks the first row.
    counted = rows or (read(1, 0) if page.offset else [])
    return rows, counted[0].total if counted else 0
