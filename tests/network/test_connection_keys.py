"""Connection keys are given in clear or encrypted to the partner, and are never returned. Protocol §3."""

from __future__ import annotations

import logging
from typing import Any

import psycopg
import pytest
from psycopg import sql
from structlog.testing import capture_logs

from clearwindow.runtime import Runtime
from clearwindow.signing.connection_keys import decrypt_connection_key, encrypt_connection_key
from clearwindow.signing.keys import parse_public_key
from clearwindow.signing.message import verify_message
from tests.support.connection_keys import ENCRYPTED, PRIVATE_PEM, PUBLIC_PEM, partners_key
from tests.support.networks import CURRENCIES, ClientHandle, Network, PartnerHandle, new_nonce, ok
from tests.support.snapshots import snapshot

PATH = "/clients/connections"
SECRET = "s3cr3t-0f-th3-cl13nt"
FIELDS: dict[str, tuple[str, ...]] = {
    "token": ("connectionToken",),
    "tokenAndSignature": ("connectionToken", "signature"),
    "apiKeyAndSecret": ("apiKey", "apiSecret"),
    "clearloop": ("apiKey", "apiSecret", "clientAccountId", "companyRegistrationNumber"),
}


@pytest.fixture
def client(network: Network) -> ClientHandle:
    return network.client()


def partner_taking(network: Network, schema: str, **settings: object) -> PartnerHandle:
    enterprise = network.enterprise("exchange")
    network.configure("exchange", **settings)
    asked = {"name": "E", "broker": False, "institutionIdentifier": "E", "connectionKeySchema": schema}
    made = ok(enterprise.api.post("/partners", asked))["partner"]
    return PartnerHandle(made["id"], made["clientId"], enterprise)


def wanted(partner: PartnerHandle, key: dict[str, Any]) -> dict[str, Any]:
    return {"partnerId": partner.id, "name": "main", "connectionKey": key, "nonce": new_nonce()}


def sealed_key(runtime: Runtime) -> str:
    with psycopg.connect(runtime.database.dsn) as database:
        row = database.execute("SELECT id, encrypted_key FROM connection").fetchone()
        assert row is not None
        return runtime.vault.decrypt(row[1], context=f"connection-key:{row[0]}").decode()


def everything_stored(runtime: Runtime) -> str:
    with psycopg.connect(runtime.database.dsn) as database:
        tables = database.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        rows = [
            str(database.execute(sql.SQL("SELECT t::text FROM {} AS t").format(sql.Identifier(table))).fetchall())
            for (table,) in tables
        ]
    return "".join(rows)


@pytest.mark.parametrize("schema", FIELDS)
def test_every_field_of_every_schema_may_be_encrypted(
    network: Network, client: ClientHandle, runtime: Runtime, schema: str
) -> None:
    """Encrypts the last field of the key and requires that the stored ciphertext decrypts."""
    partner = partner_taking(network, schema, publicKey=PUBLIC_PEM)
    clear = FIELDS[schema][: len(FIELDS[schema]) - 1]
    public_key = partners_key().public_key()
    key = {
        name: f"{SECRET}-{name}" if name in clear else encrypt_connection_key(f"{SECRET}-{name}", public_key)
        for name in FIELDS[schema]
    }
    fields = wanted(partner, {"schema": schema, **key})
    assert "payload" in ok(client.api.post(f"{PATH}/signing", fields))
    ok(client.api.post(PATH, client.enterprise.sign(fields)))
    stored = sealed_key(runtime)
    for name in FIELDS[schema]:
        assert f'"{name}":' in stored
    encrypted = FIELDS[schema][-1]
    assert decrypt_connection_key(key[encrypted], partners_key()) == f"{SECRET}-{encrypted}"
    assert key[encrypted].replace("\n", "\\n") in stored


def test_key_is_stored_only_encrypted(
    network: Network,
    client: ClientHandle,
    runtime: Runtime,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No answer, log, event, audit record or row contains the key, even if the request was rejected."""
    caplog.set_level(logging.DEBUG)
    partner = partner_taking(network, "apiKeyAndSecret", publicKey=PUBLIC_PEM)
    key = {"schema": "apiKeyAndSecret", "apiKey": f"{SECRET}-in-clear", "apiSecret": ENCRYPTED}
    signed = client.enterprise.sign(wanted(partner, key))
    other_key = {**key, "apiKey": f"{SECRET}-another"}
    with capture_logs() as logs:
        answers = [
            client.api.post(PATH, {**signed, "connectionKey": other_key}),
            client.api.post(PATH, {**signed, "signature": signed["signature"][:-1]}),
            client.api.post(PATH, {**signed, "connectionKey": {**key, "apiSecret": f"{SECRET}\nnot base64"}}),
            client.api.post(PATH, {**signed, "connectionKey": {**key, "schema": "clearloop"}}),
            client.api.post(PATH, {**signed, "connectionKey": {**key, "schema": "another"}}),
            client.api.post(PATH, {**signed, "connectionKey": {**key, "another": SECRET}}),
            client.api.post(PATH, {**signed, "connectionKey": {**key, "apiKey": [SECRET]}}),
            client.api.post(PATH, {**signed, "connectionKey": {**key, "apiKey": SECRET * 1000}}),
            client.api.post(PATH, {**signed, "connectionKey": SECRET}),
            client.api.post(PATH, signed),
            client.api.post(PATH, signed),
            client.api.post(PATH, {**signed, "name": "another"}),
        ]
        answers += [client.api.get(PATH), partner.api.get("/partners/connections")]
    assert [answer.status_code for answer in answers] == [400] * 9 + [200, 200, 400, 200, 200]
    assert f"{SECRET}-in-clear" in sealed_key(runtime)
    shown = "".join(answer.text for answer in answers) + str(logs) + caplog.text
    shown += str(network.operator.audit_log()) + str(network.operator.events()) + everything_stored(runtime)
    for secret in (SECRET, *ENCRYPTED.split("\n")):
        assert secret not in shown


def test_unreadable_key_field_is_rejected_by_name(
    network: Network, client: ClientHandle, runtime: Runtime, subtests: pytest.Subtests
) -> None:
    partner = partner_taking(network, "apiKeyAndSecret", publicKey=PUBLIC_PEM)
    first, second = ENCRYPTED.split("\n")
    before = snapshot(runtime.database.dsn)
    for value in (f"{first}\n", f"{first}\n{second}\n", f"{second}\n{first}", f"{first}\r\n{second}", "a\nb"):
        with subtests.test(value=value):
            fields = wanted(partner, {"schema": "apiKeyAndSecret", "apiKey": "k", "apiSecret": value})
            for path in (PATH, f"{PATH}/signing"):
                body = client.enterprise.sign(fields) if path == PATH else fields
                answer = client.api.post(path, body)
                assert (answer.status_code, answer.json()["name"]) == (400, "connection_key_not_readable")
                assert answer.json()["error"].startswith("connectionKey.apiSecret: ")
    assert snapshot(runtime.database.dsn) == before


def test_partner_without_a_public_key_accepts_only_clear_keys(network: Network, client: ClientHandle) -> None:
    partner = partner_taking(network, "token")

    def connecting(token: str) -> int:
        fields = wanted(partner, {"schema": "token", "connectionToken": token})
        return client.api.post(PATH, client.enterprise.sign(fields)).status_code

    assert connecting(ENCRYPTED) == 400
    assert connecting(PRIVATE_PEM) == 200
    assert connecting("in clear") == 200


def test_the_proof_of_a_connection_is_the_signature_of_its_request(network: Network, client: ClientHandle) -> None:
    partner = partner_taking(network, "token")
    signed = client.enterprise.sign(wanted(partner, {"schema": "token", "connectionToken": "t"}))
    made = ok(client.api.post(PATH, signed))["connection"]
    key = parse_public_key(client.enterprise.account.key.xpub)
    assert verify_message([key], signed["payload"], made["proof"]) == key


def test_public_key_of_a_partner_is_shown_to_clients_and_operators(network: Network, client: ClientHandle) -> None:
    partner = partner_taking(network, "token")
    assert "publicKey" not in ok(client.api.get("/partners"))["partners"][0]
    answer = network.configure("exchange", publicKey=PUBLIC_PEM.replace("\n", "\r\n"))
    assert answer["partnerConfiguration"]["publicKey"] == PUBLIC_PEM
    assert network.configure("exchange", publicKey=PUBLIC_PEM) == answer
    assert len(network.operator.audit_log(action="partner_configuration.replaced")) == 2
    assert ok(client.api.get("/partners"))["partners"][0]["publicKey"] == PUBLIC_PEM
    asked = {"name": "E", "broker": False, "institutionIdentifier": "E", "connectionKeySchema": "token"}
    assert ok(partner.api.post("/partners", asked))["partner"]["publicKey"] == PUBLIC_PEM
    changed = ok(network.operator.patch(f"/partners/{partner.id}", {"stablePartner": True}))["partner"]
    assert changed["publicKey"] == PUBLIC_PEM
    assert "publicKey" not in network.configure("exchange")["partnerConfiguration"]


def test_malformed_public_key_is_rejected(network: Network) -> None:
    network.enterprise("exchange")
    path = "/enterprises/exchange/partner-configuration"
    for wrong in ("", "x", 5, PRIVATE_PEM, PUBLIC_PEM[:-50], "A" * 20_000):
        answer = network.operator.put(path, {"currencies": CURRENCIES, "amountUnit": "base", "publicKey": wrong})
        assert (answer.status_code, answer.json()["name"]) == (400, "request_invalid")
        assert "publicKey" in answer.json()["error"]
        assert "MII" not in answer.text
