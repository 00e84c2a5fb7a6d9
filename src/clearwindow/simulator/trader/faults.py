"""The faults of a trader, with which a rehearsal shows that the network handles them."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Fault(StrEnum):
    """The first five are faults of the webhook endpoint, the last one is a wrong decision of the desk."""

    SLOW = "slow"
    ERROR_500 = "error-500"
    GARBAGE = "garbage"
    TIMEOUT_AFTER_WORK = "timeout-after-work"
    DROP = "drop"
    MISTAKE = "mistake"


_DELIVERY_FAULTS: Final = tuple(fault for fault in Fault if fault is not Fault.MISTAKE)
_WHOLE_PERCENT: Final = 100


@dataclass(slots=True)
class Faults:
    """Chooses one trader's faults. The same seed gives the same faults in the same order.

    Attributes:
        kinds: the faults that are on; none by default.
        percent: how many of a hundred deliveries or decisions have a fault.
        seed: determines which.
        trader: the trader's name, so that traders have different faults.
    """

    kinds: Collection[Fault] = ()
    percent: float = 0
    seed: str = ""
    trader: str = ""
    _deliveries: int = field(default=0, init=False)

    def of_next_delivery(self) -> Fault | None:
        """Returns the fault of the next delivery, or None."""
        self._deliveries += 1
        kinds = [kind for kind in _DELIVERY_FAULTS if kind in self.kinds]
        chance = self._chance(f"delivery {self._deliveries}")
        return chance.choice(kinds) if kinds and self._happens(chance) else None

    def mistakes(self, external_id: str, connection_id: str) -> bool:
        """Returns whether the desk disputes this settlement although it is right."""
        return Fault.MISTAKE in self.kinds and self._happens(self._chance(f"{external_id} {connection_id}"))

    def _chance(self, what: str) -> random.Random:
        return random.Random(f"{self.seed} {self.trader} {what}")  # noqa: S311 - repeatable, and no secret

    def _happens(self, chance: random.Random) -> bool:
        return chance.random() * _WHOLE_PERCENT < self.percent


def parse_faults(text: str) -> tuple[Fault, ...]:
    """Returns the faults in a comma-separated list; ``all`` means all of them.

    Raises:
        ValueError: a name is unknown; the message has it.
    """
    if text == "all":
        return tuple(Fault)
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in list(Fault):
            raise ValueError(f"unknown fault {name}; the faults are {', '.join(Fault)}")
    return tuple(Fault(name) for name in names)
