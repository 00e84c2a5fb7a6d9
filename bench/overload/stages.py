"""What is offered to the server, stage by stage, and what came back. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

OK: Final = 200
REFUSED: Final = 503
NOT_SENT: Final = "no connection free"
BROKEN: Final = "the connection broke"


class Stage(StrEnum):
    """The stages of a run, in their order."""

    WARM_UP = "warm-up"
    CAPACITY = "capacity"
    BEFORE = "before"
    OVERLOAD = "overload"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Plan:
    """How long each stage lasts, and how much it offers.

    Attributes:
        askers: how many ask at the same time, each again as soon as it is answered, to find the capacity. Who is
            refused waits as the answer asks.
        factor: how many times the capacity is offered in the overload.
        light: what part of the capacity is offered before and after it.
    """

    warm_up_seconds: float = 3
    capacity_seconds: float = 10
    before_seconds: float = 8
    overload_seconds: float = 20
    after_seconds: float = 10
    askers: int = 16
    factor: float = 4
    light: float = 0.25
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one prepared request.

    Attributes:
        number: of the prepared request.
        due: when it was to be sent, by the generator's monotonic clock. Its time begins here, sent or not.
        late: how many seconds after that it was sent.
        seconds: from ``due`` to the answer.
        status: 0 if there was no answer.
        reason: of a refusal.
        retry_after: whether the answer says when to send the request again.
    """

    number: int
    due: float
    late: float
    seconds: float
    status: int
    reason: str = ""
    retry_after: bool = False


@dataclass(frozen=True, slots=True)
class Offered:
    """One stage as the generator saw it. ``rate`` is 0 where the answers decided how much was sent."""

    stage: Stage
    began: float
    ended: float
    rate: float
    generator_cpu_seconds: float
    answers: tuple[Answer, ...]

    @property
    def seconds(self) -> float:
        return self.ended - self.began

    @property
    def accepted(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.status == OK]

    @classmethod
    def read(cls, line: dict[str, Any]) -> Offered:
        answers = tuple(Answer(*fields) for fields in line["answers"])
        return cls(
            Stage(line["stage"]), line["began"], line["ended"], line["rate"], line["generator_cpu_seconds"], answers
        )
