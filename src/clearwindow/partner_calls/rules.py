"""Decisions about calls to partners and their answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from clearwindow.core.errors import InvalidRequestError
from clearwindow.core.strict_json import JsonError, JsonNumber, JsonValue, parse_json
from clearwindow.outbound.addresses import AddressRefusedError, require_callable
from clearwindow.outbound.models import Reply
from clearwindow.partner_calls.models import (
    PLACES,
    STATES,
    Accepted,
    Answer,
    Circuit,
    Endpoint,
    Operation,
    Place,
    Refused,
    Silent,
)

FAILURES_TO_OPEN: Final = 5
MAX_REASON_CHARACTERS: Final = 500
MAX_ID_CHARACTERS: Final = 255
_OPEN_SECONDS: Final = 30
_MAX_OPEN_SECONDS: Final = 300
_MAX_BACKOFF_SECONDS: Final = 300
_MAX_RETRY_AFTER_SECONDS: Final = 3600
_MAX_PATH_CHARACTERS: Final = 255
# Neither an acceptance nor a refusal: too early, too many requests, or a timeout.
_LATER: Final = frozenset({408, 425, 429})
_PATH: Final = re.compile(r"(/[A-Za-z0-9._~!$&'()*+,;=:@-]+|/\{id\})+")
_NOT_PLAIN: Final = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+")


def require_endpoint(endpoint: Endpoint, *, allow_private: bool) -> None:
    """Checks that the address and the paths can be called.

    Raises:
        InvalidRequestError: one of them cannot; the message names it.
    """
    if endpoint.callback_url is not None:
        try:
            require_callable(endpoint.callback_url, allow_private=allow_private)
        except AddressRefusedError as error:
            raise InvalidRequestError("callback_url_refused", f"callbackUrl: {error}") from None
    known = {place.name: place for place in (*PLACES.values(), *STATES.values())}
    for name, path in endpoint.callback_paths.items():
        if name not in known:
            raise InvalidRequestError(
                "callback_path_unknown",
                f"callbackPaths: there is no call {name[:80]}: the calls are {', '.join(sorted(known))}",
            )
        segments = path.split("/")
        plain = len(path) <= _MAX_PATH_CHARACTERS and _PATH.fullmatch(path) is not None
        if not plain or "." in segments or ".." in segments:
            raise InvalidRequestError(
                "callback_path_malformed",
                f"callbackPaths.{name}: must be a path such as {known[name].path}, without a query",
            )
        if ("{id}" in path) is not ("{id}" in known[name].path):
            needs = "must" if "{id}" in known[name].path else "must not"
            raise InvalidRequestError("callback_path_malformed", f"callbackPaths.{name}: {needs} contain {{id}}")


def address(endpoint: Endpoint, operation: Operation, subject_id: UUID) -> tuple[str, str, str]:
    """Returns (method, URL, path) of a call. The path is that of the URL, as its signature has it."""
    return _located(endpoint, PLACES[operation], subject_id)


def state_address(endpoint: Endpoint, operation: Operation, subject_id: UUID) -> tuple[str, str, str] | None:
    """Returns (method, URL, path) to ask for the subject's state, or None if the partner has no path for it."""
    place = STATES.get(operation)
    if place is None or place.name not in endpoint.callback_paths:
        return None
    return _located(endpoint, place, subject_id)


def _located(endpoint: Endpoint, place: Place, subject_id: UUID) -> tuple[str, str, str]:
    if endpoint.callback_url is None:
        raise AssertionError("a partner without an address is never called")
    template = endpoint.callback_paths.get(place.name, place.path)
    url = endpoint.callback_url.rstrip("/") + template.replace("{id}", str(subject_id))
    return place.method, url, urlsplit(url).path


def answer_to_question(reply: Reply) -> Answer:
    """Returns the answer in a reply.

    A 2xx accepts, unless it has a rejection or a body that is no JSON object. A 4xx refuses. All else is neither.
    """
    if reply.status in _LATER or reply.status >= 500:  # noqa: PLR2004 - HTTP's own classes
        return Silent(f"HTTP {reply.status}", _seconds(reply.retry_after))
    fields = _object(reply.body)
    reason = _rejection(fields)
    if reply.status >= 400:  # noqa: PLR2004 - the same
        text = reason or _text(fields, "error") or _text(fields, "message")
        return Refused(reply.status, text or f"the partner answered with HTTP {reply.status}")
    if reply.status not in range(200, 300):
        return Silent(f"HTTP {reply.status}")
    if reason:
        return Refused(reply.status, reason)
    if fields is None and reply.body:
        return Silent(f"HTTP {reply.status} without a JSON object")
    return Accepted(fields or {})


def answer_to_state(operation: Operation, reply: Reply, asked: Mapping[str, object]) -> Answer | None:
    """Returns the answer that was lost, or None if the reply does not show one: then the question is asked again.

    It has the form of the answer to the question, must have the id and the partner's own id, and must not
    contradict what was asked. A 4xx is no refusal: the partner may not know the allocation, because it never got
    the question.
    """
    if reply.status not in range(200, 300):
        return None
    answer = answer_to_question(reply)
    if isinstance(answer, Accepted):
        has_ids = f"{operation}Id" in answer.fields and partners_own(answer, f"{operation.capitalize()}Id")
        return answer if has_ids and contradiction(answer, asked) is None else None
    return answer if isinstance(answer, Refused) else None


def answer_to_notice(operation: Operation, reply: Reply) -> Answer:
    """Returns ``Accepted`` if the notice was received: a 2xx, or for a release also 404, 409 or 410."""
    if reply.status in range(200, 300):
        return Accepted({})
    answer = answer_to_question(reply)
    releases = operation in (Operation.ALLOCATION_RELEASE, Operation.DEALLOCATION_RELEASE)
    if isinstance(answer, Refused) and not (releases and answer.status in (404, 409, 410)):
        return Silent(f"HTTP {answer.status}: {answer.reason}", answered=True)
    return Accepted({}) if isinstance(answer, Refused) else answer


def partners_own(answer: Accepted, what: str) -> str | None:
    """Returns the partner's own id: ``partnersConnectionId`` or ``partnerConnectionId`` for ``ConnectionId``."""
    for name in (f"partners{what}", f"partner{what}"):
        value = answer.fields.get(name)
        if isinstance(value, JsonNumber):
            value = value.text
        if isinstance(value, str) and _plain(value) and len(value) <= MAX_ID_CHARACTERS:
            return _plain(value)
    return None


def contradiction(answer: Accepted, sent: Mapping[str, object]) -> str | None:
    """Returns the first field whose value in the answer differs from the value that was sent."""
    for name, value in sent.items():
        echoed = answer.fields.get(name)
        if echoed is not None and name in answer.fields and not _same(echoed, value):
            return name
    return None


def next_attempt_at(now: datetime, attempts: int, jitter: float, retry_after_seconds: int | None) -> datetime:
    """Returns when a call that failed ``attempts`` times is repeated. ``jitter`` is from 0 to 1."""
    grown = min(_MAX_BACKOFF_SECONDS, 2.0 ** min(attempts, 10))
    seconds = max(grown * (0.5 + jitter / 2), float(retry_after_seconds or 0))
    return now + timedelta(milliseconds=int(seconds * 1000))


def after_failure(circuit: Circuit, now: datetime, why: str) -> Circuit:
    """Returns the circuit after a failure.

    It opens after some failures in a row, then longer after each failed trial call.
    """
    failures = circuit.failures + 1
    over = failures - FAILURES_TO_OPEN
    seconds = min(_MAX_OPEN_SECONDS, _OPEN_SECONDS * 2 ** min(max(over, 0), 10))
    open_until = now + timedelta(seconds=seconds) if over >= 0 else None
    return replace(circuit, failures=failures, open_until=open_until, last_error=why, last_failed_at=now)


def _same(echoed: JsonValue, sent: object) -> bool:
    if isinstance(sent, Mapping):
        if not isinstance(echoed, dict):
            return False
        return all(name not in echoed or _same(echoed[name], value) for name, value in sent.items())
    text = echoed.text if isinstance(echoed, JsonNumber) else echoed
    return text == sent


def _object(body: bytes) -> Mapping[str, JsonValue] | None:
    try:
        document = parse_json(body)
    except JsonError:
        return None
    return document if isinstance(document, dict) else None


def _rejection(fields: Mapping[str, JsonValue] | None) -> str | None:
    """Returns the reason of a rejection. A reason that is not text is a rejection, too: no funds may move."""
    given = [(fields or {}).get(name) for name in ("rejectionReason", "rejectReason")]
    read = (_plain(value) if isinstance(value, str) else "" for value in given if value)
    return next((text or "no reason that can be read" for text in read), None)


def _text(fields: Mapping[str, JsonValue] | None, name: str) -> str | None:
    value = (fields or {}).get(name)
    return (_plain(value) or None) if isinstance(value, str) else None


def _plain(text: str) -> str:
    return _NOT_PLAIN.sub(" ", text).strip()[:MAX_REASON_CHARACTERS]


def _seconds(retry_after: str | None) -> int | None:
    """Returns a Retry-After in seconds. A date is ignored, because clocks differ."""
    text = (retry_after or "").strip()
    if not (text.isascii() and text.isdigit() and len(text) < 10):  # noqa: PLR2004 - far beyond any use
        return None
    return min(int(text), _MAX_RETRY_AFTER_SECONDS)
