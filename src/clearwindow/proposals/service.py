"""Proposals: made, approved, rejected, withdrawn, expired, and their values collected. Protocol §12.

Locks are taken in one order: what the act's ``stake`` locks, then the proposal, its proposer, then balances.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final, TypeVar
from uuid import UUID

from clearwindow.core.errors import ConflictError, NotFoundError, RequestError
from clearwindow.events.models import EventType
from clearwindow.identity import audit
from clearwindow.identity import store as people
from clearwindow.identity.acts import Act, Asked, Proposal, ProposalStatus, Scene, Stake
from clearwindow.identity.models import Operator
from clearwindow.postgres.pool import Transaction
from clearwindow.proposals import events, rules, store
from clearwindow.proposals.models import COLLECT_WITHIN, Ending, ProposalRecord
from clearwindow.runtime import Runtime

R = TypeVar("R")
T = TypeVar("T")
AnyAct = Act[Any, Any]

_EXPIRY: Final = "worker"
"""The request id of the audit record of an expiry, which no request makes."""


class Proposals:
    """All acts that can be proposed, by their names."""

    def __init__(self, acts: Iterable[AnyAct]) -> None:
        self._acts: Mapping[str, AnyAct] = {act.name: act for act in acts}

    def act_named(self, name: str) -> AnyAct:
        return self._acts[name]

    def propose(self, scene: Scene, act: Act[R, T], asked: Asked[R], stake: Stake) -> Proposal | T:
        """Returns the proposal of this act, subject and key, which may wait already with another request."""
        tx, operator = scene.tx, scene.operator
        waiting = store.lock_pending(tx, act.name, asked.subject_id, stake.key)
        if waiting is not None and tx.now() >= waiting.expires_at:
            expire(tx, act, waiting)
            waiting = None
        if waiting is None:
            made = _new(scene, act, asked, stake)
            if store.insert_proposal(tx, made):
                act.hold(scene, made.id, asked)
                details = {"act": made.act, "subjectId": made.subject_id, "request": made.request}
                audit.record(tx, operator, "proposal.made", made.id, summary=made.summary, **details)
                events.record(tx, EventType.PROPOSAL_MADE, made)
                return made
            # The same request came at the same instant, and has committed.
            return self.propose(scene, act, asked, stake)
        if act.confirmed_by_repeat and waiting.proposed_by != operator.operator_id:
            return _approve(scene, act, asked, stake, waiting, operator)[1]
        return waiting


def approve(runtime: Runtime, operator: Operator, proposal_id: UUID) -> ProposalRecord:
    """Approves a proposal. The last approval that it needs carries it out. A repeat changes nothing.

    Raises:
        NotFoundError: there is no such proposal.
        PermissionDeniedError: the operator may not approve it.
        ConflictError: it has ended, its target has changed, or the act cannot be carried out.
    """
    with runtime.transaction() as tx:
        seen = _existing(tx, proposal_id)
        if _has_approved(tx, seen, operator):
            return _record(tx, seen)
        rules.require_open(seen, tx.now())
        rules.require_other_hands(seen, operator)
        act = act_of(runtime, seen)
        asked = _asked(act, seen)
        rules.require_no_client_hands(operator, _client_hands(tx, act, asked, seen))
        scene = Scene(runtime, tx, _proposer(tx, seen, operator))
        with _refused_as_conflict():
            stake = act.stake(scene, asked)
            locked = store.lock_proposal(tx, seen.id)
            if _has_approved(tx, locked, operator):
                return _record(tx, locked)
            return _record(tx, _approve(scene, act, asked, stake, locked, operator)[0])


def reject(runtime: Runtime, operator: Operator, proposal_id: UUID, reason: str | None) -> ProposalRecord:
    """Ends a proposal without carrying it out, as one who could approve it.

    Raises:
        NotFoundError, PermissionDeniedError, ConflictError: as for ``approve``.
    """
    with runtime.transaction() as tx:
        proposal = store.lock_proposal(tx, _existing(tx, proposal_id).id)
        if rules.is_repeat(proposal, operator, ProposalStatus.REJECTED, reason):
            return _record(tx, proposal)
        rules.require_other_hands(proposal, operator)
        act = act_of(runtime, proposal)
        rules.require_no_client_hands(operator, _client_hands(tx, act, _asked(act, proposal), proposal))
        rules.require_open(proposal, tx.now())
        return _record(tx, _end_undone(tx, runtime, operator, proposal, ProposalStatus.REJECTED, reason))


def withdraw(runtime: Runtime, operator: Operator, proposal_id: UUID, reason: str | None) -> ProposalRecord:
    """Ends one's own proposal.

    Raises:
        NotFoundError: there is no such proposal.
        PermissionDeniedError: another operator made it.
        ConflictError: it has ended.
    """
    with runtime.transaction() as tx:
        proposal = store.lock_proposal(tx, _existing(tx, proposal_id).id)
        rules.require_proposer(proposal, operator)
        if rules.is_repeat(proposal, operator, ProposalStatus.WITHDRAWN, reason):
            return _record(tx, proposal)
        rules.require_open(proposal, tx.now())
        return _record(tx, _end_undone(tx, runtime, operator, proposal, ProposalStatus.WITHDRAWN, reason))


def collect(runtime: Runtime, operator: Operator, proposal_id: UUID) -> tuple[ProposalRecord, str]:
    """Returns the value that was made when the proposal was carried out, and forgets it.

    Raises:
        NotFoundError: there is no such proposal.
        PermissionDeniedError: another operator made it.
        ConflictError: there is nothing to collect, or nothing any more.
    """
    with runtime.transaction() as tx:
        proposal = store.lock_proposal(tx, _existing(tx, proposal_id).id)
        rules.require_proposer(proposal, operator)
        until = rules.collectable_until(proposal)
        if proposal.sealed_value is None or until is None or tx.now() >= until:
            raise ConflictError(
                "nothing_to_collect",
                "the proposal has no value to collect: it was collected before, was not collected in time, or was"
                " never made. If you do not have it, revoke the token and propose a new one",
                {"status": proposal.status},
            )
        value = tx.vault.decrypt(proposal.sealed_value, context=_seal_context(proposal.id)).decode()
        store.collect(tx, proposal.id)
        audit.record(tx, operator, "proposal.collected", proposal.id, act=proposal.act)
        return _record(tx, _existing(tx, proposal.id)), value


def expire(tx: Transaction, act: AnyAct, proposal: Proposal) -> None:
    """Ends a locked proposal whose time has run out."""
    act.release(tx, proposal.id, _asked(act, proposal))
    ended = store.end_proposal(tx, proposal.id, Ending(ProposalStatus.EXPIRED))
    proposer = Operator(proposal.proposed_by, "", _EXPIRY)
    audit.record(tx, proposer, "proposal.expired", proposal.id, act=proposal.act, subjectId=proposal.subject_id)
    events.record(tx, EventType.PROPOSAL_ENDED, ended)


def destroy_value(tx: Transaction, act: AnyAct, proposal: Proposal) -> None:
    """Destroys the value of a locked proposal, which nobody collected in time, and takes back what made it."""
    proposer = Operator(proposal.proposed_by, "", _EXPIRY)
    store.destroy_value(tx, proposal.id)
    audit.record(tx, proposer, "proposal.value_destroyed", proposal.id, act=proposal.act)
    act.take_back(tx, proposer, proposal.result or {})


@contextmanager
def _refused_as_conflict() -> Iterator[None]:
    """Names what the act itself is refused for. Each act has errors of its own, which its proposer knows."""
    try:
        yield
    except RequestError as error:
        if error.name in rules.OWN_ERRORS:
            raise
        raise ConflictError(
            "proposal_act_refused",
            f"the proposed act cannot be carried out: {error.message}",
            {"error": error.name, **(error.details or {})},
        ) from error


def act_of(runtime: Runtime, proposal: Proposal) -> AnyAct:
    act: AnyAct = runtime.proposing.act_named(proposal.act)
    return act


def _new(scene: Scene, act: AnyAct, asked: Asked[Any], stake: Stake) -> Proposal:
    now, oversight = scene.tx.now(), scene.runtime.oversight
    expires_at = now + oversight.proposal_lifetime
    return Proposal(
        id=scene.tx.new_id(),
        act=act.name,
        subject_id=asked.subject_id,
        key=stake.key,
        enterprise_id=stake.enterprise_id,
        request=act.stored(asked.request),
        target=dict(stake.target),
        summary=stake.summary,
        proposed_by=scene.operator.operator_id,
        token_made_by=scene.operator.token_made_by,
        approvals_needed=max(1, oversight.approvals_needed),
        status=ProposalStatus.PENDING,
        created_at=now,
        expires_at=expires_at,
        due_at=expires_at,
    )


def _approve(
    scene: Scene, act: Act[R, T], asked: Asked[R], stake: Stake | None, proposal: Proposal, operator: Operator
) -> tuple[Proposal, Proposal | T]:
    """Approves a locked proposal. Returns it, and what was done or the proposal again."""
    tx = scene.tx
    earlier = store.approvals_of(tx, [proposal.id])[proposal.id]
    rules.require_open(proposal, tx.now())
    rules.require_other_hands(proposal, operator, earlier)
    rules.require_no_client_hands(operator, _client_hands(tx, act, asked, proposal))
    rules.require_in_office(people.hold_in_office(tx, proposal.proposed_by), act.operation)
    if stake is not None:
        rules.require_unchanged(proposal, stake.target)
    store.insert_approval(tx, proposal, operator)
    details = {"act": proposal.act, "subjectId": proposal.subject_id}
    audit.record(tx, operator, "proposal.approved", proposal.id, **details)
    if not rules.is_approved(proposal, store.approvals_of(tx, [proposal.id])[proposal.id]):
        return proposal, proposal
    act.release(tx, proposal.id, asked)
    done = act.carry_out(replace(scene, proposal_id=proposal.id), asked)
    told = act.told(done)
    sealed, due_at = None, None
    if told.value is not None:
        due_at = tx.now() + COLLECT_WITHIN
        sealed = tx.vault.encrypt(told.value.encode(), context=_seal_context(proposal.id))
    ending = Ending(ProposalStatus.CARRIED_OUT, operator.operator_id, None, dict(told.result), sealed, due_at)
    ended = store.end_proposal(tx, proposal.id, ending)
    audit.record(tx, operator, "proposal.carried_out", proposal.id, proposedBy=str(proposal.proposed_by), **details)
    events.record(tx, EventType.PROPOSAL_ENDED, ended)
    return ended, done


def _end_undone(
    tx: Transaction,
    runtime: Runtime,
    operator: Operator,
    proposal: Proposal,
    status: ProposalStatus,
    reason: str | None,
) -> Proposal:
    act = act_of(runtime, proposal)
    act.release(tx, proposal.id, _asked(act, proposal))
    ended = store.end_proposal(tx, proposal.id, Ending(status, operator.operator_id, reason))
    details = {"act": proposal.act, "subjectId": proposal.subject_id, "reason": reason}
    audit.record(tx, operator, f"proposal.{status}", proposal.id, **details)
    events.record(tx, EventType.PROPOSAL_ENDED, ended)
    return ended


def _existing(tx: Transaction, proposal_id: UUID) -> Proposal:
    found = store.find_proposal(tx, proposal_id)
    if found is None:
        raise NotFoundError("proposal_unknown", "there is no proposal with this id")
    return found


def _proposer(tx: Transaction, proposal: Proposal, approver: Operator) -> Operator:
    """Returns the operator in whose name the act is carried out, in the request of the last approval."""
    found = people.find_operator(tx, proposal.proposed_by)
    if found is None:
        raise LookupError("the operator of a proposal is kept")
    return Operator(found.id, found.name, approver.request_id, found.role, proposal.token_made_by)


def _client_hands(tx: Transaction, act: AnyAct, asked: Asked[Any], proposal: Proposal) -> set[UUID]:
    """Returns the operators who can act for the enterprise that it affects, or acted as clients in its matter."""
    holders: set[UUID] = set()
    if proposal.enterprise_id is not None:
        holders = set(people.makers_of_tokens(tx, proposal.enterprise_id, proposal.created_at))
    return holders | set(act.client_hands(tx, asked))


def _has_approved(tx: Transaction, proposal: Proposal, operator: Operator) -> bool:
    approvals = store.approvals_of(tx, [proposal.id])[proposal.id]
    return any(approval.operator_id == operator.operator_id for approval in approvals)


def _record(tx: Transaction, proposal: Proposal) -> ProposalRecord:
    return ProposalRecord(proposal, store.approvals_of(tx, [proposal.id])[proposal.id])


def _asked(act: AnyAct, proposal: Proposal) -> Asked[Any]:
    return Asked(proposal.subject_id, act.restored(proposal.request))


def _seal_context(proposal_id: UUID) -> str:
    return f"proposal:{proposal_id}"
