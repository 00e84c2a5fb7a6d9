"""The partner confirms a new connection and gives its own ids. Protocol §8."""

from __future__ import annotations

import json

import httpx2
import pytest

from tests.support.networks import TOKEN_KEY, ClientHandle, PartnerHandle, ok
from tests.support.partners import FakePartner, Reaction, agreeing, refusing, silent
from tests.support.settlements import Testbed

PATH = "/clients/connections"


@pytest.fixture
def partner(testbed: Testbed, partner_server: FakePartner) -> PartnerHandle:
    return testbed.network.partner(callbackUrl=partner_server.url)


@pytest.fixture
def client(testbed: Testbed) -> ClientHandle:
    return testbed.network.client(deposits={"ofcbtc": 100})


def ask(client: ClientHandle, partner: PartnerHandle) -> tuple[httpx2.Response, dict[str, object]]:
    fields = {"partnerId": partner.id, "name": "main", "connectionKey": TOKEN_KEY}
    body = client.enterprise.sign(fields)
    return client.api.post(PATH, body), body


def test_partner_is_asked_and_its_ids_are_stored(
    client: ClientHandle, partner: PartnerHandle, partner_server: FakePartner
) -> None:
    made = ok(ask(client, partner)[0])["connection"]
    assert (made["initialized"], made["partnersClientId"]) == (True, "their-client")
    assert made["partnersConnectionId"] == f"theirs-{made['id']}"
    (call,) = partner_server.seen
    assert (call.method, call.path) == ("POST", "/bitgo/v1/connections")
    assert call.body == {
        "connectionToken": TOKEN_KEY["connectionToken"],
        "clientId": client.id,
        "clientWalletId": client.enterprise.account.id,
        "connectionId": made["id"],
        "partnerId": partner.id,
    }
    assert ok(partner.api.get("/partners/connections", partnersClientIds="their-client"))["connections"] == [made]


def test_partner_ids_without_the_s_are_accepted(
    client: ClientHandle, partner: PartnerHandle, partner_server: FakePartner
) -> None:
    partner_server.behave = lambda _: Reaction(body={"partnerClientId": 17, "partnerConnectionId": "k"})
    made = ok(ask(client, partner)[0])["connection"]
    assert (made["partnersClientId"], made["partnersConnectionId"]) == ("17", "k")


@pytest.mark.parametrize("status", [200, 400, 409])
def test_refused_connection_is_recorded_but_cannot_be_used(
    testbed: Testbed, client: ClientHandle, partner: PartnerHandle, partner_server: FakePartner, status: int
) -> None:
    partner_server.behave = refusing("this account is closed", status)
    refused, body = ask(client, partner)
    assert (refused.status_code, refused.json()["name"]) == (422, "connection_refused")
    assert "this account is closed" in refused.json()["error"]
    assert client.api.post(PATH, body).json()["name"] == "connection_refused"
    (kept,) = ok(client.api.get(PATH))["connections"]
    assert (kept["active"], kept["initialized"], kept["partnersClientId"]) == (False, False, None)
    revived = client.api.put(f"{PATH}/{kept['id']}", {"active": True})
    assert (revived.status_code, revived.json()["name"]) == (422, "connection_refused")
    assert testbed.pass_minutes(60) == 0
    assert len(partner_server.seen) == 1


def test_call_is_repeated_until_the_endpoint_answers(
    testbed: Testbed, client: ClientHandle, partner: PartnerHandle, partner_server: FakePartner
) -> None:
    partner_server.behave = silent
    made = ok(ask(client, partner)[0])["connection"]
    assert (made["initialized"], made["partnersConnectionId"]) == (False, None)
    partner_server.behave = agreeing
    testbed.pass_minutes(1)
    known = ok(client.api.get(f"{PATH}/{made['id']}"))["connection"]
    assert known["initialized"] is True
    assert len({call.raw for call in partner_server.seen}) == 1
    assert testbed.event_types("trader")[-1] == "connection.updated"


def test_identical_repeat_asks_again_at_once(
    client: ClientHandle, partner: PartnerHandle, partner_server: FakePartner
) -> None:
    partner_server.behave = silent
    made, body = ask(client, partner)
    partner_server.behave = agreeing
    again = client.api.post(PATH, body)
    assert ok(again)["connection"]["id"] == ok(made)["connection"]["id"]
    assert ok(again)["connection"]["initialized"] is True


@pytest.mark.parametrize(
    "reaction",
    [
        Reaction(500),
        Reaction(503, headers=(("Retry-After", "1"),)),
        Reaction(429),
        Reaction(200, b"<html>all is well</html>"),
        Reaction(204, b""),
        Reaction(200, []),
        Reaction(200, {"partnersClientId": "only one"}),
        Reaction(200, {"partnersClientId": "a", "partnersConnectionId": ""}),
        Reaction(200, {"partnersClientId": "a", "partnersConnectionId": "b", "connectionId": "another"}),
        Reaction(302, {"partnersClientId": "a", "partnersConnectionId": "b"}, (("Location", "/elsewhere"),)),
        Reaction(200, {"partnersClientId": "a", "partnersConnectionId": "b"}, cut=True),
        Reaction(200, b'{"partnersClientId": "', endless=True),
        Reaction(200, {"partnersClientId": "a", "partnersConnectionId": "b"}, delay_seconds=3),
    ],
    ids=lambda reaction: f"{reaction.status}-{str(reaction.body)[:24]}-{reaction.cut or reaction.endless}",
)
def test_invalid_answer_leaves_the_connection_unconfirmed(
    testbed: Testbed, client: ClientHandle, partner: PartnerHandle, partner_server: FakePartner, reaction: Reaction
) -> None:
    if reaction.delay_seconds:
        testbed.runtime.outgoing.timeout_seconds = 1
    partner_server.behave = lambda _: reaction
    made = ok(ask(client, partner)[0])["connection"]
    assert (made["initialized"], made["partnersClientId"]) == (False, None)
    (owed,) = ok(testbed.operator.get("/partner-calls", owed="true"))["partnerCalls"]
    assert (owed["operation"], owed["subjectId"]) == ("connection", made["id"])
    assert owed["lastError"]
    assert "all is well" not in json.dumps(owed)


def test_allocation_to_an_unconfirmed_connection_is_refused(
    testbed: Testbed, client: ClientHandle, partner: PartnerHandle, partner_server: FakePartner
) -> None:
    partner_server.behave = silent
    connection = testbed.network.connect(client, partner)
    refused = connection.allocate("ofcbtc", 1)
    assert (refused.status_code, refused.json()["name"]) == (422, "connection_not_initialized")
    assert refused.json()["allocation"]["status"] == "released"


@pytest.mark.parametrize("base", ["/api", "/%7Eour/../api"])
def test_configured_paths_are_called_and_signed_exactly(
    testbed: Testbed, client: ClientHandle, partner_server: FakePartner, base: str
) -> None:
    partner_server.url += f"{base}/"
    partner = testbed.network.partner(
        callbackUrl=partner_server.url, callbackPaths={"connections": "/v2/link/connections"}
    )
    ok(ask(client, partner)[0])
    assert [call.path for call in partner_server.seen] == [f"{base}/v2/link/connections"]
