"""``python -m bench.overload.generator``: offers prepared requests to a server, stage by stage.

It is a process of its own, and does as little as it can for each request, because it shares the processors with the
server. In an open stage a request is sent when it is due, whether or not those before it have been answered, and
its time begins then: a server that falls behind is not spared.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import astuple
from itertools import count
from pathlib import Path
from typing import Any, Final

import uvloop

from bench.overload.stages import OK, REFUSED, Answer, Plan, Stage
from bench.overload.wire import Caller, Result

_LAST_ANSWERS_SECONDS: Final = 20.0
_AFTER_REFUSAL_SECONDS: Final = 1.0
"""What ``Retry-After`` says of a busy server."""
_LATE: Final = "no answer"


class _Generator:
    def __init__(self, given: dict[str, Any]) -> None:
        self._plan = Plan(**given["plan"])
        self._prepared = _prepared(Path(given["requests"]))
        partners = {partner for partner, _ in self._prepared}
        self._callers = {
            partner: Caller(given["host"], given["port"], f"127.0.1.{number}")
            for number, partner in enumerate(sorted(partners), start=1)
        }
        self._next = iter(range(len(self._prepared)))
        self._random = random.Random(self._plan.seed)  # noqa: S311 - no secret
        self._tasks: set[asyncio.Task[Answer]] = set()

    async def run(self) -> None:
        plan = self._plan
        await self._closed(Stage.WARM_UP, plan.warm_up_seconds)
        answers = await self._closed(Stage.CAPACITY, plan.capacity_seconds)
        capacity = sum(answer.status == OK for answer in answers) / plan.capacity_seconds
        open_stages = (
            (Stage.BEFORE, plan.light, plan.before_seconds),
            (Stage.OVERLOAD, plan.factor, plan.overload_seconds),
            (Stage.AFTER, plan.light, plan.after_seconds),
        )
        # Answers are told when nothing is measured any more.
        offered = [await self._open(stage, part * capacity, seconds) for stage, part, seconds in open_stages]
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_LAST_ANSWERS_SECONDS)
        for line in offered:
            _tell(line)
        for caller in self._callers.values():
            caller.close()

    async def _closed(self, stage: Stage, seconds: float) -> list[Answer]:
        """Lets each asker ask again as soon as it is answered, and after a refusal as soon as that allows.

        Refused askers that came back at once would measure how fast the server refuses.
        """
        answers: list[Answer] = []
        began, cpu = _begin(stage), _cpu_seconds()

        async def ask_again_and_again() -> None:
            while time.monotonic() < began + seconds:
                number = self._take()
                due = time.monotonic()
                answer = await self._ask(number, due, answers)
                if answer.status == REFUSED:
                    await asyncio.sleep(_AFTER_REFUSAL_SECONDS)

        await asyncio.gather(*(ask_again_and_again() for _ in range(self._plan.askers)))
        _tell(_line(stage, began, 0, _cpu_seconds() - cpu, answers))
        return answers

    async def _open(self, stage: Stage, rate: float, seconds: float) -> dict[str, Any]:
        """Sends at this rate on average, at random moments, as callers who know nothing of each other do."""
        answers: list[Answer] = []
        began, cpu = _begin(stage), _cpu_seconds()
        for due in self._moments(began, rate, seconds):
            now = time.monotonic()
            if due > now:
                await asyncio.sleep(due - now)
            task = asyncio.create_task(self._ask(self._take(), due, answers))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return _line(stage, began, rate, _cpu_seconds() - cpu, answers)

    def _moments(self, began: float, rate: float, seconds: float) -> Iterator[float]:
        due = began
        for _ in count():
            due += self._random.expovariate(rate)
            if due > began + seconds:
                return
            yield due

    async def _ask(self, number: int, due: float, answers: list[Answer]) -> Answer:
        partner, request = self._prepared[number]
        sent = time.monotonic()
        try:
            async with asyncio.timeout(_LAST_ANSWERS_SECONDS):
                result = await self._callers[partner].ask(request)
        except TimeoutError:
            result = Result(0, _LATE)
        answer = Answer(
            number, due, sent - due, time.monotonic() - due, result.status, result.reason, result.retry_after
        )
        answers.append(answer)
        return answer

    def _take(self) -> int:
        number = next(self._next, None)
        if number is None:
            raise RuntimeError("more requests are needed than were prepared: give a larger --requests")
        return number


def _prepared(file: Path) -> list[tuple[int, bytes]]:
    with file.open(encoding="ascii") as lines:
        return [(partner, request.encode()) for partner, request in map(json.loads, lines)]


def _begin(stage: Stage) -> float:
    began = time.monotonic()
    _tell({"begins": stage, "at": began})
    return began


def _line(stage: Stage, began: float, rate: float, cpu_seconds: float, answers: list[Answer]) -> dict[str, Any]:
    """Returns what is told of a stage. Its answers may still come while others run."""
    return {
        "stage": stage,
        "began": began,
        "ended": time.monotonic(),
        "rate": rate,
        "generator_cpu_seconds": cpu_seconds,
        "answers": answers,
    }


def _tell(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line, default=astuple) + "\n")
    sys.stdout.flush()


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    uvloop.run(_Generator(json.loads(sys.argv[1])).run())
