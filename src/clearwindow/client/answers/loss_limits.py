"""Limits that a client sets to what a partner may take from one of its connections."""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from clearwindow.client.answers.base import BaseUnits, Value


class NextLimits(Value):
    """Higher limits that come into force at ``starts_at``. None is no limit."""

    per_settlement: BaseUnits | None
    per_day: BaseUnits | None
    starts_at: AwareDatetime = Field(alias="from")


class LossLimits(Value):
    """The limits in force for one currency, in base units. None is no limit."""

    per_settlement: BaseUnits | None
    per_day: BaseUnits | None
    next: NextLimits | None = None


class ConnectionLossLimits(Value):
    """The limits of a connection by our currency name. A currency that is missing has none."""

    loss_limits: dict[str, LossLimits]
