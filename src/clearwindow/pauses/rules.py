"""What pauses stop, and who may end them. Pure. Protocol §5 and §10."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from clearwindow.core.clock import wire_time
from clearwindow.core.errors import ConflictError, RequestError, UnprocessableError
from clearwindow.pauses.models import RESUME_REQUEST_DAYS, Pause, PauseKind, Subject

_NAMED: Final = 20
_WORDS: Final = {
    PauseKind.NETWORK: "the network",
    PauseKind.PARTNER: "the partner",
    PauseKind.CLIENT: "the client",
    PauseKind.CURRENCY: "the currency",
    PauseKind.ACCOUNT: "the Go Account",
}


def require_open(standing: Sequence[Pause], kind: type[RequestError] = UnprocessableError) -> None:
    """Requires that nothing is paused of what an operation touches.

    Raises:
        RequestError: of this kind. It names what is paused and since when.
    """
    if not standing:
        return
    raise kind(
        "paused",
        f"{in_words(standing)}: nothing was written; send it again once it is resumed",
        {"pauses": [told(pause) for pause in standing[:_NAMED]], "pauseCount": len(standing)},
    )


def in_words(standing: Sequence[Pause]) -> str:
    """Returns what is paused first and since when, and how many more pauses there are."""
    first = standing[0]
    named = " ".join([_WORDS[first.kind], *subject_fields(first.subject).values()])
    more = f" and {len(standing) - 1} more" if len(standing) > 1 else ""
    return f"{named} is paused since {wire_time(first.paused_at)}{more}"


def told(pause: Pause) -> dict[str, str]:
    """Returns what is paused and since when, for the details of an error."""
    return {"kind": pause.kind.value, **subject_fields(pause.subject), "since": wire_time(pause.paused_at)}


def subject_fields(subject: Subject) -> dict[str, str]:
    """Returns the id of what is paused, under its name on the wire. The network has none."""
    fields = {
        "partnerId": str(subject.partner_id) if subject.partner_id else None,
        "clientId": str(subject.client_id) if subject.client_id else None,
        "currency": subject.currency,
        "goAccountId": subject.go_account_id.hex if subject.go_account_id else None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def again(standing: Pause) -> Pause:
    """Returns a standing pause that is asked for once more: a request to resume it falls."""
    return replace(standing, resume_asked_by=None, resume_asked_at=None, resume_reason=None)


def resumed(pause: Pause, operator_id: UUID, reason: str | None, now: datetime, *, confirmations: int) -> Pause:
    """Returns the pause after an operator's request to resume it.

    Without confirmations it ends. With them, the first operator's request waits, and another operator's ends the
    pause. The same operator again changes nothing. A request that nobody confirmed in time counts as none.

    Raises:
        ConflictError: the pause has ended.
    """
    if not pause.stands:
        raise ConflictError("pause_ended", "the pause has ended already: nothing was changed")
    if confirmations == 0:
        return replace(pause, resumed_by=operator_id, resumed_at=now, resumed_alone=True)
    if not _waits(pause, now):
        return replace(pause, resume_asked_by=operator_id, resume_asked_at=now, resume_reason=reason)
    if pause.resume_asked_by == operator_id:
        return pause
    return replace(pause, resumed_by=operator_id, resumed_at=now)


def resume_expires_at(pause: Pause) -> datetime | None:
    """Returns when a request to resume the pause ends by itself."""
    return None if pause.resume_asked_at is None else pause.resume_asked_at + timedelta(days=RESUME_REQUEST_DAYS)


def _waits(pause: Pause, now: datetime) -> bool:
    expires_at = resume_expires_at(pause)
    return expires_at is not None and now < expires_at
