"""Operators list people and tokens and take people away; members see and revoke their own tokens."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial
from typing import Any

import psycopg
import pytest

from clearwindow.core.clock import ManualClock
from tests.support.http import loopback_client
from tests.support.lists import followed, next_cursor
from tests.support.networks import TIMEOUT_SECONDS, NetworkClient
from tests.support.operators import READ, WRITE, OperatorClient
from tests.support.races import at_once
from tests.support.signed_calls import SignedCaller

Json = dict[str, Any]
CREATED_AT = "2026-01-05T12:00:00.000Z"
WHOAMI = "/api/network/v1/whoami"


def ids(answer: Any, name: str) -> list[str]:  # noqa: ANN401 - an answer
    assert answer.status_code == 200, answer.text
    return [entry["id"] for entry in answer.json()[name]]


def whoami(operator: OperatorClient, token: str) -> tuple[int, Json]:
    headers = {"Authorization": f"Bearer {token}"}
    with loopback_client(base_url=operator.base_url, timeout=TIMEOUT_SECONDS) as client:
        answer = client.get(WHOAMI, headers=headers)
    return answer.status_code, answer.json()


def set_role(dsn: str, enterprise_id: str, user_id: str, role: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute(
            "UPDATE membership SET role = %s WHERE (enterprise_id, user_id) = (%s, %s)",
            (role, enterprise_id, user_id),
        )


def set_operators_role(dsn: str, name: str, role: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute("UPDATE operator SET role = %s WHERE name = %s", (role, name))


@pytest.fixture
def acme(operator: OperatorClient) -> Iterator[dict[str, tuple[str, NetworkClient]]]:
    """Tokens of three members of two enterprises, each with its id."""
    operator.enterprise("acme")
    operator.enterprise("beta")
    made = {}
    for name, enterprise in (("ada", "acme"), ("bob", "acme"), ("eve", "beta")):
        operator.user(enterprise, name)
        token = operator.token(enterprise, name, label=name)
        made[name] = (token["id"], NetworkClient(operator.base_url, token["value"], enterprise))
    yield made
    for _, member in made.values():
        member.close()


def test_enterprises_and_users_are_listed_by_every_filter(operator: OperatorClient) -> None:
    operator.enterprise("acme")
    operator.enterprise("beta", licensed=False, trustOrg="BitGo Germany")
    found = operator.get("/enterprises")
    assert ids(found, "enterprises") == ["beta", "acme"]
    assert ids(operator.get("/enterprises", ids="acme"), "enterprises") == ["acme"]
    assert ids(operator.get("/enterprises", names="beta,other"), "enterprises") == ["beta"]
    assert ids(operator.get("/enterprises", licensed="true"), "enterprises") == ["acme"]
    assert ids(operator.get("/enterprises", trustOrgs="BitGo Germany"), "enterprises") == ["beta"]
    assert operator.get("/enterprises/acme").json()["enterprise"] == found.json()["enterprises"][1]
    operator.user("acme", "ada", email="ada@example.org")
    operator.user("beta", "bob")
    assert ids(operator.get("/users"), "users") == ["bob", "ada"]
    assert ids(operator.get("/users", emails="ada@example.org"), "users") == ["ada"]
    assert ids(operator.get("/users", enterpriseIds="beta"), "users") == ["bob"]
    assert ids(operator.get("/users", names="ada", ids="bob"), "users") == []


def test_filters_may_come_as_a_body_and_the_cursor_in_the_query(operator: OperatorClient) -> None:
    for name in ("acme", "beta", "gamma"):
        operator.enterprise(name)
    body = {"ids": ["acme", "beta"], "pageSize": 1}
    get = operator._http.request  # noqa: SLF001 - a body on a GET is rare
    first = get("GET", "/enterprises", json=body)
    second = get("GET", "/enterprises", json=body, params={"cursor": next_cursor(first)})
    assert ids(first, "enterprises") + ids(second, "enterprises") == ["beta", "acme"]
    alone = get("GET", "/enterprises", params={"cursor": next_cursor(first)})
    assert alone.json()["name"] == "cursor_invalid"


def test_tokens_are_listed_without_their_values(operator: OperatorClient, clock: ManualClock) -> None:
    operator.enterprise("acme")
    operator.user("acme", "ada")
    soon = "2026-01-05T12:01:00.000Z"
    plain = operator.token("acme", "ada", scopes=[READ], label="bot", ipAllowList=["10.0.0.0/8"], expiresAt=soon)
    signing = operator.token("acme", "ada", kind="v2x")
    record = operator.operator("carl")
    own = operator.post(f"/operators/{record['id']}/tokens", {"ipAllowList": ["192.0.2.1"]}).json()["token"]
    assert own["ipAllowList"] == ["192.0.2.1/32"]
    listed = operator.get("/tokens")
    for token in (plain, signing, own):
        assert token["value"] not in listed.text
        assert hashlib.sha256(token["value"].encode()).hexdigest() not in listed.text
    assert {token["id"] for token in listed.json()["tokens"]} == {plain["id"], signing["id"], own["id"]}
    assert operator.get(f"/tokens/{plain['id']}").json()["token"] == {
        "id": plain["id"],
        "kind": "bearer",
        "enterpriseId": "acme",
        "userId": "ada",
        "scopes": [READ],
        "ipAllowList": ["10.0.0.0/8"],
        "label": "bot",
        "createdAt": CREATED_AT,
        "expiresAt": soon,
    }
    assert ids(operator.get("/tokens", kinds="v2x"), "tokens") == [signing["id"]]
    assert ids(operator.get("/tokens", operatorIds=record["id"]), "tokens") == [own["id"]]
    assert len(ids(operator.get("/tokens", enterpriseIds="acme", userIds="ada", active="true"), "tokens")) == 2
    clock.advance(minutes=1)
    assert ids(operator.get("/tokens", active="false"), "tokens") == [plain["id"]]
    operator.delete(f"/tokens/{signing['id']}")
    assert len(ids(operator.get("/tokens", active="false"), "tokens")) == 2
    assert operator.get(f"/tokens/{signing['id']}").json()["token"]["revokedAt"] == "2026-01-05T12:01:00.000Z"


def test_members_tokens_die_with_the_membership(
    operator: OperatorClient, acme: dict[str, tuple[str, NetworkClient]]
) -> None:
    operator.user("beta", "ada")
    elsewhere = operator.token("beta", "ada")["value"]
    signing = operator.token("acme", "ada", kind="v2x")["value"]
    signed = SignedCaller(operator.base_url, signing)
    partners = "/api/network/v1/enterprises/acme/partners"
    _, ada = acme["ada"]
    # The limits now know these tokens: what they remember must not keep them alive.
    assert ada.get("/partners").status_code == 200
    assert signed.get(partners).status_code == 200

    for _ in range(2):
        assert operator.delete("/enterprises/acme/users/ada").status_code == 204
    for _ in range(2):
        refused = ada.get("/partners")
        assert (refused.status_code, refused.json()["name"]) == (401, "token_invalid")
        assert signed.get(partners).status_code == 401
    assert acme["bob"][1].get("/partners").status_code == 200
    assert whoami(operator, elsewhere)[0] == 200

    [record] = operator.audit_log(action="user.removed")
    assert (record["subjectId"], len(record["details"]["revokedTokens"])) == ("ada", 2)
    assert ids(operator.get("/users", enterpriseIds="acme"), "users") == ["bob"]
    former = operator.get("/memberships", enterpriseIds="acme", removed="true").json()["memberships"]
    assert [(each["userId"], each["removedAt"]) for each in former] == [("ada", CREATED_AT)]
    refused = operator.post("/enterprises/acme/tokens", {"userId": "ada", "scopes": [READ]})
    assert (refused.status_code, refused.json()["name"]) == (400, "user_not_a_member")


def test_who_comes_back_needs_new_tokens(
    operator: OperatorClient, acme: dict[str, tuple[str, NetworkClient]], dsn: str
) -> None:
    token_id, ada = acme["ada"]
    set_role(dsn, "acme", "ada", "viewer")
    operator.delete("/enterprises/acme/users/ada")
    operator.user("acme", "ada")
    assert ada.get("/partners").status_code == 401
    assert operator.get(f"/tokens/{token_id}").json()["token"]["revokedAt"] == CREATED_AT
    [again] = operator.get("/memberships", userIds="ada").json()["memberships"]
    assert "removedAt" not in again
    assert again["role"] == "administrator"
    assert whoami(operator, operator.token("acme", "ada")["value"])[0] == 200
    assert len(operator.audit_log(action="user.added", subjectId="ada")) == 2


def test_a_token_that_is_made_during_a_removal_is_dead_too(
    operator: OperatorClient,
    acme: dict[str, tuple[str, NetworkClient]],  # noqa: ARG001 - the members
) -> None:
    def make(number: int) -> str | None:
        if number == 0:
            assert operator.delete("/enterprises/acme/users/ada").status_code == 204
            return None
        made = operator.post("/enterprises/acme/tokens", {"userId": "ada", "scopes": [READ]})
        return made.json()["token"]["value"] if made.status_code == 200 else None

    values = at_once([partial(make, number) for number in range(6)])
    for value in filter(None, values):
        assert whoami(operator, value)[0] == 401
    assert ids(operator.get("/tokens", userIds="ada", active="true"), "tokens") == []


def test_removing_an_unknown_member_is_refused(
    operator: OperatorClient,
    acme: dict[str, tuple[str, NetworkClient]],  # noqa: ARG001 - the members
) -> None:
    for path, name in (
        ("/enterprises/nobody/users/ada", "enterprise_unknown"),
        ("/enterprises/acme/users/eve", "member_unknown"),
        ("/enterprises/acme/users/Ada", "member_unknown"),
        ("/enterprises/acme/users/%00", "text_has_nul"),
    ):
        refused = operator.delete(path)
        assert refused.json()["name"] == name, path
    assert operator.audit_log(action="user.removed") == []


def test_operators_tokens_die_with_the_operator(operator: OperatorClient) -> None:
    ada = operator.operator("ada")
    value = operator.operator_token(ada["id"])
    with OperatorClient(operator.base_url, value) as mine:
        assert mine.get("/whoami").json()["operator"]["name"] == "ada"
        for _ in range(2):
            assert operator.delete(f"/operators/{ada['id']}").status_code == 204
        for _ in range(2):
            assert mine.get("/whoami").json()["name"] == "token_invalid"
    assert operator.post(f"/operators/{ada['id']}/tokens").json()["name"] == "operator_unknown"
    assert ids(operator.get("/operators", removed="true"), "operators") == [ada["id"]]
    assert operator.get(f"/operators/{ada['id']}").json()["operator"]["removedAt"] == CREATED_AT
    assert operator.delete("/operators/nobody").json()["name"] == "operator_unknown"
    assert len(operator.audit_log(action="operator.removed")) == 1

    assert operator.operator("ada")["id"] == ada["id"]
    assert "removedAt" not in operator.get(f"/operators/{ada['id']}").json()["operator"]
    with OperatorClient(operator.base_url, value) as mine:
        assert mine.get("/whoami").status_code == 401
    assert operator.operator_token(ada["id"])


def test_the_last_administrator_is_not_removed(operator: OperatorClient, dsn: str) -> None:
    ada, bob = operator.operator("ada"), operator.operator("bob")
    values = [operator.operator_token(each["id"]) for each in (ada, bob)]
    set_operators_role(dsn, "bootstrap", "viewer")
    with OperatorClient(operator.base_url, values[0]) as mine:
        assert mine.delete(f"/operators/{bob['id']}").status_code == 204
        refused = mine.delete(f"/operators/{ada['id']}")
        assert (refused.status_code, refused.json()["name"]) == (422, "last_administrator")
        assert mine.get("/whoami").status_code == 200


def test_the_operator_of_the_settings_is_not_removed(operator: OperatorClient) -> None:
    operator.operator("ada")
    me = operator.get("/whoami").json()
    assert "token" not in me
    refused = operator.delete(f"/operators/{me['operator']['id']}")
    assert (refused.status_code, refused.json()["name"]) == (409, "operator_of_settings")


def test_two_administrators_cannot_remove_each_other_at_once(operator: OperatorClient, dsn: str) -> None:
    people = [operator.operator(name) for name in ("ada", "bob")]
    values = [operator.operator_token(each["id"]) for each in people]
    set_operators_role(dsn, "bootstrap", "viewer")
    with (
        OperatorClient(operator.base_url, values[0]) as ada,
        OperatorClient(operator.base_url, values[1]) as bob,
    ):
        paths = [f"/operators/{each['id']}" for each in people]
        at_once([partial(ada.delete, paths[1]), partial(bob.delete, paths[0])])
        left = [mine.get("/whoami").status_code for mine in (ada, bob)]
    assert sorted(left) == [200, 401]


def test_an_operators_token_is_bound_to_its_networks(operator: OperatorClient) -> None:
    ada = operator.operator("ada")
    inside = operator.operator_token(ada["id"], ipAllowList=["127.0.0.0/8"])
    outside = operator.operator_token(ada["id"], ipAllowList=["192.0.2.0/24", "2001:db8::/32"])
    with OperatorClient(operator.base_url, inside) as mine:
        assert mine.get("/whoami").json()["token"]["ipAllowList"] == ["127.0.0.0/8"]
    with OperatorClient(operator.base_url, outside) as mine:
        assert mine.get("/whoami").json()["name"] == "token_address_refused"
    refused = operator.post(f"/operators/{ada['id']}/tokens", {"ipAllowList": ["10.0.0.0/33"]})
    assert refused.json()["error"].startswith("ipAllowList.0")


def test_an_operators_token_is_revoked_by_its_owner_or_an_administrator(operator: OperatorClient, dsn: str) -> None:
    ada, bob, carl = (operator.operator(name) for name in ("ada", "bob", "carl"))
    for name in ("ada", "bob"):
        set_operators_role(dsn, name, "operator")
    tokens = [operator.post(f"/operators/{each['id']}/tokens").json()["token"] for each in (ada, ada, bob, carl)]
    with (
        OperatorClient(operator.base_url, tokens[0]["value"]) as as_ada,
        OperatorClient(operator.base_url, tokens[3]["value"]) as as_carl,
    ):
        refused = as_ada.delete(f"/tokens/{tokens[2]['id']}")
        assert refused.status_code == 403
        assert as_ada.delete(f"/tokens/{tokens[1]['id']}").status_code == 204
        assert as_carl.delete(f"/tokens/{tokens[2]['id']}").status_code == 204
        assert as_carl.delete(f"/tokens/{tokens[0]['id']}").status_code == 204
        assert as_ada.get("/whoami").status_code == 401


def test_whoami_says_what_a_token_may_do(
    operator: OperatorClient, acme: dict[str, tuple[str, NetworkClient]]
) -> None:
    token = operator.token("acme", "ada", scopes=[WRITE], expiresAt="2026-02-01T00:00:00.000Z")
    operator.patch("/enterprises/acme", {"licensed": False})
    status, answer = whoami(operator, token["value"])
    assert status == 200
    assert (answer["enterprise"]["id"], answer["enterprise"]["licensed"]) == ("acme", False)
    assert (answer["user"]["id"], answer["role"], answer["mayUseCustodianKey"]) == ("ada", "administrator", True)
    assert (answer["token"]["id"], answer["token"]["scopes"]) == (token["id"], [WRITE])
    assert answer["token"]["expiresAt"] == "2026-02-01T00:00:00.000Z"
    assert whoami(operator, "nothing")[1]["name"] == "token_invalid"
    operators_own = operator.operator_token(operator.operator("ada")["id"])
    assert whoami(operator, operators_own)[1]["name"] == "not_a_member"
    signed = SignedCaller(operator.base_url, operator.token("beta", "eve", kind="v2x")["value"])
    assert signed.get(WHOAMI).json()["user"]["id"] == "eve"
    assert acme["ada"][1].get("/tokens").json()["name"] == "no_licence"


def test_members_see_and_revoke_their_own_tokens_only(
    operator: OperatorClient, acme: dict[str, tuple[str, NetworkClient]], dsn: str
) -> None:
    (ada_id, ada), (bob_id, bob), (eve_id, eve) = acme["ada"], acme["bob"], acme["eve"]
    set_role(dsn, "acme", "bob", "trader")
    second = operator.token("acme", "bob")
    assert set(ids(ada.get("/tokens"), "tokens")) == {ada_id, bob_id, second["id"]}
    assert ids(ada.get("/tokens", userIds="bob", pageSize=500), "tokens") != []
    assert set(ids(bob.get("/tokens"), "tokens")) == {bob_id, second["id"]}
    assert ids(bob.get("/tokens", userIds="ada"), "tokens") == []
    assert ids(bob.get("/tokens", ids=f"{ada_id},{eve_id},{bob_id}"), "tokens") == [bob_id]
    assert ids(eve.get("/tokens", userIds="ada,bob,eve"), "tokens") == [eve_id]
    assert len(followed(ada.get, "/tokens", "tokens", pageSize=1)) == 3
    assert eve.get("/tokens", cursor=next_cursor(ada.get("/tokens", pageSize=1))).json()["name"] == "cursor_invalid"

    for caller, token_id in ((bob, ada_id), (bob, eve_id), (ada, eve_id), (eve, ada_id), (ada, "nothing")):
        for refused in (caller.get(f"/tokens/{token_id}"), caller.delete(f"/tokens/{token_id}")):
            assert (refused.status_code, refused.json()["name"]) == (404, "token_unknown")
    operators_own = operator.post(f"/operators/{operator.operator('carl')['id']}/tokens").json()["token"]["id"]
    assert ada.delete(f"/tokens/{operators_own}").status_code == 404

    assert bob.delete(f"/tokens/{second['id']}").status_code == 204
    assert ada.delete(f"/tokens/{bob_id}").status_code == 204
    assert bob.get("/tokens").status_code == 401
    assert ada.delete(f"/tokens/{ada_id}").status_code == 204
    assert ada.get("/tokens").status_code == 401
    assert [record["actorKind"] for record in operator.audit_log(action="token.revoked")] == ["user"] * 3
    assert eve.get("/tokens").status_code == 200


def test_every_list_of_members_shows_nothing_of_another_enterprise(
    operator: OperatorClient, acme: dict[str, tuple[str, NetworkClient]]
) -> None:
    _, eve = acme["eve"]
    for filters in ({}, {"userIds": "ada"}, {"active": "true"}, {"pageSize": "500"}):
        text = eve.get("/tokens", **filters).text
        assert "acme" not in text
        assert "ada" not in text
    assert eve.get("/tokens", enterpriseIds="acme").json()["name"] == "request_invalid"
    reader = NetworkClient(operator.base_url, operator.token("beta", "eve", scopes=[READ])["value"], "acme")
    assert reader.get("/tokens").json()["name"] == "not_a_member"
    assert reader.delete(f"/tokens/{acme['ada'][0]}").json()["name"] == "not_a_member"
    reader.close()


def test_reading_alone_revokes_nothing(
    operator: OperatorClient, acme: dict[str, tuple[str, NetworkClient]]
) -> None:
    token = operator.token("acme", "ada", scopes=[READ])
    reader = NetworkClient(operator.base_url, token["value"], "acme")
    assert reader.get(f"/tokens/{token['id']}").status_code == 200
    assert reader.delete(f"/tokens/{token['id']}").json()["name"] == "scope_missing"
    reader.close()
    assert acme["ada"][1].get("/tokens").status_code == 200


def test_an_operator_who_only_reads_revokes_its_own_tokens_alone(
    operator: OperatorClient, acme: dict[str, tuple[str, NetworkClient]], dsn: str
) -> None:
    vera = operator.operator("vera")
    tokens = [operator.post(f"/operators/{vera['id']}/tokens").json()["token"] for _ in range(2)]
    set_operators_role(dsn, "vera", "viewer")
    with OperatorClient(operator.base_url, tokens[0]["value"]) as mine:
        assert mine.delete(f"/tokens/{acme['ada'][0]}").json()["name"] == "role_forbids"
        assert mine.delete(f"/tokens/{tokens[1]['id']}").status_code == 204
        assert mine.delete(f"/tokens/{tokens[0]['id']}").status_code == 204
        assert mine.get("/whoami").status_code == 401
