"""A program deposits with a token that others approved for deposits alone, and with no other. Protocol §12."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from fastapi import FastAPI

from clearwindow.client import Operator
from clearwindow.client.answers.proposals import WaitsForApprovalError
from clearwindow.identity import people_acts
from clearwindow.identity.models import OperatorRole, Scope, TokenKind, TokenTerms
from clearwindow.runtime import Runtime
from tests.proposals.conftest import Desk
from tests.support.networks import Json, ok
from tests.support.operators import READ, OperatorClient
from tests.support.staff import StaffClient, proposed, watched

TERMS = {"label": "bank feed", "program": True, "depositsOnly": True}
MONEY = {"currency": "ofcbtc", "quantity": "5", "reference": "wire 1"}


def propose_token(desk: Desk, holder: StaffClient, **terms: object) -> Json:
    return proposed(desk.ada.post(f"/operators/{holder.id}/tokens", TERMS | terms))


def collected(desk: Desk, proposal: Json) -> str:
    ok(desk.ben.decide(proposal["id"], "approve"))
    return str(ok(desk.ada.decide(proposal["id"], "collect"))["value"])


@pytest.fixture
def feed(desk: Desk) -> Iterator[StaffClient]:
    """A program that deposits as Carl."""
    with StaffClient(desk.ada.base_url, collected(desk, propose_token(desk, desk.carl)), desk.carl.id) as program:
        yield program


def deposit(desk: Desk, program: OperatorClient, **changed: str) -> tuple[int, str | None]:
    answer = program.post(f"/go-accounts/{desk.account}/deposits", MONEY | changed)
    return answer.status_code, answer.json().get("name")


def test_token_that_others_approved_deposits_without_a_further_proposal(desk: Desk, feed: StaffClient) -> None:
    before = len(ok(desk.ada.get("/proposals"))["proposals"])

    made = feed.post(f"/go-accounts/{desk.account}/deposits", MONEY)

    assert made.status_code == 200
    assert desk.balance() == (1005, 0)
    again = feed.post(f"/go-accounts/{desk.account}/deposits", MONEY)
    assert (again.status_code, again.json()["entry"]) == (200, made.json()["entry"])
    assert deposit(desk, feed, quantity="6") == (409, "reference_used")
    assert deposit(desk, feed, quantity="-6") == (400, "request_invalid")
    assert desk.balance() == (1005, 0)
    assert len(ok(desk.ada.get("/proposals"))["proposals"]) == before
    desk.assert_proven()

    me = ok(feed.get("/whoami"))
    assert (me["operator"]["name"], me["role"]) == ("carl", "operator")
    assert (me["token"]["program"], me["token"]["depositsOnly"]) == (True, True)
    listed = ok(desk.ada.get("/tokens", ids=me["token"]["id"]))["tokens"]
    assert listed == [me["token"]]
    (proposal,) = ok(desk.ada.get("/proposals", acts="operator_token.create"))["proposals"]
    assert proposal["id"] == me["token"]["depositsProposalId"]
    assert proposal["summary"] == "let a program deposit without further approval, as the operator carl"
    recorded = desk.ada.audit_log(action="deposit.made")[0]
    assert (recorded["actorId"], recorded["details"]["tokenId"]) == (desk.carl.id, me["token"]["id"])


def test_person_and_other_programs_still_propose_their_deposits(desk: Desk) -> None:
    value = collected(desk, propose_token(desk, desk.carl, depositsOnly=False))
    with OperatorClient(desk.ada.base_url, value) as program:
        # What was proposed as a program's token is one.
        assert ok(program.get("/whoami"))["token"]["program"] is True
        assert program.post(f"/operators/{desk.carl.id}/tokens", {}).json()["name"] == "token_of_a_program"
        assert deposit(desk, program, reference="of a program")[0] == 202
    assert deposit(desk, desk.carl, reference="of a person")[0] == 202
    assert desk.balance() == (1000, 0)


def test_token_of_a_member_that_was_proposed_for_a_program_is_a_programs(desk: Desk) -> None:
    body = {"userId": f"user-of-{desk.enterprise.id}", "scopes": [READ], "program": True}
    proposal = proposed(desk.ada.post(f"/enterprises/{desk.enterprise.id}/tokens", body))
    done = ok(desk.ben.decide(proposal["id"], "approve"))["proposal"]
    assert done["result"]["token"]["program"] is True


def test_token_that_nobody_approved_deposits_nothing_alone(
    desk: Desk, runtime: Runtime, served_app: tuple[FastAPI, str]
) -> None:
    app, _ = served_app
    app.state.runtime = runtime
    token = ok(desk.carl.post(f"/operators/{desk.carl.id}/tokens", TERMS))["token"]
    assert (token["depositsOnly"], token["role"]) == (True, "operator")
    assert "depositsProposalId" not in token
    with OperatorClient(desk.ada.base_url, token["value"]) as program:
        assert deposit(desk, program)[0] == 200
        with watched(app, runtime):
            waiting = program.post(f"/go-accounts/{desk.account}/deposits", MONEY | {"reference": "wire 2"})
            assert proposed(waiting)["act"] == "deposit.make"
            assert program.get("/proposals").json()["name"] == "token_for_deposits"
            assert desk.balance() == (1005, 0)


def test_deposit_of_a_program_answers_a_proposal_of_the_same_deposit(desk: Desk, feed: StaffClient) -> None:
    waiting = proposed(desk.carl.post(f"/go-accounts/{desk.account}/deposits", MONEY))
    assert deposit(desk, feed)[0] == 200
    ok(desk.ben.decide(waiting["id"], "approve"))
    assert desk.balance() == (1005, 0)
    desk.assert_proven()


def test_token_for_deposits_ends_with_its_revocation_and_its_operators_rights(
    desk: Desk, feed: StaffClient
) -> None:
    token = ok(feed.get("/whoami"))["token"]["id"]
    ok(desk.dora.patch(f"/operators/{desk.carl.id}", {"role": "viewer"}))
    assert deposit(desk, feed) == (403, "role_forbids")
    back = proposed(desk.dora.patch(f"/operators/{desk.carl.id}", {"role": "administrator"}))
    ok(desk.ben.decide(back["id"], "approve"))
    assert deposit(desk, feed)[0] == 200
    assert feed.post("/enterprises", {"name": "one", "licensed": False}).json()["name"] == "token_for_deposits"
    assert desk.dora.delete(f"/tokens/{token}").status_code == 204
    assert deposit(desk, feed, reference="wire 2") == (401, "token_invalid")
    assert desk.balance() == (1005, 0)


def test_terms_that_contradict_each_other_are_refused(desk: Desk) -> None:
    wrong: tuple[dict[str, object], ...] = (
        {"program": False},
        {"role": "administrator"},
        {"role": "viewer"},
        {"depositsOnly": "yes"},
        {"depositsOnly": None},
    )
    for terms in wrong:
        refused = desk.ada.post(f"/operators/{desk.ada.id}/tokens", TERMS | terms)
        assert (refused.status_code, refused.json()["name"]) == (400, "request_invalid")
        assert "depositsOnly" in refused.json()["error"]
    assert ok(desk.ada.get("/proposals"))["proposals"] == []


def test_token_for_deposits_of_who_may_not_deposit_is_not_proposed(desk: Desk) -> None:
    for who, holder in ((desk.ben, desk.ben), (desk.ada, desk.ben)):
        refused = who.post(f"/operators/{holder.id}/tokens", TERMS)
        assert (refused.status_code, refused.json()["name"]) == (400, "token_role_wider")
    assert ok(desk.ada.get("/proposals"))["proposals"] == []


def test_python_sdk_asks_for_the_token_and_deposits_with_it(desk: Desk) -> None:
    with Operator(desk.ada.base_url, desk.ada.token_value) as ada, pytest.raises(WaitsForApprovalError) as waiting:
        ada.operators.create_token(desk.carl.id, program=True, deposits_only=True)
    value = collected(desk, {"id": waiting.value.proposal.id})
    with Operator(desk.ada.base_url, value) as program:
        assert (program.whoami().token or pytest.fail("it has a token")).deposits_only is True
        program.go_accounts.deposit(desk.account, currency="ofcbtc", quantity=5, reference="wire 1")
    assert desk.balance() == (1005, 0)


@pytest.mark.parametrize(
    "terms",
    [
        TokenTerms(program=True, role=OperatorRole.OPERATOR, deposits_only=True),
        TokenTerms("desk", None, frozenset(Scope), kind=TokenKind.V2X, program=True),
        TokenTerms(role=OperatorRole.VIEWER),
    ],
)
def test_proposal_keeps_all_terms_of_a_token(terms: TokenTerms) -> None:
    act = people_acts.OPERATOR_TOKEN
    assert act.restored(act.stored(terms)) == terms


def test_database_holds_what_such_a_token_may_do(desk: Desk, feed: StaffClient, runtime: Runtime) -> None:
    token = ok(feed.get("/whoami"))["token"]["id"]
    for change, constraint in (
        ("deposits_only = false", "access_token_proposed_for_deposits"),
        ("program = false", "access_token_deposits_of_a_program"),
        ("role = 'administrator'", "access_token_deposits_of_a_program"),
        ("deposits_proposal_id = deposits_proposal_id", "access_token_approved_for_deposits"),
    ):
        with pytest.raises(psycopg.errors.IntegrityError) as refused, runtime.transaction() as tx:
            tx.run(f"UPDATE access_token SET {change} WHERE id = %(id)s", id=token)  # noqa: S608 - of this test
        assert refused.value.diag.constraint_name == constraint
    assert deposit(desk, feed)[0] == 200
