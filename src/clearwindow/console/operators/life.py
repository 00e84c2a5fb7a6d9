"""The life of a settlement as one line of moments: what was, and what is to come. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from clearwindow.console.operators.reads import SettlementReads
from clearwindow.console.texts import short, words
from clearwindow.core.clock import parse_moment
from clearwindow.settlements.disputes.schemas import DisputeWithClosureOutput
from clearwindow.settlements.operator_schemas import OperatorSettlementOutput

_ENDED: Final = ("completed", "rejected")
_TONES: Final = {"completed": "good", "failed": "bad", "rejected": "bad", "disputed": "warn"}


@dataclass(frozen=True, slots=True)
class Moment:
    """One moment. ``tone`` is how it went, ``to_come`` whether it has not been yet."""

    at: str
    what: str
    more: str = ""
    tone: str = ""
    to_come: bool = False


def line_of(
    settlement: OperatorSettlementOutput,
    disputes: Sequence[DisputeWithClosureOutput],
    reads: SettlementReads,
    people: Mapping[str, str],
    now: datetime,
) -> list[Moment]:
    """Returns the moments, the earliest first."""
    moments = [
        *_deadlines(settlement, now),
        *_signed(reads),
        *_disputes(disputes),
        *_events(reads),
        *_acts(reads, people),
        *_calls(reads),
        *_entries(reads),
    ]
    return sorted(moments, key=lambda each: parse_moment(each.at) or now)


def _deadlines(settlement: OperatorSettlementOutput, now: datetime) -> Iterator[Moment]:
    yield Moment(settlement.created_at, f"Staged by {settlement.initiated_by}", settlement.notes or "", "info")
    if settlement.settlement_type == "onchain":
        return
    ended = settlement.stage in _ENDED
    for at, what in (
        (settlement.dispute_deadline_at, "Dispute window ends"),
        (settlement.top_up_deadline_at, "Top-up window ends"),
    ):
        deadline = parse_moment(at)
        if deadline is None or at == settlement.created_at:
            continue
        to_come = deadline > now
        if to_come and ended:
            continue
        yield Moment(at, what if to_come else what.replace("ends", "ended"), to_come=to_come)
    if settlement.withdrawn_at:
        yield Moment(settlement.withdrawn_at, "Withdrawn by the partner", settlement.withdrawn_reason or "", "warn")
    if settlement.paused_since:
        yield Moment(settlement.paused_since, "Waits: something of it is paused", tone="warn")
    if settlement.last_error and settlement.due_at:
        yield Moment(
            settlement.due_at,
            f"Next attempt, number {settlement.attempts + 1}",
            settlement.last_error,
            "bad",
            to_come=True,
        )


def _signed(reads: SettlementReads) -> Iterator[Moment]:
    for each in reads.signed:
        more = f"key {each.public_key}, nonce {each.nonce or 'none'}, {each.payload_bytes} bytes"
        yield Moment(each.received_at, f"Signed request: {words(str(each.operation))}", more)


def _disputes(disputes: Sequence[DisputeWithClosureOutput]) -> Iterator[Moment]:
    for each in disputes:
        yield Moment(
            each.created_at, f"Disputed on connection {short(each.connection_id)}", each.reason or "", "warn"
        )
        if each.retracted_at:
            yield Moment(
                each.retracted_at, f"Dispute {short(each.id)} retracted", each.retracted_reason or "", "good"
            )
        closure = each.dispute_closure
        if closure is not None:
            yield Moment(
                closure.created_at,
                f"Dispute {short(each.id)} closed by the {closure.closed_by}: {words(closure.status)}",
                closure.notes,
                "warn" if closure.status == "pending_review" else "good",
            )


def _events(reads: SettlementReads) -> Iterator[Moment]:
    """Several enterprises hear of one step: they are one moment."""
    steps: dict[tuple[str, str], list[str]] = {}
    for each in reads.events:
        steps.setdefault((each.created_at, each.type), []).append(each.id)
    for (at, kind), ids in steps.items():
        known = [each for each in reads.outcomes if str(each.event_id) in ids]
        delivered = sum(each.messages for each in known if each.status == "delivered")
        waiting = sum(each.messages for each in known if each.status == "owed")
        lost = sum(each.messages for each in known if each.status not in {"delivered", "owed"})
        parts = [f"{len(ids)} told"]
        parts += [f"{delivered} delivered"] if delivered else []
        parts += [f"{waiting} not delivered yet"] if waiting else []
        parts += [f"{lost} given up"] if lost else []
        tone = "bad" if lost else next((tone for end, tone in _TONES.items() if kind.endswith(end)), "")
        yield Moment(at, f"Event: {words(kind)}", "webhooks: " + ", ".join(parts), tone)


def _acts(reads: SettlementReads, people: Mapping[str, str]) -> Iterator[Moment]:
    for each in reads.audit:
        reason = each.details.get("reason")
        who = people.get(each.actor_id, each.actor_id)
        yield Moment(each.at, f"{words(each.action)}, by {each.actor_kind} {who}", str(reason) if reason else "")


def _calls(reads: SettlementReads) -> Iterator[Moment]:
    for each in reads.calls:
        state = "answered" if each.ended_at else "waits for an answer"
        yield Moment(
            each.created_at,
            f"Call to the partner: {words(each.operation)}",
            f"{state}, {each.attempts} attempts" + (f"; {each.last_error}" if each.last_error else ""),
            "" if each.ended_at else "warn",
        )


def _entries(reads: SettlementReads) -> Iterator[Moment]:
    for each in reads.entries:
        yield Moment(
            each.created_at,
            f"Journal: {words(each.kind)}",
            f"{len(each.postings)} postings, entry {short(each.id)}",
            "good",
        )
