"""What happened, on the wire: the audit trail, events, the journal and its proof."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field

from clearwindow.accounts.values import JournalEntry
from clearwindow.audit.service import AuditRecord
from clearwindow.clock import wire_time
from clearwindow.http.filters import Page, Texts
from clearwindow.http.wire import ShortText, WireModel, present
from clearwindow.ids import NIL, parse_go_account_id, parse_uuid
from clearwindow.notices.service import RecordedEvent
from clearwindow.notices.values import EventType
from clearwindow.proof.service import Finding


def _any_id(value: object) -> UUID:
    found = (parse_go_account_id(value) or parse_uuid(value)) if isinstance(value, str) else None
    if found is None:
        raise ValueError("must be a UUID, or the id of a Go Account")
    return found


AnyId = Annotated[UUID, BeforeValidator(_any_id)]


def _event_types(names: list[str] | None) -> list[EventType] | None:
    known = {str(event_type): event_type for event_type in EventType}
    unknown = sorted(set(names or ()) - set(known))
    if unknown:
        raise ValueError(f"must be among {', '.join(known)}")
    return None if names is None else [known[name] for name in names]


class AuditFilters(Page):
    subject_id: ShortText | None = None
    actor_id: ShortText | None = None
    enterprise_id: ShortText | None = None
    action: ShortText | None = None


class EntryFilters(Page):
    cause_id: AnyId | None = None
    account_id: AnyId | None = None


class EventFilters(Page):
    enterprise_id: ShortText | None = None
    subject_id: AnyId | None = None
    types: Annotated[Texts, AfterValidator(_event_types)] = None


class AuditRecordView(WireModel):
    sequence: int
    at: str
    request_id: str
    actor_kind: str
    actor_id: str
    enterprise_id: str | None = None
    action: str
    subject_id: str
    details: dict[str, object]


class AuditLogAnswer(WireModel):
    records: list[AuditRecordView]


class PostingView(WireModel):
    """One side of an entry; the outside world is an account without an id."""

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


class EventView(WireModel):
    id: str
    sequence: int
    enterprise_id: str
    type: str
    subject_id: str
    payload: dict[str, object]
    created_at: str


class EventsAnswer(WireModel):
    events: list[EventView]


class FindingView(WireModel):
    invariant: str
    message: str
    details: dict[str, object] = Field(description="how many rows break it, and the first of them")


class CheckAnswer(WireModel):
    ok: bool
    checked_at: str
    findings: list[FindingView]


def audit_log_answer(records: Sequence[AuditRecord]) -> AuditLogAnswer:
    return AuditLogAnswer(records=[_record_view(record) for record in records])


def entries_answer(entries: Sequence[JournalEntry]) -> EntriesAnswer:
    return EntriesAnswer(entries=[_entry_view(entry) for entry in entries])


def events_answer(events: Sequence[RecordedEvent]) -> EventsAnswer:
    return EventsAnswer(events=[_event_view(event) for event in events])


def check_answer(findings: Sequence[Finding], checked_at: datetime) -> CheckAnswer:
    views = [
        FindingView(invariant=finding.invariant, message=finding.message, details=finding.details)
        for finding in findings
    ]
    return CheckAnswer(ok=not views, checked_at=wire_time(checked_at), findings=views)


def _record_view(record: AuditRecord) -> AuditRecordView:
    fields = present(
        sequence=record.sequence,
        at=wire_time(record.at),
        request_id=record.request_id,
        actor_kind=record.actor_kind,
        actor_id=record.actor_id,
        enterprise_id=record.enterprise_id,
        action=record.action,
        subject_id=record.subject_id,
        details=record.details,
    )
    return AuditRecordView.model_validate(fields)


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


def _event_view(event: RecordedEvent) -> EventView:
    return EventView(
        id=str(event.id),
        sequence=event.sequence,
        enterprise_id=event.enterprise_id,
        type=event.type,
        subject_id=str(event.subject_id),
        payload=event.payload,
        created_at=wire_time(event.created_at),
    )
