"""What the roles of operators and members allow, and how they are given. Protocol §2."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from clearwindow.identity.models import MemberRole, Operator, OperatorRole
from clearwindow.identity.opening import open_network
from clearwindow.identity.operators import change_role
from clearwindow.identity.roles import operations_of_deposit_tokens, roles_of_members, roles_of_operators
from clearwindow.runtime import Runtime
from tests.support.http import loopback_client
from tests.support.operators import TIMEOUT_SECONDS, OperatorClient
from tools.roles_page import guarded_operations

ENTERPRISE = "acme"
UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def web(base_url: str) -> Iterator[httpx2.Client]:
    with loopback_client(base_url=base_url, timeout=TIMEOUT_SECONDS) as client:
        yield client


@pytest.fixture
def members(operator: OperatorClient) -> OperatorClient:
    operator.enterprise(ENTERPRISE)
    return operator


def call(web: httpx2.Client, operation: str, token: str) -> httpx2.Response:
    """Calls an operation with a body that none accepts, so that a caller who may call it changes nothing."""
    method, path = guarded_operations()[operation]
    ids = {name.strip("{}"): UNKNOWN for name in path.split("/") if name.startswith("{")}
    if "enterpriseId" in ids and path.startswith("/api/network/"):
        ids["enterpriseId"] = ENTERPRISE
    headers = {"Authorization": f"Bearer {token}"}
    return web.request(method, path.format(**ids), content=b"{", headers=headers)


def refused(answer: httpx2.Response) -> bool:
    if answer.status_code != 403:
        return False
    return bool(answer.json()["name"] == "role_forbids")


def name_of(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["name"]


@pytest.mark.parametrize("role", OperatorRole)
def test_every_operation_of_operators_is_open_to_its_roles_only(
    operator: OperatorClient, web: httpx2.Client, role: OperatorRole
) -> None:
    token = operator.operator_token(operator.operator(f"one {role}", role=role)["id"])
    for operation, allowed in roles_of_operators().items():
        answer = call(web, operation, token)
        assert refused(answer) is (role not in allowed), operation
        assert answer.status_code != 401, operation
    assert operator.audit_log(actorId=operator.operator(f"one {role}")["id"], action="token.created") == []


def test_token_for_deposits_is_good_for_no_other_operation(members: OperatorClient, web: httpx2.Client) -> None:
    ada = members.operator("ada")
    token = members.operator_token(ada["id"], program=True, depositsOnly=True)
    good = operations_of_deposit_tokens()
    assert good == {"deposit", "whoamiOperator"}
    for operation in roles_of_operators():
        answer = call(web, operation, token)
        named = (answer.status_code, answer.json().get("name"))
        assert (named == (403, "token_for_deposits")) is (operation not in good), operation
    for operation in roles_of_members():
        assert call(web, operation, token).status_code == 401, operation


@pytest.mark.parametrize("role", MemberRole)
def test_every_operation_of_members_is_open_to_its_roles_only(
    members: OperatorClient, web: httpx2.Client, role: MemberRole
) -> None:
    members.user(ENTERPRISE, "eve", role=role)
    token = members.token(ENTERPRISE, "eve")["value"]
    for operation, allowed in roles_of_members().items():
        answer = call(web, operation, token)
        assert refused(answer) is (role not in allowed), operation
        assert answer.status_code != 401, operation


def test_answer_names_the_roles_that_may(members: OperatorClient, web: httpx2.Client) -> None:
    members.user(ENTERPRISE, "eve", role="viewer")
    answer = call(web, "V1ClientAllocationsPostRoute", members.token(ENTERPRISE, "eve")["value"])
    assert answer.json()["details"] == {"role": "viewer", "neededRoles": ["administrator", "trader"]}
    assert "trader" in answer.json()["error"]


def test_role_comes_after_licence_and_scope_and_before_the_header(
    members: OperatorClient, web: httpx2.Client
) -> None:
    members.user(ENTERPRISE, "eve", role="viewer")
    reader = members.token(ENTERPRISE, "eve", scopes=["settlement_network_read"])["value"]
    writer = members.token(ENTERPRISE, "eve")["value"]
    path = f"/api/network/v1/enterprises/{ENTERPRISE}/clients"

    def ask(token: str, **headers: str) -> tuple[int, str]:
        headers["Authorization"] = f"Bearer {token}"
        return name_of(web.post(path, content=b"{", headers=headers))

    assert ask(reader) == (403, "scope_missing")
    assert ask(writer, **{"enterprise-id": "beta"}) == (403, "role_forbids")
    members.patch(f"/enterprises/{ENTERPRISE}", {"licensed": False})
    assert ask(writer) == (403, "no_licence")


def test_role_of_an_operator_changes_at_once_and_is_recorded(operator: OperatorClient) -> None:
    ben = operator.operator("ben")
    assert ben["role"] == "administrator"
    with OperatorClient(operator.base_url, operator.operator_token(ben["id"])) as ours:
        assert ours.post("/enterprises", {"id": "one", "name": "One", "licensed": False}).status_code == 200
        changed = operator.patch(f"/operators/{ben['id']}", {"role": "viewer"})
        assert changed.json() == {"operator": {**ben, "role": "viewer"}}
        assert operator.patch(f"/operators/{ben['id']}", {"role": "viewer"}).json() == changed.json()
        assert name_of(ours.post("/enterprises", {"name": "Two", "licensed": False})) == (403, "role_forbids")
        assert name_of(ours.patch(f"/operators/{ben['id']}", {"role": "administrator"})) == (403, "role_forbids")
        assert ours.get("/audit-log").status_code == 200
    (record,) = operator.audit_log(action="operator.updated")
    assert record["subjectId"] == ben["id"]
    assert record["details"] == {"before": "administrator", "role": "viewer"}


def test_operator_is_made_with_its_role_and_another_role_is_a_conflict(operator: OperatorClient) -> None:
    eva = operator.operator("eva", role="approver")
    assert eva["role"] == "approver"
    assert operator.operator("eva") == eva
    assert operator.operator("eva", role="approver") == eva
    assert name_of(operator.post("/operators", {"name": "eva", "role": "viewer"})) == (409, "operator_differs")
    assert operator.audit_log(action="operator.created")[0]["details"] == {"name": "eva", "role": "approver"}
    assert name_of(operator.patch("/operators/nobody", {"role": "viewer"})) == (404, "operator_unknown")


@pytest.mark.parametrize("name", ["ADA", "a da", "\u0430da", "ad\u0430", "4da\u200b", "B00tstrap"])
def test_name_that_looks_like_another_operator_is_refused(operator: OperatorClient, name: str) -> None:
    operator.operator("ada")
    operator.operator("4da")
    answer = operator.post("/operators", {"name": name})
    expected = (400, "request_invalid") if "\u200b" in name else (409, "operator_look_key")
    assert name_of(answer) == expected
    assert len(operator.audit_log(action="operator.created")) == 2


def test_only_one_of_two_look_alikes_at_the_same_instant_is_made(operator: OperatorClient) -> None:
    names = ["carol", "Carol", "c\u0430rol", "car0l", "CAROL", "ca rol"]
    with ThreadPoolExecutor(len(names)) as threads:
        answers = list(threads.map(lambda name: operator.post("/operators", {"name": name}), names))
    assert sorted(answer.status_code for answer in answers) == [200, *[409] * (len(names) - 1)]


@pytest.mark.parametrize("role", ["", "root", "Administrator", "trader", None, 1, ["viewer"]])
def test_role_that_operators_do_not_have_is_rejected(operator: OperatorClient, role: object) -> None:
    made = operator.operator("ben")
    if role is not None:
        assert operator.post("/operators", {"name": "eva", "role": role}).status_code == 400
    assert operator.patch(f"/operators/{made['id']}", {"role": role}).status_code == 400
    assert operator.patch(f"/operators/{made['id']}", {}).status_code == 400
    assert operator.operator("ben") == made


@pytest.mark.parametrize("role", ["", "root", "operator", 1])
def test_role_that_members_do_not_have_is_rejected(members: OperatorClient, role: object) -> None:
    members.user(ENTERPRISE, "eve")
    path = f"/enterprises/{ENTERPRISE}/users"
    assert members.post(path, {"id": "ada", "name": "Ada", "role": role}).status_code == 400
    assert members.patch(f"{path}/eve", {"role": role}).status_code == 400
    body = {"userId": "eve", "scopes": ["settlement_network_read"], "role": role}
    assert members.post(f"/enterprises/{ENTERPRISE}/tokens", body).status_code == 400


def test_rights_of_a_member_change_and_the_enterprise_learns_it(members: OperatorClient) -> None:
    members.user(ENTERPRISE, "ada")
    eve = members.user(ENTERPRISE, "eve", role="trader", mayUseCustodianKey=False)
    assert (eve["role"], eve["mayUseCustodianKey"]) == ("trader", False)
    assert members.user(ENTERPRISE, "eve") == eve
    path = f"/enterprises/{ENTERPRISE}/users/eve"
    assert members.patch(path, {"role": "settler"}).status_code == 200
    assert members.patch(path, {"mayUseCustodianKey": True}).status_code == 200
    changed = members.patch(path, {"mayUseCustodianKey": True})
    assert changed.json() == {"user": {**eve, "role": "settler", "mayUseCustodianKey": True}}

    events = [event["payload"] for event in members.events(types="member.updated")]
    assert events == [
        {"userId": "eve", "role": "settler", "mayUseCustodianKey": True},
        {"userId": "eve", "role": "settler", "mayUseCustodianKey": False},
    ]
    details = [record["details"] for record in members.audit_log(action="user.updated")]
    assert details[1] == {
        "enterpriseId": ENTERPRISE,
        "before": {"role": "trader", "mayUseCustodianKey": False},
        "role": "settler",
        "mayUseCustodianKey": False,
    }
    repeated = {"id": "eve", "name": "eve", "role": "viewer"}
    assert name_of(members.post(f"/enterprises/{ENTERPRISE}/users", repeated)) == (409, "user_differs")


def test_unknown_member_or_enterprise_or_empty_change_is_refused(members: OperatorClient) -> None:
    members.enterprise("beta")
    members.user("beta", "ben")
    body = {"role": "viewer"}
    assert name_of(members.patch(f"/enterprises/{ENTERPRISE}/users/ben", body)) == (404, "member_unknown")
    assert name_of(members.patch("/enterprises/nobody/users/ben", body)) == (404, "enterprise_unknown")
    assert members.patch("/enterprises/beta/users/ben", {}).status_code == 400


def test_role_counts_in_its_own_enterprise_only(members: OperatorClient, web: httpx2.Client) -> None:
    members.enterprise("beta")
    members.user(ENTERPRISE, "eve", role="viewer")
    members.user("beta", "eve", role="administrator")
    path = "/api/network/v1/enterprises/{}/clients"
    tokens = {where: members.token(where, "eve")["value"] for where in (ENTERPRISE, "beta")}
    answers = {
        where: web.post(path.format(where), headers={"Authorization": f"Bearer {token}"}).status_code
        for where, token in tokens.items()
    }
    assert answers == {ENTERPRISE: 403, "beta": 400}


def test_token_of_a_member_narrows_its_users_role(members: OperatorClient, web: httpx2.Client) -> None:
    members.user(ENTERPRISE, "ada")
    token = members.token(ENTERPRISE, "ada", role="trader")
    assert token["role"] == "trader"
    assert refused(call(web, "v1WebhookEndpointsPostRoute", token["value"]))
    assert not refused(call(web, "V1ClientAllocationsPostRoute", token["value"]))

    members.user(ENTERPRISE, "boss")
    members.patch(f"/enterprises/{ENTERPRISE}/users/ada", {"role": "settler"})
    assert refused(call(web, "V1ClientAllocationsPostRoute", token["value"]))
    assert refused(call(web, "v2PartnerSettlementsPostRoute", token["value"]))
    assert call(web, "v1ClientBalancesGetRoute", token["value"]).status_code != 403


def test_token_wider_than_its_holder_is_refused(members: OperatorClient) -> None:
    members.user(ENTERPRISE, "eve", role="trader")
    body = {"userId": "eve", "scopes": ["settlement_network_read"]}
    for role in ("administrator", "settler", "approver"):
        answer = members.post(f"/enterprises/{ENTERPRISE}/tokens", body | {"role": role})
        assert name_of(answer) == (400, "token_role_wider")
    ben = members.operator("ben", role="viewer")
    answer = members.post(f"/operators/{ben['id']}/tokens", {"role": "operator"})
    assert name_of(answer) == (400, "token_role_wider")
    assert members.audit_log(action="token.created") == []


def test_narrow_token_of_an_operator_makes_no_wider_one(operator: OperatorClient) -> None:
    ada = operator.operator("ada")
    path = f"/operators/{ada['id']}/tokens"
    with OperatorClient(operator.base_url, operator.operator_token(ada["id"], role="viewer")) as narrow:
        assert name_of(narrow.post("/enterprises", {"name": "x", "licensed": True})) == (403, "role_forbids")
        assert name_of(narrow.post(path, {"role": "administrator"})) == (400, "token_role_wider")
        made = narrow.post(path).json()["token"]
    assert made["role"] == "viewer"
    with OperatorClient(operator.base_url, made["value"]) as second:
        assert name_of(second.post("/enterprises", {"name": "x", "licensed": True})) == (403, "role_forbids")


def test_last_administrator_of_an_enterprise_stays(members: OperatorClient) -> None:
    members.user(ENTERPRISE, "ada")
    members.user(ENTERPRISE, "eve", role="trader")
    path = f"/enterprises/{ENTERPRISE}/users"
    assert name_of(members.patch(f"{path}/ada", {"role": "viewer"})) == (422, "last_administrator")
    assert members.patch(f"{path}/ada", {"mayUseCustodianKey": False}).status_code == 200
    assert members.patch(f"{path}/eve", {"role": "administrator"}).status_code == 200
    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(lambda who: members.patch(f"{path}/{who}", {"role": "viewer"}), ("ada", "eve")))
    assert sorted(answer.status_code for answer in answers) == [200, 422]


def test_last_administrator_of_the_network_stays(runtime: Runtime, base_url: str) -> None:
    ada, ben = open_network(runtime, ["ada", "ben"], single_operator=False)
    with OperatorClient(base_url, ada.value) as first, OperatorClient(base_url, ben.value) as second:
        ids = [token.token.operator_id for token in (ada, ben)]
        with ThreadPoolExecutor(2) as threads:
            answers = list(
                threads.map(
                    lambda pair: pair[0].patch(f"/operators/{pair[1]}", {"role": "viewer"}),
                    zip((first, second), ids, strict=True),
                )
            )
    assert sorted(answer.status_code for answer in answers) == [200, 422]
    assert {answer.json().get("name") for answer in answers} == {None, "last_administrator"}


def test_role_changes_in_the_transaction_of_the_caller(runtime: Runtime, operator: OperatorClient) -> None:
    ben = operator.operator("ben")
    with runtime.transaction() as tx:
        change_role(tx, Operator(ben["id"], "ben", "request"), ben["id"], OperatorRole.VIEWER)
        tx.connection.rollback()
    assert operator.operator("ben") == ben
