"""Pauses on the wire."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from clearwindow.api.filters import CreatedPage, Flag, Many
from clearwindow.api.schema import KeyText, LongText, Omittable, RequestModel, WireModel
from clearwindow.core.clock import wire_time
from clearwindow.core.text import present
from clearwindow.pauses import rules
from clearwindow.pauses.models import Pause, PauseFilter, PauseKind

KindText = Annotated[PauseKind, Field(strict=False)]
Kinds: TypeAlias = Many[Literal["network", "partner", "client", "currency", "account"]]


class PauseRequest(RequestModel):
    """``id`` names the partner, client, currency or Go Account. The network has none."""

    kind: KindText
    id: Omittable[KeyText] = None
    reason: LongText


class ResumeRequest(RequestModel):
    reason: Omittable[LongText] = None


class PauseFilters(CreatedPage):
    kinds: Kinds = None
    standing: Flag = None

    def to_model(self) -> PauseFilter:
        kinds = None if self.kinds is None else [PauseKind(kind) for kind in self.kinds]
        return PauseFilter(kinds, self.standing, self.created_on_or_after, self.created_before, self.slice)


class ResumeRequested(WireModel):
    """One operator has asked to resume. Another one confirms by the same request, until it expires."""

    requested_by: str
    requested_at: str
    expires_at: str
    reason: str | None = None


class PauseView(WireModel):
    """``status`` is `paused` or `resumed`."""

    id: str
    kind: str
    status: str
    partner_id: str | None = None
    client_id: str | None = None
    currency: str | None = None
    go_account_id: str | None = None
    reason: str
    paused_by: str
    paused_at: str
    resume_request: ResumeRequested | None = None
    resumed_by: str | None = None
    resumed_at: str | None = None


class PauseAnswer(WireModel):
    pause: PauseView


class PausesAnswer(WireModel):
    pauses: list[PauseView]


def pause_view(pause: Pause) -> PauseView:
    named = rules.subject_fields(pause.subject)
    fields = present(
        id=str(pause.id),
        kind=pause.kind.value,
        status="paused" if pause.stands else "resumed",
        reason=pause.reason,
        paused_by=str(pause.paused_by),
        paused_at=wire_time(pause.paused_at),
        resume_request=_resume_request(pause),
        resumed_by=str(pause.resumed_by) if pause.resumed_by else None,
        resumed_at=wire_time(pause.resumed_at) if pause.resumed_at else None,
    )
    return PauseView.model_validate(named | fields)


def pause_answer(pause: Pause) -> PauseAnswer:
    return PauseAnswer(pause=pause_view(pause))


def pauses_answer(pauses: Iterable[Pause]) -> PausesAnswer:
    return PausesAnswer(pauses=[pause_view(pause) for pause in pauses])


def _resume_request(pause: Pause) -> ResumeRequested | None:
    expires_at = rules.resume_expires_at(pause)
    if pause.resume_asked_at is None or expires_at is None:
        return None
    fields = present(
        requested_by=str(pause.resume_asked_by),
        requested_at=wire_time(pause.resume_asked_at),
        expires_at=wire_time(expires_at),
        reason=pause.resume_reason,
    )
    return ResumeRequested.model_validate(fields)
