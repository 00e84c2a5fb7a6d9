"""What a message tells of an event, in words, amounts in coins, and times in the person's own time zone.

Names and notes are somebody else's: each becomes one line without control characters. The forms of the channels
escape them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from clearwindow.core.clock import parse_rfc3339
from clearwindow.core.money import format_decimal
from clearwindow.core.text import shown
from clearwindow.events.catalogue import CATALOGUE
from clearwindow.events.models import EventType
from clearwindow.notifications.models import (
    Message,
    NotificationKind,
    Owed,
    Recipient,
    Section,
    Total,
    Unit,
)

SECTIONS_OF_A_DIGEST: Final = 50
"""The most events that a digest tells in full. It says how many more there are."""
_SUBJECT_CHARACTERS: Final = 150

_HEADINGS: Final[Mapping[str, str]] = {
    EventType.SETTLEMENT_FINALIZING: "Settlement {externalId} is final",
    EventType.SETTLEMENT_TOP_UP_REQUIRED: "Settlement {externalId}: top up your account",
    EventType.SETTLEMENT_COMPLETED: "Settlement {externalId} is completed",
    EventType.SETTLEMENT_FAILED: "Settlement {externalId} has failed",
    EventType.SETTLEMENT_REJECTED: "Settlement {externalId} was rejected",
    EventType.SETTLEMENT_WITHDRAWN: "Settlement {externalId} was taken back by its partner",
    EventType.SETTLEMENT_SLA_ALERT: "Settlement {externalId}: the time is nearly over",
    EventType.DISPUTE_CREATED: "A settlement was disputed",
    EventType.DISPUTE_CLOSED: "A closure of a dispute waits for review",
    EventType.DISPUTE_REVIEWED: "A closure of a dispute was {decision}",
    EventType.APPROVAL_REQUESTED: "Something waits for a second user's approval",
    EventType.PROPOSAL_MADE: "Proposed: {summary}",
    EventType.PROPOSAL_ENDED: "Proposal {status}: {summary}",
    EventType.PAUSE_STARTED: "Paused: {kind}",
    EventType.PAUSE_ENDED: "No longer paused: {kind}",
}

_LABELS: Final[Mapping[str, str]] = {
    "externalId": "External id",
    "clientExternalId": "External id",
    "status": "Status",
    "reason": "Reason",
    "withdrawnReason": "Reason",
    "disputeDeadlineAt": "Dispute before",
    "topUpDeadlineAt": "Top up before",
    "slaAt": "Deadline",
    "expiresAt": "Decide before",
    "side": "Side",
    "act": "Act",
    "summary": "Proposal",
    "kind": "Kind",
    "currency": "Currency",
    "name": "Name",
    "decision": "Decision",
    "notes": "Notes",
    "type": "Type",
    "role": "Role",
    "change": "Change",
    "changedBy": "By",
    "initiatedBy": "By",
    "decidedBy": "Decided by",
    "userId": "User",
    "pausedAt": "Since",
    "resumedAt": "Ended",
    "verifiesFrom": "Counts from",
    "settlementId": "Settlement",
    "disputeId": "Dispute",
    "closureId": "Closure",
    "allocationId": "Allocation",
    "deallocationId": "Deallocation",
    "pendingApprovalId": "Approval",
    "proposalId": "Proposal id",
    "pauseId": "Pause",
    "connectionId": "Connection",
    "goAccountId": "Go Account",
    "keyId": "Key",
    "webhookEndpointId": "Webhook endpoint",
}
"""The fields that messages have, in their order. Others stay in the network."""

_OWN_WORDS: Final[Mapping[NotificationKind, Section]] = {
    NotificationKind.TEST: Section("Test", ("This is a test. Messages of Clearwindow reach you here.",)),
    NotificationKind.ENDED: Section(
        "No more messages",
        (
            "Nothing more will be sent to this address: it was replaced, or its messages were stopped.",
            "If you did not do this, somebody else used your access: have your tokens revoked.",
        ),
    ),
}
_FOOTER: Final = (
    "You get this because you asked Clearwindow for it. To change or stop it, use your notification settings in"
    " Clearwindow. Nobody will ask you for a password or a token because of this message."
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What messages tell beside the events: totals of settlements, units of currencies, and the waiting code."""

    totals: Mapping[tuple[UUID, str, bool], Sequence[Total]]
    units: Mapping[str, Unit]
    code: str | None = None


def compose(message_id: UUID, parts: Sequence[Owed], recipient: Recipient, facts: Facts) -> Message:
    """Returns the message that tells these notifications. The same ones give the same message."""
    told = parts[:SECTIONS_OF_A_DIGEST]
    sections = [_section(part, recipient, facts) for part in told]
    subject = sections[0].title
    if len(parts) > 1:
        subject = f"{len(parts)} events: {subject}, and others"
    if len(parts) > len(told):
        more = f"{len(parts) - len(told)} more events are not shown. Clearwindow has them all."
        sections.append(Section("And more", (more,)))
    return Message(
        id=message_id,
        positions=tuple(part.position for part in parts),
        subject=subject[:_SUBJECT_CHARACTERS],
        sections=tuple(sections),
        footer=_FOOTER,
        created_at=parts[0].created_at,
        types=tuple(dict.fromkeys(part.type or str(part.kind) for part in parts)),
    )


def moment(at: datetime, time_zone: str) -> str:
    """Returns a time as people of this zone read it, and in UTC."""
    local = at.astimezone(ZoneInfo(time_zone))
    universal = at.astimezone(UTC)
    if local.utcoffset() == universal.utcoffset():
        return f"{universal:%Y-%m-%d %H:%M:%S} UTC"
    day = "" if local.date() == universal.date() else f"{universal:%Y-%m-%d} "
    return f"{local:%Y-%m-%d %H:%M:%S} {time_zone} ({day}{universal:%H:%M:%S} UTC)"


def coins(quantity: int, currency: str, units: Mapping[str, Unit]) -> str:
    """Returns base units as coins with the unit, such as ``1.5 BTC``."""
    unit = units.get(currency)
    if unit is None:
        return f"{quantity} base units of {shown(currency)}"
    return f"{format_decimal(quantity, unit.decimals)} {unit.backing.upper()}"


def _section(owed: Owed, recipient: Recipient, facts: Facts) -> Section:
    if owed.kind is NotificationKind.CODE:
        return _code_section(facts)
    if owed.kind in _OWN_WORDS:
        return _OWN_WORDS[owed.kind]
    kind, payload = EventType(owed.type or ""), owed.payload or {}
    lines: list[str] = []
    totals = _totals(owed, recipient, facts)
    if kind is EventType.SETTLEMENT_INITIATED:
        title = _staged(owed, payload, totals, facts.units)
    else:
        title = _heading(kind, payload)
    lines.append(CATALOGUE[kind].meaning)
    lines += _total_lines(totals, facts.units)
    if owed.partner_name is not None:
        lines.append(f"Partner: {shown(owed.partner_name)}")
    lines += _amount_lines(payload, facts.units)
    fields = {name: payload[name] for name in _LABELS if payload.get(name) is not None}
    lines += [f"{_LABELS[name]}: {_value(value, recipient.time_zone)}" for name, value in fields.items()]
    lines.append(f"Recorded: {moment(owed.created_at, recipient.time_zone)}")
    return Section(title, tuple(lines))


def _code_section(facts: Facts) -> Section:
    if facts.code is None:
        return Section("This code has expired", ("Set the address again in Clearwindow to get a new code.",))
    return Section(
        "Your code",
        (
            f"Code: {facts.code}",
            "Confirm your address with it in Clearwindow, within 30 minutes.",
            "If you did not ask for it, ignore it: nothing else will be sent to you.",
        ),
    )


def _totals(owed: Owed, recipient: Recipient, facts: Facts) -> Sequence[Total]:
    if owed.subject_id is None or recipient.enterprise_id is None:
        return ()
    return facts.totals.get((owed.subject_id, recipient.enterprise_id, owed.as_client), ())


def _staged(owed: Owed, payload: Mapping[str, object], totals: Sequence[Total], units: Mapping[str, Unit]) -> str:
    taken = ", ".join(coins(total.lost, total.currency, units) for total in totals if total.lost)
    name = f"Settlement {shown(payload.get('externalId', ''))}"
    if not taken:
        return f"{name} takes nothing from you"
    return f"{name} takes {taken}" if owed.as_client else f"{name}: you pay {taken}"


def _total_lines(totals: Sequence[Total], units: Mapping[str, Unit]) -> list[str]:
    lines = [f"Takes: {coins(total.lost, total.currency, units)}" for total in totals if total.lost]
    return lines + [f"Gives: {coins(total.gained, total.currency, units)}" for total in totals if total.gained]


def _amount_lines(payload: Mapping[str, object], units: Mapping[str, Unit]) -> list[str]:
    """Returns the amount of an allocation, and the shortfalls of a partner's account."""
    lines: list[str] = []
    amount = payload.get("amount")
    if isinstance(amount, Mapping):
        lines.append(f"Amount: {_amount(amount, units)}")
    shortfalls = payload.get("shortfalls")
    for each in shortfalls if isinstance(shortfalls, list) else ():
        missing = _amount({"currency": each.get("currency"), "quantity": each.get("shortfall")}, units)
        lines.append(f"Missing: {missing}")
    return lines


def _amount(amount: Mapping[str, object], units: Mapping[str, Unit]) -> str:
    currency, quantity = str(amount.get("currency")), str(amount.get("quantity"))
    # A partner's amounts are in its own names and unit, and are told as they are.
    if currency not in units or not quantity.removeprefix("-").isdigit():
        return f"{shown(quantity)} {shown(currency)}"
    return coins(int(quantity), currency, units)


def _heading(kind: EventType, payload: Mapping[str, object]) -> str:
    known = {name: shown(value) for name, value in payload.items()}
    pattern = _HEADINGS.get(kind)
    if pattern is None:
        words = kind.replace(".", " ").replace("_", " ")
        return words[:1].upper() + words[1:]
    return pattern.format_map(_Known(known))


class _Known(dict[str, str]):
    """The fields of a heading. One that an event does not have is left out."""

    def __missing__(self, name: str) -> str:
        return ""


def _value(value: object, time_zone: str) -> str:
    at = parse_rfc3339(value) if isinstance(value, str) else None
    return moment(at, time_zone) if at is not None else shown(value)
