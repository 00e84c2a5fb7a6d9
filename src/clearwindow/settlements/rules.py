"""The decisions of a settlement: windows, liabilities, funding. Pure; protocol §5.

``liability``, ``split_hold`` and ``outcome`` say for one balance what the named statements ``create_liability``,
``hand_holds_to_disputes`` and ``settle_run`` do for all balances of a settlement; tests hold them together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from clearwindow.clock import after_minutes
from clearwindow.errors import ConflictError
from clearwindow.settlements.values import TRANSITIONS, FundingGap, Settlement, SettlementState


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


def liability(new: int, pulled_in: int) -> int:
    """What must be held on a balance: the worst case over "the client disputes" and "does not".

    ``new`` and ``pulled_in`` are the sums of the quantities, + the connection gains.
    """
    return max(0, -(new + pulled_in), -pulled_in)


def split_hold(new: int, pulled_in: int) -> tuple[int, int]:
    """Of the held liability of a disputed balance: what the settlement keeps, what the dispute takes over."""
    keeps = min(max(0, -pulled_in), liability(new, pulled_in))
    return keeps, liability(new, pulled_in) - keeps


@dataclass(frozen=True, slots=True)
class Outcome:
    """How executing changes one balance, in base units."""

    available: int
    held: int
    dispute_filled: int


def outcome(new: int, pulled_in: int, *, disputed: bool, dispute_held: int | None) -> Outcome:
    """What executing does to one balance.

    ``dispute_held`` is what the dispute of this balance holds, None where its closing is approved already: then
    its hold is what the adjusted transfers need, and a gain is free.
    """
    if not disputed:
        held = liability(new, pulled_in)
        return Outcome(held + new + pulled_in, -held, 0)
    kept, _ = split_hold(new, pulled_in)
    target = max(0, -new)
    room = 0 if dispute_held is None else max(0, target - dispute_held)
    filled = min(max(0, pulled_in), room)
    return Outcome(kept + pulled_in - filled, filled - kept, filled)


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


def failure_reason(gaps: list[FundingGap]) -> str:
    """Base units, because the reason must be exact."""
    parts = [f"{gap.currency} by {gap.shortfall} (needs {gap.needed}, has {gap.available})" for gap in gaps]
    return f"the partner's account is short of {', '.join(parts)}"
