"""What a trader can be told to do wrong, so that a rehearsal shows that the network bears it."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Fault(StrEnum):
    """The first five are of the webhook endpoint; the last one is of the desk that decides."""

    SLOW = "slow"
    ERROR_500 = "error-500"
    GARBAGE = "garbage"
    TIMEOUT_AFTER_WORK = "timeout-after-work"
    DROP = "drop"
    MISTAKE = "mistake"


_OF_THE_ENDPOINT: Final = tuple(fault for fault in Fault if fault is not Fault.MISTAKE)
_WHOLE_PERCENT: Final = 100


@dataclass(slots=True)
class Faults:
    """One trader's faults. The same seed makes the same ones in the same order.

    Attributes:
        kinds: those that are switched on; none by default.
        percent: how many of a hundred deliveries, or judgements, meet one.
        seed: chooses which.
        trader: its name, so that no two traders fail at once.
    """

    kinds: Collection[Fault] = ()
    percent: float = 0
    seed: str = ""
    trader: str = ""
    _deliveries: int = field(default=0, init=False)

    def of_next_delivery(self) -> Fault | None:
        """What happens to the delivery that has just come in."""
        self._deliveries += 1
        kinds = [kind for kind in _OF_THE_ENDPOINT if kind in self.kinds]
        chance = self._chance(f"delivery {self._deliveries}")
        return chance.choice(kinds) if kinds and self._strikes(chance) else None

    def mistakes(self, external_id: str, connection_id: str) -> bool:
        """Whether the desk takes this settlement for wrong although it is right."""
        return Fault.MISTAKE in self.kinds and self._strikes(self._chance(f"{external_id} {connection_id}"))

    def _chance(self, what: str) -> random.Random:
        return random.Random(f"{self.seed} {self.trader} {what}")  # noqa: S311 - repeatable, and no secret

    def _strikes(self, chance: random.Random) -> bool:
        return chance.random() * _WHOLE_PERCENT < self.percent


def parse_faults(text: str) -> tuple[Fault, ...]:
    """The faults that are named, separated by commas; ``all`` are all of them.

    Raises:
        ValueError: naming what is none.
    """
    if text == "all":
        return tuple(Fault)
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in list(Fault):
            raise ValueError(f"there is no fault {name}; there are {', '.join(Fault)}")
    return tuple(Fault(name) for name in names)
