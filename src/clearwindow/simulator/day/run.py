"""Runs a day on a network: settles round by round and moves the clock between rounds."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta

from clearwindow.simulator.day import checks
from clearwindow.simulator.day.checks import Outcome
from clearwindow.simulator.day.participants import Participants, windows_minutes
from clearwindow.simulator.day.plan import MINUTES_OF_A_DAY, DayError, DayPlan
from clearwindow.simulator.day.rounds import Rounds, Tally
from clearwindow.simulator.network.file import Network
from clearwindow.simulator.progress import Meter


@dataclass(frozen=True, slots=True)
class Day:
    """A day that has ended.

    Attributes:
        tally: the counts of the day.
        outcome: the result of the checks.
        began_at, ended_at: by the network's clock.
        seconds: its duration in real time, including the checks.
        settling_seconds: the part spent on settlements, disputes and closures.
        waiting_seconds: the part in which the server moved the clock.
    """

    tally: Tally
    outcome: Outcome
    began_at: datetime
    ended_at: datetime
    seconds: float
    settling_seconds: float
    waiting_seconds: float


async def run_day(network: Network, plan: DayPlan, meter: Meter, *, at_once: int) -> Day:
    """Runs the day.

    Raises:
        DayError: a day cannot run on this network.
        ClearwindowError: the server rejected a request or does not answer.
    """
    started = time.monotonic()
    async with AsyncExitStack() as stack:
        participants = await Participants.of(network, stack)
        step = await _step(network, participants, plan)
        await checks.require_nothing_pending(network, participants)
        decimals = {currency.name: currency.decimals for currency in await participants.ada.currencies.list()}
        before = await checks.holdings(participants, at_once=at_once)
        began_at = now = (await participants.ada.clock()).now
        prefix = f"day-{began_at:%Y%m%dT%H%M%S}"
        rounds = Rounds(network, participants, plan, decimals, prefix=prefix, at_once=at_once)
        waiting_seconds, settling = 0.0, time.monotonic()
        with meter.steps("rounds", plan.rounds) as steps:
            for number in range(1, plan.rounds + 1):
                open_disputes = await rounds.settle(number, now)
                waited = time.monotonic()
                now = (await participants.ada.set_clock(began_at + number * step)).now
                waiting_seconds += time.monotonic() - waited
                await rounds.close(open_disputes)
                steps.done(f"{now:%H:%M}, {len(open_disputes)} disputes closed and reviewed")
        settling_seconds = time.monotonic() - settling - waiting_seconds
        outcome = await checks.examine(network, participants, rounds.tally, before, decimals, at_once=at_once)
    return Day(
        rounds.tally,
        outcome,
        began_at,
        now,
        time.monotonic() - started,
        settling_seconds,
        waiting_seconds,
    )


async def _step(network: Network, participants: Participants, plan: DayPlan) -> timedelta:
    step = MINUTES_OF_A_DAY / plan.rounds
    for exchange in network.exchanges:
        windows = await windows_minutes(exchange, participants.exchanges[exchange.name])
        if windows >= step:
            raise DayError(
                f"{plan.rounds} rounds a day are {step:g} minutes each, but a settlement of {exchange.name} takes"
                f" {windows:g} minutes (both windows). Choose fewer rounds with --rounds-per-day, or use a network"
                " with shorter windows."
            )
    return timedelta(minutes=step)
