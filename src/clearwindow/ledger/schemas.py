"""The journal and its check on the wire: filters and answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from pydantic import Field

from clearwindow.api.filters import CreatedPage
from clearwindow.api.schema import WireModel
from clearwindow.core.clock import wire_time
from clearwindow.core.ids import NIL, WireAnyId
from clearwindow.core.text import present
from clearwindow.ledger.check.service import Finding
from clearwindow.ledger.models import EntryFilter, JournalEntry


class EntryFilters(CreatedPage):
    cause_id: WireAnyId | None = None
    account_id: WireAnyId | None = None

    def to_model(self) -> EntryFilter:
        return EntryFilter(self.cause_id, self.account_id, self.created_on_or_after, self.created_before)


class PostingView(WireModel):
    """One side of an entry. The outside world is an account without an id."""

    account_kind: str
    account_id: str | None = None
    currency: str
    bucket: str
    quantity: str


class EntryView(WireModel):
    id: str
    kind: str
    cause_id: str
    partner_id: str | None = None
    reference: str | None = None
    created_at: str
    postings: list[PostingView]


class EntriesAnswer(WireModel):
    entries: list[EntryView]


class FindingView(WireModel):
    invariant: str
    message: str
    details: dict[str, object] = Field(
        description="The number of rows that violate the invariant, and the first of them."
    )


class CheckAnswer(WireModel):
    ok: bool
    checked_at: str
    findings: list[FindingView]


def entries_answer(entries: Sequence[JournalEntry]) -> EntriesAnswer:
    return EntriesAnswer(entries=[_entry_view(entry) for entry in entries])


def check_answer(findings: Sequence[Finding], checked_at: datetime) -> CheckAnswer:
    views = [
        FindingView(invariant=finding.invariant, message=finding.message, details=finding.details)
        for finding in findings
    ]
    return CheckAnswer(ok=not views, checked_at=wire_time(checked_at), findings=views)


def _entry_view(entry: JournalEntry) -> EntryView:
    fields = present(
        id=str(entry.id),
        kind=entry.kind,
        cause_id=str(entry.cause_id),
        partner_id=None if entry.partner_id == NIL else str(entry.partner_id),
        reference=entry.reference,
        created_at=wire_time(entry.created_at),
        postings=[_posting_view(posting) for posting in entry.postings],
    )
    return EntryView.model_validate(fields)


def _posting_view(posting: Mapping[str, str]) -> PostingView:
    kind = posting["accountKind"]
    account_id = {"go": UUID(posting["accountId"]).hex, "network": posting["accountId"]}.get(kind)
    fields = present(
        account_kind=kind,
        account_id=account_id,
        currency=posting["currency"],
        bucket=posting["bucket"],
        quantity=posting["quantity"],
    )
    return PostingView.model_validate(fields)
