"""HTTP as a participant speaks it: a bearer token, JSON, and signatures by a key that the server never has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from uuid import uuid4

import httpx2

from clearwindow.signing.keys import PrivateKey
from clearwindow.signing.message import sign_message

Json = dict[str, Any]
OPERATOR_API: Final = "/api/operator/v1"
_TIMEOUT_SECONDS: Final = 30


class DemoError(RuntimeError):
    """Something did not go as it must; the message shows the answer that came."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: Json
    raw: bytes


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it goes over the wire, byte for byte, so that it can be sent again."""

    method: str
    path: str
    content: bytes | None


class Caller:
    """Somebody with a token."""

    def __init__(self, base_url: str, token: str) -> None:
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

    def send(self, asked: Request, *, expect: int = HTTPStatus.OK) -> Answer:
        """Sends the request.

        Raises:
            DemoError: the answer has another status than the expected one, or none came.
        """
        try:
            response = self._http.request(asked.method, asked.path, content=asked.content)
        except httpx2.HTTPError as error:
            raise DemoError(f"{asked.method} {asked.path}: no answer ({type(error).__name__}: {error})") from error
        if response.status_code != expect:
            raise DemoError(
                f"{asked.method} {asked.path}: expected {int(expect)}, "
                f"but the answer was {response.status_code}:\n{response.text}"
            )
        return Answer(response.status_code, response.headers, response.json(), response.content)


def request(method: str, path: str, fields: Mapping[str, object]) -> Request:
    return Request(method, path, json.dumps(fields).encode())


def signed_request(key: PrivateKey, method: str, path: str, fields: Mapping[str, object]) -> Request:
    """A request whose ``payload`` says the same as its fields, and whose ``signature`` signs exactly that text."""
    asked = {**fields, "nonce": str(uuid4())}
    payload = json.dumps(asked, separators=(",", ":"))
    return request(method, path, {**asked, "payload": payload, "signature": sign_message(key, payload)})
