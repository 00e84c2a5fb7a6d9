"""Decisions about allocations. Pure; the states and their transitions are protocol §4."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from clearwindow.accounts.values import Balance, BalanceKey, EntryKind, HoldCause
from clearwindow.allocations.values import (
    Allocation,
    AllocationStatus,
    AllocationType,
    Clear,
    Decision,
    PolicyResult,
    Refusal,
    Release,
    Unanswered,
    Verdict,
    Wait,
)
from clearwindow.errors import ConflictError, InvalidRequestError
from clearwindow.http.bodies import quoted
from clearwindow.money import canonical_currency, from_partner_amount
from clearwindow.network.values import Client, Connection, CurrencyMap, Partner
from clearwindow.partnercalls.rules import contradiction, partners_own
from clearwindow.partnercalls.values import Accepted, Answer, NotCalled, Refused, Silent

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
    Refusal.CONNECTION_INACTIVE: "the connection is inactive and takes no allocations",
    Refusal.CONNECTION_NOT_INITIALIZED: "the partner has not answered to the connection yet",
    Refusal.CLIENT_INACTIVE: "the client is inactive and makes no allocations",
    Refusal.PARTNER_INACTIVE: "the partner is inactive and takes no allocations",
    Refusal.PARTNER_REFUSED: "the partner refused it",
    Refusal.APPROVAL_REJECTED: "the approval of another user of the enterprise was refused",
}
WAITS_FOR_APPROVAL: Final = "it waits for the approval of another user of the enterprise"

NOT_ANSWERED: Final = "the partner has not answered yet: it is asked again, and at once by the same request"
DECIDES_LATER: Final = "the partner has been told and decides later"


def require_mapped(name: str, currencies: CurrencyMap) -> str:
    """Our name of a currency that the partner takes."""
    currency = canonical_currency(name)
    if not currencies.partner_names(currency):
        raise InvalidRequestError(
            "currency_not_supported",
            f"amount.currency: the partner does not take {quoted(name)}: see supportedCurrencies",
        )
    return currency


def require_known(name: str, known: Iterable[str]) -> str:
    """Our name of a currency of the network.

    Funds must find back although the partner's map has changed since (*choice*), so that a deallocation needs
    no more than this.
    """
    currency = canonical_currency(name)
    if currency not in known:
        raise InvalidRequestError(
            "currency_not_supported", f"amount.currency: the network does not know {quoted(name)}"
        )
    return currency


def refusal(
    kind: AllocationType, client: Client, partner: Partner, connection: Connection, source: Balance, quantity: int
) -> Refusal | None:
    """Why this cannot be done now. What stops new business never stops funds from coming back."""
    if kind is AllocationType.ALLOCATION:
        stopped = stopping(client, partner, connection)
        if stopped is not None:
            return stopped
    if not connection.initialized:
        return Refusal.CONNECTION_NOT_INITIALIZED
    return Refusal.INSUFFICIENT_FUNDS if source.available < quantity else None


def stopping(client: Client, partner: Partner, connection: Connection) -> Refusal | None:
    """Why no new business is done, however much the funds cover."""
    if not client.active:
        return Refusal.CLIENT_INACTIVE
    if not partner.active:
        return Refusal.PARTNER_INACTIVE
    return None if connection.active else Refusal.CONNECTION_INACTIVE


def direction(
    kind: AllocationType, go_account: BalanceKey, network_account: BalanceKey
) -> tuple[BalanceKey, BalanceKey]:
    """(source, destination) of the funds."""
    if kind is AllocationType.ALLOCATION:
        return go_account, network_account
    return network_account, go_account


def is_evaluated(kind: AllocationType, partner: Partner) -> bool:
    """Whether the client's policy is asked: where the partner has policies; never on the way back (*choice*)."""
    return partner.allocation_policies_enabled and kind is AllocationType.ALLOCATION


def passed(allocation: Allocation, evaluation_id: UUID) -> Allocation:
    """Evaluated, and under the threshold."""
    return replace(allocation, evaluation_id=evaluation_id, policy_result=PolicyResult.APPROVED)


def held_for_approval(allocation: Allocation, evaluation_id: UUID, approval_id: UUID) -> Allocation:
    """Evaluated, and over the threshold."""
    return replace(
        allocation,
        evaluation_id=evaluation_id,
        pending_approval_id=approval_id,
        reason=WAITS_FOR_APPROVAL,
        retriable=False,
    )


def approved(allocation: Allocation) -> Allocation:
    """As if there had been no policy: reserved, and nobody asked yet."""
    return replace(allocation, policy_result=PolicyResult.APPROVED, reason=None)


def rejected(allocation: Allocation) -> Allocation:
    """Reserved still, and never to be more."""
    return replace(allocation, policy_result=PolicyResult.REJECTED)


def released(allocation: Allocation, why: Refusal, now: datetime, reason: str | None = None) -> Allocation:
    given = replace(allocation, refusal=why, reason=reason or _REASONS[why])
    return _moved(given, AllocationStatus.RELEASED, now)


def cleared(allocation: Allocation, now: datetime) -> Allocation:
    return _moved(replace(allocation, reason=None), AllocationStatus.CLEARED, now)


def waiting(reserved: Allocation, reason: str, now: datetime, *, retriable: bool) -> Allocation:
    if reserved.status is not AllocationStatus.RESERVED:
        raise AssertionError(f"an allocation that is {reserved.status} waits for nothing")
    if reserved.waits_for_approval:
        raise AssertionError("an allocation that waits for its approval waits for nobody else")
    return replace(reserved, reason=reason, retriable=retriable, updated_at=now)


def named(allocation: Allocation, partner_external_id: str | None) -> Allocation:
    """With the partner's own id, once it is known."""
    return replace(allocation, partner_external_id=partner_external_id or allocation.partner_external_id)


def question(allocation: Allocation, connection: Connection, currencies: CurrencyMap) -> dict[str, object]:
    """What the partner is asked, in its own names and unit."""
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
    """What a partner's answer to the question means. Money moves on a yes that names this very question only."""
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
    """What the partner repeats of the allocation is what the allocation is.

    Raises:
        ConflictError: naming the first entry that is not.
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
        # As the question was put where nothing was mapped: our name, in base units.
        same = (decision.currency, decision.quantity) == (allocation.currency, str(allocation.quantity))
    else:
        quantity = from_partner_amount(decision.quantity, currencies.unit, mapped[1])
        same = (mapped[0], quantity) == (allocation.currency, allocation.quantity)
    if not same:
        raise _contradicts(allocation, "amount")


def require_approved(allocation: Allocation) -> None:
    """Before the client's own enterprise has decided, the partner does not."""
    if allocation.waits_for_approval:
        raise ConflictError(
            "approval_pending",
            "status: the allocation waits for the approval of another user of the client's enterprise: try again"
            " once its policyResult is there",
        )


def require_same_end(allocation: Allocation, decision: Decision) -> None:
    """A decision stands; only the same one may be said again."""
    if decision.status is not allocation.status:
        raise ConflictError(
            "allocation_decided",
            f"status: the {allocation.type} is {allocation.status} already, which is its end",
            {"status": str(allocation.status)},
        )


def _contradicts(allocation: Allocation, name: str) -> ConflictError:
    return ConflictError(
        "allocation_differs",
        f"{name}: is not that of the {allocation.type} with this id: repeat it as it was sent to you",
        {"entry": name},
    )


def outcome_told(asked: Mapping[str, object], done: Allocation) -> dict[str, object]:
    """What the partner is told of the end: what it was asked, its own id, and how it went."""
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
