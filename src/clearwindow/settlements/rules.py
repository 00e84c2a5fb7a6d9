"""The decisions of a settlement: windows, liabilities, funding. Pure; protocol §5.

``liability``, ``hand_over`` and ``outcome`` say for one balance what the named statements ``create_liability``,
``hand_holds_to_disputes`` and ``settle_run`` do for all balances of a settlement; tests hold them together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from clearwindow.clock import after_minutes
from clearwindow.errors import ConflictError
from clearwindow.settlements.values import TRANSITIONS, FundingGap, Settlement, SettlementState, SettlementType


@dataclass(frozen=True, slots=True)
class Deadlines:
    """When the windows end; frozen when a settlement is staged."""

    dispute_deadline_at: datetime
    top_up_deadline_at: datetime


def deadlines(created_at: datetime, dispute_minutes: Decimal, top_up_minutes: Decimal | None) -> Deadlines:
    dispute_deadline_at = after_minutes(created_at, dispute_minutes)
    return Deadlines(dispute_deadline_at, after_minutes(dispute_deadline_at, top_up_minutes or Decimal(0)))


def wire_status(state: SettlementState) -> str:
    if state in (SettlementState.DISPUTE_WINDOW, SettlementState.TOP_UP_WINDOW, SettlementState.ONCHAIN):
        return "pending"
    return state.value


def require_transition(settlement: Settlement, to: SettlementState) -> None:
    if to not in TRANSITIONS[settlement.state]:
        raise ConflictError(
            "settlement_state", f"the settlement is {wire_status(settlement.state)}: it cannot become {to.value}"
        )


def require_same_request(
    existing: Settlement, request_sha256: bytes, *, settlement_type: SettlementType, immediate: bool
) -> None:
    """Of two requests with one externalId the second must be the first again, byte for byte and to the same place.

    Raises:
        ConflictError: it is another.
    """
    same_place = existing.settlement_type is settlement_type and existing.immediate is immediate
    if not same_place or existing.request_sha256 != request_sha256:
        raise ConflictError(
            "external_id_taken",
            "a settlement with this externalId exists with other properties: choose a new externalId,"
            " or send the first request again byte for byte",
            {"settlementId": str(existing.id)},
        )


def liability(new: Iterable[int], pulled_in: int) -> int:
    """What must be held on a balance: the worst case over who disputes, + the connection gains.

    ``new`` is the sum of the new quantities against each counterparty, ``pulled_in`` that of earlier disputes'
    transfers, which run for certain. What is new against one counterparty runs together or not at all, as it or
    the connection itself disputes or not, so that in the worst case all losses run and no gain does.
    """
    return max(0, sum(max(0, -quantity) for quantity in new) - pulled_in)


def hand_over(held: int, targets: Sequence[int]) -> list[int]:
    """Of what a settlement holds on a balance, what each dispute takes over; the settlement keeps the rest.

    ``targets``, the earliest dispute first: the sum of what the transfers with each counterparty would take that
    the dispute keeps from running. The rest covers what runs all the same: only a pulled-in gain makes the held
    amount smaller than all losses together, and it runs for certain.
    """
    handed = []
    for target in targets:
        handed.append(min(target, held))
        held -= handed[-1]
    return handed


@dataclass(frozen=True, slots=True)
class Outcome:
    """How executing changes one balance, in base units; ``filled`` is what each dispute then holds more."""

    available: int
    held: int
    filled: list[int]


def outcome(final: int, kept: int, missing: Sequence[int]) -> Outcome:
    """What executing does to one balance.

    ``final`` is the sum of what runs, ``kept`` what the settlement still holds. ``missing``, the earliest dispute
    first, is by how much each holds less than its target; where its closing is approved already it is not among
    them: then its hold is what the adjusted transfers need, and a gain is free.
    """
    room = max(0, final)
    filled = hand_over(room, missing)
    return Outcome(kept + final - sum(filled), sum(filled) - kept, filled)


def funding_gaps(available: Mapping[str, int], change: Mapping[str, int]) -> list[FundingGap]:
    """Where the partner's account would end negative; empty where the settlement can execute.

    ``change`` is by how much executing changes the partner's account per currency. Losses come in before gains
    go out, in one transaction, so that only the sum counts.
    """
    return [
        FundingGap(currency, -quantity, available.get(currency, 0))
        for currency, quantity in sorted(change.items())
        if available.get(currency, 0) + quantity < 0
    ]


def uncovered(available: int, change: int) -> int:
    """By how much a balance does not cover what executing at once would do to it."""
    return max(0, -(available + change))


def not_covered_reason(of_connections: str | None, gaps: list[FundingGap]) -> str:
    """Why an immediate settlement failed: what connections are short of, in words, and the partner's account."""
    parts = [of_connections] if of_connections else []
    return "; ".join([*parts, failure_reason(gaps)] if gaps else parts)


def failure_reason(gaps: list[FundingGap]) -> str:
    """Base units, because the reason must be exact."""
    parts = [f"{gap.currency} by {gap.shortfall} (needs {gap.needed}, has {gap.available})" for gap in gaps]
    return f"the partner's account is short of {', '.join(parts)}"
