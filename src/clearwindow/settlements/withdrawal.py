"""A partner takes back its own settlement, inside the dispute window. Protocol §5.

Its own transfers end as rejected, and with them their disputes. The closures that it has taken stay with it: with
any, it goes through its windows and completes with their transfers alone; without, it ends at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from clearwindow.core.errors import ConflictError
from clearwindow.custody import signatures
from clearwindow.events.models import EventType
from clearwindow.identity import audit
from clearwindow.identity.models import Member
from clearwindow.network import parties
from clearwindow.network.models import Partner
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime
from clearwindow.settlements import events, execution, rejection, rules, store
from clearwindow.settlements.disputes import store as disputes
from clearwindow.settlements.models import Settlement, SettlementState, Withdrawal
from clearwindow.settlements.transfers import store as transfers
from clearwindow.signing import nonces
from clearwindow.signing.models import SignedRequest


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The settlement as it is now. ``replayed``: an earlier, same request has withdrawn it."""

    settlement: Settlement
    disputed: bool
    replayed: bool


def withdraw(
    runtime: Runtime, member: Member, settlement_id: UUID | None, reason: str, signed: SignedRequest
) -> Withdrawn:
    """Withdraws the partner's settlement. A pause does not keep it from that, nor that the partner is inactive.

    Raises:
        PermissionDeniedError: the caller is no partner.
        NotFoundError: the partner has no such settlement.
        InvalidRequestError: the payload differs from the body, or is for something else.
        NotAuthenticatedError: the signature is not the partner's.
        ConflictError: it was withdrawn for another reason or rejected, it has no window, or the nonce is used.
        UnprocessableError: its dispute window has ended.
    """
    signed = signatures.require_match(signed)
    with runtime.transaction() as tx:
        partner = parties.require_partner(tx, member.enterprise_id)
        found = store.require_of_partner(tx, partner.id, settlement_id)
        if nonces.is_repeat(tx, member.enterprise_id, signed, found.id):
            return _replay(tx, found)
        verified = signatures.verify(tx, partner.go_account_id, signed)
        partner, settlement = execution.lock_both(tx, found.id)
        if settlement.withdrawn_at is not None:
            # The same request may have come at the same instant.
            if not nonces.is_repeat(tx, member.enterprise_id, signed, settlement.id):
                rules.require_same_withdrawal(settlement, reason)
                nonces.use_again(tx, member.enterprise_id, verified, ConflictError, settlement.id)
            return _replay(tx, settlement)
        # Under this lock no dispute is raised, retracted or closed.
        transfers.lock_parties(tx, settlement.id)
        if not nonces.use(tx, member.enterprise_id, verified, ConflictError, settlement.id):
            raise AssertionError("a request that was accepted before has withdrawn its settlement")
        # Read once: the table refuses a withdrawal with a time after the window in which it was allowed.
        now = tx.now()
        rules.require_withdrawable(settlement, now)
        done = _withdraw(tx, partner, settlement, Withdrawal(reason, member.user_id, now))
        audit.record(tx, member, "settlement.withdraw", settlement.id, reason=reason)
        return Withdrawn(done, disputes.is_disputed(tx, done.id), replayed=False)


def _replay(tx: Transaction, settlement: Settlement) -> Withdrawn:
    return Withdrawn(settlement, disputes.is_disputed(tx, settlement.id), replayed=True)


def _withdraw(tx: Transaction, partner: Partner, settlement: Settlement, how: Withdrawal) -> Settlement:
    rejection.release_own(tx, partner, settlement)
    done = store.set_withdrawn(tx, settlement, how)
    if transfers.count_running_closures(tx, settlement.id) == 0:
        rejected = SettlementState.REJECTED
        done = store.change_state(tx, done, rejected, due_at=None, reason=how.reason, finalized_at=how.at)
    events.notify_all(tx, EventType.SETTLEMENT_WITHDRAWN, partner, done, balances_changed=True)
    return done
