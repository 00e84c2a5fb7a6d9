"""What an overload came to, and how that compares with the aims. Values only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from bench.overload.stages import OK, REFUSED, Answer, Offered, Stage
from bench.overload.usage import Sample, Usage

MEBIBYTE: Final = 1024 * 1024
ACCEPTED_SECONDS: Final = 0.5
REFUSED_SECONDS: Final = 1.0
MEMORY_BYTES: Final = 100 * MEBIBYTE
NORMAL_SECONDS: Final = 5.0

_LOCK: Final = "database_busy"
"""The reason of refusals that may have waited for the lock of one partner, as long as protocol §2 says."""
_SLICE_SECONDS: Final = 1.0
_NORMAL_FACTOR: Final = 2.0
_NORMAL_LEAST_SECONDS: Final = 0.05
"""A median this short is normal, whatever it was before."""


@dataclass(frozen=True, slots=True)
class Times:
    """Times of requests, in seconds from when they were due; all 0 if there are none."""

    number: int
    median: float
    p99: float
    worst: float

    @classmethod
    def of(cls, answers: Iterable[Answer]) -> Times:
        ordered = sorted(answer.seconds for answer in answers)
        if not ordered:
            return cls(0, 0.0, 0.0, 0.0)
        return cls(len(ordered), _quantile(ordered, 50), _quantile(ordered, 99), ordered[-1])


@dataclass(frozen=True, slots=True)
class Row:
    """One stage. ``generator``, ``server`` and ``database``: how many processors each used."""

    stage: Stage
    seconds: float
    offered: float
    accepted: Times
    refused: Times
    waited_for_locks: Times
    others: dict[str, int]
    without_retry_after: int
    late: float
    generator: float
    server: float
    database: float
    server_bytes: int
    database_bytes: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """A whole run.

    Attributes:
        rows: one for each stage.
        normal_after_seconds: from the end of the overload until the server was as before; None if it never was.
        broken: what must hold in the books and did not, in words.
        unfinished: settlements whose windows had ended and that were not completed at the end of the last stage.
    """

    rows: Sequence[Row]
    normal_after_seconds: float | None
    broken: Sequence[str]
    unfinished: int

    def row(self, stage: Stage) -> Row:
        return next(row for row in self.rows if row.stage is stage)

    @property
    def memory_growth(self) -> int:
        """How much more memory the server had at most, from the overload on, than at most before it."""
        after = max(self.row(stage).server_bytes for stage in (Stage.OVERLOAD, Stage.AFTER))
        return after - self.row(Stage.BEFORE).server_bytes

    def judged(self) -> dict[str, bool]:
        """Returns which aims are met."""
        overload = self.row(Stage.OVERLOAD)
        return {
            "accepted": overload.accepted.number > 0 and overload.accepted.p99 <= ACCEPTED_SECONDS,
            "refused": overload.refused.number > 0
            and overload.refused.worst <= REFUSED_SECONDS
            and not overload.without_retry_after
            and not overload.others,
            "memory": self.memory_growth <= MEMORY_BYTES,
            "normal again": self.normal_after_seconds is not None and self.normal_after_seconds <= NORMAL_SECONDS,
            "books": not self.broken,
        }

    @property
    def met(self) -> bool:
        return all(self.judged().values())


def row_of(offered: Offered, usage: Usage) -> Row:
    samples = usage.between(offered.began, offered.ended)
    refused = [answer for answer in offered.answers if answer.status == REFUSED]
    others = [answer for answer in offered.answers if answer.status not in {OK, REFUSED}]
    of_lock = [answer for answer in refused if answer.reason == _LOCK]
    return Row(
        offered.stage,
        offered.seconds,
        offered.rate or len(offered.answers) / offered.seconds,
        Times.of(offered.accepted),
        Times.of(answer for answer in refused if answer.reason != _LOCK),
        Times.of(of_lock),
        dict(Counter(f"{answer.status} {answer.reason}".strip() for answer in others)),
        sum(not answer.retry_after for answer in refused),
        _quantile(sorted(answer.late for answer in offered.answers), 99),
        offered.generator_cpu_seconds / offered.seconds,
        _processors(samples, [sample.server_cpu for sample in samples]),
        _processors(samples, [sample.database_cpu for sample in samples]),
        max(sample.server_bytes for sample in samples),
        max(sample.database_bytes for sample in samples),
    )


def normal_after(before: Offered, overload: Offered, after: Offered) -> float | None:
    """Returns the seconds from the end of the overload to the first second from which on all are as before.

    A second is as before if all of its requests were accepted, and their median is at most twice that of before.
    """
    usual = Times.of(before.accepted).median
    most = max(_NORMAL_FACTOR * usual, _NORMAL_LEAST_SECONDS)
    began = overload.ended
    slices: dict[int, list[Answer]] = {}
    for answer in after.answers:
        slices.setdefault(int((answer.due - began) / _SLICE_SECONDS), []).append(answer)
    bad = [
        number
        for number, answers in slices.items()
        if any(answer.status != OK for answer in answers) or Times.of(answers).median > most
    ]
    first = max(bad, default=-1) + 1
    return first * _SLICE_SECONDS if any(number >= first for number in slices) else None


def _quantile(ordered: Sequence[float], percent: int) -> float:
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] if ordered else 0.0


def _processors(samples: Sequence[Sample], used: Sequence[float]) -> float:
    seconds = samples[-1].at - samples[0].at
    return max(0.0, used[-1] - used[0]) / seconds if seconds else 0.0
