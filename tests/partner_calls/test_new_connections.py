"""A new connection is made known to its partner, whose names it then has. Protocol §8."""

from __future__ import annotations

import json

import httpx2
import pytest

from tests.support.networks import TOKEN_KEY, ClientHandle, PartnerHandle, ok
from tests.support.partners import FakePartner, Reaction, agreeing, refusing, silent
from tests.support.settling import Floor

PATH = "/clients/connections"


@pytest.fixture
def partner(floor: Floor, their_side: FakePartner) -> PartnerHandle:
    return floor.network.partner(callbackUrl=their_side.url)


@pytest.fixture
def client(floor: Floor) -> ClientHandle:
    return floor.network.client(deposits={"ofcbtc": 100})


def ask(client: ClientHandle, partner: PartnerHandle) -> tuple[httpx2.Response, dict[str, object]]:
    fields = {"partnerId": partner.id, "name": "main", "connectionKey": TOKEN_KEY}
    body = client.enterprise.sign(fields)
    return client.api.post(PATH, body), body


def test_the_partner_is_asked_and_its_names_are_taken(
    client: ClientHandle, partner: PartnerHandle, their_side: FakePartner
) -> None:
    made = ok(ask(client, partner)[0])["connection"]
    assert (made["initialized"], made["partnersClientId"]) == (True, "their-client")
    assert made["partnersConnectionId"] == f"theirs-{made['id']}"
    (call,) = their_side.seen
    assert (call.method, call.path) == ("POST", "/bitgo/v1/connections")
    assert call.body == {
        "connectionToken": TOKEN_KEY["connectionToken"],
        "clientId": client.id,
        "clientWalletId": client.enterprise.account.id,
        "connectionId": made["id"],
        "partnerId": partner.id,
    }
    assert ok(partner.api.get("/partners/connections", partnersClientIds="their-client"))["connections"] == [made]


def test_one_letter_less_in_the_names_is_understood(
    client: ClientHandle, partner: PartnerHandle, their_side: FakePartner
) -> None:
    their_side.behave = lambda _: Reaction(body={"partnerClientId": 17, "partnerConnectionId": "k"})
    made = ok(ask(client, partner)[0])["connection"]
    assert (made["partnersClientId"], made["partnersConnectionId"]) == ("17", "k")


@pytest.mark.parametrize("status", [200, 400, 409])
def test_a_refusal_is_answered_and_the_record_stays_without_use(
    floor: Floor, client: ClientHandle, partner: PartnerHandle, their_side: FakePartner, status: int
) -> None:
    their_side.behave = refusing("this account is closed", status)
    refused, body = ask(client, partner)
    assert (refused.status_code, refused.json()["name"]) == (422, "connection_refused")
    assert "this account is closed" in refused.json()["error"]
    assert client.api.post(PATH, body).json()["name"] == "connection_refused"
    (kept,) = ok(client.api.get(PATH))["connections"]
    assert (kept["active"], kept["initialized"], kept["partnersClientId"]) == (False, False, None)
    revived = client.api.put(f"{PATH}/{kept['id']}", {"active": True})
    assert (revived.status_code, revived.json()["name"]) == (422, "connection_refused")
    assert floor.pass_minutes(60) == 0
    assert len(their_side.seen) == 1


def test_an_endpoint_that_is_away_is_asked_again_until_it_is_back(
    floor: Floor, client: ClientHandle, partner: PartnerHandle, their_side: FakePartner
) -> None:
    their_side.behave = silent
    made = ok(ask(client, partner)[0])["connection"]
    assert (made["initialized"], made["partnersConnectionId"]) == (False, None)
    their_side.behave = agreeing
    floor.pass_minutes(1)
    known = ok(client.api.get(f"{PATH}/{made['id']}"))["connection"]
    assert known["initialized"] is True
    assert len({call.raw for call in their_side.seen}) == 1
    assert floor.event_types("trader")[-1] == "connection.updated"


def test_the_same_request_asks_again_at_once(
    client: ClientHandle, partner: PartnerHandle, their_side: FakePartner
) -> None:
    their_side.behave = silent
    made, body = ask(client, partner)
    their_side.behave = agreeing
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
def test_what_is_no_answer_leaves_it_open(
    floor: Floor, client: ClientHandle, partner: PartnerHandle, their_side: FakePartner, reaction: Reaction
) -> None:
    if reaction.delay_seconds:
        floor.runtime.outgoing.timeout_seconds = 1
    their_side.behave = lambda _: reaction
    made = ok(ask(client, partner)[0])["connection"]
    assert (made["initialized"], made["partnersClientId"]) == (False, None)
    (owed,) = ok(floor.operator.get("/partner-calls", owed="true"))["partnerCalls"]
    assert (owed["operation"], owed["subjectId"]) == ("connection", made["id"])
    assert owed["lastError"]
    assert "all is well" not in json.dumps(owed)


def test_nothing_is_allocated_to_a_connection_that_the_partner_does_not_know(
    floor: Floor, client: ClientHandle, partner: PartnerHandle, their_side: FakePartner
) -> None:
    their_side.behave = silent
    connection = floor.network.connect(client, partner)
    refused = connection.allocate("ofcbtc", 1)
    assert (refused.status_code, refused.json()["name"]) == (422, "connection_not_initialized")
    assert refused.json()["allocation"]["status"] == "released"


@pytest.mark.parametrize("base", ["/api", "/%7Eour/../api"])
def test_paths_are_the_partners_own_and_signed_as_they_are_sent(
    floor: Floor, client: ClientHandle, their_side: FakePartner, base: str
) -> None:
    their_side.url += f"{base}/"
    partner = floor.network.partner(
        callbackUrl=their_side.url, callbackPaths={"connections": "/v2/link/connections"}
    )
    ok(ask(client, partner)[0])
    assert [call.path for call in their_side.seen] == [f"{base}/v2/link/connections"]
