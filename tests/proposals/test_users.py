"""Further users of an enterprise are proposed, and its people are told who comes and goes. Protocol §12."""

from __future__ import annotations

import pytest

from tests.proposals.conftest import Desk
from tests.support.networks import ok
from tests.support.staff import proposed

NEW = {"id": "eve@trader", "name": "Eve", "role": "trader", "mayUseCustodianKey": False}


def users_path(desk: Desk) -> str:
    return f"/enterprises/{desk.enterprise.id}/users"


def test_further_user_is_proposed_and_the_enterprise_is_told(desk: Desk) -> None:
    first = desk.ada.post(users_path(desk), NEW)
    proposal = proposed(first)
    assert proposal["act"] == "user.add"
    assert "eve@trader (Eve) trader" in proposal["summary"]
    assert "may not have a custodian key sign" in proposal["summary"]
    assert desk.ada.post(users_path(desk), NEW).json() == first.json()
    wider = desk.ada.post(users_path(desk), NEW | {"role": "administrator"})
    assert (wider.status_code, wider.json()["name"]) == (409, "proposal_differs")
    assert desk.events("member.added") == []

    done = ok(desk.ben.decide(proposal["id"], "approve"))["proposal"]

    assert done["result"]["user"]["role"] == "trader"
    assert desk.events("member.added") == [
        {"userId": "eve@trader", "userName": "Eve", "role": "trader", "mayUseCustodianKey": False}
    ]
    assert ok(desk.ada.post(users_path(desk), NEW))["user"]["id"] == "eve@trader"


def test_first_user_of_an_enterprise_without_a_licence_is_made_at_once(desk: Desk) -> None:
    ok(desk.ada.post("/enterprises", {"id": "shell", "name": "Shell", "licensed": False}))
    ok(desk.ada.post("/enterprises/shell/users", {"id": "first@shell", "name": "First"}))
    assert desk.ada.events(enterpriseId="shell", types="member.added") == []
    proposed(desk.ada.post("/enterprises/shell/users", {"id": "second@shell", "name": "Second"}))
    # Nor does it become the first one again by removing it.
    assert desk.ada.delete("/enterprises/shell/users/first@shell").status_code == 204
    proposed(desk.ada.post("/enterprises/shell/users", {"id": "third@shell", "name": "Third"}))


def test_licence_that_was_given_meanwhile_is_named(desk: Desk) -> None:
    ok(desk.ada.post("/enterprises", {"id": "shell", "name": "Shell", "licensed": False}))
    ok(desk.ada.post("/enterprises/shell/users", {"id": "first@shell", "name": "First"}))
    waiting = proposed(desk.ada.post("/enterprises/shell/users", {"id": "second@shell", "name": "Second"}))
    licence = proposed(desk.ada.patch("/enterprises/shell", {"licensed": True}))
    ok(desk.ben.decide(licence["id"], "approve"))
    refused = desk.ben.decide(waiting["id"], "approve")
    assert (refused.status_code, refused.json()["name"]) == (409, "proposal_target_changed")


@pytest.mark.parametrize("body", [{"name": "Another"}, {"email": "other@example.com"}])
def test_user_id_of_somebody_else_is_not_proposed(desk: Desk, body: dict[str, str]) -> None:
    known = f"user-of-{desk.partner.enterprise.id}"
    refused = desk.ada.post(users_path(desk), {"id": known, "name": known} | body)
    assert (refused.status_code, refused.json()["name"]) == (409, "user_differs")
    assert ok(desk.ada.get("/proposals"))["proposals"] == []


def test_enterprise_is_told_what_operators_change_of_it(desk: Desk) -> None:
    user, enterprise = f"user-of-{desk.enterprise.id}", f"/enterprises/{desk.enterprise.id}"
    token = ok(desk.ada.get("/tokens", userIds=user))["tokens"][0]
    for _ in range(2):
        assert desk.ada.delete(f"/tokens/{token['id']}").status_code == 204
        assert (
            desk.ada.delete(f"/go-accounts/{desk.account}/keys/{desk.enterprise.account.key_id}").status_code == 204
        )
        assert desk.ada.delete(f"{enterprise}/users/{user}").status_code == 204
        ok(desk.ada.patch(f"/clients/{desk.connection.client.id}", {"active": False}))
        ok(desk.ada.patch(f"/partners/{desk.partner.id}", {"active": False}))
        licence = f"{enterprise}/partner-licences/{desk.partner.id}"
        ok(desk.ada.patch(licence, {"licensed": False}))
    ok(desk.ada.patch(enterprise, {"licensed": False}))

    assert desk.events("token.revoked") == [{"tokenId": token["id"], "userId": user, "by": "operator"}]
    key = {"goAccountId": desk.account, "keyId": desk.enterprise.account.key_id}
    assert desk.events("go_account_key.revoked") == [key]
    assert desk.events("member.removed") == [{"userId": user}]
    assert desk.events("client.updated") == [{"clientId": desk.connection.client.id, "active": False}]
    assert desk.events("partner_licence.changed") == [{"partnerId": desk.partner.id, "licensed": False}]
    assert desk.events("enterprise.updated") == [{"name": desk.enterprise.id, "licensed": False}]
    (told,) = desk.events("partner.updated")
    assert (told["partnerId"], told["active"]) == (desk.partner.id, False)
    partner = desk.ada.events(enterpriseId=desk.partner.enterprise.id, types="partner.updated")
    assert [each["payload"] for each in partner][:1] == [told]


def test_member_who_revokes_a_token_is_named(desk: Desk) -> None:
    user = f"user-of-{desk.enterprise.id}"
    token = ok(desk.ada.get("/tokens", userIds=user))["tokens"][0]
    assert desk.enterprise.api.delete(f"/tokens/{token['id']}").status_code == 204
    assert desk.events("token.revoked") == [
        {"tokenId": token["id"], "userId": user, "by": "user", "revokedBy": user}
    ]
