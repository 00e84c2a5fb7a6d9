"""Decisions about proposals: who may approve, reject, withdraw and collect, and when. Protocol §12."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from clearwindow.core.errors import ConflictError, PermissionDeniedError
from clearwindow.core.text import quoted
from clearwindow.identity import roles
from clearwindow.identity.acts import Proposal, ProposalStatus, State
from clearwindow.identity.models import Hands, Operator, OperatorRecord, OperatorRole
from clearwindow.identity.rules import share_hands
from clearwindow.proposals.models import COLLECT_WITHIN, ProposalApproval

TRANSITIONS: Final[Mapping[ProposalStatus, frozenset[ProposalStatus]]] = {
    ProposalStatus.PENDING: frozenset(ProposalStatus) - {ProposalStatus.PENDING},
    ProposalStatus.CARRIED_OUT: frozenset(),
    ProposalStatus.REJECTED: frozenset(),
    ProposalStatus.WITHDRAWN: frozenset(),
    ProposalStatus.EXPIRED: frozenset(),
}
OWN_ERRORS: Final = frozenset(
    {
        "proposal_ended",
        "approver_needed",
        "own_proposal",
        "same_approver",
        "acted_as_client",
        "proposer_not_in_office",
        "proposal_target_changed",
    }
)
"""What can be wrong with an approval itself."""
APPROVERS: Final = frozenset({OperatorRole.APPROVER, OperatorRole.ADMINISTRATOR})


def is_repeat(proposal: Proposal, operator: Operator, status: ProposalStatus, reason: str | None) -> bool:
    """Returns whether this operator has ended the proposal in the same way before."""
    return (proposal.ended_by, proposal.status, proposal.reason) == (operator.operator_id, status, reason)


def require_open(proposal: Proposal, now: datetime) -> None:
    """Checks that the proposal still waits.

    Raises:
        ConflictError: it has ended, or its time has run out.
    """
    status = proposal.status
    if status is ProposalStatus.PENDING and now >= proposal.expires_at:
        status = ProposalStatus.EXPIRED
    if status is not ProposalStatus.PENDING:
        raise ConflictError(
            "proposal_ended",
            f"the proposal is {status.replace('_', ' ')}: propose it again if it is still wanted",
            {"status": status},
        )


def require_other_hands(proposal: Proposal, operator: Operator, approvals: Iterable[ProposalApproval] = ()) -> None:
    """Checks that the operator may approve or reject: another person than the proposer and those who approved.

    Raises:
        PermissionDeniedError: the role does not allow it, or one person would count twice.
    """
    if operator.role not in APPROVERS:
        raise PermissionDeniedError(
            "approver_needed", "only an operator with the role approver or administrator decides about proposals"
        )
    if share_hands(Hands(proposal.proposed_by, proposal.token_made_by), operator.hands):
        raise PermissionDeniedError(
            "own_proposal",
            "you made this proposal, or one of you made the other's token: another operator must decide about it",
        )
    if any(share_hands(approval.hands, operator.hands) for approval in approvals):
        raise PermissionDeniedError(
            "same_approver", "you have approved this proposal already under another name: another operator must"
        )


def require_no_client_hands(operator: Operator, client_hands: Collection[UUID]) -> None:
    """Checks that the operator has not acted as a client in what is decided, and cannot act as one.

    Args:
        operator: who would approve or reject.
        client_hands: the operators who made tokens of the clients.

    Raises:
        PermissionDeniedError: the operator made such a token, or whoever made the operator's own token did.
    """
    if not {operator.operator_id, operator.token_made_by}.isdisjoint(client_hands):
        raise PermissionDeniedError(
            "acted_as_client",
            "you made a token with which somebody acts for the enterprise that this affects: another operator must"
            " decide about it",
        )


def require_in_office(proposer: OperatorRecord | None, operation: str) -> None:
    """Checks that whoever proposed an act may still propose it.

    Args:
        proposer: the proposer as an operator now, None after a removal.
        operation: the one that proposes the act.

    Raises:
        ConflictError: the proposer was removed, or has a role that may not.
    """
    if proposer is None or not roles.operator_may(proposer.role, operation):
        raise ConflictError(
            "proposer_not_in_office",
            "the operator who proposed this was removed, or has a role now that may not propose it: reject it, and"
            " propose it again if it is still wanted",
        )


def require_proposer(proposal: Proposal, operator: Operator) -> None:
    """Checks that this operator made the proposal.

    Raises:
        PermissionDeniedError: another one did.
    """
    if operator.operator_id != proposal.proposed_by:
        raise PermissionDeniedError("not_the_proposer", "only the operator who made the proposal may do this")


def require_unchanged(proposal: Proposal, target: State) -> None:
    """Checks that the target is as the proposer saw it.

    Raises:
        ConflictError: it has changed. The details have what was and what is.
    """
    names = sorted(proposal.target.keys() | target.keys())
    changed = {
        name: {"proposed": _seen(proposal.target.get(name)), "now": _seen(target.get(name))}
        for name in names
        if proposal.target.get(name) != target.get(name)
    }
    if changed:
        raise ConflictError(
            "proposal_target_changed",
            f"{', '.join(changed)}: changed since this was proposed; withdraw the proposal and propose it again",
            {"changed": changed},
        )


def collectable_until(proposal: Proposal) -> datetime | None:
    """Returns until when the proposer may collect a value, None if there is none, or none any more."""
    if proposal.sealed_value is None or proposal.ended_at is None:
        return None
    return proposal.ended_at + COLLECT_WITHIN


def is_approved(proposal: Proposal, approvals: Iterable[ProposalApproval]) -> bool:
    """Returns whether enough operators have approved who still may."""
    return sum(approval.counts for approval in approvals) >= proposal.approvals_needed


def _seen(value: str | None) -> str | None:
    return None if value is None else quoted(value)
