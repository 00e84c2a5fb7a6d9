"""The network's clock as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class ClockMove:
    """Where a sandbox's clock shall go: forward by some minutes, or to a moment. Exactly one of them is given."""

    minutes: Decimal | None = None
    moment: datetime | None = None


@dataclass(frozen=True, slots=True)
class ClockReading:
    """The network's clock.

    Attributes:
        now: the network's time.
        wall: real time; outside a sandbox it is also the network's.
        sandbox: whether the clock can be moved.
        target: where the last move went.
    """

    now: datetime
    wall: datetime
    sandbox: bool
    target: datetime | None = None
