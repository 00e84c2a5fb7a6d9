"""A client's request to allocate funds to a partner, or to take them back. Protocol §4.

The first transaction holds the funds. Then the partner is asked, outside any transaction, and a second transaction
carries out its answer (``partner_decision``). If the partner has no callback (§4.5), the first transaction does all
of it; the journal and the events still show both steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final
from uuid import UUID

from clearwindow.allocations import events, partner_decision, rules, store, transitions
from clearwindow.allocations.models import (
    Allocation,
    AllocationStatus,
    AllocationType,
    Parties,
    Refusal,
    RequestedAllocation,
    RequestOutcome,
)
from clearwindow.approvals import rules as approval_rules
from clearwindow.approvals import service as approvals
from clearwindow.approvals.models import ApprovalKind, Exceeded, RequestedApproval
from clearwindow.core.errors import REFUSALS, InvalidRequestError
from clearwindow.core.money import AmountUnit
from clearwindow.custody import signatures
from clearwindow.custody import store as custody
from clearwindow.identity import audit
from clearwindow.identity.models import Member
from clearwindow.ledger import store as ledger
from clearwindow.ledger.models import Balance
from clearwindow.network.parties import require_licence
from clearwindow.pauses import rules as pause_rules
from clearwindow.pauses import store as pauses
from clearwindow.pauses.models import Pause
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Funding, Runtime
from clearwindow.signing import nonces
from clearwindow.signing.models import SignedRequest, VerifiedRequest

DAY: Final = timedelta(hours=24)
"""How far back the daily threshold looks. There is no hour at which it begins anew."""


@dataclass(frozen=True, slots=True)
class _Evaluated:
    """An allocation after its policy, with the approval that it needs, if any."""

    allocation: Allocation
    approval: RequestedApproval | None


def require_connection(runtime: Runtime, member: Member, connection_id: UUID) -> None:
    """Refuses a request to sign that names no connection of the client."""
    with runtime.transaction() as tx:
        transitions.parties_of_request(tx, member, connection_id)


def submit(runtime: Runtime, member: Member, asked: RequestedAllocation, request: SignedRequest) -> RequestOutcome:
    """Carries the request out. The same request again asks the partner again if it has not answered."""
    outcome = _admit(runtime, member, asked, signatures.require_match(request))
    if not outcome.may_ask:
        return outcome
    allocation, asked_now = partner_decision.follow_up(runtime, outcome.allocation, leased=not outcome.replayed)
    return replace(outcome, allocation=allocation, asked_now=asked_now)


def _admit(runtime: Runtime, member: Member, asked: RequestedAllocation, request: SignedRequest) -> RequestOutcome:
    """Holds the funds, or records why it cannot. A refusal is committed: its record must exist."""
    with runtime.transaction() as tx:
        parties = transitions.parties_of_request(tx, member, asked.connection_id)
        recorded = _recorded(tx, asked)
        if recorded is not None and _is_repeat(tx, member, recorded, request):
            return _repeated(tx, asked, request, parties, recorded)
        asked, verified = _verified(tx, asked, request, parties)
        if recorded is None:
            if asked.type is AllocationType.DEALLOCATION:
                transitions.lock_waiting(tx, parties, runtime.funding)
            standing = pauses.standing_among(tx, rules.touched(asked.type, asked.currency, parties))
            source, destination = parties.ends(asked.type, asked.currency)
            balance = ledger.lock_balances(tx, [source, destination])[source]
            # The same request may have come at the same instant.
            recorded = _recorded(tx, asked)
            if recorded is None:
                new = _new(tx, member, asked, verified, parties)
                if standing:
                    return _refuse_paused(tx, member, new, parties, standing)
                return _begin(tx, member, new, parties, balance, runtime.funding)
        rules.require_same_request(recorded, asked)
        nonces.use_again(tx, member.enterprise_id, verified, InvalidRequestError, recorded.id)
        return _passed(tx, recorded, parties)


def _is_repeat(tx: Transaction, member: Member, recorded: Allocation, request: SignedRequest) -> bool:
    """Returns whether this request was accepted before, byte for byte, for the record."""
    if recorded.request_sha256 == request.sha256:
        return True
    used = nonces.find(tx, member.enterprise_id, request)
    # The same text may have been accepted for the other direction: here the record must be known.
    return used is not None and used.serves(request, recorded.id) and used.record_id is not None


def _repeated(
    tx: Transaction, asked: RequestedAllocation, request: SignedRequest, parties: Parties, recorded: Allocation
) -> RequestOutcome:
    """Answers a byte-identical repeat. The partner is asked again only if a new request would be allowed."""
    if recorded.retriable:
        try:
            _verified(tx, asked, request, parties, is_repeat=True)
        except REFUSALS:
            return RequestOutcome(recorded, replayed=True, may_ask=False)
    return _passed(tx, recorded, parties)


def _verified(
    tx: Transaction,
    asked: RequestedAllocation,
    request: SignedRequest,
    parties: Parties,
    *,
    is_repeat: bool = False,
) -> tuple[RequestedAllocation, VerifiedRequest]:
    """Returns what is asked in our name of the currency, after every check that comes before the nonce."""
    asked = replace(asked, currency=_currency(tx, asked, parties))
    account_id, unit = parties.client.go_account_id, AmountUnit.BASE
    return asked, signatures.verify(tx, account_id, request, amount_unit=unit, is_repeat=is_repeat)


def _passed(tx: Transaction, recorded: Allocation, parties: Parties) -> RequestOutcome:
    """Answers a repeat that passed every check.

    An inactive party keeps a new allocation from the partner, and a pause keeps what it touches.
    """
    if recorded.retriable and pauses.standing_for_allocation(tx, recorded.id):
        return RequestOutcome(recorded, replayed=True, may_ask=False)
    stops = recorded.type is AllocationType.ALLOCATION and rules.stopping(
        parties.client, parties.partner, parties.connection
    )
    return RequestOutcome(recorded, replayed=True, may_ask=not stops)


def _recorded(tx: Transaction, asked: RequestedAllocation) -> Allocation | None:
    return store.find_by_external_id(tx, asked.connection_id, asked.type, asked.client_external_id)


def _currency(tx: Transaction, asked: RequestedAllocation, parties: Parties) -> str:
    if asked.type is AllocationType.ALLOCATION:
        return rules.require_mapped(asked.currency, parties.currencies)
    return rules.require_known(asked.currency, custody.currencies(tx))


def _begin(
    tx: Transaction, member: Member, new: Allocation, parties: Parties, balance: Balance, funding: Funding
) -> RequestOutcome:
    """Reserves the funds, or releases the allocation. ``balance``: what the funds are taken from, locked."""
    why = rules.refusal(new.type, parties.client, parties.partner, parties.connection, balance, new.quantity)
    approval = None
    if why is None:
        evaluated = _evaluate(tx, new, parties)
        approval = evaluated.approval
        reserved = transitions.reserve(tx, evaluated.allocation, parties)
        done = reserved if approval else partner_decision.proceed(tx, reserved, parties, funding)
        history, details = ([done] if done.status is reserved.status else [reserved, done]), None
    else:
        done = rules.released(new, why, tx.now())
        store.insert_allocation(tx, done)
        history, details = [done], _details(done, balance)
    events.record(tx, history, parties)
    audit.record(tx, member, f"{new.type}.submitted", done.id, status=str(done.status))
    if approval is not None:
        _request_approval(tx, member, done, approval)
    return RequestOutcome(done, replayed=False, details=details)


def _refuse_paused(
    tx: Transaction, member: Member, new: Allocation, parties: Parties, standing: Sequence[Pause]
) -> RequestOutcome:
    """Releases the allocation before anything was held: the wire contract wants a record (choice C201)."""
    done = rules.released(new, Refusal.PAUSED, tx.now(), pause_rules.in_words(standing))
    store.insert_allocation(tx, done)
    events.record(tx, [done], parties)
    audit.record(tx, member, f"{new.type}.submitted", done.id, status=str(done.status))
    return RequestOutcome(done, replayed=False, details=dict(pause_rules.told(standing[0])))


def _evaluate(tx: Transaction, new: Allocation, parties: Parties) -> _Evaluated:
    """Applies the policy of the client's enterprise, before the funds are held."""
    if not rules.is_evaluated(new.type, parties.partner):
        return _Evaluated(new, None)
    evaluation_id = tx.new_id()
    exceeded = _exceeded(tx, new, parties.client.enterprise_id)
    if exceeded is None:
        return _Evaluated(rules.passed(new, evaluation_id), None)
    approval = RequestedApproval(
        kind=ApprovalKind.ALLOCATION,
        currency=new.currency,
        quantity=new.quantity,
        threshold=exceeded.threshold,
        partner_id=new.partner_id,
        allocation_id=new.id,
        day_quantity=exceeded.day_quantity,
    )
    return _Evaluated(rules.held_for_approval(new, evaluation_id, tx.new_id()), approval)


def _exceeded(tx: Transaction, new: Allocation, enterprise_id: str) -> Exceeded | None:
    """Returns the threshold that the allocation exceeds, alone or with the others of the last 24 hours."""
    threshold, daily = (
        approvals.threshold_of(tx, enterprise_id, kind, new.currency)
        for kind in (ApprovalKind.THRESHOLD, ApprovalKind.DAILY_THRESHOLD)
    )
    day_quantity = new.quantity
    if daily is not None:
        since = new.created_at - DAY
        day_quantity += store.unapproved_quantity(tx, new.client_id, new.partner_id, new.currency, since)
    return approval_rules.exceeded(new.quantity, threshold, day_quantity=day_quantity, daily_threshold=daily)


def _request_approval(tx: Transaction, member: Member, reserved: Allocation, approval: RequestedApproval) -> None:
    if reserved.pending_approval_id is None:
        raise AssertionError("an allocation that needs no approval has no approval to request")
    approvals.request(tx, member, reserved.pending_approval_id, approval)


def _new(
    tx: Transaction, member: Member, asked: RequestedAllocation, verified: VerifiedRequest, parties: Parties
) -> Allocation:
    """Uses up the nonce and returns the new allocation, which is stored later."""
    allocation_id = tx.new_id()
    if not nonces.claim(tx, member.enterprise_id, verified, InvalidRequestError, allocation_id):
        raise nonces.used_before(tx, verified, InvalidRequestError)
    if asked.type is AllocationType.ALLOCATION:
        require_licence(tx, member.enterprise_id, parties.partner.id)
    now = tx.now()
    return Allocation(
        id=allocation_id,
        partner_id=parties.partner.id,
        client_id=parties.client.id,
        connection_id=asked.connection_id,
        type=asked.type,
        status=AllocationStatus.RESERVED,
        currency=asked.currency,
        quantity=asked.quantity,
        client_external_id=asked.client_external_id,
        partner_external_id=None,
        request_sha256=verified.request.sha256,
        initiated_by=member.user_id,
        notes=asked.notes,
        refusal=None,
        reason=None,
        retriable=False,
        created_at=now,
        updated_at=now,
        evaluation_id=None,
        pending_approval_id=None,
        policy_result=None,
    )


def _details(released: Allocation, source: Balance) -> dict[str, object] | None:
    """Returns the numbers behind a shortage. The record does not keep them, because the partner sees it too."""
    if released.refusal is not Refusal.INSUFFICIENT_FUNDS:
        return None
    return {
        "currency": released.currency,
        "quantity": str(released.quantity),
        "available": str(source.available),
        "shortfall": str(released.quantity - source.available),
    }
