"""The network's clock as operators see it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from clearwindow.http.wire import RequestModel, WireModel, WireMoment, WireNumber


class ClockRequest(RequestModel):
    """One of both: the minutes to go on, or the moment to go to."""

    advance_minutes: Annotated[WireNumber | None, Field(description="May be a fraction; at most 366 days.")] = None
    now: Annotated[WireMoment | None, Field(description="Not before the present, at most 366 days on.")] = None


class ClockAnswer(WireModel):
    now: Annotated[str, Field(description="The network's time.")]
    wall: Annotated[str, Field(description="The world's time; outside of a sandbox, the network's too.")]
    sandbox: Annotated[bool, Field(description="Whether the clock can be moved.")]
    target: Annotated[str | None, Field(description="Where the clock was last asked to go.")] = None
