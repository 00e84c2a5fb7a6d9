"""Proposals of operators who were removed, and approvals by who can act as the client. Protocol §12."""

from __future__ import annotations

from dataclasses import replace

import httpx2
import psycopg
import pytest
from fastapi import FastAPI

from clearwindow.bootstrap import ACTS
from clearwindow.identity.models import OperatorRole
from clearwindow.identity.roles import operator_may, roles_of_operators
from clearwindow.runtime import Runtime
from tests.proposals.conftest import Desk
from tests.support.databases import as_superuser
from tests.support.networks import NetworkClient, ok
from tests.support.operators import READ, WRITE
from tests.support.races import at_once
from tests.support.settlements import dispute, stage
from tests.support.staff import WATCHED, StaffClient, proposed, watched


def payout(desk: Desk, by: StaffClient, reference: str = "payout") -> str:
    return str(proposed(by.move("withdrawals", desk.account, "ofcbtc", 400, reference))["id"])


def refusal(response: httpx2.Response) -> tuple[int, str]:
    return response.status_code, response.json()["name"]


def token_of(desk: Desk, maker: StaffClient, approver: StaffClient) -> tuple[str, str]:
    """Has one operator make a token of the enterprise's user. Returns its id and its value."""
    body = {"userId": f"user-of-{desk.enterprise.id}", "scopes": [READ, WRITE], "label": maker.id}
    proposal = proposed(maker.post(f"/enterprises/{desk.enterprise.id}/tokens", body))
    done = ok(approver.decide(proposal["id"], "approve"))["proposal"]
    return done["result"]["token"]["id"], ok(maker.decide(proposal["id"], "collect"))["value"]


def test_every_act_names_an_operation_of_the_table_of_roles() -> None:
    assert {act.operation for act in ACTS} <= roles_of_operators().keys()
    assert not any(
        operator_may(OperatorRole.VIEWER, act.operation) for act in ACTS if act.name != "operator_token.create"
    )


def test_proposal_of_a_removed_operator_is_not_carried_out(desk: Desk) -> None:
    waiting = payout(desk, desk.carl)
    assert desk.ada.delete(f"/operators/{desk.carl.id}").status_code == 204
    assert refusal(desk.ben.decide(waiting, "approve")) == (409, "proposer_not_in_office")
    assert desk.balance() == (600, 400)
    assert ok(desk.ben.decide(waiting, "reject"))["proposal"]["status"] == "rejected"
    assert desk.balance() == (1000, 0)
    desk.assert_proven()


def test_proposal_of_an_operator_whose_role_may_not_propose_it_any_more_is_not_carried_out(desk: Desk) -> None:
    waiting = payout(desk, desk.carl)
    ok(desk.ada.patch(f"/operators/{desk.carl.id}", {"role": "viewer"}))
    assert refusal(desk.ben.decide(waiting, "approve")) == (409, "proposer_not_in_office")
    assert desk.balance() == (600, 400)


@pytest.mark.parametrize("change", ["removed", "demoted"])
def test_approval_of_an_operator_who_may_not_approve_any_more_does_not_count(
    desk: Desk, runtime: Runtime, served_app: tuple[FastAPI, str], change: str
) -> None:
    with watched(served_app[0], runtime, replace(WATCHED, approvals_needed=2)):
        waiting = payout(desk, desk.carl)
        assert ok(desk.ben.decide(waiting, "approve"))["proposal"]["status"] == "pending"
        if change == "removed":
            assert desk.ada.delete(f"/operators/{desk.ben.id}").status_code == 204
        else:
            ok(desk.ada.patch(f"/operators/{desk.ben.id}", {"role": "viewer"}))
        still = ok(desk.dora.decide(waiting, "approve"))["proposal"]
        assert still["status"] == "pending"
        assert {each["operatorId"]: each["counts"] for each in still["approvals"]} == {
            desk.ben.id: False,
            desk.dora.id: True,
        }
        assert ok(desk.ada.decide(waiting, "approve"))["proposal"]["status"] == "carried_out"
    assert desk.balance() == (600, 0)


def test_proposal_that_a_removal_and_an_approval_meet_is_carried_out_or_refused(desk: Desk) -> None:
    waiting = payout(desk, desk.carl)
    removed, approved = at_once(
        [lambda: desk.ada.delete(f"/operators/{desk.carl.id}"), lambda: desk.ben.decide(waiting, "approve")]
    )
    assert removed.status_code == 204
    assert desk.balance() == ((600, 0) if approved.status_code == 200 else (600, 400))
    assert approved.status_code in {200, 409}
    desk.assert_proven()


def test_database_carries_out_no_proposal_of_a_removed_operator(desk: Desk, runtime: Runtime) -> None:
    waiting = payout(desk, desk.carl)
    with psycopg.connect(as_superuser(runtime.database.dsn)) as connection:
        connection.execute("UPDATE operator SET removed_at = now() WHERE id = %s", [desk.carl.id])
        statement = (
            "UPDATE proposal SET status = 'carried_out', due_at = NULL, ended_at = now(), ended_by = %s,"
            " result = '{}' WHERE id = %s"
        )
        with pytest.raises(psycopg.IntegrityError) as refused:
            connection.execute(statement, [desk.ben.id, waiting])
    assert refused.value.diag.constraint_name == "proposal_of_an_operator_in_office"


@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_who_can_act_as_the_enterprises_user_does_not_decide_about_it(
    desk: Desk, base_url: str, runtime: Runtime, decision: str
) -> None:
    """Dora has made a token for the client, and acts with it."""
    token_id, value = token_of(desk, desk.dora, desk.ben)
    with NetworkClient(base_url, value, desk.enterprise.id) as api:
        path = f"/clients/connections/{desk.connection.id}"
        ok(api.put(path, {"name": "please pay me out"}))
    waiting = payout(desk, desk.carl)
    assert refusal(desk.dora.decide(waiting, decision)) == (403, "acted_as_client")
    # Taking the token back changes nothing for what was proposed before.
    assert desk.ada.delete(f"/tokens/{token_id}").status_code == 204
    desk.clock.advance(minutes=1)
    assert refusal(desk.dora.decide(waiting, decision)) == (403, "acted_as_client")
    with psycopg.connect(as_superuser(runtime.database.dsn)) as connection:
        statement = (
            "INSERT INTO proposal_approval (proposal_id, operator_id, proposed_by, approved_at)"
            " SELECT id, %s, proposed_by, now() FROM proposal WHERE id = %s"
        )
        with pytest.raises(psycopg.IntegrityError) as refused:
            connection.execute(statement, [desk.dora.id, waiting])
    assert refused.value.diag.constraint_name == "proposal_approval_client_hands"
    ok(desk.ben.decide(waiting, decision))
    later = payout(desk, desk.carl, "later")
    ok(desk.dora.decide(later, decision))
    desk.assert_proven()


def test_who_was_the_clients_hand_in_a_dispute_does_not_let_its_settlement_be_rejected(
    desk: Desk, base_url: str
) -> None:
    """The proposal affects the partner. The dispute is the client's, raised with a token that Dora made."""
    _, value = token_of(desk, desk.dora, desk.ben)
    ok(desk.connection.allocate("ofcbtc", 500))
    settlement = str(stage(desk.partner, {desk.connection.id: {"BTC": "-200"}})["id"])
    with NetworkClient(base_url, value, desk.enterprise.id) as api:
        client = replace(desk.connection.client, enterprise=replace(desk.enterprise, api=api))
        ok(dispute(replace(desk.connection, client=client), settlement))
    asked = {"reason": "staged by mistake"}
    waiting = proposed(desk.carl.post(f"/settlements/{settlement}/reject", asked))
    assert refusal(desk.dora.post(f"/settlements/{settlement}/reject", asked)) == (403, "acted_as_client")
    assert refusal(desk.dora.decide(waiting["id"], "reject")) == (403, "acted_as_client")
    assert ok(desk.ben.decide(waiting["id"], "approve"))["proposal"]["status"] == "carried_out"
    desk.assert_proven()
