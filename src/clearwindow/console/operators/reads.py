"""All that belongs to one settlement, read from the rooms that have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from clearwindow.console.operations import Desk
from clearwindow.events.schemas import EventView
from clearwindow.identity.operator_routes import audit_log
from clearwindow.identity.schemas import AuditRecordView
from clearwindow.ledger import store as ledger
from clearwindow.ledger.models import HeldTotal
from clearwindow.ledger.operator_routes import entries
from clearwindow.ledger.schemas import EntryView
from clearwindow.partner_calls.operator_routes import list_calls
from clearwindow.partner_calls.schemas import CallOutput
from clearwindow.settlements.operator_schemas import OperatorSettlementOutput
from clearwindow.signing.evidence.routes import get_signed_request, list_signed_requests
from clearwindow.signing.evidence.schemas import FullSignedRequestOutput, SignedRequestOutput
from clearwindow.webhooks import store as webhooks
from clearwindow.webhooks.models import EventOutcome
from clearwindow.webhooks.operator_routes import events

_MOST: Final = {"pageSize": "100"}


@dataclass(frozen=True, slots=True)
class SettlementReads:
    """What belongs to a settlement.

    Attributes:
        signed: what was signed for it, the latest first.
        original: the first of them with its text; None if nothing was signed.
        held: what is held for it now, by currency.
        outcomes: what became of the messages about its events.
    """

    audit: Sequence[AuditRecordView]
    calls: Sequence[CallOutput]
    entries: Sequence[EntryView]
    events: Sequence[EventView]
    signed: Sequence[SignedRequestOutput]
    original: FullSignedRequestOutput | None
    held: Sequence[HeldTotal]
    outcomes: Sequence[EventOutcome]


def settlement_reads(desk: Desk, settlement: OperatorSettlementOutput) -> SettlementReads:
    """Returns what belongs to a settlement: of each kind the latest hundred."""
    found = settlement.id
    signed = desk.listed(list_signed_requests, {"subjectIds": found, **_MOST}).body.signed_requests
    original = desk.read(get_signed_request, signed_request_id=signed[-1].id).signed_request if signed else None
    told = desk.listed(events, {"subjectId": found, **_MOST}).body.events
    with desk.runtime.transaction() as tx:
        held = ledger.held_totals(tx, UUID(found))
        outcomes = webhooks.outcomes(tx, [UUID(each.id) for each in told])
    return SettlementReads(
        audit=desk.listed(audit_log, {"subjectId": found, **_MOST}).body.records,
        calls=desk.listed(list_calls, {"subjectIds": found, **_MOST}, "listPartnerCalls").body.partner_calls,
        entries=desk.listed(entries, {"causeId": found, **_MOST}).body.entries,
        events=told,
        signed=signed,
        original=original,
        held=held,
        outcomes=outcomes,
    )
