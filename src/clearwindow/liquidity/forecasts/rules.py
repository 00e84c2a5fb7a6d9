"""What follows from what is known: the steps of a partner's open settlements, and the balances after them.

``foresee`` takes the steps that the worker takes in ``settlements.execution``, in the same order. A property test
moves the clock and compares the two.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from clearwindow.liquidity.forecasts.models import Outcome, Pending, Stake, StakeAfter, Step
from clearwindow.settlements import rules
from clearwindow.settlements.models import FundingGap, Settlement, SettlementState, SettlementType
from clearwindow.standing_top_ups.models import Source, TopUp
from clearwindow.standing_top_ups.rules import cover

_ENDED: Final = (SettlementState.COMPLETED, SettlementState.REJECTED)
_MOVING: Final = (Outcome.COMPLETES, Outcome.COMPLETES_IF_FUNDED, Outcome.CLOSURES_RUN)

_NO_SOURCES: Final[Mapping[str, Source]] = {}


class _Schedule:
    """A partner's open settlements at one moment, and its available funds."""

    def __init__(
        self, pending: Iterable[Pending], available: Mapping[str, int], sources: Mapping[str, Source], now: datetime
    ) -> None:
        self.now = now
        self._sources = dict(sources)
        self._available = dict(available)
        self._open = {one.id: one for one in pending}
        self._turns: list[tuple[datetime, datetime, UUID]] = []
        for one in self._open.values():
            self._put(one)

    def next(self) -> tuple[Pending, Step] | None:
        """Takes the next step of all. Returns the settlement as it was before it, or None if none is due."""
        while self._turns:
            due_at, _, settlement_id = heapq.heappop(self._turns)
            one = self._open.get(settlement_id)
            if one is None or one.due_at != due_at:
                continue
            self.now = max(self.now, due_at)
            return one, self._step(one)
        return None

    def _put(self, one: Pending) -> None:
        self._open[one.id] = one
        if one.due_at is not None:
            heapq.heappush(self._turns, (one.due_at, one.created_at, one.id))

    def _step(self, one: Pending) -> Step:
        if one.state is SettlementState.DISPUTE_WINDOW:
            due_at = self.now if one.execute_when_funded else one.top_up_deadline_at
            self._put(replace(one, state=SettlementState.TOP_UP_WINDOW, due_at=due_at))
            return self._seen(one, Outcome.AMOUNTS_BECOME_FINAL, SettlementState.TOP_UP_WINDOW)
        if one.paused:
            self._put(replace(one, due_at=None))
            return self._seen(one, Outcome.WAITS_FOR_RESUME, one.state)
        gaps = rules.funding_gaps(self._available, one.change)
        top_ups = cover({gap.currency: gap.shortfall for gap in gaps}, self._sources)
        return self._wait(one, gaps) if gaps and not top_ups else self._execute(one, top_ups)

    def _wait(self, one: Pending, gaps: Sequence[FundingGap]) -> Step:
        if one.closures_wait:
            self._put(replace(one, due_at=None))
            return self._seen(one, Outcome.WAITS_FOR_FUNDS, one.state, gaps)
        if one.state is SettlementState.TOP_UP_WINDOW and self.now < one.top_up_deadline_at:
            self._put(replace(one, due_at=one.top_up_deadline_at))
            return self._seen(one, Outcome.WAITS_FOR_FUNDS, one.state, gaps)
        self._put(replace(one, state=SettlementState.FAILED, due_at=None))
        return self._seen(one, Outcome.FAILS_FOR_LACK_OF_FUNDS, SettlementState.FAILED, gaps)

    def _execute(self, one: Pending, top_ups: Sequence[TopUp]) -> Step:
        outcome = Outcome.CLOSURES_RUN if one.closures_wait else Outcome.COMPLETES
        state = one.state if one.closures_wait else SettlementState.COMPLETED
        brought = {each.standing.currency: each.quantity for each in top_ups}
        step = replace(self._seen(one, outcome, state), top_ups=brought)
        del self._open[one.id]
        for currency, quantity in brought.items():
            source = self._sources[currency]
            self._sources[currency] = replace(source, available=source.available - quantity)
            self._available[currency] = self._available.get(currency, 0) + quantity
        for currency, quantity in one.change.items():
            self._available[currency] = self._available.get(currency, 0) + quantity
        if any(quantity > 0 for quantity in one.change.values()):
            self._wake()
        return step

    def _wake(self) -> None:
        for one in list(self._open.values()):
            waits = (
                one.state is SettlementState.FAILED
                or (one.state is SettlementState.TOP_UP_WINDOW and one.execute_when_funded)
                or (one.closures_wait and one.due_at is None)
            )
            if waits and not one.paused and (one.due_at is None or one.due_at > self.now):
                self._put(replace(one, due_at=self.now))

    def _seen(
        self, one: Pending, outcome: Outcome, state: SettlementState, gaps: Sequence[FundingGap] = ()
    ) -> Step:
        available = {currency: self._available.get(currency, 0) for currency in one.change}
        return Step(self.now, outcome, state, available, gaps)


def foresee(
    pending: Iterable[Pending],
    available: Mapping[str, int],
    now: datetime,
    of: UUID,
    sources: Mapping[str, Source] = _NO_SOURCES,
) -> list[Step]:
    """Returns the steps of one settlement if nothing changes, in order.

    Args:
        pending: the partner's open settlements, which share its account. A settlement changes what others find.
        available: what the account has now, by currency, in base units.
        now: the present moment. What is overdue happens now.
        of: the id of the settlement.
        sources: what tops the account up, by currency.
    """
    schedule = _Schedule(pending, available, sources, now)
    steps = []
    while (taken := schedule.next()) is not None:
        one, step = taken
        if one.id == of:
            steps.append(step)
            if step.outcome in _MOVING:
                break
    return steps


def steps_for_client(settlement: Settlement, now: datetime) -> list[Step]:
    """Returns the steps that a client may know: by its deadlines alone, without the partner's funds."""
    if not has_steps(settlement):
        return []
    if settlement.state is SettlementState.FAILED:
        return [Step(now, Outcome.WAITS_FOR_FUNDS, SettlementState.FAILED, {})]
    steps, state = [], settlement.state
    if state is SettlementState.DISPUTE_WINDOW:
        at, state = max(now, settlement.dispute_deadline_at), SettlementState.TOP_UP_WINDOW
        steps.append(Step(at, Outcome.AMOUNTS_BECOME_FINAL, state, {}))
    at = max(now, settlement.top_up_deadline_at)
    if settlement.paused_since is not None:
        return [*steps, Step(at, Outcome.WAITS_FOR_RESUME, state, {})]
    if settlement.closures_wait:
        return [*steps, Step(at, Outcome.CLOSURES_RUN, state, {})]
    return [*steps, Step(at, Outcome.COMPLETES_IF_FUNDED, SettlementState.COMPLETED, {})]


def has_steps(settlement: Settlement) -> bool:
    """Returns whether time alone takes the settlement on: not if it has ended, is immediate, or is on chain."""
    if settlement.settlement_type is SettlementType.ONCHAIN or settlement.immediate:
        return False
    return settlement.closures_wait or settlement.state not in _ENDED


def follow(stake: Stake, outcomes: Iterable[Outcome]) -> list[StakeAfter]:
    """Returns the balance of a stake after each step."""
    kept, disputed = stake.held, [target.held for target in stake.targets]
    seen = []
    for outcome in outcomes:
        moves = available = 0
        if outcome is Outcome.AMOUNTS_BECOME_FINAL:
            handed = rules.hand_over(kept, [target.quantity for target in stake.targets])
            kept -= sum(handed)
            disputed = [held + more for held, more in zip(disputed, handed, strict=True)]
        elif outcome in _MOVING:
            missing = [max(0, target.quantity - held) for target, held in zip(stake.targets, disputed, strict=True)]
            done = rules.outcome(stake.quantity, kept, missing)
            moves, available, kept = stake.quantity, done.available, 0
            disputed = [held + more for held, more in zip(disputed, done.filled, strict=True)]
        for_disputes = sum(disputed) + stake.held_for_closures
        seen.append(StakeAfter(moves, available, kept + for_disputes, for_disputes))
    return seen


def most_needed(new: Iterable[int], pulled_in: int) -> int:
    """Returns the most that a settlement can take of one currency from the partner's account, in base units.

    ``new`` has what each connection gains from the partner by the new transfers. ``pulled_in`` is what connections
    gain by those of closed disputes, which always run. In the worst case every connection that loses disputes.
    """
    return max(0, pulled_in + sum(max(0, quantity) for quantity in new))
