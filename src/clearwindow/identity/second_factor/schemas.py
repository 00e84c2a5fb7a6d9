"""Second factors on the wire."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

from clearwindow.api.schema import RequestModel, WireModel
from clearwindow.core.clock import wire_time
from clearwindow.core.text import present
from clearwindow.identity.second_factor.models import Confirmed, Enrolment, FactorState


class ConfirmRequest(RequestModel):
    """The code that the authenticator shows now."""

    code: Annotated[str, StringConstraints(min_length=1, max_length=64)]


class SecretView(WireModel):
    """A new secret, shown only in this answer. ``otpauth`` is the text of a QR code."""

    secret: str
    otpauth: str


class SecretAnswer(WireModel):
    second_factor: SecretView


class RecoveryView(WireModel):
    """Recovery codes, shown only in this answer. Each is accepted once, in place of the authenticator's code."""

    status: Literal["confirmed"]
    recovery_codes: list[str]


class RecoveryAnswer(WireModel):
    second_factor: RecoveryView


class StateView(WireModel):
    """``required``: approvals and reviews need one. ``lockedUntil``: no code is looked at until then."""

    status: Literal["none", "unconfirmed", "confirmed"]
    required: bool
    recovery_codes_left: int
    locked_until: str | None = None


class StateAnswer(WireModel):
    second_factor: StateView


def secret_answer(enrolment: Enrolment) -> SecretAnswer:
    return SecretAnswer(second_factor=SecretView(secret=enrolment.secret, otpauth=enrolment.address))


def recovery_answer(confirmed: Confirmed) -> RecoveryAnswer:
    view = RecoveryView(status="confirmed", recovery_codes=list(confirmed.recovery_codes))
    return RecoveryAnswer(second_factor=view)


def state_answer(state: FactorState) -> StateAnswer:
    fields = present(
        status=str(state.status),
        required=state.required,
        recovery_codes_left=state.recovery_codes_left,
        locked_until=wire_time(state.locked_until) if state.locked_until else None,
    )
    return StateAnswer(second_factor=StateView.model_validate(fields))
