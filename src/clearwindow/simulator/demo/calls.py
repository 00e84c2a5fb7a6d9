"""HTTP requests of a participant: a bearer token, JSON, and signatures with a key that the server never has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final
from uuid import uuid4

import httpx2

from clearwindow.signing.intent import DEFAULT_VALIDITY, with_intent
from clearwindow.signing.keys import PrivateKey
from clearwindow.signing.message import sign_message
from clearwindow.signing.models import Operation

Json = dict[str, Any]
OPERATOR_API: Final = "/api/operator/v1"
_TIMEOUT_SECONDS: Final = 30


class DemoError(RuntimeError):
    """The demo got an unexpected answer or result; the message shows it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response."""

    status: int
    headers: Mapping[str, str]
    body: Json
    raw: bytes


@dataclass(frozen=True, slots=True)
class Request:
    """A request with its exact bytes, so that the same request can be sent again."""

    method: str
    path: str
    content: bytes | None


class Caller:
    """Sends requests with one token."""

    def __init__(self, base_url: str, token: str) -> None:
        self.base_url = base_url
        self.token = token
        self._http = httpx2.Client(
            base_url=base_url,
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            timeout=_TIMEOUT_SECONDS,
            trust_env=False,
        )

    def close(self) -> None:
        self._http.close()

    def get(self, path: str) -> Json:
        return self.send(Request("GET", path, None)).body

    def post(self, path: str, fields: Mapping[str, object], *, expect: int = HTTPStatus.OK) -> Answer:
        return self.send(request("POST", path, fields), expect=expect)

    def send(self, outgoing: Request, *, expect: int = HTTPStatus.OK) -> Answer:
        """Sends the request and returns the response.

        Raises:
            DemoError: there is no answer, or its status is not ``expect``.
        """
        try:
            response = self._http.request(outgoing.method, outgoing.path, content=outgoing.content)
        except httpx2.HTTPError as error:
            reason = f"{type(error).__name__}: {error}"
            raise DemoError(f"{outgoing.method} {outgoing.path}: no answer ({reason})") from error
        if response.status_code != expect:
            raise DemoError(
                f"{outgoing.method} {outgoing.path}: expected {int(expect)}, "
                f"but the answer was {response.status_code}:\n{response.text}"
            )
        return Answer(response.status_code, response.headers, response.json(), response.content)


def request(method: str, path: str, fields: Mapping[str, object]) -> Request:
    return Request(method, path, json.dumps(fields).encode())


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a signed text is for. ``ids`` are those of its path."""

    operation: Operation
    ids: Mapping[str, str]
    amount_unit: str = "base"


def signed_request(
    key: PrivateKey, method: str, path: str, fields: Mapping[str, object], purpose: Purpose
) -> Request:
    """Returns a request whose ``payload`` repeats its fields and says what it is for, signed exactly."""
    content = {**fields, "nonce": str(uuid4())}
    expires_at = datetime.now(UTC) + DEFAULT_VALIDITY
    said = with_intent(content, purpose.operation, purpose.ids, expires_at, purpose.amount_unit)
    payload = json.dumps(said, separators=(",", ":"))
    return request(method, path, {**content, "payload": payload, "signature": sign_message(key, payload)})
