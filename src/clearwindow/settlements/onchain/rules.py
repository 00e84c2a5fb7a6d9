"""The decisions of an on-chain settlement. Pure; protocol §7."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

from clearwindow.clock import after_minutes
from clearwindow.errors import ConflictError
from clearwindow.onchain.chain import Side
from clearwindow.onchain.values import Course, Phase, Sla, Tally
from clearwindow.settlements.values import FundingGap, Settlement, SettlementState

ALERT_SHARE: Final = Decimal("0.8")
"""The share of a side's time after which its delay is told: in the last fifth it is close to the breach."""

TRIES: Final = 5
"""After so many failures on the chain a transfer waits for somebody to look."""

PAYMENTS_UNDER_WAY: Final = 1_000
"""The most payments of one settlement that the chain has at a time: a step stays small, however large the whole."""

POLL_SECONDS: Final = 10
CLAIM_SECONDS: Final = 60
_FIRST_RETRY_SECONDS: Final = 30
_LONGEST_WAIT_SECONDS: Final = 600


def sla(created_at: datetime, minutes: Decimal | None) -> Sla | None:
    if minutes is None:
        return None
    return Sla(after_minutes(created_at, minutes * ALERT_SHARE), after_minutes(created_at, minutes))


def retry_seconds(failures: int) -> int:
    """How long a transfer waits after it has failed on the chain so many times; ever longer."""
    return min(_LONGEST_WAIT_SECONDS, _FIRST_RETRY_SECONDS << min(failures, TRIES) - 1)


def unseen_seconds(attempts: int) -> int:
    """How long until the chain is asked again for a deposit that it did not have so many times."""
    return min(_LONGEST_WAIT_SECONDS, POLL_SECONDS << min(attempts, 6))


class Step(StrEnum):
    """What an on-chain settlement does next."""

    WAIT = "wait"
    TAKE_DEPOSITS = "take_deposits"
    FUND_GAINS = "fund_gains"
    COMPLETE = "complete"
    FAIL = "fail"


def next_step(phase: Phase, tallies: Mapping[Side, Tally], *, funded: bool) -> Step:
    """Losses first, then the deposits must cover all gains; a stuck side fails once the chain has nothing."""
    if phase is Phase.DEPOSITS:
        return Step.FUND_GAINS if funded else Step.WAIT
    tally = tallies[side_of(phase)]
    if tally.all_completed:
        return Step.TAKE_DEPOSITS if phase is Phase.LOSSES else Step.COMPLETE
    stuck = tally.exhausted > 0 and tally.initiated + tally.pending == 0
    return Step.FAIL if stuck and tally.exhausted == tally.failed else Step.WAIT


def side_of(phase: Phase) -> Side:
    """The side whose transfers are handed over in this phase."""
    return Side.LOSS if phase is Phase.LOSSES else Side.GAIN


def has_its_deposits(phase: Phase) -> bool:
    """Whether the gains are held already, so that a further deposit is the partner's to use."""
    return phase is Phase.GAINS


def next_look_at(now: datetime, phase: Phase, tally: Tally, alerts: Iterable[datetime | None]) -> datetime:
    """When the worker must look again at a settlement that waits; a confirmed deposit wakes it by itself."""
    times = [alert_at for alert_at in alerts if alert_at is not None]
    if phase is not Phase.DEPOSITS:
        if tally.initiated:
            times.append(now + timedelta(seconds=POLL_SECONDS))
        if tally.initiated < PAYMENTS_UNDER_WAY:
            # Otherwise the chain must first have done with some: looking at once would be looking for ever.
            times += [now] if tally.pending else []
            times += [max(now, tally.retry_at)] if tally.retry_at else []
    return min(times, default=now + timedelta(seconds=_LONGEST_WAIT_SECONDS))


def alerts_due(now: datetime, settlement: Settlement, course: Course, tallies: Mapping[Side, Tally]) -> list[Side]:
    """The sides that are close to their breach and of which nobody has been told."""
    return [
        side
        for side, alert_at in coming_alerts(settlement, course, tallies).items()
        if alert_at is not None and alert_at <= now
    ]


def coming_alerts(
    settlement: Settlement, course: Course, tallies: Mapping[Side, Tally]
) -> dict[Side, datetime | None]:
    """When each side's delay has to be told; None where it has been, or where the side is done."""
    open_alerts = {
        Side.LOSS: None if settlement.loss_sla_alert_sent else course.loss_alert_at,
        Side.GAIN: None if settlement.gain_sla_alert_sent else course.gain_alert_at,
    }
    return {side: None if tallies[side].all_completed else alert_at for side, alert_at in open_alerts.items()}


def funding_gaps(gains: Mapping[str, int], deposited: Mapping[str, int]) -> list[FundingGap]:
    """What the confirmed deposits do not cover of the gains, in base units per currency."""
    return [
        FundingGap(currency, needed, deposited.get(currency, 0))
        for currency, needed in sorted(gains.items())
        if deposited.get(currency, 0) < needed
    ]


def failure_reason(side: Side, exhausted: int, failure: str) -> str:
    each = "a transaction" if exhausted == 1 else f"{exhausted} transactions"
    whose = "losses to the partner" if side is Side.LOSS else "gains to clients"
    return f"{each} of the {whose} failed {TRIES} times on the chain, the last time because: {failure}"


def require_rejectable(settlement: Settlement, tallies: Iterable[Tally]) -> None:
    """What the chain has, it may still pay, and what it has paid is gone: both cannot be undone here."""
    require_open(settlement)
    if any(tally.in_the_chains_hands for tally in tallies):
        raise ConflictError(
            "settlement_on_chain",
            "transactions of the settlement were handed to the chain: it can only be carried to its end,"
            " retry what failed",
        )


def require_open(settlement: Settlement) -> None:
    if settlement.state in (SettlementState.COMPLETED, SettlementState.REJECTED):
        raise ConflictError(
            "settlement_state", f"the settlement is {settlement.state}: nothing of it is left to do"
        )
