"""Clients connect to partners with a signed request. The connection key is never returned."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import psycopg
import pytest

from clearwindow.runtime import Runtime
from tests.support.networks import (
    TOKEN_KEY,
    ClientHandle,
    Network,
    NetworkClient,
    PartnerHandle,
    new_nonce,
    ok,
    sign_body,
)
from tests.support.operators import make_key
from tests.support.snapshots import snapshot

PATH = "/clients/connections"
UNKNOWN_ID = "7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39"
KEYS: dict[str, dict[str, str]] = {
    "token": {"schema": "token", "connectionToken": "s3cret"},
    "tokenAndSignature": {"schema": "tokenAndSignature", "connectionToken": "s3cret", "signature": "s"},
    "apiKeyAndSecret": {"schema": "apiKeyAndSecret", "apiKey": "k", "apiSecret": "s3cret"},
    "clearloop": {
        "schema": "clearloop",
        "apiKey": "k",
        "apiSecret": "s3cret",
        "clientAccountId": "a",
        "companyRegistrationNumber": "r",
    },
}


@pytest.fixture
def partner(network: Network) -> PartnerHandle:
    return network.partner()


@pytest.fixture
def client(network: Network) -> ClientHandle:
    return network.client()


def wanted(partner: PartnerHandle, **more: object) -> dict[str, Any]:
    fields = {"partnerId": partner.id, "name": "main", "connectionKey": TOKEN_KEY, "nonce": new_nonce()}
    return {**fields, **more}


def refusal(response: httpx2.Response) -> tuple[int, str]:
    return response.status_code, response.json()["name"]


def test_connection_has_the_signature_as_proof_and_both_sides_can_read_it(
    client: ClientHandle, partner: PartnerHandle
) -> None:
    body = client.enterprise.sign(wanted(partner))
    made = ok(client.api.post(PATH, body))["connection"]
    assert (made["proof"], made["nonce"]) == (body["signature"], body["nonce"])
    assert (made["clientId"], made["partnerId"]) == (client.id, partner.id)
    assert (made["partnersClientId"], made["partnersConnectionId"]) == (client.id, made["id"])
    assert (made["active"], made["initialized"]) == (True, True)
    assert ok(client.api.get(f"{PATH}/{made['id']}"))["connection"] == made
    assert ok(partner.api.get(f"/partners/connections/{made['id']}"))["connection"] == made
    assert ok(partner.api.get("/partners/connections"))["connections"] == [made]


@pytest.mark.parametrize("schema", KEYS)
def test_key_of_each_schema_is_stored_encrypted_and_never_returned(
    network: Network, runtime: Runtime, schema: str
) -> None:
    enterprise = network.enterprise("exchange")
    network.configure("exchange")
    asked = {"name": "E", "broker": False, "institutionIdentifier": "E", "connectionKeySchema": schema}
    made = ok(enterprise.api.post("/partners", asked))["partner"]
    partner, client = PartnerHandle(made["id"], made["clientId"], enterprise), network.client()
    response = client.api.post(PATH, client.enterprise.sign(wanted(partner, connectionKey=KEYS[schema])))
    assert response.status_code == 200
    assert "s3cret" not in response.text
    assert "s3cret" not in str(network.operator.audit_log()) + str(network.operator.events())
    with psycopg.connect(runtime.database.dsn) as database:
        row = database.execute("SELECT id, encrypted_key, c::text FROM connection AS c").fetchone()
        assert row is not None
        assert "s3cret" not in row[2]
        assert b"s3cret" in runtime.vault.decrypt(row[1], context=f"connection-key:{row[0]}")

    other = next(name for name in KEYS if name != schema)
    refused = client.api.post(PATH, client.enterprise.sign(wanted(partner, connectionKey=KEYS[other])))
    assert refusal(refused) == (400, "connection_key_schema_differs")


WRONG_KEYS: list[object] = [
    {"schema": "token"},
    {"schema": "token", "connectionToken": ""},
    {"schema": "token", "connectionToken": 5},
    {"schema": "token", "connectionToken": "t", "apiKey": "k"},
    {"schema": "nothing", "connectionToken": "t"},
    {"connectionToken": "t"},
    "t",
    None,
]


def test_key_that_matches_no_schema_is_rejected(
    client: ClientHandle, partner: PartnerHandle, subtests: pytest.Subtests
) -> None:
    for key in WRONG_KEYS:
        with subtests.test(key=repr(key)):
            refused = client.api.post(PATH, client.enterprise.sign(wanted(partner, connectionKey=key)))
            assert refusal(refused) == (400, "request_invalid")


def test_checks_run_in_a_fixed_order(
    network: Network, client: ClientHandle, partner: PartnerHandle, runtime: Runtime
) -> None:
    """Each request violates all remaining checks, so the answer shows which check runs first."""
    wrong_key, dsn = make_key(99), runtime.database.dsn
    used = new_nonce()
    ok(client.api.post(PATH, client.enterprise.sign(wanted(partner, nonce=used))))
    ok(network.operator.patch(f"/partners/{partner.id}", {"active": False}))
    bystander = network.enterprise("bystander")

    def badly_signed(fields: dict[str, Any]) -> dict[str, Any]:
        return sign_body(fields, wrong_key) | {"name": "not the signed name"}

    before = snapshot(dsn)
    unknown = wanted(partner, partnerId=UNKNOWN_ID, nonce=used)
    assert refusal(client.api.post(PATH, badly_signed(unknown) | {"name": 5})) == (400, "request_invalid")
    assert refusal(bystander.api.post(PATH, badly_signed(unknown))) == (400, "payload_differs")
    assert refusal(bystander.api.post(PATH, sign_body(unknown, wrong_key))) == (403, "not_a_client")
    assert refusal(client.api.post(PATH, sign_body(unknown, wrong_key))) == (404, "partner_unknown")
    fields = wanted(partner, nonce=used, name="second")
    assert refusal(client.api.post(PATH, sign_body(fields, wrong_key))) == (401, "signature_invalid")
    assert refusal(client.api.post(PATH, client.enterprise.sign(fields))) == (400, "nonce_used")
    assert refusal(client.api.post(PATH, client.enterprise.sign(wanted(partner)))) == (422, "partner_inactive")
    assert snapshot(dsn) == before


def test_inactive_client_cannot_connect(network: Network, client: ClientHandle, partner: PartnerHandle) -> None:
    ok(network.operator.patch(f"/clients/{client.id}", {"active": False}))
    refused = client.api.post(PATH, client.enterprise.sign(wanted(partner)))
    assert refusal(refused) == (422, "client_inactive")
    ok(network.operator.patch(f"/clients/{client.id}", {"active": True}))
    network.connect(client, partner)


def test_rejected_request_does_not_use_its_nonce(
    network: Network, client: ClientHandle, partner: PartnerHandle
) -> None:
    body = client.enterprise.sign(wanted(partner))
    ok(network.operator.patch(f"/partners/{partner.id}", {"active": False}))
    assert client.api.post(PATH, body).status_code == 422
    ok(network.operator.patch(f"/partners/{partner.id}", {"active": True}))
    assert client.api.post(PATH, body).status_code == 200


def test_repeat_returns_the_same_connection(network: Network, client: ClientHandle, partner: PartnerHandle) -> None:
    body = client.enterprise.sign(wanted(partner))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.api.post(PATH, body), range(8)))
    assert len({ok(answer)["connection"]["id"] for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert len(network.operator.events(types="connection.created")) == 2


def test_signing_helper_returns_the_text_to_sign(client: ClientHandle, partner: PartnerHandle) -> None:
    fields = wanted(partner, name="größer")
    by_post = ok(client.api.post(f"{PATH}/signing", fields))
    assert ok(client.api.get(f"{PATH}/signing", body=fields)) == by_post
    signed = sign_body(fields, client.enterprise.account.key)
    assert by_post == {"payload": signed["payload"]}
    ok(client.api.post(PATH, signed))
    assert client.api.post(f"{PATH}/signing", fields | {"partnerId": UNKNOWN_ID}).status_code == 404
    assert client.api.post(f"{PATH}/signing", fields | {"enterpriseId": "other"}).status_code == 400
    assert client.api.post(f"{PATH}/signing", fields | {"signature": "x"}).status_code == 400


def test_a_connection_is_renamed_stopped_and_restarted(
    network: Network, client: ClientHandle, partner: PartnerHandle
) -> None:
    path = f"{PATH}/{network.connect(client, partner).id}"
    assert ok(client.api.put(path, {"active": False}))["connection"]["active"] is False
    assert ok(client.api.put(path, {"name": "second"}))["connection"]["name"] == "second"
    changed = ok(client.api.put(path, {"active": True}))["connection"]
    assert (changed["active"], changed["name"]) == (True, "second")
    assert ok(client.api.put(path, {}))["connection"] == changed
    assert ok(client.api.put(path, {"active": True, "name": "second"}))["connection"] == changed
    told = network.operator.events(types="connection.updated")
    assert len(told) == 6
    # A change is not signed, so the client's other users learn who made it. The partner does not.
    by = {(one["enterpriseId"], one["payload"].get("changedBy")) for one in told}
    assert by == {(client.enterprise.id, f"user-of-{client.enterprise.id}"), (partner.enterprise.id, None)}
    for wrong in ({"active": None}, {"name": ""}, {"name": None}, {"connectionKey": TOKEN_KEY}):
        assert client.api.put(path, wrong).status_code == 400


def test_another_enterprises_connection_is_not_found(
    network: Network, client: ClientHandle, partner: PartnerHandle
) -> None:
    connection = network.connect(client, partner)
    other, other_partner = network.client("other"), network.partner("other-exchange")
    for id_ in (connection.id, UNKNOWN_ID, connection.id.upper(), "nonsense"):
        for api, side in ((other.api, "clients"), (other_partner.api, "partners")):
            assert refusal(api.get(f"/{side}/connections/{id_}")) == (404, "connection_unknown")
        assert refusal(other.api.put(f"{PATH}/{id_}", {"active": False})) == (404, "connection_unknown")
    assert ok(other.api.get(PATH, connectionIds=connection.id))["connections"] == []
    assert ok(other_partner.api.get("/partners/connections", clientIds=client.id))["connections"] == []


def test_lists_and_events_show_only_own_connections(network: Network, partner: PartnerHandle) -> None:
    first = network.connect(network.client("first"), partner, "one")
    second = network.connect(network.client("second"), partner, "two")
    third = network.connect(first.client, network.partner("elsewhere"), "three")
    ok(second.client.api.put(f"{PATH}/{second.id}", {"active": False}))

    def names(api: NetworkClient, side: str, **filters: object) -> list[str]:
        return sorted(one["name"] for one in ok(api.get(f"/{side}/connections", **filters))["connections"])

    mine = first.client.api
    assert names(mine, "clients") == ["one", "three"]
    assert names(mine, "clients", names="three") == ["three"]
    assert names(mine, "clients", partnerIds=partner.id) == ["one"]
    assert names(mine, "clients", connectionIds=[first.id, second.id, third.id]) == ["one", "three"]
    assert names(partner.api, "partners") == ["one", "two"]
    assert names(partner.api, "partners", active="false") == ["two"]
    assert names(partner.api, "partners", clientIds=first.client.id) == ["one"]
    assert names(partner.api, "partners", partnersClientIds=second.client.id) == ["two"]
    assert names(partner.api, "partners", partnersConnectionIds=first.id) == ["one"]
    assert names(partner.api, "partners", partnerIds=third.partner.id) == []
    for event in network.operator.events(enterpriseId="first"):
        assert second.id not in str(event)
