"""What we deliver is believed by the standard's own libraries, in Python and JavaScript, and by Ed25519 alone."""

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
    """A message as it came in, and one secret that it must be signed with."""

    message: Message
    secret: str
    public_key: str

    def forged(self) -> Delivery:
        body = self.message.body.replace(b'"type":"', b'"type":"x', 1)
        assert body != self.message.body
        return replace(self, message=replace(self.message, body=body))


@pytest.fixture
def deliveries(network: Network, runtime: Runtime) -> list[Delivery]:
    """A plain message, one that is not ASCII, and one of the time in which two secrets are valid."""
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


def test_python_believes_what_is_genuine_and_nothing_else(deliveries: list[Delivery]) -> None:
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
    # What came before a secret was made is not signed with it.
    early = deliveries[0].message
    with pytest.raises(WebhookVerificationError):
        Webhook(deliveries[3].secret).verify(early.body, early.headers)
    assert not verified_v1a(early, deliveries[3].public_key)


def test_javascript_believes_what_is_genuine_and_nothing_else(deliveries: list[Delivery]) -> None:
    for delivery, judged in zip(deliveries, judged_by_javascript(deliveries), strict=True):
        assert judged["library"] == {"believed": True, "event": delivery.message.json}
        assert judged["byHand"] is True
    for judged in judged_by_javascript([delivery.forged() for delivery in deliveries]):
        assert judged["library"]["believed"] is False
        assert judged["library"]["reason"] == "No matching signature found"
        assert judged["byHand"] is False


def judged_by_javascript(deliveries: list[Delivery]) -> list[dict[str, Any]]:
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
    judged: list[dict[str, Any]] = json.loads(done.stdout)
    return judged
