"""The standard's libraries in Python and JavaScript accept our messages, and so does plain Ed25519."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from clearwindow.client import WebhookVerificationError as OurVerificationError
from clearwindow.client import verify_webhook
from clearwindow.runtime import Runtime
from tests.support.networks import Network
from tests.support.npm import installed_modules, node
from tests.support.receivers import Message, receiving
from tests.webhooks.support import deliver, hooks_of, verified_v1a

HERE: Final = Path(__file__).parent
NAME: Final = "Ålesund, 東京, 𝄞, “quoted” \\ </script>"
NODE_SECONDS: Final = 60


@dataclass(frozen=True)
class Delivery:
    """A received message and one secret that must verify it."""

    message: Message
    secret: str
    public_key: str

    def forged(self) -> Delivery:
        body = self.message.body.replace(b'"type":"', b'"type":"x', 1)
        assert body != self.message.body
        return replace(self, message=replace(self.message, body=body))


@pytest.fixture
def deliveries(network: Network, runtime: Runtime) -> list[Delivery]:
    """A plain message, a message that is not ASCII, and a message while two secrets are valid."""
    trader = network.client("trader")
    hooks = hooks_of(network, trader.enterprise.id)
    with receiving() as receiver:
        first = hooks.make(receiver.url)
        endpoint_id = first["webhookEndpoint"]["id"]
        hooks.test(endpoint_id)
        network.connect(trader, network.partner(), NAME)
        assert deliver(runtime) == 2
        second = hooks.call("POST", f"/{endpoint_id}/rotate-secret").json()
        hooks.test(endpoint_id)
        assert deliver(runtime) == 1
        plain, accented, rotated = receiver.received
    assert accented.json["data"]["name"] == NAME
    assert not accented.body.isascii()
    signed = ((plain, first), (accented, first), (rotated, first), (rotated, second))
    return [Delivery(message, made["secret"], made["webhookEndpoint"]["publicKeys"][0]) for message, made in signed]


def test_python_library_accepts_genuine_messages_only(deliveries: list[Delivery]) -> None:
    for delivery in deliveries:
        message = delivery.message
        assert Webhook(delivery.secret).verify(message.body, message.headers) == message.json
        assert verified_v1a(message, delivery.public_key)
        for key in (delivery.secret, delivery.public_key):
            assert verify_webhook(message.headers, message.body, key).payload == message.json
        forged = delivery.forged().message
        with pytest.raises(WebhookVerificationError):
            Webhook(delivery.secret).verify(forged.body, forged.headers)
        assert not verified_v1a(forged, delivery.public_key)
        for key in (delivery.secret, delivery.public_key):
            with pytest.raises(OurVerificationError):
                verify_webhook(forged.headers, forged.body, key)
    # A message from before the rotation is not signed with the new secret.
    early = deliveries[0].message
    with pytest.raises(WebhookVerificationError):
        Webhook(deliveries[3].secret).verify(early.body, early.headers)
    assert not verified_v1a(early, deliveries[3].public_key)


def test_javascript_library_accepts_genuine_messages_only(deliveries: list[Delivery]) -> None:
    for delivery, result in zip(deliveries, results_of_javascript(deliveries), strict=True):
        assert result["library"] == {"believed": True, "event": delivery.message.json}
        assert result["byHand"] is True
    for result in results_of_javascript([delivery.forged() for delivery in deliveries]):
        assert result["library"]["believed"] is False
        assert result["library"]["reason"] == "No matching signature found"
        assert result["byHand"] is False


def results_of_javascript(deliveries: list[Delivery]) -> list[dict[str, Any]]:
    modules = installed_modules(HERE / "package.json", "the reference library of Standard Webhooks in JavaScript")
    asked = [
        {
            "headers": each.message.headers,
            "body": base64.b64encode(each.message.body).decode(),
            "secret": each.secret,
            "publicKey": each.public_key,
        }
        for each in deliveries
    ]
    done = subprocess.run(  # noqa: S603 - the node on the path, with a script of our own
        [node(), str(HERE / "verifier.js")],
        input=json.dumps(asked),
        env={**os.environ, "NODE_PATH": str(modules)},
        capture_output=True,
        text=True,
        timeout=NODE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result: list[dict[str, Any]] = json.loads(done.stdout)
    return result
