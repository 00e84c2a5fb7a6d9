"""Calls that are signed with a v2x token, without the product's own code."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

from tests.support.http import loopback_client

TIMEOUT_SECONDS = 60


def hmac_hex(token: str, parts: list[str], body: bytes) -> str:
    subject = "".join(f"{part}|" for part in parts).encode() + body
    return hmac.new(token.encode(), subject, hashlib.sha256).hexdigest()


@dataclass
class SignedCaller:
    """Signs its requests. A test may change or remove single headers."""

    base_url: str
    token: str
    version: str = "3.0"

    def send(
        self,
        method: str,
        address: str,
        content: bytes = b"",
        *,
        at: float | None = None,
        changed: Mapping[str, str | None] | None = None,
    ) -> httpx2.Response:
        timestamp = str(int((time.time() if at is None else at) * 1000))
        parts = [timestamp, address] if self.version == "2.0" else [method, timestamp, "3.0", address]
        given: dict[str, str | None] = {
            "Authorization": f"Bearer {hashlib.sha256(self.token.encode()).hexdigest()}",
            "Auth-Timestamp": timestamp,
            "BitGo-Auth-Version": self.version,
            "HMAC": hmac_hex(self.token, parts, content),
            "Content-Type": "application/json",
            **(changed or {}),
        }
        present = [(name.encode(), value.encode("latin-1")) for name, value in given.items() if value is not None]
        with loopback_client(base_url=self.base_url, timeout=TIMEOUT_SECONDS) as client:
            return client.request(method, address, content=content, headers=present)

    def get(self, address: str, body: object = None) -> httpx2.Response:
        return self.send("GET", address, _text(body))

    def post(self, address: str, body: object) -> httpx2.Response:
        return self.send("POST", address, _text(body))

    def is_signed(self, response: httpx2.Response, address: str) -> bool:
        """Returns whether the answer has the expected HMAC and a recent timestamp."""
        timestamp = response.headers.get("Timestamp", "0")
        parts = [timestamp, address, str(response.status_code)]
        if self.version == "3.0":
            parts = [response.request.method, *parts]
        is_fresh = abs(time.time() * 1000 - int(timestamp)) < 60_000
        return is_fresh and response.headers.get("HMAC") == hmac_hex(self.token, parts, response.content)


def _text(body: object) -> bytes:
    return b"" if body is None else json.dumps(body).encode()


def name_of(response: httpx2.Response) -> Any:  # noqa: ANN401 - a member of a JSON document
    return response.json().get("name")
