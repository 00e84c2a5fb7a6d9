"""The decisions of a settlement: windows, liabilities, funding. Protocol §5.

``liability``, ``hand_over`` and ``outcome`` decide for one balance what the statements ``liabilities``,
``hand_holds_to_disputes`` and ``settle_run`` do for all balances of a settlement. Tests compare the two.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from clearwindow.core.clock import after_minutes, wire_time
from clearwindow.core.errors import ConflictError, InvalidRequestError, RequestError, UnprocessableError
from clearwindow.core.money import AmountUnit
from clearwindow.network.models import Partner
from clearwindow.settlements.models import (
    TRANSITIONS,
    Candidate,
    Deadlines,
    FundingGap,
    Instruction,
    Settlement,
    SettlementState,
    SettlementType,
)
from clearwindow.settlements.transfers.models import LossBeyondLimit
from clearwindow.signing.models import Operation

_NAMED: Final = 20
_STATES_OF: Final[dict[str, tuple[SettlementState, ...]]] = {
    "pending": (SettlementState.DISPUTE_WINDOW, SettlementState.TOP_UP_WINDOW, SettlementState.ONCHAIN),
    "failed": (SettlementState.FAILED,),
    "completed": (SettlementState.COMPLETED,),
    "rejected": (SettlementState.REJECTED,),
}
MAX_CUTOFF_AHEAD: Final = timedelta(minutes=5)
CUTOFF_WENT_BACK: Final = "cutoff_went_back"
BATCH_TRANSFERS: Final = 4_000
"""How many transfers the worker executes in one transaction, unless a single settlement has more."""

_STATUS_OF: Final = {state: status for status, states in _STATES_OF.items() for state in states}


def deadlines(created_at: datetime, dispute_minutes: Decimal, top_up_minutes: Decimal | None) -> Deadlines:
    dispute_deadline_at = after_minutes(created_at, dispute_minutes)
    return Deadlines(dispute_deadline_at, after_minutes(dispute_deadline_at, top_up_minutes or Decimal(0)))


def wire_status(state: SettlementState) -> str:
    """Returns the status that the wire shows for a state."""
    return _STATUS_OF[state]


def states_of(statuses: Iterable[str] | None) -> list[SettlementState] | None:
    """Returns the states that the wire shows with one of these statuses. None: no filter."""
    return None if statuses is None else [state for status in statuses for state in _STATES_OF[status]]


def require_cutoff(cutoff_at: datetime | None, now: datetime) -> None:
    """A cutoff is when trades ended, so it lies in the past. Five minutes allow for clocks that differ (§5)."""
    if cutoff_at is not None and cutoff_at > now + MAX_CUTOFF_AHEAD:
        raise InvalidRequestError(
            "cutoff_in_future",
            f"cutoffAt: is more than five minutes ahead of our clock, which is at {wire_time(now)}: send the moment"
            " up to which this settlement counts trades",
        )


def cutoff_warnings(cutoff_at: datetime | None, last: datetime | None) -> tuple[str, ...]:
    """Returns the warning about a cutoff that is earlier than that of the partner's last settlement (§5)."""
    went_back = cutoff_at is not None and last is not None and cutoff_at < last
    return (CUTOFF_WENT_BACK,) if went_back else ()


def to_sign(partner: Partner, asked: Operation | None) -> tuple[Operation, AmountUnit]:
    """Returns what the text of a settlement is for, and the unit of its amounts.

    ``asked`` is what the caller says. Without it, the text is for the version that the partner uses.
    """
    usual = (
        Operation.SETTLEMENT_IMMEDIATE
        if partner.client_dispute_window_minutes is None
        else Operation.SETTLEMENT_STAGE
    )
    operation = asked or usual
    return operation, AmountUnit.BASE if operation is Operation.SETTLEMENT_ONCHAIN else partner.amount_unit


def require_transition(settlement: Settlement, to: SettlementState) -> None:
    if to not in TRANSITIONS[settlement.state]:
        raise ConflictError(
            "settlement_state", f"the settlement is {wire_status(settlement.state)}: it cannot become {to.value}"
        )


def require_withdrawable(settlement: Settlement, now: datetime) -> None:
    """A partner takes its settlement back while clients may dispute it, and not later (§5).

    Raises:
        ConflictError: it has no window, or an operator has rejected it.
        UnprocessableError: the window has ended.
    """
    if settlement.immediate or settlement.settlement_type is not SettlementType.OFFCHAIN:
        raise ConflictError(
            "settlement_state", "the settlement has no dispute window: only an operator ends it before it completes"
        )
    if settlement.state is SettlementState.REJECTED:
        raise ConflictError(
            "settlement_state", "an operator has rejected the settlement: nothing is left to withdraw"
        )
    if settlement.state is not SettlementState.DISPUTE_WINDOW or now >= settlement.dispute_deadline_at:
        raise UnprocessableError(
            "withdrawal_window_over",
            f"the dispute window ended at {wire_time(settlement.dispute_deadline_at)}: the settlement can no longer"
            " be withdrawn; correct it with another one, or ask an operator to reject it",
        )


def require_same_withdrawal(settlement: Settlement, reason: str) -> None:
    """Requires that a request to withdraw a withdrawn settlement is the one that did it, signed anew.

    Raises:
        ConflictError: it has another reason.
    """
    if settlement.withdrawn_reason != reason:
        raise ConflictError(
            "settlement_withdrawn",
            "reason: the settlement was withdrawn before, for another reason: read the settlement",
            {"fields": ["reason"], "settlementId": str(settlement.id)},
        )


def closures_due_at(settlement: Settlement, now: datetime) -> datetime:
    """Returns when the closures of a settlement that is rejected run: when they would have run without that."""
    return now if settlement.execute_when_funded else max(now, settlement.top_up_deadline_at)


def differing_fields(settlement: Settlement, asked: Instruction, *, same_amounts: bool) -> list[str]:
    """Returns the fields in which a request differs from the one that made the settlement. Empty: it is the same.

    The amounts of a settlement are many, so that the database compares them.
    """
    differing = {
        "notes": settlement.notes != asked.notes,
        "cutoffAt": _in_milliseconds(settlement.cutoff_at) != _in_milliseconds(asked.cutoff_at),
        "settlementAmounts": not same_amounts,
    }
    return [name for name, differs in differing.items() if differs]


def _in_milliseconds(moment: datetime | None) -> str | None:
    """Returns the moment as the wire shows it: two that look equal there are equal."""
    return None if moment is None else wire_time(moment)


def answer_after_retry(answer: str, updated_at: datetime) -> str:
    """Returns the JSON text of the first answer with the time at which the settlement became pending again."""
    fields = json.loads(answer)
    fields["settlement"]["updatedAt"] = wire_time(updated_at)
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


def liability(new: Iterable[int], pulled_in: int) -> int:
    """Returns what must be held on a balance: its largest loss, whichever sides dispute.

    Quantities are base units, + the connection gains. ``new`` has the sum of the new transfers with each
    counterparty. ``pulled_in`` is the sum of the transfers of closed disputes, which always run. The new transfers
    with one counterparty run together, or none of them runs because one of the two sides disputes. In the worst
    case all losses run and no gain does.
    """
    return max(0, sum(max(0, -quantity) for quantity in new) - pulled_in)


def hand_over(held: int, targets: Sequence[int]) -> list[int]:
    """Returns how much of a settlement's hold on a balance each dispute takes over.

    ``targets`` has, earliest dispute first, what the transfers that the dispute stops would take. The settlement
    keeps the rest, which covers the transfers that still run: the hold is smaller than all losses together only
    if a pulled-in gain covers the difference, and a pulled-in gain always runs.
    """
    handed = []
    for target in targets:
        handed.append(min(target, held))
        held -= handed[-1]
    return handed


@dataclass(frozen=True, slots=True)
class Outcome:
    """How executing changes one balance, in base units. ``filled`` is how much each dispute's hold grows."""

    available: int
    held: int
    filled: list[int]


def outcome(final: int, kept: int, missing: Sequence[int]) -> Outcome:
    """Returns what executing does to one balance.

    ``final`` is the sum of the transfers that run, ``kept`` what the settlement still holds. ``missing`` has,
    earliest dispute first, how much less than its target each dispute holds. A dispute whose closure is approved is
    not among them: its hold is already what the adjusted transfers need.
    """
    room = max(0, final)
    filled = hand_over(room, missing)
    return Outcome(kept + final - sum(filled), sum(filled) - kept, filled)


def funding_gaps(available: Mapping[str, int], change: Mapping[str, int]) -> list[FundingGap]:
    """Returns the currencies in which the partner's account would end negative; empty if it can execute.

    ``change`` is how much executing changes the partner's account per currency. Losses come in before gains go
    out, in one transaction, so that only the sum counts.
    """
    return [
        FundingGap(currency, -quantity, available.get(currency, 0))
        for currency, quantity in sorted(change.items())
        if available.get(currency, 0) + quantity < 0
    ]


def batch_of(candidates: Sequence[Candidate], available: Mapping[str, int]) -> list[Candidate]:
    """Returns the first candidates whose steps may be taken together, up to the first for which they may not.

    Gains of the partner's account do not count. So it covers each of them whatever their order.
    """
    batch: list[Candidate] = []
    left, transfers = dict(available), 0
    for candidate in candidates:
        transfers += candidate.transfers
        for currency, quantity in candidate.change.items():
            left[currency] = left.get(currency, 0) + min(0, quantity)
        is_short = any(left[currency] < 0 for currency in candidate.change)
        if is_short or transfers > BATCH_TRANSFERS or not _is_plain(candidate):
            break
        batch.append(candidate)
    return batch


def _is_plain(candidate: Candidate) -> bool:
    settlement = candidate.settlement
    is_open = settlement.state in (SettlementState.DISPUTE_WINDOW, SettlementState.TOP_UP_WINDOW)
    return is_open and not settlement.is_without_new and settlement.attempts == 0 and not candidate.in_dispute


def executed_before(batch: Iterable[Candidate], following: Settlement | None, now: datetime) -> list[Candidate]:
    """Returns which of a batch are due to execute before the settlement that follows the batch."""
    return [
        candidate
        for candidate in batch
        if candidate.settlement.state is SettlementState.TOP_UP_WINDOW
        and not candidate.paused
        and candidate.settlement.due_at is not None
        and candidate.settlement.due_at <= now
        and (following is None or _turn(candidate.settlement) < _turn(following))
    ]


def _turn(settlement: Settlement) -> tuple[datetime, datetime, UUID]:
    """Returns what due settlements of a partner are sorted by."""
    if settlement.due_at is None:
        raise AssertionError("a settlement without a due time is not due")
    return settlement.due_at, settlement.created_at, settlement.id


def with_settlements(batch: Iterable[Candidate], changed: Iterable[Settlement]) -> list[Candidate]:
    """Returns the batch with these settlements as they are now."""
    by_id = {settlement.id: settlement for settlement in changed}
    return [replace(each, settlement=by_id.get(each.settlement.id, each.settlement)) for each in batch]


def uncovered(available: int, change: int) -> int:
    """Returns how much a balance lacks for a change by executing at once, in base units."""
    return max(0, -(available + change))


def not_covered_reason(of_connections: str | None, gaps: list[FundingGap]) -> str:
    """Returns why an immediate settlement failed: what connections lack, then what the partner's account lacks."""
    parts = [of_connections] if of_connections else []
    return "; ".join([*parts, failure_reason(gaps)] if gaps else parts)


def failure_reason(gaps: Sequence[FundingGap]) -> str:
    """Returns the reason in base units, so that it is exact."""
    parts = [f"{gap.currency} by {gap.shortfall} (needs {gap.needed}, has {gap.available})" for gap in gaps]
    return f"the partner's account is short of {', '.join(parts)}"


def utc_day(moment: datetime) -> tuple[datetime, datetime]:
    """Returns the beginning of the moment's UTC day and of the next one."""
    begin = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return begin, begin + timedelta(days=1)


def require_within_loss_limits(beyond: Sequence[LossBeyondLimit], kind: type[RequestError]) -> None:
    """Requires that no connection loses more than its client allows.

    Raises:
        RequestError: of this kind. It names connections and currencies, and never a limit.
    """
    if not beyond:
        return
    first = beyond[0]
    more = f" and {len(beyond) - 1} more" if len(beyond) > 1 else ""
    raise kind(
        "loss_limit_exceeded",
        f"connection {first.connection_id} would lose more {first.currency} than its client allows{more}: nothing"
        " was written; settle less, or ask the client",
        {
            "losses": [
                {"connectionId": str(one.connection_id), "currency": one.currency} for one in beyond[:_NAMED]
            ],
            "lossCount": len(beyond),
        },
    )
