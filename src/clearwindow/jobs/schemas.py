"""The network's clock on the wire."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from clearwindow.api.schema import RequestModel, WireModel, WireMoment, WireNumber
from clearwindow.core.clock import wire_time
from clearwindow.core.text import present
from clearwindow.jobs.models import ClockMove, ClockReading


class ClockRequest(RequestModel):
    """Either the minutes to advance, or the moment to go to."""

    advance_minutes: Annotated[WireNumber | None, Field(description="May be a fraction. At most 366 days.")] = None
    now: Annotated[WireMoment | None, Field(description="Not in the past, and at most 366 days ahead.")] = None

    def to_model(self) -> ClockMove:
        return ClockMove(self.advance_minutes, self.now)


class ClockAnswer(WireModel):
    now: Annotated[str, Field(description="The network's time.")]
    wall: Annotated[str, Field(description="Real time. Outside a sandbox it is also the network's time.")]
    sandbox: Annotated[bool, Field(description="Whether the clock can be moved.")]
    target: Annotated[str | None, Field(description="Where the last move of the clock went.")] = None


def clock_answer(reading: ClockReading) -> ClockAnswer:
    fields = present(
        now=wire_time(reading.now),
        wall=wire_time(reading.wall),
        sandbox=reading.sandbox,
        target=wire_time(reading.target) if reading.target else None,
    )
    return ClockAnswer.model_validate(fields)
