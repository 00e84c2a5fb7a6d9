"""What operators have paused."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime

from clearwindow.client.answers.base import OpenText, Value

PauseKind = Annotated[Literal["network", "partner", "client", "currency", "account"], OpenText]
PauseStatus = Annotated[Literal["paused", "resumed"], OpenText]


class ResumeRequest(Value):
    """One operator has asked to resume. Another one confirms by the same request, until it expires."""

    requested_by: str
    requested_at: AwareDatetime
    expires_at: AwareDatetime
    reason: str | None = None


class Pause(Value):
    """A pause. It stands while its status is ``paused``, also when one operator has asked to resume."""

    id: str
    kind: PauseKind
    status: PauseStatus
    partner_id: str | None = None
    client_id: str | None = None
    currency: str | None = None
    go_account_id: str | None = None
    reason: str
    paused_by: str
    paused_at: AwareDatetime
    resume_request: ResumeRequest | None = None
    resumed_by: str | None = None
    resumed_at: AwareDatetime | None = None
