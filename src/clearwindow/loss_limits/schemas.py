"""Limits of loss on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from clearwindow.api.schema import RequestModel, ShortText, WireModel
from clearwindow.core.clock import wire_time
from clearwindow.core.money import MAX_DIGITS
from clearwindow.core.text import present
from clearwindow.loss_limits.models import Limits, Standing
from clearwindow.signing.schemas import SignableChange

MAX_CURRENCIES: Final = 1_000
LimitText = Annotated[str, StringConstraints(pattern=rf"^(0|[1-9][0-9]{{0,{MAX_DIGITS - 1}}})$")]
"""Base units as decimal text, 0 or more. 0 allows no loss."""


class WantedLimits(RequestModel):
    """Both limits of one currency. Null is no limit. Both must be given, so that none is removed by mistake."""

    per_settlement: LimitText | None
    per_day: LimitText | None

    def to_model(self) -> Limits:
        return Limits(_number(self.per_settlement), _number(self.per_day))


class LossLimitsRequest(SignableChange):
    """By our currency name, in base units. The limits of other currencies stay."""

    loss_limits: Annotated[dict[ShortText, WantedLimits], Field(min_length=1, max_length=MAX_CURRENCIES)]

    def to_model(self) -> dict[str, Limits]:
        return {name: wanted.to_model() for name, wanted in self.loss_limits.items()}


class NextLimits(WireModel):
    """Higher limits that were asked for. They come into force at ``from``. Null is no limit."""

    per_settlement: str | None
    per_day: str | None
    from_: Annotated[str, Field(alias="from")]


class LossLimits(WireModel):
    """The limits in force. Null is no limit."""

    per_settlement: str | None
    per_day: str | None
    next: NextLimits | None = None


class LossLimitsAnswer(WireModel):
    """By our currency name. A currency that is missing has no limit."""

    loss_limits: dict[str, LossLimits]


def limits_answer(found: Mapping[str, Standing]) -> LossLimitsAnswer:
    return LossLimitsAnswer(loss_limits={name: _limits(one) for name, one in sorted(found.items())})


def _limits(standing: Standing) -> LossLimits:
    return LossLimits.model_validate(_texts(standing.limits) | present(next=_next(standing)))


def _next(standing: Standing) -> NextLimits | None:
    if standing.next_limits is None or standing.next_from is None:
        return None
    return NextLimits.model_validate(_texts(standing.next_limits) | {"from": wire_time(standing.next_from)})


def _texts(limits: Limits) -> dict[str, object]:
    return {"per_settlement": _text(limits.per_settlement), "per_day": _text(limits.per_day)}


def _text(quantity: int | None) -> str | None:
    return None if quantity is None else str(quantity)


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)
