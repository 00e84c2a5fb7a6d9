"""After an unknown outcome, the SDK repeats only operations that the server carries out once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from typing import Any, Final

import httpx2
import pytest

from clearwindow.client import Client, HttpOptions, KeySigner, Operator, Partner, ServerError
from tests.client.operations import CLIENT, ID, PARTNER
from tests.client.own_operations import EXCHANGE, MEMBER, OPERATOR
from tests.support.operators import make_key

URL: Final = "http://server.test"
OPTIONS: Final = HttpOptions(repeats=1, first_wait_seconds=0)

ONCE: Final = {
    "v1ClientsPostRoute",
    "v1PartnersPostRoute",
    "v1WebhookEndpointsPostRoute",
    "v1WebhookEndpointDeleteRoute",
    "v1WebhookEndpointRotateSecretPostRoute",
    "v1WebhookEndpointTestPostRoute",
    "v1WebhookEndpointReplayPostRoute",
    "v1NotificationsPutRoute",
    "v1NotificationsVerifyPostRoute",
    "v1NotificationsTestPostRoute",
    "changeOwnNotifications",
    "verifyOwnEmail",
    "sendTestNotification",
    "createOperatorToken",
    "createToken",
    "confirmSecondFactor",
    "removeSecondFactor",
    "removeSecondFactorOf",
    "collectValue",
    "openGoAccount",
    "retrySettlement",
    "resume",
    "resetSandbox",
}
"""They have no key of their own, or the second answer would hide the result of the first request."""

MORE: Final[Mapping[str, Callable[[Operator], object]]] = {
    "an enterprise without an id": lambda operator: operator.enterprises.create(name="Aster", licensed=True),
    "a user without an id": lambda operator: operator.enterprises.create_user("aster", name="Ada"),
    "a custodian's key": lambda operator: operator.go_accounts.add_custodian_key(ID),
    "minutes forwards": lambda operator: operator.advance_clock(5),
}


def test_only_idempotent_requests_are_repeated() -> None:
    sent: Counter[str] = Counter()
    asked = ""

    def unsure(_: httpx2.Request) -> httpx2.Response:
        sent[asked] += 1
        return httpx2.Response(503)

    common: dict[str, Any] = {"options": OPTIONS, "transport": httpx2.MockTransport(unsure)}
    signing: dict[str, Any] = {"signer": KeySigner(make_key().xprv), **common}
    with ExitStack() as stack:
        client, partner, operator = (
            stack.enter_context(closing(made))
            for made in (
                Client(URL, "t", "aster", **signing),
                Partner(URL, "t", "meridian", **signing),
                Operator(URL, "t", **common),
            )
        )
        whole: list[tuple[Any, Mapping[str, tuple[str, Callable[[Any], object]]]]] = [
            (client, CLIENT),
            (client, MEMBER),
            (partner, PARTNER),
            (partner, EXCHANGE),
            (operator, OPERATOR),
            (operator, {name: ("", call) for name, call in MORE.items()}),
        ]
        for whose, operations in whole:
            for asked, (_, call) in operations.items():  # noqa: B007 - ``unsure`` reads it
                with pytest.raises(ServerError):
                    call(whose)
    assert {name for name, times in sent.items() if times == 1} == ONCE | MORE.keys()
    assert set(sent.values()) == {1, 2}
