"""What operators hear of proposals, and an enterprise of those that affect it. Operators are not named to it."""

from __future__ import annotations

from clearwindow.core.clock import wire_time
from clearwindow.events import outbox
from clearwindow.events.models import Event, EventType
from clearwindow.identity.acts import Proposal
from clearwindow.postgres.pool import Transaction


def record(tx: Transaction, kind: EventType, proposal: Proposal) -> None:
    payload: dict[str, object] = {
        "proposalId": str(proposal.id),
        "act": proposal.act,
        "subjectId": proposal.subject_id,
        "summary": proposal.summary,
        "status": str(proposal.status),
        "expiresAt": wire_time(proposal.expires_at),
    }
    outbox.tell_operators(tx, kind, proposal.id, payload)
    if proposal.enterprise_id is not None:
        outbox.record(tx, [Event(kind, proposal.enterprise_id, proposal.id, payload)])
