"""A proposed withdrawal, from its hold to its end: the act with the most to lose. Protocol §12."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import LiteralString

import psycopg
import pytest
from fastapi import FastAPI
from psycopg.sql import SQL

from clearwindow.identity.models import OperatorRole
from clearwindow.runtime import Oversight, Runtime
from tests.proposals.conftest import Desk
from tests.support.databases import as_superuser
from tests.support.networks import ok
from tests.support.races import at_once
from tests.support.staff import StaffClient, proposed, staff, watched

Json = dict[str, object]


def propose(desk: Desk, quantity: int = 400, reference: str = "payout-1") -> str:
    made = desk.ada.move("withdrawals", desk.account, "ofcbtc", quantity, reference)
    return str(proposed(made)["id"])


def test_withdrawal_waits_for_another_operator(desk: Desk) -> None:
    first = desk.ada.move("withdrawals", desk.account, "ofcbtc", 400, "payout-1")
    proposal = proposed(first)
    assert (proposal["act"], proposal["status"], proposal["subjectId"]) == (
        "withdrawal.make",
        "pending",
        desk.account,
    )
    assert proposal["summary"] == f"withdraw 400 ofcbtc from the Go Account {desk.account} of {desk.enterprise.id}"
    assert desk.balance() == (600, 400)
    desk.assert_proven()

    done = ok(desk.ben.decide(proposal["id"], "approve"))["proposal"]

    assert (done["status"], done["endedBy"]) == ("carried_out", desk.ben.id)
    assert [each["operatorId"] for each in done["approvals"]] == [desk.ben.id]
    assert done["result"]["entry"]["quantity"] == "400"
    assert desk.balance() == (600, 0)
    assert [each["status"] for each in desk.events("proposal.made")] == ["pending"]
    assert [each["status"] for each in desk.events("proposal.ended")] == ["carried_out"]
    kinds = [each["kind"] for each in desk.events("balance.changed")]
    assert kinds[:3] == ["withdrawal", "withdrawal_released", "withdrawal_reserved"]
    actions = [each["action"] for each in desk.ada.audit_log(subjectId=proposal["id"])]
    assert actions == ["proposal.carried_out", "proposal.approved", "proposal.made"]
    made = desk.ada.audit_log(action="withdrawal.made")[0]
    assert made["actorId"] == desk.ada.id
    desk.assert_proven()


def test_same_withdrawal_again_is_the_same_proposal_and_then_a_replay(desk: Desk) -> None:
    first = desk.ada.move("withdrawals", desk.account, "ofcbtc", 400, "payout-1")
    again = desk.ada.move("withdrawals", desk.account, "ofcbtc", 400, "payout-1")
    others = desk.carl.move("withdrawals", desk.account, "ofcbtc", 400, "payout-1")
    assert again.json() == first.json() == others.json()
    assert desk.balance() == (600, 400)
    differing = desk.ada.move("withdrawals", desk.account, "ofcbtc", 401, "payout-1")
    assert (differing.status_code, differing.json()["name"]) == (409, "proposal_differs")

    ok(desk.ben.decide(first.json()["proposal"]["id"], "approve"))

    replay = desk.ada.move("withdrawals", desk.account, "ofcbtc", 400, "payout-1")
    assert (replay.status_code, replay.headers["Idempotent-Replayed"]) == (200, "true")
    used = desk.ada.move("withdrawals", desk.account, "ofcbtc", 401, "payout-1")
    assert (used.status_code, used.json()["name"]) == (409, "reference_used")
    assert desk.balance() == (600, 0)


def test_approval_again_changes_nothing(desk: Desk) -> None:
    proposal_id = propose(desk)
    first = ok(desk.ben.decide(proposal_id, "approve"))
    assert ok(desk.ben.decide(proposal_id, "approve")) == first
    assert desk.balance() == (600, 0)
    late = desk.dora.decide(proposal_id, "approve")
    assert (late.status_code, late.json()["name"]) == (409, "proposal_ended")


@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_proposer_does_not_decide(desk: Desk, runtime: Runtime, base_url: str, decision: str) -> None:
    with staff(runtime, base_url, "eve") as eve:
        made = proposed(eve.move("withdrawals", desk.account, "ofcbtc", 400, "payout-1"))
        refused = eve.decide(made["id"], decision)
    assert (refused.status_code, refused.json()["name"]) == (403, "own_proposal")
    assert desk.balance() == (600, 400)


def test_role_without_approvals_does_not_decide(desk: Desk) -> None:
    proposal_id = propose(desk)
    for decision in ("approve", "reject"):
        refused = desk.carl.decide(proposal_id, decision)
        assert (refused.status_code, refused.json()["name"]) == (403, "role_forbids")
    assert desk.ada.proposal(proposal_id)["approvals"] == []


@pytest.mark.parametrize("maker", ["proposer", "approver"])
def test_token_that_the_other_made_does_not_decide(desk: Desk, runtime: Runtime, maker: str) -> None:
    """One person could hold both: the maker of a token has seen its value."""
    proposal_id = propose(desk)
    if maker == "proposer":
        statement = "UPDATE access_token SET made_by = %(maker)s WHERE operator_id = %(holder)s"
        with runtime.transaction() as tx:
            tx.run(statement, maker=desk.ada.id, holder=desk.ben.id)
    else:
        ok(desk.ada.decide(proposal_id, "withdraw"))
        with runtime.transaction() as tx:
            statement = "UPDATE access_token SET made_by = %(maker)s WHERE operator_id = %(holder)s"
            tx.run(statement, maker=desk.ben.id, holder=desk.ada.id)
        proposal_id = propose(desk, reference="payout-2")
    refused = desk.ben.decide(proposal_id, "approve")
    assert (refused.status_code, refused.json()["name"]) == (403, "own_proposal")
    assert desk.balance() == (600, 400)


@pytest.mark.parametrize("decision", ["reject", "withdraw", "expire"])
def test_end_without_approval_releases_the_funds(desk: Desk, decision: str) -> None:
    proposal_id = propose(desk)
    if decision == "expire":
        desk.clock.advance(minutes=7 * 24 * 60)
        assert desk.testbed.run_due() == 1
    else:
        who = desk.ben if decision == "reject" else desk.ada
        body: Json = {"reason": "not today"}
        ended = ok(who.decide(proposal_id, decision, body))["proposal"]
        assert (ended["reason"], ended["endedBy"]) == ("not today", who.id)
        assert ok(who.decide(proposal_id, decision, body))["proposal"] == ended
    status = {"reject": "rejected", "withdraw": "withdrawn", "expire": "expired"}[decision]
    assert desk.ada.proposal(proposal_id)["status"] == status
    assert desk.balance() == (1000, 0)
    assert [each["status"] for each in desk.events("proposal.ended")] == [status]
    assert desk.ada.audit_log(action=f"proposal.{status}", subjectId=proposal_id)
    late = desk.dora.decide(proposal_id, "approve")
    assert (late.status_code, late.json()["details"]["status"]) == (409, status)
    desk.assert_proven()
    assert propose(desk) != proposal_id


def test_nothing_is_approved_after_its_time(desk: Desk) -> None:
    proposal_id = propose(desk)
    desk.clock.advance(minutes=7 * 24 * 60)
    late = desk.ben.decide(proposal_id, "approve")
    assert (late.status_code, late.json()["name"]) == (409, "proposal_ended")
    assert desk.balance() == (600, 400)
    assert propose(desk) != proposal_id
    assert desk.balance() == (600, 400)
    assert desk.ada.proposal(proposal_id)["status"] == "expired"
    desk.assert_proven()


def test_only_the_proposer_withdraws(desk: Desk) -> None:
    proposal_id = propose(desk)
    refused = desk.dora.decide(proposal_id, "withdraw")
    assert (refused.status_code, refused.json()["name"]) == (403, "not_the_proposer")


def test_what_nothing_covers_is_not_proposed(desk: Desk) -> None:
    propose(desk, 700)
    refused = desk.ada.move("withdrawals", desk.account, "ofcbtc", 301, "payout-2")
    assert (refused.status_code, refused.json()["name"]) == (422, "insufficient_funds")
    assert ok(desk.ada.get("/proposals"))["proposals"][0]["request"]["quantity"] == "700"
    assert desk.balance() == (300, 700)


def test_two_approvals_at_the_same_instant_carry_out_once(desk: Desk) -> None:
    proposal_id = propose(desk)
    answers = at_once([lambda who=who: who.decide(proposal_id, "approve") for who in (desk.ben, desk.dora)] * 4)
    carried = [answer for answer in answers if answer.status_code == 200]
    refused = {answer.json()["name"] for answer in answers if answer.status_code != 200}
    assert len({tuple(each["operatorId"] for each in one.json()["proposal"]["approvals"]) for one in carried}) == 1
    assert refused == {"proposal_ended"}
    assert desk.balance() == (600, 0)
    desk.assert_proven()


def test_same_withdrawal_proposed_at_the_same_instant_holds_once(desk: Desk) -> None:
    answers = at_once([lambda: desk.ada.move("withdrawals", desk.account, "ofcbtc", 400, "payout-1")] * 8)
    assert {proposed(answer)["id"] for answer in answers} == {proposed(answers[0])["id"]}
    assert desk.balance() == (600, 400)
    desk.assert_proven()


def test_approval_races_with_withdrawal_of_the_proposal(desk: Desk) -> None:
    for number in range(5):
        proposal_id = propose(desk, 10, f"payout-{number}")
        before = sum(desk.balance())
        answers = at_once(
            [
                lambda: desk.ben.decide(proposal_id, "approve"),  # noqa: B023 - the calls end within the loop
                lambda: desk.ada.decide(proposal_id, "withdraw"),  # noqa: B023
            ]
        )
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        status = desk.ada.proposal(proposal_id)["status"]
        assert desk.balance() == (before - 10 * (status == "carried_out"), 0)
    desk.assert_proven()


@pytest.fixture
def two_needed(
    desk: Desk, runtime: Runtime, base_url: str, served_app: tuple[FastAPI, str]
) -> Iterator[tuple[Desk, StaffClient]]:
    with ExitStack() as stack:
        fay = stack.enter_context(staff(runtime, base_url, "fay", OperatorRole.APPROVER))
        stack.enter_context(watched(served_app[0], runtime, Oversight(2, timedelta(days=7), timedelta(0))))
        yield desk, fay


def test_two_others_approve_if_the_settings_say_so(two_needed: tuple[Desk, StaffClient]) -> None:
    desk, fay = two_needed
    proposal_id = propose(desk)
    first = ok(desk.ben.decide(proposal_id, "approve"))["proposal"]
    assert (first["status"], first["approvalsNeeded"]) == ("pending", 2)
    assert ok(desk.ben.decide(proposal_id, "approve"))["proposal"] == first
    assert desk.balance() == (600, 400)
    assert ok(fay.decide(proposal_id, "approve"))["proposal"]["status"] == "carried_out"
    assert desk.balance() == (600, 0)


@pytest.mark.parametrize("lost", ["the role", "the office"])
def test_approval_of_a_removed_operator_does_not_count(
    two_needed: tuple[Desk, StaffClient], runtime: Runtime, lost: str
) -> None:
    desk, fay = two_needed
    proposal_id = propose(desk)
    ok(desk.ben.decide(proposal_id, "approve"))
    change: LiteralString = "role = 'viewer'" if lost == "the role" else "removed_at = created_at"
    with psycopg.connect(as_superuser(runtime.database.dsn)) as connection:
        connection.execute("ALTER TABLE operator ADD COLUMN IF NOT EXISTS removed_at timestamptz")
        connection.execute(SQL("UPDATE operator SET {} WHERE id = %s").format(SQL(change)), [desk.ben.id])
    second = ok(fay.decide(proposal_id, "approve"))["proposal"]
    assert second["status"] == "pending"
    assert {each["operatorId"]: each["counts"] for each in second["approvals"]} == {
        desk.ben.id: False,
        fay.id: True,
    }
    assert ok(desk.dora.decide(proposal_id, "approve"))["proposal"]["status"] == "carried_out"


def test_one_person_does_not_approve_twice(two_needed: tuple[Desk, StaffClient], runtime: Runtime) -> None:
    desk, fay = two_needed
    proposal_id = propose(desk)
    ok(desk.ben.decide(proposal_id, "approve"))
    with runtime.transaction() as tx:
        statement = "UPDATE access_token SET made_by = %(maker)s WHERE operator_id = %(holder)s"
        tx.run(statement, maker=desk.ben.id, holder=fay.id)
    refused = fay.decide(proposal_id, "approve")
    assert (refused.status_code, refused.json()["name"]) == (403, "same_approver")
