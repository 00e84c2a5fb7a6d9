"""What needs two operators: one proposes it, and the same request by another one carries it out."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from clearwindow.identity import audit
from clearwindow.identity.models import Operator
from clearwindow.postgres.pool import Transaction
from clearwindow.settlements import rules, store
from clearwindow.settlements.models import Proposal, ProposedAct


def confirm_or_propose(
    tx: Transaction, operator: Operator, act: ProposedAct, subject_id: UUID, reason: str | None
) -> Proposal | None:
    """Returns None if another operator has proposed the same: the caller carries it out. Else returns the proposal.

    The caller has locked the partner, so that two operators ask one after the other.
    """
    now = tx.now()
    found = store.find_proposal(tx, act, subject_id)
    if found is not None:
        if now < found.expires_at and not rules.confirms(found, operator.operator_id, now):
            return found
        store.end_proposal(tx, found.id)
        if rules.confirms(found, operator.operator_id, now):
            return None
    expires_at = now + timedelta(days=rules.PROPOSAL_DAYS)
    made = Proposal(tx.new_id(), act, subject_id, operator.operator_id, reason, now, expires_at)
    store.insert_proposal(tx, made)
    audit.record(tx, operator, f"{act}.propose", subject_id, reason=reason, proposalId=str(made.id))
    return made
