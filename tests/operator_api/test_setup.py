"""Operators set up enterprises, users, tokens, Go Accounts and currencies."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.support.operators import READ, WRITE, OperatorClient, make_key

CREATED_AT = "2026-01-05T12:00:00.000Z"


def test_repeat_returns_the_same_enterprise_and_other_values_are_rejected(operator: OperatorClient) -> None:
    body = {"id": "acme", "name": "Acme", "trustOrg": "BitGo Germany", "licensed": True}
    first = operator.post("/enterprises", body)
    assert first.status_code == 200
    assert first.json() == {"enterprise": {**body, "createdAt": CREATED_AT, "updatedAt": CREATED_AT}}
    assert operator.post("/enterprises", body).json() == first.json()
    assert len(operator.audit_log(action="enterprise.created")) == 1

    for change in ({"name": "Other"}, {"licensed": False}, {"trustOrg": "BitGo Trust"}):
        refused = operator.post("/enterprises", body | change)
        assert (refused.status_code, refused.json()["name"]) == (409, "enterprise_differs")


def test_an_enterprise_without_an_id_gets_one(operator: OperatorClient) -> None:
    ids = {operator.enterprise()["id"] for _ in range(2)}
    assert len(ids) == 2


def test_patch_changes_only_the_given_fields_of_an_enterprise(operator: OperatorClient) -> None:
    operator.enterprise("acme", licensed=True)
    renamed = operator.patch("/enterprises/acme", {"name": "Acme & Sons"}).json()["enterprise"]
    assert (renamed["name"], renamed["licensed"]) == ("Acme & Sons", True)
    unlicensed = operator.patch("/enterprises/acme", {"licensed": False}).json()["enterprise"]
    assert (unlicensed["name"], unlicensed["licensed"]) == ("Acme & Sons", False)
    assert operator.patch("/enterprises/acme", {}).status_code == 400
    assert operator.patch("/enterprises/nobody", {"name": "x"}).status_code == 404


def test_user_is_the_same_in_all_enterprises(operator: OperatorClient) -> None:
    operator.enterprise("acme")
    operator.enterprise("beta")
    body = {"id": "u1", "name": "Ada", "email": "ada@example.org"}
    first = operator.post("/enterprises/acme/users", body).json()
    rights = {"role": "administrator", "mayUseCustodianKey": True}
    assert first == {"user": {**body, **rights, "createdAt": CREATED_AT}}
    assert operator.post("/enterprises/acme/users", body).json() == first
    assert operator.post("/enterprises/beta/users", body).json() == first
    assert len(operator.audit_log(action="user.added")) == 2

    refused = operator.post("/enterprises/beta/users", body | {"name": "Eve"})
    assert (refused.status_code, refused.json()["name"]) == (409, "user_differs")
    assert operator.post("/enterprises/nobody/users", body).status_code == 404


def test_token_value_is_shown_once_and_its_networks_are_normalised(operator: OperatorClient) -> None:
    operator.enterprise("acme")
    user = operator.user("acme", "u1")
    token = operator.token(
        "acme",
        "u1",
        scopes=[WRITE, READ, READ][:2],
        expiresAt="2026-01-06T13:00:00+01:00",
        ipAllowList=["10.1.2.3/8", "192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1/32"],
        label="automation",
    )
    value = token.pop("value")
    assert value.startswith("cwt_")
    assert len(value) != 67
    assert token == {
        "id": token["id"],
        "enterpriseId": "acme",
        "userId": user["id"],
        "scopes": [READ, WRITE],
        "ipAllowList": ["10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32"],
        "label": "automation",
        "createdAt": CREATED_AT,
        "expiresAt": "2026-01-06T12:00:00.000Z",
    }
    record = operator.audit_log(subjectId=token["id"])[0]
    assert record["action"] == "token.created"
    assert value not in str(record)


BAD_TOKEN_TERMS: list[tuple[dict[str, Any], str]] = [
    ({"userId": "stranger"}, "userId"),
    ({"userId": "u2"}, "userId"),
    ({"scopes": []}, "scopes"),
    ({"scopes": ["everything"]}, "scopes.0"),
    ({"scopes": READ}, "scopes"),
    ({"expiresAt": CREATED_AT}, "expiresAt"),
    ({"expiresAt": "2026-01-06"}, "expiresAt"),
    ({"expiresAt": 1767700000}, "expiresAt"),
    ({"ipAllowList": ["10.0.0.0/33"]}, "ipAllowList.0"),
    ({"ipAllowList": ["fe80::%eth0/64"]}, "ipAllowList.0"),
    ({"ipAllowList": ["everywhere"]}, "ipAllowList.0"),
    ({"ipAllowList": "10.0.0.0/8"}, "ipAllowList"),
    ({"unknown": True}, "unknown"),
]


def test_invalid_token_request_is_rejected(operator: OperatorClient) -> None:
    operator.enterprise("acme")
    operator.user("acme", "u1")
    operator.enterprise("beta")
    operator.user("beta", "u2")
    for change, named in BAD_TOKEN_TERMS:
        refused = operator.post("/enterprises/acme/tokens", {"userId": "u1", "scopes": [READ]} | change)
        assert refused.status_code == 400, change
        assert refused.json()["error"].startswith(named), change
    assert operator.audit_log(action="token.created") == []


def test_a_revoked_token_stays_revoked(operator: OperatorClient) -> None:
    second = operator.operator("second")
    token = operator.post(f"/operators/{second['id']}/tokens").json()["token"]
    for _ in range(2):
        assert operator.delete(f"/tokens/{token['id']}").status_code == 204
    assert len(operator.audit_log(action="token.revoked")) == 1
    assert operator.delete("/tokens/nothing").status_code == 404


def test_repeat_returns_the_same_operator_and_audit_records_name_the_actor(operator: OperatorClient) -> None:
    second = operator.operator("second")
    assert operator.operator("second") == second
    with operator.another("second") as other:
        other.enterprise("acme")
    assert operator.audit_log(subjectId="acme")[0]["actorId"] == second["id"]
    assert operator.post("/operators/second/tokens", {}).status_code == 404


def test_operator_cannot_make_a_token_for_another_operator(operator: OperatorClient) -> None:
    colleague = operator.operator("colleague")
    me = operator.operator("me")
    with OperatorClient(operator.base_url, operator.operator_token(me["id"])) as mine:
        refused = mine.post(f"/operators/{colleague['id']}/tokens")
        assert refused.status_code == 403
        assert refused.json()["name"] == "token_of_another_operator"
        assert mine.operator_token(me["id"])


def test_the_first_go_account_is_the_default(operator: OperatorClient) -> None:
    operator.enterprise("acme")
    key = make_key()
    body = {"label": "main", "keys": [{"pub": key.xpub, "encryptedPrv": "ciphertext"}]}
    first = operator.post("/enterprises/acme/go-accounts", body).json()["goAccount"]
    assert first == {
        "id": first["id"],
        "enterpriseId": "acme",
        "label": "main",
        "isDefault": True,
        "requireIntent": False,
        "keys": [
            {
                "id": first["keys"][0]["id"],
                "pub": key.xpub,
                "encryptedPrv": "ciphertext",
                "createdAt": CREATED_AT,
            }
        ],
        "createdAt": CREATED_AT,
    }
    assert len(first["id"]) == 32
    assert operator.post("/enterprises/acme/go-accounts", body).json()["goAccount"]["isDefault"] is False
    assert operator.post("/enterprises/nobody/go-accounts", body).status_code == 404


def test_one_of_concurrently_opened_go_accounts_is_the_default(operator: OperatorClient) -> None:
    operator.enterprise("acme")
    body = {"keys": [{"pub": make_key().xpub}]}
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: operator.post("/enterprises/acme/go-accounts", body), range(8)))
    assert [answer.status_code for answer in answers] == [200] * 8
    assert sum(answer.json()["goAccount"]["isDefault"] for answer in answers) == 1


def test_keys_can_be_rotated(operator: OperatorClient) -> None:
    operator.enterprise("acme")
    account = operator.go_account("acme", make_key(1))
    path = f"/go-accounts/{account.id}/keys"
    body = {"pub": make_key(2).xpub}
    added = operator.post(path, body)
    assert added.status_code == 200
    assert operator.post(path, body).json() == added.json()
    assert operator.post(path, body | {"encryptedPrv": "x"}).status_code == 409
    assert operator.post(path, {"pub": make_key(2).public_key.hex}).status_code == 409

    for _ in range(2):
        assert operator.delete(f"{path}/{account.key_id}").status_code == 204
    assert len(operator.audit_log(action="go_account_key.revoked")) == 1
    again = operator.post(path, {"pub": make_key(1).xpub}).json()["key"]
    assert again["id"] != account.key_id


def test_a_key_is_revoked_on_its_own_account_only(operator: OperatorClient) -> None:
    operator.enterprise("acme")
    mine, other = operator.go_account("acme"), operator.go_account("acme")
    assert operator.delete(f"/go-accounts/{other.id}/keys/{mine.key_id}").status_code == 404
    assert operator.delete(f"/go-accounts/{mine.id}/keys/nothing").status_code == 404
    assert operator.post(f"/go-accounts/{'0' * 32}/keys", {"pub": make_key().xpub}).status_code == 404


BAD_KEYS: list[list[dict[str, str]]] = [
    [],
    [{"pub": "xprv-looks-private"}],
    [{"pub": make_key().xprv}],
    [{"pub": "00" * 33}],
    [{"pub": ""}],
    [{}],
    [{"pub": make_key().xpub}, {"pub": make_key().public_key.hex}],
    [{"pub": make_key(number).xpub} for number in range(21)],
]


def test_invalid_keys_are_rejected(operator: OperatorClient) -> None:
    operator.enterprise("acme")
    for keys in BAD_KEYS:
        refused = operator.post("/enterprises/acme/go-accounts", {"keys": keys})
        assert refused.status_code == 400, keys
        assert refused.json()["error"].startswith("keys"), keys
        assert make_key().xprv not in refused.text
    assert operator.audit_log(action="go_account.opened") == []


def test_initial_currencies_are_listed_and_others_can_be_added(operator: OperatorClient) -> None:
    listed = operator.get("/currencies")
    known = {currency["name"]: currency for currency in listed.json()["currencies"]}
    assert known["ofcbtc"] == {"name": "ofcbtc", "backing": "btc", "decimals": 8}
    assert listed.headers["X-Total-Count"] == str(len(known))

    body = {"name": "newcoin", "backing": "newcoin", "decimals": 4}
    added = {"currency": body | {"name": "ofcnewcoin"}}
    assert operator.post("/currencies", body).json() == added
    assert operator.post("/currencies", body | {"name": "ofcnewcoin"}).json() == added
    assert operator.post("/currencies", body | {"decimals": 5}).status_code == 409
    for change in ({"decimals": 37}, {"decimals": -1}, {"decimals": 1.5}, {"decimals": "4"}, {"name": "Ü"}):
        assert operator.post("/currencies", body | change).status_code == 400
