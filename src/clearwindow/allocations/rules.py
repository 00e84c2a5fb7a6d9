"""Decisions about allocations: their states and transitions, and what answers mean. Protocol §4."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from clearwindow.allocations.models import (
    Allocation,
    AllocationStatus,
    AllocationType,
    Clear,
    Decision,
    Parties,
    PolicyResult,
    Refusal,
    Release,
    RequestedAllocation,
    Unanswered,
    Verdict,
    Wait,
)
from clearwindow.core.errors import ConflictError, InvalidRequestError
from clearwindow.core.money import canonical_currency, from_partner_amount
from clearwindow.core.text import quoted
from clearwindow.ledger.models import Balance, EntryKind, HoldCause
from clearwindow.network.models import Client, Connection, CurrencyMap, Partner
from clearwindow.partner_calls.models import Accepted, Answer, NotCalled, Refused, Silent
from clearwindow.partner_calls.rules import contradiction, partners_own
from clearwindow.pauses.models import Touched
from clearwindow.signing import repeats

TRANSITIONS: Final[Mapping[AllocationStatus, frozenset[AllocationStatus]]] = {
    AllocationStatus.RESERVED: frozenset({AllocationStatus.CLEARED, AllocationStatus.RELEASED}),
    AllocationStatus.CLEARED: frozenset(),
    AllocationStatus.RELEASED: frozenset(),
}

ENTRY_KINDS: Final[Mapping[tuple[AllocationType, AllocationStatus], EntryKind]] = {
    (AllocationType.ALLOCATION, AllocationStatus.RESERVED): EntryKind.ALLOCATION_RESERVED,
    (AllocationType.ALLOCATION, AllocationStatus.CLEARED): EntryKind.ALLOCATION_CLEARED,
    (AllocationType.ALLOCATION, AllocationStatus.RELEASED): EntryKind.ALLOCATION_RELEASED,
    (AllocationType.DEALLOCATION, AllocationStatus.RESERVED): EntryKind.DEALLOCATION_RESERVED,
    (AllocationType.DEALLOCATION, AllocationStatus.CLEARED): EntryKind.DEALLOCATION_CLEARED,
    (AllocationType.DEALLOCATION, AllocationStatus.RELEASED): EntryKind.DEALLOCATION_RELEASED,
}

HOLD_CAUSES: Final[Mapping[AllocationType, HoldCause]] = {
    AllocationType.ALLOCATION: HoldCause.ALLOCATION,
    AllocationType.DEALLOCATION: HoldCause.DEALLOCATION,
}

_REASONS: Final[Mapping[Refusal, str]] = {
    Refusal.INSUFFICIENT_FUNDS: "the available balance does not cover the amount",
    Refusal.CONNECTION_INACTIVE: "the connection is inactive: it accepts no allocations",
    Refusal.CONNECTION_NOT_INITIALIZED: "the partner has not confirmed the connection yet",
    Refusal.CLIENT_INACTIVE: "the client is inactive: it cannot make allocations",
    Refusal.PARTNER_INACTIVE: "the partner is inactive: it accepts no allocations",
    Refusal.PARTNER_REFUSED: "the partner refused it",
    Refusal.APPROVAL_REJECTED: "another user of the enterprise rejected it",
    Refusal.PAUSED: "something of it is paused",
}
WAITS_FOR_APPROVAL: Final = "it waits for the approval of another user of the enterprise"

NOT_ANSWERED: Final = (
    "the partner has not answered yet and will be asked again: send the same request to ask it at once"
)
PAUSED: Final = "something of it is paused: the partner is asked again once that is resumed"
DECIDES_LATER: Final = "the partner has received it and decides later"


def touched(kind: AllocationType, currency: str, parties: Parties) -> Touched:
    """Returns what must not be paused. A paused partner does not stop deallocations: its clients can leave."""
    return Touched(
        partner_ids=[parties.partner.id] if kind is AllocationType.ALLOCATION else [],
        client_ids=[parties.client.id],
        currencies=[currency],
        go_account_ids=[parties.client.go_account_id],
    )


def require_mapped(name: str, currencies: CurrencyMap) -> str:
    """Returns our name of a currency that the partner accepts."""
    currency = canonical_currency(name)
    if not currencies.partner_names(currency):
        raise InvalidRequestError(
            "currency_not_supported",
            f"amount.currency: the partner does not accept {quoted(name)}: see its supportedCurrencies",
        )
    return currency


def require_known(name: str, known: Iterable[str]) -> str:
    """Returns our name of a currency of the network.

    A deallocation needs no more than this: funds must come back even if the partner's map no longer has their
    currency (choice C116).
    """
    currency = canonical_currency(name)
    if currency not in known:
        raise InvalidRequestError(
            "currency_not_supported", f"amount.currency: the network does not know {quoted(name)}"
        )
    return currency


def differing_fields(recorded: Allocation, asked: RequestedAllocation) -> list[str]:
    """Returns the fields in which a request differs from the one that made the record. Empty: it is the same.

    ``asked`` has our name of the currency. Connection and clientExternalId have found the record.
    """
    differing = {
        "amount.currency": recorded.currency != asked.currency,
        "amount.quantity": recorded.quantity != asked.quantity,
        "notes": recorded.notes != asked.notes,
    }
    return [name for name, differs in differing.items() if differs]


def require_same_request(recorded: Allocation, asked: RequestedAllocation) -> None:
    """Requires that a second request with the same clientExternalId is the first one, signed anew.

    Raises:
        InvalidRequestError: it differs.
    """
    fields = differing_fields(recorded, asked)
    if fields:
        text, details = repeats.differs("clientExternalId", recorded.type, recorded.id, fields)
        raise InvalidRequestError("client_external_id_taken", text, details)


def refusal(
    kind: AllocationType, client: Client, partner: Partner, connection: Connection, source: Balance, quantity: int
) -> Refusal | None:
    """Returns why the request cannot be carried out, or None. An inactive party does not stop a deallocation."""
    if kind is AllocationType.ALLOCATION:
        stopped = stopping(client, partner, connection)
        if stopped is not None:
            return stopped
    if not connection.initialized:
        return Refusal.CONNECTION_NOT_INITIALIZED
    return Refusal.INSUFFICIENT_FUNDS if source.available < quantity else None


def stopping(client: Client, partner: Partner, connection: Connection) -> Refusal | None:
    """Returns which inactive party stops new allocations, or None."""
    if not client.active:
        return Refusal.CLIENT_INACTIVE
    if not partner.active:
        return Refusal.PARTNER_INACTIVE
    return None if connection.active else Refusal.CONNECTION_INACTIVE


def is_evaluated(kind: AllocationType, partner: Partner) -> bool:
    """Returns whether the client's policy applies: for allocations to a partner with policies (choice C91)."""
    return partner.allocation_policies_enabled and kind is AllocationType.ALLOCATION


def passed(allocation: Allocation, evaluation_id: UUID) -> Allocation:
    """Returns the allocation after its policy allowed it."""
    return replace(allocation, evaluation_id=evaluation_id, policy_result=PolicyResult.APPROVED)


def held_for_approval(allocation: Allocation, evaluation_id: UUID, approval_id: UUID) -> Allocation:
    """Returns the allocation that waits for an approval, because it is above the threshold."""
    return replace(
        allocation,
        evaluation_id=evaluation_id,
        pending_approval_id=approval_id,
        reason=WAITS_FOR_APPROVAL,
        retriable=False,
    )


def approved(allocation: Allocation) -> Allocation:
    """Returns the allocation after its approval: reserved, and the partner not asked yet."""
    return replace(allocation, policy_result=PolicyResult.APPROVED, reason=None)


def rejected(allocation: Allocation) -> Allocation:
    """Returns the allocation after the rejection of its approval, still reserved."""
    return replace(allocation, policy_result=PolicyResult.REJECTED)


def released(allocation: Allocation, why: Refusal, now: datetime, reason: str | None = None) -> Allocation:
    given = replace(allocation, refusal=why, reason=reason or _REASONS[why])
    return _moved(given, AllocationStatus.RELEASED, now)


def cleared(allocation: Allocation, now: datetime) -> Allocation:
    return _moved(replace(allocation, reason=None), AllocationStatus.CLEARED, now)


def waiting(reserved: Allocation, reason: str, now: datetime, *, retriable: bool) -> Allocation:
    if reserved.status is not AllocationStatus.RESERVED:
        raise AssertionError(f"an allocation that is {reserved.status} cannot wait for the partner")
    if reserved.waits_for_approval:
        raise AssertionError("an allocation that waits for its approval cannot wait for the partner")
    return replace(reserved, reason=reason, retriable=retriable, updated_at=now)


def named(allocation: Allocation, partner_external_id: str | None) -> Allocation:
    """Returns the allocation with the partner's own id, if it is known."""
    return replace(allocation, partner_external_id=partner_external_id or allocation.partner_external_id)


def question(allocation: Allocation, connection: Connection, currencies: CurrencyMap) -> dict[str, object]:
    """Returns the body of the question to the partner, in the partner's names and unit."""
    ours = (allocation.currency, str(allocation.quantity))
    currency, quantity = currencies.to_theirs(allocation.currency, allocation.quantity) or ours
    return {
        f"{allocation.type}Id": str(allocation.id),
        "amount": {"currency": currency, "quantity": quantity},
        "clientId": str(allocation.client_id),
        "connectionId": str(allocation.connection_id),
        "partnersClientId": connection.partners_client_id,
        "partnersConnectionId": connection.partners_connection_id,
    }


def verdict(kind: AllocationType, answer: Answer, asked: Mapping[str, object], *, decides_later: bool) -> Verdict:
    """Returns what a partner's answer means. Funds move only if it accepts and repeats this question."""
    if isinstance(answer, Silent):
        return Unanswered(answer.why)
    if isinstance(answer, Refused):
        return Release(answer.reason)
    if isinstance(answer, NotCalled):
        return Wait(None) if decides_later else Clear(None)
    return _accepted(kind, answer, asked, decides_later=decides_later)


def _accepted(
    kind: AllocationType, answer: Accepted, asked: Mapping[str, object], *, decides_later: bool
) -> Verdict:
    differing = contradiction(answer, asked)
    if differing is not None:
        return Unanswered(f"the answer's {differing} is not the one that was sent")
    own_id = partners_own(answer, f"{kind.capitalize()}Id")
    if decides_later:
        return Wait(own_id)
    if own_id is None or f"{kind}Id" not in answer.fields:
        return Unanswered(f"the answer has no {kind}Id or no partners{kind.capitalize()}Id")
    return Clear(own_id)


def require_agreement(
    allocation: Allocation, decision: Decision, connection: Connection, currencies: CurrencyMap
) -> None:
    """Checks that the ids and the amount in the partner's decision are those of the allocation.

    Raises:
        ConflictError: one of them differs; the message names the first.
    """
    own_name = f"partners{allocation.type.capitalize()}Id"
    known: dict[str, object] = {
        "clientId": str(allocation.client_id),
        "connectionId": str(allocation.connection_id),
        "partnersClientId": connection.partners_client_id,
        "partnersConnectionId": connection.partners_connection_id,
        "evaluationId": allocation.evaluation_id and str(allocation.evaluation_id),
        "pendingApprovalId": allocation.pending_approval_id and str(allocation.pending_approval_id),
        "policyResult": allocation.policy_result,
    }
    given = dict(decision.echoed)
    if allocation.partner_external_id is not None:
        known[own_name], given[own_name] = allocation.partner_external_id, decision.partners_allocation_id
    differing = [name for name, value in given.items() if value is not None and value != known[name]]
    if differing:
        raise _contradicts(allocation, differing[0])
    mapped = currencies.to_ours(decision.currency)
    if mapped is None:
        # The question had our name and base units, because the map did not have the currency.
        same = (decision.currency, decision.quantity) == (allocation.currency, str(allocation.quantity))
    else:
        quantity = from_partner_amount(decision.quantity, currencies.unit, mapped[1])
        same = (mapped[0], quantity) == (allocation.currency, allocation.quantity)
    if not same:
        raise _contradicts(allocation, "amount")


def require_approved(allocation: Allocation) -> None:
    """Checks that the allocation does not wait for its approval.

    Raises:
        ConflictError: another user of the client's enterprise must decide first.
    """
    if allocation.waits_for_approval:
        raise ConflictError(
            "approval_pending",
            "status: another user of the client's enterprise must approve the allocation first: try again when it"
            " has a policyResult",
        )


def require_same_end(allocation: Allocation, decision: Decision) -> None:
    """Checks that a decision about an ended allocation repeats how it ended.

    Raises:
        ConflictError: it ended differently.
    """
    if decision.status is not allocation.status:
        raise ConflictError(
            "allocation_decided",
            f"status: the {allocation.type} is already {allocation.status}, which is final",
            {"status": str(allocation.status)},
        )


def _contradicts(allocation: Allocation, name: str) -> ConflictError:
    return ConflictError(
        "allocation_differs",
        f"{name}: differs from the {allocation.type} with this id: send it as you received it",
        {"entry": name},
    )


def outcome_notice(asked: Mapping[str, object], done: Allocation) -> dict[str, object]:
    """Returns the body of the notice to the partner: the question, the partner's own id and the end."""
    own_name = f"partners{done.type.capitalize()}Id"
    own = {own_name: done.partner_external_id} if done.partner_external_id else {}
    reason = {"reason": done.reason} if done.reason else {}
    return {**asked, **own, "status": str(done.status), **reason}


def _moved(allocation: Allocation, status: AllocationStatus, now: datetime) -> Allocation:
    if status not in TRANSITIONS[allocation.status]:
        raise AssertionError(f"an allocation cannot go from {allocation.status} to {status}")
    if allocation.waits_for_approval:
        raise AssertionError("an allocation that waits for its approval stays reserved")
    return replace(allocation, status=status, retriable=False, updated_at=now)
