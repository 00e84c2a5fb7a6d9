"""Limits of loss. All quantities are base units of our currency."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

COOL_OFF: Final = timedelta(hours=24)
"""How long a higher limit waits. Who has stolen a user's token cannot raise a limit and use it the same day."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one settlement, and all settlements of one UTC day, may take. None: no limit."""

    per_settlement: int | None = None
    per_day: int | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """The limits in force, and those that come into force at ``next_from``, if any."""

    limits: Limits
    next_limits: Limits | None = None
    next_from: datetime | None = None


LimitsByCurrency = Mapping[str, Limits]


@dataclass(frozen=True, slots=True)
class Owned:
    """The connection whose limits a client reads or changes."""

    connection_id: UUID
    partner_id: UUID
