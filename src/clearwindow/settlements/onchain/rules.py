"""The decisions of an on-chain settlement. Protocol §7."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

from clearwindow.core.clock import after_minutes
from clearwindow.core.errors import ConflictError
from clearwindow.settlements.models import FundingGap, Settlement, SettlementState
from clearwindow.settlements.onchain.chain import Side
from clearwindow.settlements.onchain.models import Phase, Progress, Sla, Tally

ALERT_SHARE: Final = Decimal("0.8")
"""The share of a side's time after which the partner is alerted: the last fifth is close to the breach."""

TRIES: Final = 5
"""After this many failures on the chain a transfer waits for a retry by a person."""

PAYMENTS_UNDER_WAY: Final = 1_000
"""The most payments of one settlement that the chain has at a time, so that a step of a large one stays small."""

POLL_SECONDS: Final = 10
CLAIM_SECONDS: Final = 60
_FIRST_RETRY_SECONDS: Final = 30
_LONGEST_WAIT_SECONDS: Final = 600


def sla(created_at: datetime, minutes: Decimal | None) -> Sla | None:
    if minutes is None:
        return None
    return Sla(after_minutes(created_at, minutes * ALERT_SHARE), after_minutes(created_at, minutes))


def retry_seconds(failures: int) -> int:
    """Returns how long a transfer waits for its next try: longer after each failure."""
    return min(_LONGEST_WAIT_SECONDS, _FIRST_RETRY_SECONDS << min(failures, TRIES) - 1)


def unseen_seconds(attempts: int) -> int:
    """Returns how long to wait before the chain is asked again for a deposit that it did not have."""
    return min(_LONGEST_WAIT_SECONDS, POLL_SECONDS << min(attempts, 6))


class Step(StrEnum):
    """What an on-chain settlement does next."""

    WAIT = "wait"
    TAKE_DEPOSITS = "take_deposits"
    FUND_GAINS = "fund_gains"
    COMPLETE = "complete"
    FAIL = "fail"


def next_step(phase: Phase, tallies: Mapping[Side, Tally], *, funded: bool) -> Step:
    """Returns the next step: pay the losses, wait until the deposits cover all gains, pay the gains.

    A side fails once its only open transfers are exhausted ones.
    """
    if phase is Phase.DEPOSITS:
        return Step.FUND_GAINS if funded else Step.WAIT
    tally = tallies[side_of(phase)]
    if tally.all_completed:
        return Step.TAKE_DEPOSITS if phase is Phase.LOSSES else Step.COMPLETE
    stuck = tally.exhausted > 0 and tally.initiated + tally.pending == 0
    return Step.FAIL if stuck and tally.exhausted == tally.failed else Step.WAIT


def side_of(phase: Phase) -> Side:
    """Returns the side whose transfers are handed over in this phase."""
    return Side.LOSS if phase is Phase.LOSSES else Side.GAIN


def has_its_deposits(phase: Phase) -> bool:
    """Returns whether the gains are already held, so that a further deposit becomes available to the partner."""
    return phase is Phase.GAINS


def next_look_at(now: datetime, phase: Phase, tally: Tally, alerts: Iterable[datetime | None]) -> datetime:
    """Returns when the worker must look at a waiting settlement again. A confirmed deposit makes it due earlier."""
    times = [alert_at for alert_at in alerts if alert_at is not None]
    if phase is not Phase.DEPOSITS:
        if tally.initiated:
            times.append(now + timedelta(seconds=POLL_SECONDS))
        if tally.initiated < PAYMENTS_UNDER_WAY:
            # A full chain must first finish some payments. Looking at once would repeat without end.
            times += [now] if tally.pending else []
            times += [max(now, tally.retry_at)] if tally.retry_at else []
    return min(times, default=now + timedelta(seconds=_LONGEST_WAIT_SECONDS))


def alerts_due(
    now: datetime, settlement: Settlement, progress: Progress, tallies: Mapping[Side, Tally]
) -> list[Side]:
    """Returns the sides that are close to their breach and whose alert was not sent yet."""
    return [
        side
        for side, alert_at in coming_alerts(settlement, progress, tallies).items()
        if alert_at is not None and alert_at <= now
    ]


def coming_alerts(
    settlement: Settlement, progress: Progress, tallies: Mapping[Side, Tally]
) -> dict[Side, datetime | None]:
    """Returns when each side's alert is due. None: it was sent, or the side has completed."""
    open_alerts = {
        Side.LOSS: None if settlement.loss_sla_alert_sent else progress.loss_alert_at,
        Side.GAIN: None if settlement.gain_sla_alert_sent else progress.gain_alert_at,
    }
    return {side: None if tallies[side].all_completed else alert_at for side, alert_at in open_alerts.items()}


def funding_gaps(gains: Mapping[str, int], deposited: Mapping[str, int]) -> list[FundingGap]:
    """Returns the currencies in which the confirmed deposits do not cover the gains."""
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
    """Requires that the chain has paid nothing and can no longer pay anything."""
    require_open(settlement)
    if any(tally.on_the_chain for tally in tallies):
        raise ConflictError(
            "settlement_on_chain",
            "the chain has transactions of the settlement: it can no longer be rejected, retry what failed",
        )


def require_open(settlement: Settlement) -> None:
    if settlement.state in (SettlementState.COMPLETED, SettlementState.REJECTED):
        raise ConflictError("settlement_state", f"the settlement is {settlement.state}: nothing is left to do")
