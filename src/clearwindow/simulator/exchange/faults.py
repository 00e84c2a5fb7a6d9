"""What can be made to go wrong, and when: drawn from the seed, so that the same run meets the same faults. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Final

from clearwindow.sandbox.market import Currency, draws

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
"""What a broken proxy, a truncated answer or another service says, with a status of 200."""


@dataclass(slots=True)
class Faults:
    """Which faults there are, and how often.

    Attributes:
        kinds: those that are switched on.
        percent: of the calls, and of the amounts of connections in a round.
        slow_seconds: how long a slow answer takes; the network waits for ten seconds.
        late_seconds: after how long a call is cut off that was carried out and is never answered.
    """

    seed: str
    kinds: frozenset[Fault] = frozenset()
    percent: int = 20
    slow_seconds: float = 3
    late_seconds: float = 12
    _attempts: dict[str, int] = field(default_factory=dict)

    def of_call(self, call: str) -> tuple[Fault, int] | None:
        """The fault of this attempt at a call, with a number for what is left to chance in it.

        Args:
            call: what the call is known by, the same for each of its repeats.
        """
        attempt = self._attempts.get(call, 0) + 1
        drawn = self._draw([kind for kind in _OF_CALLS if kind in self.kinds], "call", call, str(attempt))
        if drawn is None:
            self._attempts.pop(call, None)
        else:
            self._attempts[call] = attempt
        return drawn

    def of_amounts(self, connection_id: str, round_number: int) -> bool:
        """Whether a connection is settled wrongly in this round."""
        wrong = [kind for kind in (Fault.WRONG_SETTLEMENT,) if kind in self.kinds]
        return self._draw(wrong, "amounts", connection_id, str(round_number)) is not None

    def _draw(self, kinds: list[Fault], *about: str) -> tuple[Fault, int] | None:
        chance = draws(self.seed, "faults", *about)
        if not kinds or next(chance) % _WHOLE_PERCENT >= self.percent:
            return None
        return kinds[next(chance) % len(kinds)], next(chance)


def altered(net: Mapping[str, Decimal], currencies: Iterable[Currency]) -> dict[str, Decimal]:
    """The amounts of a round with the first one an eighth too large: what a client should dispute."""
    wrong = dict(net)
    for currency in currencies:
        if currency.name in wrong:
            amount = wrong[currency.name]
            more = (amount * _TOO_MUCH).quantize(currency.smallest)
            wrong[currency.name] = more if more != amount else amount * 2
            break
    return wrong
