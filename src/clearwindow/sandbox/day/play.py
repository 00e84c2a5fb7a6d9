"""Replays a day on a seeded network: the clock is moved, everything else takes its course."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta

from clearwindow.sandbox.day import checks
from clearwindow.sandbox.day.checks import Outcome
from clearwindow.sandbox.day.people import People, windows_minutes
from clearwindow.sandbox.day.plan import MINUTES_OF_A_DAY, DayError, DayPlan
from clearwindow.sandbox.day.rounds import Rounds, Tally
from clearwindow.sandbox.network.file import Network
from clearwindow.sandbox.progress import Meter


@dataclass(frozen=True, slots=True)
class Day:
    """A day that is over.

    Attributes:
        tally: what happened.
        outcome: how it came out.
        began_at: by the network's clock.
        ended_at: the same.
        seconds: how long it took by everybody else's, the checks included.
        settling_seconds: of these, what went into settling, disputing and closing.
        waiting_seconds: of these, what the server took to let the time pass.
    """

    tally: Tally
    outcome: Outcome
    began_at: datetime
    ended_at: datetime
    seconds: float
    settling_seconds: float
    waiting_seconds: float


async def play(network: Network, plan: DayPlan, meter: Meter, *, at_once: int) -> Day:
    """Plays the day.

    Raises:
        DayError: the network is not one to play a day on.
        ClearwindowError: the server refused what it must not refuse, or does not answer.
    """
    started = time.monotonic()
    async with AsyncExitStack() as stack:
        people = await People.of(network, stack)
        step = await _step(network, people, plan)
        await checks.require_rest(network, people)
        decimals = {currency.name: currency.decimals for currency in await people.ada.currencies.list()}
        before = await checks.holdings(people, at_once=at_once)
        began_at = now = (await people.ada.clock()).now
        prefix = f"day-{began_at:%Y%m%dT%H%M%S}"
        rounds = Rounds(network, people, plan, decimals, prefix=prefix, at_once=at_once)
        waiting_seconds, settling = 0.0, time.monotonic()
        with meter.steps("rounds", plan.rounds) as steps:
            for number in range(1, plan.rounds + 1):
                standing = await rounds.settle(number, now)
                waited = time.monotonic()
                now = (await people.ada.set_clock(began_at + number * step)).now
                waiting_seconds += time.monotonic() - waited
                await rounds.close(standing)
                steps.done(f"{now:%H:%M}, {len(standing)} disputes closed by two")
        settling_seconds = time.monotonic() - settling - waiting_seconds
        outcome = await checks.examine(network, people, rounds.tally, before, decimals, at_once=at_once)
    return Day(
        rounds.tally,
        outcome,
        began_at,
        now,
        time.monotonic() - started,
        settling_seconds,
        waiting_seconds,
    )


async def _step(network: Network, people: People, plan: DayPlan) -> timedelta:
    step = MINUTES_OF_A_DAY / plan.rounds
    for exchange in network.exchanges:
        windows = await windows_minutes(exchange, people.exchanges[exchange.name])
        if windows >= step:
            raise DayError(
                f"{plan.rounds} rounds a day are {step:g} minutes each, in which a settlement of {exchange.name}"
                f" does not end: its windows are {windows:g} minutes together. Play fewer rounds, or seed with"
                " shorter windows."
            )
    return timedelta(minutes=step)
