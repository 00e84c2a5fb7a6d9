"""Wallets, keys and custodian signatures, as the JavaScript SDK asks for them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from clearwindow.runtime import Runtime
from clearwindow.signing.keys import parse_public_key
from clearwindow.signing.message import verify_message
from tests.support.http import loopback_client
from tests.support.networks import TIMEOUT_SECONDS, Json, Network, new_nonce, ok
from tests.support.operators import READ, OperatorClient, make_key
from tests.support.signed_calls import SignedCaller, name_of

UNKNOWN_WALLET = "0" * 32
TEXT = '{"notes":"we were wrong","nonce":"n"}'
"""The text of a dispute's closure, which moves nothing."""
Ask = Callable[..., httpx2.Response]


@pytest.fixture
def web(base_url: str) -> Iterator[httpx2.Client]:
    with loopback_client(base_url=base_url, timeout=TIMEOUT_SECONDS) as client:
        yield client


@pytest.fixture
def ask(web: httpx2.Client, operator: OperatorClient) -> Ask:
    """Returns a function that calls the API as a member of an enterprise."""
    tokens: dict[tuple[str, str], str] = {}

    def call(method: str, path: str, body: object = None, *, by: str = "acme", **terms: Any) -> httpx2.Response:  # noqa: ANN401 - what a token takes
        key = (by, str(terms))
        if key not in tokens:
            tokens[key] = operator.user_token(by, **terms)
        headers = {"Authorization": f"Bearer {tokens[key]}"}
        return web.request(method, f"/api/v2/ofc{path}", json=body, headers=headers)

    return call


def open_account(operator: OperatorClient, enterprise: str = "acme", **body: object) -> Json:
    operator.enterprise(enterprise)
    made: Json = ok(operator.post(f"/enterprises/{enterprise}/go-accounts", body))["goAccount"]
    return made


def own_key(number: int, encrypted: str | None = None) -> Json:
    key = {"pub": make_key(number).xpub}
    return key | {"encryptedPrv": encrypted} if encrypted else key


def verifies(pub: str, payload: str, signature: str) -> bool:
    return verify_message([parse_public_key(pub)], payload, signature) is not None


def test_client_constants_need_no_token(web: httpx2.Client) -> None:
    assert ok(web.get("/api/v1/client/constants")) == {"constants": {}, "ttl": 3600}


def test_wallet_lists_active_keys_in_the_order_to_try(operator: OperatorClient, ask: Ask) -> None:
    keys = [own_key(1), own_key(2, "ciphertext")]
    account = open_account(operator, label="desk", keys=keys, custodianKey=True)
    plain, sealed, custodian = (key["id"] for key in account["keys"])
    assert [key.get("custodian") for key in account["keys"]] == [None, None, True]

    wallet = ok(ask("GET", f"/wallet/{account['id']}"))
    assert (wallet["id"], wallet["coin"], wallet["enterprise"]) == (account["id"], "ofc", "acme")
    assert wallet["label"] == "desk"
    assert wallet["keys"] == [sealed, plain, custodian]
    assert wallet["userKeySigningRequired"] is False

    assert ok(ask("GET", f"/key/{sealed}")) == {
        "id": sealed,
        "pub": make_key(2).xpub,
        "source": "user",
        "type": "independent",
        "encryptedPrv": "ciphertext",
        "isCustodian": False,
    }
    assert "encryptedPrv" not in ok(ask("GET", f"/key/{plain}"))
    held = ok(ask("GET", f"/key/{custodian}"))
    assert set(held) == {"id", "pub", "source", "type", "isCustodian"}
    assert (held["source"], held["isCustodian"]) == ("bitgo", True)
    assert held["pub"].startswith("xpub")

    operator.delete(f"/go-accounts/{account['id']}/keys/{sealed}")
    assert ok(ask("GET", f"/wallet/{account['id']}"))["keys"] == [plain, custodian]
    assert name_of(ask("GET", f"/key/{sealed}")) == "key_unknown"


def test_another_enterprises_wallet_answers_like_an_unknown_one(operator: OperatorClient, ask: Ask) -> None:
    theirs = open_account(operator, "beta", keys=[own_key(1)], custodianKey=True)
    open_account(operator, keys=[own_key(2)])
    unknown_key = "11111111-1111-4111-8111-111111111111"
    for method, theirs_path, unknown_path, body in (
        ("GET", f"/wallet/{theirs['id']}", f"/wallet/{UNKNOWN_WALLET}", None),
        ("GET", f"/wallet/{theirs['id']}", "/wallet/%20", None),
        ("POST", f"/wallet/{theirs['id']}/tx/sign", f"/wallet/{UNKNOWN_WALLET}/tx/sign", {"payload": TEXT}),
        *(
            ("POST", f"/wallet/{theirs['id']}/tx/sign", f"/wallet/{UNKNOWN_WALLET}/tx/sign", {"payload": wrong})
            for wrong in ("{}", "[]", "no JSON", '{"operation":"none"}')
        ),
        ("GET", f"/key/{theirs['keys'][0]['id']}", f"/key/{unknown_key}", None),
        ("GET", f"/key/{theirs['keys'][1]['id']}", "/key/x", None),
    ):
        answers = [ask(method, path, body) for path in (theirs_path, unknown_path)]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].json()["error"] == answers[1].json()["error"]
        assert answers[0].json()["name"] == answers[1].json()["name"]
    assert operator.audit_log(action="payload.signed") == []


def test_who_may_sign_is_looked_at_before_what_is_signed(operator: OperatorClient, ask: Ask) -> None:
    account = open_account(operator, keys=[own_key(1)], custodianKey=True)
    refused = ask("POST", f"/wallet/{account['id']}/tx/sign", {"payload": "{}"}, scopes=[READ])
    assert (refused.status_code, name_of(refused)) == (403, "scope_missing")
    refused = ask("POST", f"/wallet/{account['id']}/tx/sign", {"payload": "{}"})
    assert (refused.status_code, name_of(refused)) == (422, "payload_of_no_operation")
    operator.patch("/enterprises/acme/users/user-of-acme", {"mayUseCustodianKey": False})
    refused = ask("POST", f"/wallet/{account['id']}/tx/sign", {"payload": "{}"})
    assert (refused.status_code, name_of(refused)) == (403, "custodian_key_forbidden")


def test_wallet_routes_require_token_scope_enterprise_and_licence(
    operator: OperatorClient, ask: Ask, web: httpx2.Client
) -> None:
    account = open_account(operator, keys=[own_key(1)], custodianKey=True)
    path, sign = f"/wallet/{account['id']}", f"/wallet/{account['id']}/tx/sign"
    assert web.get(f"/api/v2/ofc{path}").status_code == 401
    assert ask("GET", path, scopes=[READ]).status_code == 200
    refused = ask("POST", sign, {"payload": TEXT}, scopes=[READ])
    assert (refused.status_code, name_of(refused)) == (403, "scope_missing")
    second = operator.operator_token(operator.operator("second")["id"])
    refused = web.get(f"/api/v2/ofc{path}", headers={"Authorization": f"Bearer {second}"})
    assert (refused.status_code, name_of(refused)) == (401, "not_a_member")
    token = operator.user_token("acme")
    headers = {"Authorization": f"Bearer {token}", "enterprise-id": "beta"}
    refused = web.get(f"/api/v2/ofc{path}", headers=headers)
    assert (refused.status_code, name_of(refused)) == (400, "enterprise_header_differs")
    operator.patch("/enterprises/acme", {"licensed": False})
    assert name_of(ask("POST", sign, {"payload": TEXT})) == "no_licence"


def test_custodian_signs_exactly_the_payload_and_the_audit_trail_records_it(
    operator: OperatorClient, ask: Ask
) -> None:
    account = open_account(operator, keys=[own_key(1)], custodianKey=True)
    custodian = account["keys"][1]
    closure = "dispute.close"
    for payload, operations in (
        (TEXT, [closure]),
        (' {"nonce" : "é",\n"notes":"1.0","operation":"dispute.close"}', [closure]),
        ('{"externalId":"x","nonce":"n","settlementAmounts":{}}', ["settlement.immediate", "settlement.onchain"]),
    ):
        answer = ok(ask("POST", f"/wallet/{account['id']}/tx/sign", {"payload": payload}))
        assert answer["payload"] == payload
        assert verifies(custodian["pub"], payload, answer["signature"])
        line = operator.audit_log(action="payload.signed")[0]
        assert line["subjectId"] == account["id"]
        assert line["actorId"] == "user-of-acme"
        digest = hashlib.sha256(payload.encode()).hexdigest()
        assert line["details"] == {
            "keyId": custodian["id"],
            "payloadSha256": digest,
            "operations": operations,
        }


def test_custodian_signs_for_users_with_the_right_only(operator: OperatorClient, ask: Ask) -> None:
    account = open_account(operator, keys=[own_key(1)], custodianKey=True)
    path, body = f"/wallet/{account['id']}/tx/sign", {"payload": TEXT}
    user = "/enterprises/acme/users/user-of-acme"
    assert ask("POST", path, body).status_code == 200
    operator.patch(user, {"mayUseCustodianKey": False})
    for wrong in (body, {"payload": "no JSON"}):
        refused = ask("POST", path, wrong)
        assert (refused.status_code, name_of(refused)) == (403, "custodian_key_forbidden")
    assert ask("GET", f"/wallet/{account['id']}").status_code == 200
    assert len(operator.audit_log(action="payload.signed")) == 1
    operator.patch(user, {"mayUseCustodianKey": True})
    assert ask("POST", path, body).status_code == 200


def test_only_the_text_of_a_json_object_is_signed(operator: OperatorClient, ask: Ask) -> None:
    account = open_account(operator, keys=[own_key(1)], custodianKey=True)
    for payload, name in (
        ("I owe you a bitcoin", "payload_not_json"),
        ('{"a":1,"a":2}', "payload_not_json"),
        ('{"a":NaN}', "payload_not_json"),
        ("\ufeff{}", "payload_not_json"),
        ("[]", "payload_not_object"),
        ('"text"', "payload_not_object"),
        ("", "request_invalid"),
        ({}, "request_invalid"),
        (None, "request_invalid"),
    ):
        refused = ask("POST", f"/wallet/{account['id']}/tx/sign", {"payload": payload})
        assert (refused.status_code, name_of(refused)) == (400, name), payload
    refused = ask("POST", f"/wallet/{account['id']}/tx/sign", {"payload": TEXT, "walletPassphrase": "x"})
    assert refused.status_code == 400
    assert operator.audit_log(action="payload.signed") == []


def test_custodian_signs_only_texts_with_intent_if_the_account_requires_it(
    operator: OperatorClient, ask: Ask
) -> None:
    account = open_account(operator, custodianKey=True, requireIntent=True)
    path = f"/wallet/{account['id']}"
    assert ok(ask("GET", path))["requireIntent"] is True
    said: Json = {"operation": "deallocation", "enterpriseId": "acme", "connectionId": "c", "nonce": "n"}
    said |= {"clientExternalId": "x", "amount": {"currency": "ofcbtc", "quantity": "1"}}
    said |= {"expiresAt": "2026-01-05T12:10:00Z"}
    for payload, refusal in (
        ({name: said[name] for name in said if name != "operation"}, (400, "intent_missing")),
        ({name: said[name] for name in said if name != "connectionId"}, (400, "intent_missing")),
        ({name: said[name] for name in said if name != "expiresAt"}, (400, "intent_missing")),
        ({**said, "operation": "settlement"}, (422, "payload_of_no_operation")),
        ({**said, "enterpriseId": "other"}, (403, "payload_of_another_enterprise")),
        ({**said, "expiresAt": "soon"}, (400, "intent_wrong")),
        ({**said, "expiresAt": "2026-01-05T12:00:00Z"}, (400, "intent_expired")),
    ):
        refused = ask("POST", f"{path}/tx/sign", {"payload": json.dumps(payload)})
        assert (refused.status_code, name_of(refused)) == refusal, payload
    assert operator.audit_log(action="payload.signed") == []
    text = json.dumps(said)
    assert verifies(
        account["keys"][0]["pub"], text, ok(ask("POST", f"{path}/tx/sign", {"payload": text}))["signature"]
    )


def test_without_a_custodian_key_nothing_is_signed(operator: OperatorClient, ask: Ask) -> None:
    account = open_account(operator, keys=[own_key(1, "ciphertext")])
    assert ok(ask("GET", f"/wallet/{account['id']}"))["userKeySigningRequired"] is True
    refused = ask("POST", f"/wallet/{account['id']}/tx/sign", {"payload": TEXT})
    assert (refused.status_code, name_of(refused)) == (422, "no_custodian_key")


def test_custodian_keys_are_added_once_and_rotated(operator: OperatorClient, ask: Ask, runtime: Runtime) -> None:
    account = open_account(operator, keys=[own_key(1)])
    keys = f"/go-accounts/{account['id']}/keys"
    first = ok(operator.post(keys, {"custodianKey": True}))["key"]
    assert ok(operator.post(keys, {"custodianKey": True}))["key"] == first
    assert len(operator.audit_log(action="go_account_key.added")) == 1
    operator.delete(f"{keys}/{first['id']}")
    with runtime.transaction() as tx:
        assert tx.scalars(int, "SELECT count(*) FROM go_account_key WHERE sealed_prv IS NOT NULL") == [0]
    assert name_of(ask("POST", f"/wallet/{account['id']}/tx/sign", {"payload": TEXT})) == "no_custodian_key"
    second = ok(operator.post(keys, {"custodianKey": True}))["key"]
    assert second["pub"] != first["pub"]
    signature = ok(ask("POST", f"/wallet/{account['id']}/tx/sign", {"payload": TEXT}))["signature"]
    assert verifies(second["pub"], TEXT, signature)


def test_go_account_needs_a_key(operator: OperatorClient, ask: Ask) -> None:
    account = open_account(operator, custodianKey=True)
    assert len(account["keys"]) == 1
    assert ok(ask("GET", f"/wallet/{account['id']}"))["keys"] == [account["keys"][0]["id"]]
    bad: tuple[Json, ...] = (
        {},
        {"keys": []},
        {"custodianKey": False},
        {"custodianKey": "yes"},
        {"custodianKey": None},
    )
    for body in bad:
        assert operator.post("/enterprises/acme/go-accounts", body).status_code == 400, body
    keys = f"/go-accounts/{account['id']}/keys"
    for body in ({}, {"custodianKey": False}, own_key(1) | {"custodianKey": True}, {"encryptedPrv": "x"}):
        assert operator.post(keys, body).status_code == 400, body


def test_private_key_is_never_shown(operator: OperatorClient, ask: Ask, runtime: Runtime) -> None:
    account = open_account(operator, keys=[own_key(1)], custodianKey=True)
    key_id = account["keys"][1]["id"]
    seen = [ask("GET", f"/wallet/{account['id']}").text, ask("GET", f"/key/{key_id}").text, str(account)]
    seen.append(ask("POST", f"/wallet/{account['id']}/tx/sign", {"payload": TEXT}).text)
    seen.append(str(operator.audit_log()))
    with runtime.transaction() as tx:
        sealed = tx.scalars(bytes, "SELECT sealed_prv FROM go_account_key WHERE custodian")[0]
        private = runtime.vault.decrypt(sealed, context=f"go_account_key:{key_id}").decode()
        seen.extend(str(row) for row in tx.records("SELECT * FROM go_account_key"))
    assert private.startswith("xprv")
    assert not any(private in text or "xprv" in text for text in seen)


def test_custodian_signature_is_accepted_for_a_connection(
    network: Network, operator: OperatorClient, ask: Ask
) -> None:
    partner = network.partner()
    account = open_account(operator, keys=[own_key(99)], custodianKey=True)
    api = network.member("acme")
    ok(api.post("/clients"))
    operator.deposit(account["id"], "ofcbtc", 10)

    def signed(text: str) -> str:
        return str(ok(ask("POST", f"/wallet/{account['id']}/tx/sign", {"payload": text}))["signature"])

    nonce = new_nonce()
    key = {"schema": "token", "connectionToken": "x"}
    text = (
        f'{{"partnerId":"{partner.id}","name":"main","nonce":"{nonce}",'
        '"connectionKey":{"schema":"token","connectionToken":"x"}}'
    )
    fields = {"partnerId": partner.id, "name": "main", "nonce": nonce, "connectionKey": key}
    made = ok(api.post("/clients/connections", fields | {"payload": text, "signature": signed(text)}))
    assert made["connection"]["name"] == "main"


def test_a_large_payload_is_signed_for_a_v2x_caller(operator: OperatorClient) -> None:
    account = open_account(operator, custodianKey=True)
    caller = SignedCaller(operator.base_url, operator.user_token("acme", kind="v2x"))
    payload = '{"nonce":"n","notes":"' + "é" * 1_000_000 + '"}'
    address = f"/api/v2/ofc/wallet/{account['id']}/tx/sign"
    answer = caller.post(address, {"payload": payload})
    assert verifies(account["keys"][0]["pub"], payload, ok(answer)["signature"])
    assert caller.is_signed(answer, address)
