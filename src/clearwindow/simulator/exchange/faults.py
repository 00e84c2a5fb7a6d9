"""The faults of an exchange. They follow from the seed, so that the same run has the same faults. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Final

from clearwindow.simulator.market import Currency, draws

_WHOLE_PERCENT: Final = 100
_TOO_MUCH: Final = Decimal("1.125")


class Fault(StrEnum):
    SLOW = "slow"
    ERROR_500 = "error-500"
    GARBAGE = "garbage"
    TIMEOUT_AFTER_WORK = "timeout-after-work"
    WRONG_SETTLEMENT = "wrong-settlement"


_OF_CALLS: Final = (Fault.SLOW, Fault.ERROR_500, Fault.GARBAGE, Fault.TIMEOUT_AFTER_WORK)

GARBAGE: Final[tuple[tuple[str, bytes], ...]] = (
    ("text/html", b"<!doctype html><title>Maintenance</title><h1>We will be back soon</h1>"),
    ("application/json", b'{"allocationId": "5f2a'),
    ("application/json", b'["yes"]'),
    ("application/octet-stream", bytes(range(256))),
)
"""Answers with status 200 as from a broken proxy, a truncated response or another service."""


@dataclass(slots=True)
class Faults:
    """Chooses the faults.

    Attributes:
        kinds: the faults that are on.
        percent: how many of a hundred calls, and of a hundred connections in a round, have a fault.
        slow_seconds: the delay of a slow answer. The network waits ten seconds.
        late_seconds: the delay before the connection is closed, if a call was carried out but gets no answer.
    """

    seed: str
    kinds: frozenset[Fault] = frozenset()
    percent: int = 20
    slow_seconds: float = 3
    late_seconds: float = 12
    _attempts: dict[str, int] = field(default_factory=dict)

    def of_call(self, call: str) -> tuple[Fault, int] | None:
        """Returns the fault of this attempt at a call, with a random number for its details; None if it has none.

        Args:
            call: identifies the call; the same for each of its repeats.
        """
        attempt = self._attempts.get(call, 0) + 1
        drawn = self._draw([kind for kind in _OF_CALLS if kind in self.kinds], "call", call, str(attempt))
        if drawn is None:
            self._attempts.pop(call, None)
        else:
            self._attempts[call] = attempt
        return drawn

    def of_amounts(self, connection_id: str, round_number: int) -> bool:
        """Returns whether the connection gets wrong amounts in this round."""
        wrong = [kind for kind in (Fault.WRONG_SETTLEMENT,) if kind in self.kinds]
        return self._draw(wrong, "amounts", connection_id, str(round_number)) is not None

    def _draw(self, kinds: list[Fault], *about: str) -> tuple[Fault, int] | None:
        chance = draws(self.seed, "faults", *about)
        if not kinds or next(chance) % _WHOLE_PERCENT >= self.percent:
            return None
        return kinds[next(chance) % len(kinds)], next(chance)


def altered(net: Mapping[str, Decimal], currencies: Iterable[Currency]) -> dict[str, Decimal]:
    """Returns the amounts of a round, the first one an eighth too large, so that the client should dispute."""
    wrong = dict(net)
    for currency in currencies:
        if currency.name in wrong:
            amount = wrong[currency.name]
            more = (amount * _TOO_MUCH).quantize(currency.smallest)
            wrong[currency.name] = more if more != amount else amount * 2
            break
    return wrong
