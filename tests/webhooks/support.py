"""Webhook endpoints for tests, created over HTTP, and a pump that runs on request."""

from __future__ import annotations

import base64
import threading
from dataclasses import dataclass
from typing import Any

import httpx2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from clearwindow.runtime import Runtime
from clearwindow.webhooks.pump import DeliveryPump
from tests.support.http import loopback_client
from tests.support.networks import TIMEOUT_SECONDS, Json, Network, ok
from tests.support.receivers import Message

PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Hooks:
    """Requests of one member about webhook endpoints."""

    base_url: str
    token: str
    enterprise_id: str

    def call(self, method: str, path: str = "", body: object = None, **params: Any) -> httpx2.Response:  # noqa: ANN401
        address = f"{self.base_url}/api/network/v1/enterprises/{self.enterprise_id}/webhook-endpoints{path}"
        headers = {"Authorization": f"Bearer {self.token}"}
        with loopback_client(headers=headers, timeout=TIMEOUT_SECONDS) as http:
            return http.request(method, address, json=body, params=params)

    def make(self, url: str, **more: object) -> Json:
        """Creates an endpoint. Returns the answer with ``webhookEndpoint`` and ``secret``."""
        return ok(self.call("POST", body={"url": url, **more}))

    def show(self, endpoint_id: str) -> Json:
        shown: Json = ok(self.call("GET", f"/{endpoint_id}"))["webhookEndpoint"]
        return shown

    def attempts(self, endpoint_id: str, **params: object) -> list[Json]:
        found: list[Json] = ok(self.call("GET", f"/{endpoint_id}/attempts", **params))["attempts"]
        return found

    def deliveries(self, endpoint_id: str, **params: object) -> list[Json]:
        found: list[Json] = ok(self.call("GET", f"/{endpoint_id}/deliveries", **params))["deliveries"]
        return found

    def test(self, endpoint_id: str) -> str:
        """Sends a test event. Returns its id."""
        return str(ok(self.call("POST", f"/{endpoint_id}/test"))["eventId"])


def hooks_of(network: Network, enterprise_id: str, **terms: Any) -> Hooks:  # noqa: ANN401 - what a token takes
    return Hooks(network.operator.base_url, network.operator.user_token(enterprise_id, **terms), enterprise_id)


def deliver(runtime: Runtime) -> int:
    """Runs a pump until nothing more can be delivered now, or until it times out."""
    pump = DeliveryPump(runtime)
    watchdog = threading.Timer(PATIENCE_SECONDS, pump.stop)
    watchdog.start()
    try:
        return pump.run_due()
    finally:
        watchdog.cancel()


def verified_v1a(message: Message, public_key: str) -> bool:
    """Returns whether this key verifies one of the ``v1a`` signatures of the message."""
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key.removeprefix("whpk_")))
    signed = f"{message.id}.{message.headers['webhook-timestamp']}.".encode() + message.body
    for signature in message.headers["webhook-signature"].split():
        scheme, _, text = signature.partition(",")
        if scheme == "v1a":
            try:
                key.verify(base64.b64decode(text), signed)
            except InvalidSignature:
                continue
            return True
    return False
