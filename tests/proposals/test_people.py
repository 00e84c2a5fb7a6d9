"""Tokens, licences and operators that one operator proposes and another approves. Protocol §12."""

from __future__ import annotations

import hashlib

import httpx2
import pytest

from clearwindow.client import Operator
from clearwindow.client.answers.proposals import WaitsForApprovalError
from clearwindow.runtime import Runtime
from tests.proposals.conftest import Desk
from tests.support.http import loopback_client
from tests.support.networks import ok
from tests.support.operators import READ, WRITE
from tests.support.races import at_once
from tests.support.staff import StaffClient, proposed, staff

HOSTILE = "Alice\u202e\r\n\x1b[31m approved by Ben " + "x" * 200


def ask_for_token(desk: Desk, **terms: object) -> httpx2.Response:
    body = {"userId": f"user-of-{desk.enterprise.id}", "scopes": [WRITE, READ], "label": "desk", **terms}
    return desk.ada.post(f"/enterprises/{desk.enterprise.id}/tokens", body)


def whole_database(runtime: Runtime) -> str:
    tables = ("access_token", "proposal", "proposal_approval", "audit_record", "event")
    with runtime.transaction() as tx:
        return str([tx.records(f"SELECT * FROM {table}") for table in tables])  # noqa: S608 - names of ours


def answers(base_url: str, path: str, token: str) -> int:
    with loopback_client(base_url=base_url, headers={"Authorization": f"Bearer {token}"}) as http:
        return http.get(path).status_code


def test_token_of_a_member_is_collected_once_by_its_proposer(desk: Desk, runtime: Runtime, base_url: str) -> None:
    proposal = proposed(ask_for_token(desk))
    assert ask_for_token(desk).json()["proposal"] == proposal
    early = desk.ada.decide(proposal["id"], "collect")
    assert (early.status_code, early.json()["name"]) == (409, "nothing_to_collect")

    done = desk.ben.decide(proposal["id"], "approve")

    shown = ok(done)["proposal"]
    assert shown["collectable"] is True
    assert "value" not in done.text
    assert shown["result"]["token"]["label"] == "desk"
    for who in (desk.ben, desk.dora):
        refused = who.decide(proposal["id"], "collect")
        assert (refused.status_code, refused.json()["name"]) == (403, "not_the_proposer")
    collected = ok(desk.ada.decide(proposal["id"], "collect"))
    value = collected["value"]
    assert value not in whole_database(runtime)
    path = f"/api/network/v1/enterprises/{desk.enterprise.id}/clients/connections"
    assert answers(base_url, path, value) == 200
    assert "collectable" not in collected["proposal"]
    again = desk.ada.decide(proposal["id"], "collect")
    assert (again.status_code, again.json()["name"]) == (409, "nothing_to_collect")
    assert desk.ada.audit_log(action="proposal.collected")[0]["actorId"] == desk.ada.id
    with runtime.transaction() as tx:
        found = tx.records(
            "SELECT made_by::text FROM access_token WHERE token_sha256 = %(hash)s",
            hash=hashlib.sha256(value.encode()).digest(),
        )
    assert found == [{"made_by": desk.ada.id}]


def test_value_is_collected_once_at_the_same_instant(desk: Desk) -> None:
    proposal = proposed(ask_for_token(desk))
    ok(desk.ben.decide(proposal["id"], "approve"))
    results = at_once([lambda: desk.ada.decide(proposal["id"], "collect")] * 6)
    assert sorted(each.status_code for each in results) == [200] + [409] * 5


def test_rejected_token_never_exists(desk: Desk, runtime: Runtime) -> None:
    with runtime.transaction() as tx:
        before = tx.scalars(int, "SELECT count(*) FROM access_token")
    proposal = proposed(ask_for_token(desk))
    ok(desk.ben.decide(proposal["id"], "reject", {"reason": HOSTILE}))
    assert desk.ada.proposal(proposal["id"])["reason"] == HOSTILE
    with runtime.transaction() as tx:
        assert tx.scalars(int, "SELECT count(*) FROM access_token") == before


@pytest.mark.parametrize("terms", [{"expiresAt": "2020-01-01T00:00:00Z"}, {"userId": "nobody"}])
def test_token_that_cannot_be_made_is_not_proposed(desk: Desk, terms: dict[str, object]) -> None:
    assert ask_for_token(desk, **terms).status_code == 400
    assert ok(desk.ada.get("/proposals"))["proposals"] == []


def test_token_whose_expiry_has_passed_is_refused_at_the_approval(desk: Desk) -> None:
    proposal = proposed(ask_for_token(desk, expiresAt="2026-01-05T13:00:00Z"))
    desk.clock.advance(minutes=120)
    refused = desk.ben.decide(proposal["id"], "approve")
    assert (refused.status_code, refused.json()["name"]) == (409, "proposal_act_refused")
    assert refused.json()["details"]["error"] == "expiry_passed"
    assert desk.ada.proposal(proposal["id"])["approvals"] == []


def test_licence_is_proposed_and_taken_away_by_one(desk: Desk) -> None:
    path = f"/enterprises/{desk.enterprise.id}"
    assert ok(desk.ada.patch(path, {"licensed": False}))["enterprise"]["licensed"] is False
    given = desk.ada.patch(path, {"licensed": True})
    proposal = proposed(given)
    assert desk.ada.patch(path, {"licensed": True}).json() == given.json()
    other = desk.ada.patch(path, {"licensed": True, "name": "another"})
    assert (other.status_code, other.json()["name"]) == (409, "proposal_differs")
    assert ok(desk.ben.decide(proposal["id"], "approve"))["proposal"]["result"]["enterprise"]["licensed"] is True
    assert ok(desk.ada.patch(path, {"name": "renamed"}))["enterprise"]["name"] == "renamed"


def test_changed_target_is_named_and_nothing_is_done(desk: Desk) -> None:
    path = f"/enterprises/{desk.enterprise.id}"
    ok(desk.ada.patch(path, {"licensed": False}))
    proposal = proposed(desk.ada.patch(path, {"licensed": True}))
    ok(desk.dora.patch(path, {"name": "Trader (renamed)"}))
    refused = desk.ben.decide(proposal["id"], "approve")
    assert (refused.status_code, refused.json()["name"]) == (409, "proposal_target_changed")
    changed = refused.json()["details"]["changed"]
    assert changed == {"name": {"proposed": "trader", "now": "Trader (renamed)"}}
    assert desk.ada.proposal(proposal["id"])["approvals"] == []
    with_licence = desk.ada.get("/proposals", statuses="pending", subjectIds=desk.enterprise.id)
    assert [each["id"] for each in ok(with_licence)["proposals"]] == [proposal["id"]]


def test_licensed_enterprise_is_proposed_and_an_unlicensed_one_is_not(desk: Desk) -> None:
    plain = {"id": "newcomer", "name": "Newcomer", "licensed": False}
    assert ok(desk.ada.post("/enterprises", plain))["enterprise"]["id"] == "newcomer"
    licensed = {"name": HOSTILE[:200], "licensed": True}
    first = desk.ada.post("/enterprises", licensed)
    proposal = proposed(first)
    assert desk.ada.post("/enterprises", licensed).json() == first.json()
    assert proposal["summary"].isprintable()
    assert len(proposal["summary"]) < 200
    made = ok(desk.ben.decide(proposal["id"], "approve"))["proposal"]["result"]["enterprise"]
    assert (made["name"], made["licensed"]) == (HOSTILE[:200], True)


def test_operator_and_its_token_are_proposed(desk: Desk, base_url: str) -> None:
    proposal = proposed(desk.dora.post("/operators", {"name": "gina"}))
    made = ok(desk.ben.decide(proposal["id"], "approve"))["proposal"]["result"]["operator"]
    assert ok(desk.dora.post("/operators", {"name": "gina"}))["operator"] == made
    own = proposed(desk.dora.post(f"/operators/{desk.dora.id}/tokens", {"label": "second"}))
    ok(desk.ben.decide(own["id"], "approve"))
    value = ok(desk.dora.decide(own["id"], "collect"))["value"]
    with StaffClient(base_url, value, desk.dora.id) as second:
        assert second.proposal(own["id"])["status"] == "carried_out"


def token_for_gina(desk: Desk) -> tuple[str, str]:
    """Has Dora ask for another operator and its first token. Returns its id and the token, which Dora collects."""
    gina = proposed(desk.dora.post("/operators", {"name": "gina"}))
    made = ok(desk.ben.decide(gina["id"], "approve"))["proposal"]["result"]["operator"]["id"]
    token = proposed(desk.dora.post(f"/operators/{made}/tokens", {}))
    assert (token["act"], token["subjectId"]) == ("operator_token.create", made)
    ok(desk.ben.decide(token["id"], "approve"))
    return made, ok(desk.dora.decide(token["id"], "collect"))["value"]


def test_first_token_of_another_operator_is_proposed_and_counts_as_its_makers(desk: Desk, base_url: str) -> None:
    made, first = token_for_gina(desk)
    of_dora = proposed(desk.dora.move("deposits", desk.account, "ofcbtc", 5, "of-dora"))
    with StaffClient(base_url, first, made) as gina:
        assert ok(gina.get("/whoami"))["operator"]["name"] == "gina"
        refused = gina.decide(of_dora["id"], "approve")
        assert (refused.status_code, refused.json()["name"]) == (403, "own_proposal")
        # Nor with a token that it makes with this one: Dora may have done that.
        again = proposed(gina.post(f"/operators/{made}/tokens", {}))
        ok(desk.ben.decide(again["id"], "approve"))
        second = ok(gina.decide(again["id"], "collect"))["value"]
    with StaffClient(base_url, second, made) as gina:
        refused = gina.decide(of_dora["id"], "approve")
        assert (refused.status_code, refused.json()["name"]) == (403, "own_proposal")
        of_carl = proposed(desk.carl.move("deposits", desk.account, "ofcbtc", 5, "of-carl"))
        ok(gina.decide(of_carl["id"], "approve"))


def test_only_administrators_ask_for_tokens_of_others(desk: Desk) -> None:
    for who in (desk.ben, desk.carl):
        refused = who.post(f"/operators/{desk.dora.id}/tokens", {})
        assert (refused.status_code, refused.json()["name"]) == (403, "token_of_another_operator")


def test_proposals_are_listed_filtered_and_paged(desk: Desk, runtime: Runtime, base_url: str) -> None:
    with staff(runtime, base_url, "hugo") as hugo:
        for number in range(3):
            proposed(desk.ada.move("deposits", desk.account, "ofcbtc", 5, f"deposit-{number}"))
        own = proposed(hugo.move("withdrawals", desk.account, "ofcbtc", 5, "payout"))
        token = proposed(ask_for_token(desk))
    listed = desk.ada.get("/proposals", pageSize=2)
    assert listed.headers["X-Total-Count"] == "5"
    assert len(ok(listed)["proposals"]) == 2
    by_act = ok(desk.ada.get("/proposals", acts="token.create"))["proposals"]
    assert [each["id"] for each in by_act] == [token["id"]]
    assert [each["id"] for each in ok(desk.ada.get("/proposals", proposedBy=hugo.id))["proposals"]] == [own["id"]]
    assert ok(desk.ada.get("/proposals", statuses="expired,rejected"))["proposals"] == []
    of_enterprise = desk.ada.get("/proposals", enterpriseIds=desk.enterprise.id)
    assert of_enterprise.headers["X-Total-Count"] == "5"
    assert desk.ada.get("/proposals", statuses="lost").status_code == 400
    for path in ("/proposals/nothing", f"/proposals/{desk.ada.id}"):
        missing = desk.ada.get(path)
        assert (missing.status_code, missing.json()["name"]) == (404, "proposal_unknown")


def test_bad_input_to_a_decision_is_refused(desk: Desk) -> None:
    proposal = proposed(desk.ada.move("deposits", desk.account, "ofcbtc", 5, "deposit"))
    for body in ({"reason": "x" * 10_001}, {"reason": 5}, {"because": "x"}, {"reason": ""}):
        assert desk.ben.decide(proposal["id"], "reject", body).status_code == 400
    raw = desk.ben.post_raw(f"/proposals/{proposal['id']}/reject", b'{"reason": "a\\u0000b"}')
    assert raw.status_code == 400
    for decision in ("approve", "reject", "withdraw", "collect"):
        assert desk.ben.decide("nothing", decision).status_code == 404
    assert desk.ada.proposal(proposal["id"])["status"] == "pending"


def test_sdk_says_that_others_must_approve(desk: Desk) -> None:
    with (
        Operator(desk.ada.base_url, desk.ada.token_value) as ada,
        Operator(desk.ben.base_url, desk.ben.token_value) as ben,
    ):
        with pytest.raises(WaitsForApprovalError) as waits:
            ada.go_accounts.withdraw(desk.account, currency="ofcbtc", quantity=5, reference="sdk")
        waiting = waits.value.proposal
        assert (waiting.status, waiting.proposed_by, waiting.act) == ("pending", desk.ada.id, "withdrawal.make")
        assert [each.id for each in ben.proposals.list(statuses=["pending"])] == [waiting.id]
        done = ben.proposals.approve(waiting.id)
        assert done.status == "carried_out"
        assert [each.operator_id for each in done.approvals] == [desk.ben.id]
        with pytest.raises(WaitsForApprovalError) as waits:
            ada.enterprises.create_token(
                desk.enterprise.id, user_id=f"user-of-{desk.enterprise.id}", scopes=["settlement_network_read"]
            )
        ben.proposals.approve(waits.value.proposal.id)
        assert ada.proposals.get(waits.value.proposal.id).collectable
        assert ada.proposals.collect(waits.value.proposal.id).value.startswith("cwt_")
        with pytest.raises(WaitsForApprovalError) as waits:
            ada.go_accounts.deposit(desk.account, currency="ofcbtc", quantity=5, reference="sdk-2")
        assert ada.proposals.withdraw(waits.value.proposal.id, reason="a mistake").reason == "a mistake"


def test_bringing_a_removed_operator_back_needs_another_operator(desk: Desk) -> None:
    path = f"/operators/{desk.dora.id}"
    assert desk.ada.delete(path).status_code == 204
    assert desk.dora.get("/whoami").status_code == 401
    proposal = proposed(desk.ada.post("/operators", {"name": "dora"}))
    assert "removedAt" in ok(desk.ada.get(path))["operator"]
    ok(desk.ben.decide(proposal["id"], "approve"))
    assert "removedAt" not in ok(desk.ada.get(path))["operator"]
    assert desk.dora.get("/whoami").status_code == 401


def test_a_removed_operator_gets_no_role_and_no_token(desk: Desk) -> None:
    path = f"/operators/{desk.carl.id}"
    assert desk.ada.delete(path).status_code == 204
    for refused in (desk.ada.patch(path, {"role": "viewer"}), desk.ada.patch(path, {"role": "administrator"})):
        assert (refused.status_code, refused.json()["name"]) == (404, "operator_unknown")


def test_second_factor_of_another_operator_is_removed_by_two(desk: Desk, runtime: Runtime) -> None:
    with runtime.transaction() as tx:
        tx.run(
            "INSERT INTO second_factor (id, operator_id, sealed_secret, recovery_sha256, last_step, failures,"
            " created_at, confirmed_at) VALUES (%(id)s, %(of)s, 'x', '{}', 0, 0, %(now)s, %(now)s)",
            id=tx.new_id(),
            of=desk.carl.id,
            now=tx.now(),
        )
    path = f"/operators/{desk.carl.id}/second-factor"
    proposal = proposed(desk.ada.delete(path))
    assert proposal["act"] == "second_factor.remove"
    assert ok(desk.carl.get("/operators/me/second-factor"))["secondFactor"]["status"] == "confirmed"
    ok(desk.ben.decide(proposal["id"], "approve"))
    assert ok(desk.carl.get("/operators/me/second-factor"))["secondFactor"]["status"] == "none"
    assert desk.ada.delete(path).status_code == 204
    assert desk.ada.delete("/operators/nobody/second-factor").status_code == 404
