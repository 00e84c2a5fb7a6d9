"""The partner's decision about a reserved allocation: its answer to our question, or its own signed request.

``proceed`` decides, in the transaction that holds the funds, what comes next. ``follow_up`` asks the partner after
that commit. If its process dies, the worker asks. Only the first answer is carried out. Protocol §4.2 and §8.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from clearwindow.allocations import events, rules, store, transitions
from clearwindow.allocations.models import (
    Allocation,
    AllocationStatus,
    AllocationType,
    Clear,
    Decision,
    Parties,
    Refusal,
    Release,
    Unanswered,
    Wait,
)
from clearwindow.allocations.views import unknown
from clearwindow.core.errors import ConflictError
from clearwindow.custody import signatures
from clearwindow.identity import audit
from clearwindow.identity.models import Member
from clearwindow.network.parties import require_partner
from clearwindow.partner_calls import calls
from clearwindow.partner_calls.models import Answer, Callee, Operation, OwedCall, Silent
from clearwindow.pauses import rules as pause_rules
from clearwindow.pauses import store as pauses
from clearwindow.pauses.models import Pause
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Funding, Runtime
from clearwindow.signing import nonces
from clearwindow.signing.models import SignedRequest

QUESTIONS: Final = (Operation.ALLOCATION, Operation.DEALLOCATION)
_QUESTION_OF: Final[Mapping[AllocationType, Operation]] = {
    AllocationType.ALLOCATION: Operation.ALLOCATION,
    AllocationType.DEALLOCATION: Operation.DEALLOCATION,
}
_OUTCOMES: Final[Mapping[tuple[AllocationType, AllocationStatus], Operation]] = {
    (AllocationType.ALLOCATION, AllocationStatus.CLEARED): Operation.ALLOCATION_CLEAR,
    (AllocationType.ALLOCATION, AllocationStatus.RELEASED): Operation.ALLOCATION_RELEASE,
    (AllocationType.DEALLOCATION, AllocationStatus.CLEARED): Operation.DEALLOCATION_CLEAR,
    (AllocationType.DEALLOCATION, AllocationStatus.RELEASED): Operation.DEALLOCATION_RELEASE,
}


def proceed(tx: Transaction, reserved: Allocation, parties: Parties, funding: Funding) -> Allocation:
    """Continues an allocation whose funds are held and whose approval, if it needs one, is given.

    An allocation to a partner without a callback clears at once (§4.5), unless the partner decides later with a
    request of its own.
    """
    endpoint = calls.endpoint_of(tx, parties.partner.enterprise_id)
    if endpoint.is_called:
        callee = Callee(parties.partner.id, parties.partner.enterprise_id)
        body = rules.question(reserved, parties.connection, parties.currencies)
        calls.owe(tx, callee, _QUESTION_OF[reserved.type], reserved.id, body, leased=True)
        return transitions.wait(tx, reserved, rules.NOT_ANSWERED, retriable=True)
    if endpoint.async_allocations:
        return transitions.wait(tx, reserved, rules.DECIDES_LATER, retriable=False)
    return transitions.clear(tx, reserved, parties, funding)


def follow_up(runtime: Runtime, allocation: Allocation, *, leased: bool) -> tuple[Allocation, bool]:
    """Asks the partner now, if it must still be asked.

    Returns the allocation as it stands afterwards, and whether this caller asked.

    ``leased``: the call is leased to this caller, because ``proceed`` has just written it. Otherwise the call is
    made only if nobody else is making it.
    """
    if not allocation.retriable:
        return allocation, False
    call = calls.take(runtime, allocation.id, QUESTIONS, leased=leased)
    if call is not None:
        carry_out(runtime, call, calls.make(runtime, call, attempts=runtime.calls.inline_attempts))
    with runtime.transaction() as tx:
        return _existing(store.find_allocation(tx, allocation.id), allocation.id), call is not None


def carry_out(runtime: Runtime, call: OwedCall, answer: Answer) -> None:
    """Carries out the partner's answer, unless the allocation was decided meanwhile."""
    with runtime.transaction() as tx:
        allocation = _existing(store.lock_allocation(tx, call.subject_id), call.subject_id)
        if allocation.status is not AllocationStatus.RESERVED or not allocation.retriable:
            return
        endpoint = calls.endpoint_of(tx, call.enterprise_id)
        asked = calls.body_of(tx, call)
        verdict = rules.verdict(allocation.type, answer, asked, decides_later=endpoint.async_allocations)
        if isinstance(verdict, Unanswered):
            calls.postpone(tx, call, answer if isinstance(answer, Silent) else Silent(verdict.why))
            return
        if isinstance(verdict, Clear) and _is_paused(tx, allocation, runtime.funding):
            # The partner is asked again once it is resumed, and answers the same.
            calls.hold(tx, call, rules.PAUSED)
            return
        calls.end(tx, call)
        known = rules.named(allocation, verdict.partner_external_id)
        parties = transitions.parties_of(tx, known)
        if isinstance(verdict, Wait):
            transitions.wait(tx, known, rules.DECIDES_LATER, retriable=False)
            return
        if isinstance(verdict, Release):
            done = transitions.release(tx, known, parties, runtime.funding, Refusal.PARTNER_REFUSED, verdict.reason)
        else:
            done = transitions.clear(tx, known, parties, runtime.funding)
        events.record(tx, [done], parties)
        if endpoint.is_called:
            callee = Callee(call.partner_id, call.enterprise_id)
            outcome = _OUTCOMES[done.type, done.status]
            calls.owe(tx, callee, outcome, done.id, rules.outcome_notice(asked, done))


def decide(runtime: Runtime, member: Member, decision: Decision, request: SignedRequest) -> bool:
    """Carries out a partner's own decision (§4.2).

    Returns False if the allocation has already ended with the same decision, and changes nothing then.

    Raises:
        ConflictError: the decision does not match the allocation, or contradicts how the allocation ended.
        UnprocessableError: the funds would move, and something of the allocation is paused.
    """
    request = signatures.require_match(request)
    with runtime.transaction() as tx:
        partner = require_partner(tx, member.enterprise_id)
        found = store.find_allocation(tx, decision.allocation_id)
        if found is None or found.partner_id != partner.id or found.type is not decision.type:
            raise unknown()
        if nonces.is_repeat(tx, member.enterprise_id, request, found.id):
            return False
        verified = signatures.verify(tx, partner.go_account_id, request, amount_unit=partner.amount_unit)
        nonces.use(tx, member.enterprise_id, verified, ConflictError, found.id)
        allocation = store.lock_allocation(tx, found.id) or found
        parties = transitions.parties_of(tx, allocation)
        rules.require_agreement(allocation, decision, parties.connection, parties.currencies)
        if allocation.status is not AllocationStatus.RESERVED:
            rules.require_same_end(allocation, decision)
            return False
        rules.require_approved(allocation)
        # A call that is under way finds the allocation decided and changes nothing.
        calls.drop(tx, allocation.id, QUESTIONS)
        done = _end(tx, allocation, decision, parties, runtime.funding)
        events.record(tx, [done], parties)
        audit.record(tx, member, f"{done.type}.decided", done.id, status=str(done.status))
        return True


def _end(
    tx: Transaction, allocation: Allocation, decision: Decision, parties: Parties, funding: Funding
) -> Allocation:
    known = rules.named(allocation, decision.partners_allocation_id)
    if decision.status is AllocationStatus.CLEARED:
        pause_rules.require_open(_standing(tx, allocation, parties, funding))
        return transitions.clear(tx, known, parties, funding)
    return transitions.release(tx, known, parties, funding, Refusal.PARTNER_REFUSED, decision.reject_reason)


def _standing(tx: Transaction, allocation: Allocation, parties: Parties, funding: Funding) -> list[Pause]:
    """Returns the pauses that keep the funds from moving. The locks of partners come before them."""
    if allocation.type is AllocationType.DEALLOCATION:
        transitions.lock_waiting(tx, parties, funding)
    return pauses.standing_for_allocation(tx, allocation.id)


def _is_paused(tx: Transaction, allocation: Allocation, funding: Funding) -> bool:
    return bool(_standing(tx, allocation, transitions.parties_of(tx, allocation), funding))


def _existing(allocation: Allocation | None, allocation_id: UUID) -> Allocation:
    if allocation is None:
        raise LookupError(f"there is no allocation {allocation_id}")
    return allocation
