"""Calls to partners on the wire: for operators, and the public keys for everybody."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from clearwindow.api.filters import CreatedPage, Flag, Uuids
from clearwindow.api.schema import KeyText, RequestModel, WireModel
from clearwindow.core.clock import wire_time
from clearwindow.partner_calls.models import CallFilter, CallKey, ListedCall, Standing


class RotationRequest(RequestModel):
    reference: KeyText


class CallKeyOutput(WireModel):
    """A key that signs calls until ``retired_at``, which is null if no key has replaced it."""

    id: str
    reference: str
    created_at: str
    retired_at: str | None


class CallKeyAnswer(WireModel):
    partner_call_key: CallKeyOutput


class CallKeyList(WireModel):
    partner_call_keys: list[CallKeyOutput]


class JsonWebKey(WireModel):
    kty: str
    n: str
    e: str
    alg: str
    use: str
    kid: str


class JsonWebKeySet(WireModel):
    keys: list[JsonWebKey]


class StandingOutput(WireModel):
    """The state of a partner's endpoint, and the number of its owed calls."""

    partner_id: str
    name: str
    circuit: str
    failures: int
    open_until: str | None
    last_error: str | None
    last_failed_at: str | None
    owed: int
    owed_since: str | None


class StandingList(WireModel):
    partner_endpoints: list[StandingOutput]


class OwnEndpointOutput(StandingOutput):
    """``called``: whether the partner has an address to call. ``openUntil``: no call is tried before."""

    called: bool


class OwnEndpointAnswer(WireModel):
    partner_endpoint: OwnEndpointOutput


class OwnCallFilters(CreatedPage):
    """``owed``: whether a call still waits for its answer."""

    subject_ids: Uuids = None
    owed: Flag = None

    def to_model(self) -> CallFilter:
        return CallFilter(None, self.subject_ids, self.owed, self.created_on_or_after, self.created_before)


class CallFilters(CreatedPage):
    partner_ids: Uuids = None
    subject_ids: Uuids = None
    owed: Flag = None

    def to_model(self) -> CallFilter:
        return CallFilter(
            self.partner_ids, self.subject_ids, self.owed, self.created_on_or_after, self.created_before
        )


class CallOutput(WireModel):
    """One call. ``due_at`` is null after it was answered."""

    id: str
    partner_id: str
    operation: str
    subject_id: str
    created_at: str
    due_at: str | None
    attempts: int
    last_error: str | None
    ended_at: str | None


class CallList(WireModel):
    partner_calls: list[CallOutput]


def key_answer(key: CallKey) -> CallKeyAnswer:
    return CallKeyAnswer(partner_call_key=_key(key))


def key_list(keys: Iterable[CallKey]) -> CallKeyList:
    return CallKeyList(partner_call_keys=[_key(key) for key in keys])


def key_set(keys: Iterable[CallKey]) -> JsonWebKeySet:
    return JsonWebKeySet(keys=[JsonWebKey.model_validate(key.public_jwk) for key in keys])


def standing_list(standings: Iterable[Standing], now: datetime) -> StandingList:
    return StandingList(partner_endpoints=[_standing(standing, now) for standing in standings])


def own_endpoint(standing: Standing, now: datetime, *, called: bool) -> OwnEndpointAnswer:
    shown = _standing(standing, now).model_dump(by_alias=False)
    return OwnEndpointAnswer(partner_endpoint=OwnEndpointOutput(**shown, called=called))


def call_list(calls: Iterable[ListedCall]) -> CallList:
    return CallList(partner_calls=[_call(call) for call in calls])


def _key(key: CallKey) -> CallKeyOutput:
    return CallKeyOutput(
        id=key.id, reference=key.reference, created_at=wire_time(key.created_at), retired_at=_moment(key.retired_at)
    )


def _standing(standing: Standing, now: datetime) -> StandingOutput:
    is_open = standing.open_until is not None and standing.open_until > now
    waiting = "half-open" if standing.open_until is not None else "closed"
    return StandingOutput(
        partner_id=str(standing.partner_id),
        name=standing.name,
        circuit="open" if is_open else waiting,
        failures=standing.failures,
        open_until=_moment(standing.open_until),
        last_error=standing.last_error,
        last_failed_at=_moment(standing.last_failed_at),
        owed=standing.owed,
        owed_since=_moment(standing.first_created_at),
    )


def _call(call: ListedCall) -> CallOutput:
    return CallOutput(
        id=str(call.id),
        partner_id=str(call.partner_id),
        operation=call.operation,
        subject_id=str(call.subject_id),
        created_at=wire_time(call.created_at),
        due_at=_moment(call.due_at),
        attempts=call.attempts,
        last_error=call.last_error,
        ended_at=_moment(call.ended_at),
    )


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else wire_time(moment)
