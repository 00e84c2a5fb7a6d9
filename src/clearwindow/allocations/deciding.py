"""The partner says by itself what becomes of a reserved allocation, with a signed request. Protocol §4.2."""

from __future__ import annotations

from clearwindow.access.values import Member
from clearwindow.allocations import asking, rules, settling, store, tellings
from clearwindow.allocations import parties as between
from clearwindow.allocations.reading import unknown
from clearwindow.allocations.values import Allocation, AllocationStatus, Decision, Refusal
from clearwindow.audit import service as audit
from clearwindow.database.pool import Transaction
from clearwindow.errors import ConflictError
from clearwindow.network import service as network
from clearwindow.partnercalls import service as calls
from clearwindow.runtime import Runtime
from clearwindow.signing import service as signing
from clearwindow.signing.values import SignedRequest


def decide(runtime: Runtime, member: Member, decision: Decision, request: SignedRequest) -> bool:
    """Clears or releases the allocation; False where it has ended so already, which is said again and no more.

    Raises:
        ConflictError: the decision contradicts the allocation, or the end that it has.
    """
    with runtime.transaction() as tx:
        partner = network.require_partner(tx, member.enterprise_id)
        found = store.find_allocation(tx, decision.allocation_id)
        if found is None or found.partner_id != partner.id or found.type is not decision.type:
            raise unknown()
        signing.verify(tx, partner.go_account_id, request)
        signing.use_nonce(tx, member.enterprise_id, request, conflict=ConflictError)
        allocation = store.lock_allocation(tx, found.id) or found
        parties = between.of_allocation(tx, allocation)
        rules.require_agreement(allocation, decision, parties.connection, parties.currencies)
        if allocation.status is not AllocationStatus.RESERVED:
            rules.require_same_end(allocation, decision)
            return False
        rules.require_approved(allocation)
        # Whoever is asking right now finds it decided.
        calls.drop(tx, allocation.id, asking.ASKED)
        done = _end(tx, runtime, allocation, decision, parties)
        tellings.tell(tx, [done], parties.client, parties.partner, parties.currencies)
        evidence = {"status": str(done.status), "payload": request.payload, "signature": request.signature}
        audit.record(tx, member, f"{done.type}.decided", done.id, **evidence)
        return True


def _end(
    tx: Transaction, runtime: Runtime, allocation: Allocation, decision: Decision, parties: between.Parties
) -> Allocation:
    known = rules.named(allocation, decision.partners_allocation_id)
    if decision.status is AllocationStatus.CLEARED:
        return settling.clear(tx, runtime, known, parties)
    return settling.release(tx, runtime, known, parties, Refusal.PARTNER_REFUSED, decision.reject_reason)
