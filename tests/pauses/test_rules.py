"""Who ends a pause, and how errors name what is paused. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from clearwindow.core.errors import ConflictError, InvalidRequestError, PermissionDeniedError, UnprocessableError
from clearwindow.pauses import rules
from clearwindow.pauses.models import RESUME_REQUEST_DAYS, Pause, PauseKind, Subject
from clearwindow.pauses.service import subject_of

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
ANN, BOB = UUID(int=1), UUID(int=2)
PAUSE = Pause(UUID(int=9), PauseKind.CURRENCY, None, None, "ofcbtc", None, "a reason", ANN, NOW)


def resumed(pause: Pause, operator: UUID, at: datetime = NOW, confirmations: int = 1) -> Pause:
    return rules.resumed(pause, operator, "it is safe", at, confirmations=confirmations)


def test_two_operators_resume() -> None:
    asked = resumed(PAUSE, ANN)
    assert (asked.stands, asked.resume_asked_by, asked.resume_reason) == (True, ANN, "it is safe")
    ended = resumed(asked, BOB)
    assert (ended.stands, ended.resumed_by, ended.resumed_alone) == (False, BOB, False)


def test_one_operator_asks_twice_and_resumes_nothing() -> None:
    asked = resumed(PAUSE, ANN)
    assert resumed(asked, ANN, NOW + timedelta(days=1)) == asked


def test_request_to_resume_that_expired_counts_as_none() -> None:
    asked = resumed(PAUSE, ANN)
    end = NOW + timedelta(days=RESUME_REQUEST_DAYS)
    assert resumed(asked, BOB, end - timedelta(milliseconds=1)).stands is False
    late = resumed(asked, BOB, end)
    assert (late.stands, late.resume_asked_by, late.resume_asked_at) == (True, BOB, end)


def test_without_confirmations_one_operator_resumes() -> None:
    ended = resumed(PAUSE, ANN, confirmations=0)
    assert (ended.stands, ended.resumed_alone) == (False, True)


def test_pause_that_is_asked_for_again_ends_a_request_to_resume() -> None:
    assert rules.again(resumed(PAUSE, ANN)) == PAUSE


def test_pause_ends_once() -> None:
    with pytest.raises(ConflictError) as refused:
        resumed(resumed(PAUSE, ANN, confirmations=0), BOB)
    assert refused.value.name == "pause_ended"


def test_nothing_paused_raises_nothing() -> None:
    rules.require_open([])


@pytest.mark.parametrize("kind", [UnprocessableError, PermissionDeniedError])
def test_error_is_of_the_wanted_kind_and_names_at_most_twenty(
    kind: type[UnprocessableError | PermissionDeniedError],
) -> None:
    many = [replace(PAUSE, id=UUID(int=number)) for number in range(30)]
    with pytest.raises(kind) as refused:
        rules.require_open(many, kind)
    assert refused.value.details is not None
    named = refused.value.details["pauses"]
    assert isinstance(named, list)
    assert (len(named), refused.value.details["pauseCount"]) == (20, 30)
    assert "and 29 more" in refused.value.message


@pytest.mark.parametrize(
    ("kind", "named"),
    [(PauseKind.NETWORK, "something"), (PauseKind.PARTNER, None), (PauseKind.CURRENCY, None)],
)
def test_subject_is_named_unless_it_is_the_network(kind: PauseKind, named: str | None) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        subject_of(kind, named)
    assert refused.value.name == "pause_subject_unclear"


def test_fields_of_a_subject_have_their_names_on_the_wire() -> None:
    account = UUID(int=5)
    assert rules.subject_fields(Subject(PauseKind.ACCOUNT, go_account_id=account)) == {"goAccountId": account.hex}
    assert rules.subject_fields(Subject(PauseKind.NETWORK)) == {}
