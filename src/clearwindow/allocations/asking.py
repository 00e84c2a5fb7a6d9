"""Asking the partner whether it takes an allocation whose funds are held. Protocol §4.2 and §8.

``proceed`` says, in the transaction that holds the funds, what comes next; ``follow_up`` asks after its commit; the
worker asks whom nobody else has. The answer that comes first is carried out, and no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from clearwindow.allocations import parties as between
from clearwindow.allocations import rules, settling, store, tellings
from clearwindow.allocations.parties import Parties
from clearwindow.allocations.values import (
    Allocation,
    AllocationStatus,
    AllocationType,
    Refusal,
    Release,
    Unanswered,
    Wait,
)
from clearwindow.database.pool import Transaction
from clearwindow.partnercalls import service as calls
from clearwindow.partnercalls.values import Answer, Callee, Operation, OwedCall, Silent
from clearwindow.partnercalls.work import CallWork
from clearwindow.runtime import Runtime

ASKED: Final = (Operation.ALLOCATION, Operation.DEALLOCATION)
_ASKING: Final[Mapping[AllocationType, Operation]] = {
    AllocationType.ALLOCATION: Operation.ALLOCATION,
    AllocationType.DEALLOCATION: Operation.DEALLOCATION,
}
_OUTCOMES: Final[Mapping[tuple[AllocationType, AllocationStatus], Operation]] = {
    (AllocationType.ALLOCATION, AllocationStatus.CLEARED): Operation.ALLOCATION_CLEAR,
    (AllocationType.ALLOCATION, AllocationStatus.RELEASED): Operation.ALLOCATION_RELEASE,
    (AllocationType.DEALLOCATION, AllocationStatus.CLEARED): Operation.DEALLOCATION_CLEAR,
    (AllocationType.DEALLOCATION, AllocationStatus.RELEASED): Operation.DEALLOCATION_RELEASE,
}


def proceed(tx: Transaction, runtime: Runtime, reserved: Allocation, parties: Parties) -> Allocation:
    """What comes after the funds are held and nothing else is waited for.

    A partner without a callback says yes at once (§4.5), unless it decides later by itself.
    """
    endpoint = calls.endpoint_of(tx, parties.partner.enterprise_id)
    if endpoint.is_called:
        callee = Callee(parties.partner.id, parties.partner.enterprise_id)
        body = rules.question(reserved, parties.connection, parties.currencies)
        calls.owe(tx, runtime, callee, _ASKING[reserved.type], reserved.id, body, leased=True)
        return settling.wait(tx, reserved, rules.NOT_ANSWERED, retriable=True)
    if endpoint.async_allocations:
        return settling.wait(tx, reserved, rules.DECIDES_LATER, retriable=False)
    return settling.clear(tx, runtime, reserved, parties)


def follow_up(runtime: Runtime, allocation: Allocation, *, leased: bool) -> Allocation:
    """Asks the partner now, where it is still to be asked; gives the allocation as it then stands.

    ``leased``: ``proceed`` has just left the question to this caller. Any other asks only what nobody is asking.
    """
    if not allocation.retriable:
        return allocation
    call = calls.take(runtime, allocation.id, ASKED, leased=leased)
    if call is not None:
        carry_out(runtime, call, calls.make(runtime, call, attempts=runtime.calls.inline_attempts))
    with runtime.transaction() as tx:
        return _existing(store.find_allocation(tx, allocation.id), allocation.id)


def allocation_work() -> CallWork:
    return CallWork("allocations", ASKED, lambda runtime, call: carry_out(runtime, call, calls.make(runtime, call)))


def carry_out(runtime: Runtime, call: OwedCall, answer: Answer) -> None:
    """Carries out the partner's answer, unless another one was faster."""
    with runtime.transaction() as tx:
        allocation = _existing(store.lock_allocation(tx, call.subject_id), call.subject_id)
        if allocation.status is not AllocationStatus.RESERVED or not allocation.retriable:
            return
        endpoint = calls.endpoint_of(tx, call.enterprise_id)
        asked = calls.body_of(tx, runtime, call)
        verdict = rules.verdict(allocation.type, answer, asked, decides_later=endpoint.async_allocations)
        if isinstance(verdict, Unanswered):
            calls.postpone(tx, call, answer if isinstance(answer, Silent) else Silent(verdict.why))
            return
        calls.end(tx, call)
        known = rules.named(allocation, verdict.partner_external_id)
        parties = between.of_allocation(tx, known)
        if isinstance(verdict, Wait):
            settling.wait(tx, known, rules.DECIDES_LATER, retriable=False)
            return
        if isinstance(verdict, Release):
            done = settling.release(tx, runtime, known, parties, Refusal.PARTNER_REFUSED, verdict.reason)
        else:
            done = settling.clear(tx, runtime, known, parties)
        tellings.tell(tx, [done], parties.client, parties.partner, parties.currencies)
        if endpoint.is_called:
            callee = Callee(call.partner_id, call.enterprise_id)
            outcome = _OUTCOMES[done.type, done.status]
            calls.owe(tx, runtime, callee, outcome, done.id, rules.outcome_told(asked, done))


def _existing(allocation: Allocation | None, allocation_id: UUID) -> Allocation:
    if allocation is None:
        raise LookupError(f"there is no allocation {allocation_id}")
    return allocation
