"""Decisions about calls to partners. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from clearwindow.errors import InvalidRequestError
from clearwindow.outgoing.addresses import AddressRefusedError, require_callable
from clearwindow.outgoing.values import Reply
from clearwindow.partnercalls.values import (
    PLACES,
    Accepted,
    Answer,
    Circuit,
    Endpoint,
    Operation,
    Refused,
    Silent,
)
from clearwindow.strict_json import JsonError, JsonNumber, JsonValue, parse_json

FAILURES_TO_OPEN: Final = 5
MAX_REASON_CHARACTERS: Final = 500
MAX_ID_CHARACTERS: Final = 255
_OPEN_SECONDS: Final = 30
_MAX_OPEN_SECONDS: Final = 300
_MAX_BACKOFF_SECONDS: Final = 300
_MAX_RETRY_AFTER_SECONDS: Final = 3600
_MAX_PATH_CHARACTERS: Final = 255
# Neither yes nor no: too early, too often, or too slow.
_LATER: Final = frozenset({408, 425, 429})
_PATH: Final = re.compile(r"(/[A-Za-z0-9._~!$&'()*+,;=:@-]+|/\{id\})+")
_NOT_PLAIN: Final = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+")


def require_endpoint(endpoint: Endpoint, *, allow_private: bool) -> None:
    """Refuses an address or a path that could not be called.

    Raises:
        InvalidRequestError: naming the entry.
    """
    if endpoint.callback_url is not None:
        try:
            require_callable(endpoint.callback_url, allow_private=allow_private)
        except AddressRefusedError as error:
            raise InvalidRequestError("callback_url_refused", f"callbackUrl: {error}") from None
    known = {place.name: place for place in PLACES.values()}
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
    """(method, URL, path) of a call; the path is that of the URL, as its signature names it."""
    if endpoint.callback_url is None:
        raise AssertionError("a partner without an address is never called")
    place = PLACES[operation]
    template = endpoint.callback_paths.get(place.name, place.path)
    url = endpoint.callback_url.rstrip("/") + template.replace("{id}", str(subject_id))
    return place.method, url, urlsplit(url).path


def understood(reply: Reply) -> Answer:
    """What a reply says. A yes is an object without a rejection; a 4xx is a no; all else is neither."""
    if reply.status in _LATER or reply.status >= 500:  # noqa: PLR2004 - HTTP's own classes
        return Silent(f"HTTP {reply.status}", _seconds(reply.retry_after))
    fields = _object(reply.body)
    reason = _rejection(fields)
    if reply.status >= 400:  # noqa: PLR2004 - the same
        said = reason or _text(fields, "error") or _text(fields, "message")
        return Refused(reply.status, said or f"the partner answered with HTTP {reply.status}")
    if reply.status not in range(200, 300):
        return Silent(f"HTTP {reply.status}")
    if reason:
        return Refused(reply.status, reason)
    if fields is None and reply.body:
        return Silent(f"HTTP {reply.status} without a JSON object")
    return Accepted(fields or {})


def heard(operation: Operation, reply: Reply) -> Answer:
    """The same for what is only told: any 2xx is enough, and what a partner does not know it need not release."""
    if reply.status in range(200, 300):
        return Accepted({})
    answer = understood(reply)
    releases = operation in (Operation.ALLOCATION_RELEASE, Operation.DEALLOCATION_RELEASE)
    if isinstance(answer, Refused) and not (releases and answer.status in (404, 409, 410)):
        return Silent(f"HTTP {answer.status}: {answer.reason}", answered=True)
    return Accepted({}) if isinstance(answer, Refused) else answer


def partners_own(answer: Accepted, what: str) -> str | None:
    """The partner's own id: ``partnersConnectionId`` or ``partnerConnectionId`` for ``ConnectionId``."""
    for name in (f"partners{what}", f"partner{what}"):
        value = answer.fields.get(name)
        if isinstance(value, JsonNumber):
            value = value.text
        if isinstance(value, str) and _plain(value) and len(value) <= MAX_ID_CHARACTERS:
            return _plain(value)
    return None


def contradiction(answer: Accepted, sent: Mapping[str, object]) -> str | None:
    """The first field that the answer echoes otherwise than it was sent."""
    for name, value in sent.items():
        echoed = answer.fields.get(name)
        if echoed is not None and name in answer.fields and not _same(echoed, value):
            return name
    return None


def next_attempt_at(now: datetime, attempts: int, jitter: float, retry_after_seconds: int | None) -> datetime:
    """When a call that got no answer ``attempts`` times is repeated; ``jitter`` is from 0 to 1."""
    grown = min(_MAX_BACKOFF_SECONDS, 2.0 ** min(attempts, 10))
    seconds = max(grown * (0.5 + jitter / 2), float(retry_after_seconds or 0))
    return now + timedelta(milliseconds=int(seconds * 1000))


def after_failure(circuit: Circuit, now: datetime, why: str) -> Circuit:
    """Opens after some failures in a row, and for longer each time a trial fails."""
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
    """Why the partner says no. A reason that is no text is one, too: money must not move over it."""
    given = [(fields or {}).get(name) for name in ("rejectionReason", "rejectReason")]
    read = (_plain(value) if isinstance(value, str) else "" for value in given if value)
    return next((text or "no reason that can be read" for text in read), None)


def _text(fields: Mapping[str, JsonValue] | None, name: str) -> str | None:
    value = (fields or {}).get(name)
    return (_plain(value) or None) if isinstance(value, str) else None


def _plain(text: str) -> str:
    return _NOT_PLAIN.sub(" ", text).strip()[:MAX_REASON_CHARACTERS]


def _seconds(retry_after: str | None) -> int | None:
    """A Retry-After in seconds; one that is a date is not worth the trouble of clocks that disagree."""
    text = (retry_after or "").strip()
    if not (text.isascii() and text.isdigit() and len(text) < 10):  # noqa: PLR2004 - far beyond any use
        return None
    return min(int(text), _MAX_RETRY_AFTER_SECONDS)
