"""Nobody reviews what they made themselves, under whatever name. Protocol §6."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import httpx2
import psycopg
import pytest

from clearwindow.identity.models import OperatorRole
from clearwindow.runtime import Runtime
from tests.support.databases import as_superuser
from tests.support.networks import ConnectionHandle, NetworkClient, ok
from tests.support.settlements import Testbed, close_dispute, dispute, stage
from tests.support.staff import StaffClient, staff


@dataclass(frozen=True)
class Case:
    """Ada has made a token for a user of the client, and keeps it. Ben has made none."""

    testbed: Testbed
    connection: ConnectionHandle
    with_adas_token: ConnectionHandle
    ada: StaffClient
    ben: StaffClient

    def disputed(self, through: ConnectionHandle) -> str:
        settlement_id = str(stage(self.connection.partner, {self.connection.id: {"BTC": "-200"}})["id"])
        raised = ok(dispute(through, settlement_id, expectedTransfers={"ofcbtc": "-50"}))
        return str(raised["dispute"]["id"])

    def review(self, who: StaffClient, closure_id: str, decision: str = "approved") -> httpx2.Response:
        return who.post(f"/dispute-closures/{closure_id}/review", {"decision": decision})


@pytest.fixture
def case(testbed: Testbed, runtime: Runtime, base_url: str) -> Iterator[Case]:
    connection = testbed.network.funded(testbed.network.partner(), {"ofcbtc": 500})
    enterprise = connection.client.enterprise
    with (
        staff(runtime, base_url, "ada") as ada,
        staff(runtime, base_url, "ben", OperatorRole.APPROVER) as ben,
        NetworkClient(base_url, ada.user_token(enterprise.id), enterprise.id) as api,
    ):
        kept = replace(connection, client=replace(connection.client, enterprise=replace(enterprise, api=api)))
        yield Case(testbed, connection, kept, ada, ben)


@pytest.mark.parametrize("decision", ["approved", "rejected"])
def test_who_closed_as_the_client_does_not_review(case: Case, decision: str) -> None:
    dispute_id = case.disputed(case.connection)
    case.testbed.pass_minutes(10)
    closure_id = ok(close_dispute(case.with_adas_token, dispute_id))["disputeClosure"]["id"]
    refused = case.review(case.ada, closure_id, decision)
    assert (refused.status_code, refused.json()["name"]) == (403, "four_eyes")
    ok(case.review(case.ben, closure_id, decision))


def test_who_raised_as_the_client_does_not_review(case: Case) -> None:
    dispute_id = case.disputed(case.with_adas_token)
    case.testbed.pass_minutes(10)
    body = {"adjustedTransfers": {"ofcbtc": "-60"}, "notes": "as the fills say"}
    closed = ok(case.testbed.operator.post(f"/disputes/{dispute_id}/close", body))
    closure_id = closed["disputeClosure"]["id"]
    refused = case.review(case.ada, closure_id)
    assert (refused.status_code, refused.json()["name"]) == (403, "four_eyes")
    ok(case.review(case.ben, closure_id))


@pytest.mark.parametrize("maker", ["closer", "reviewer"])
def test_token_made_for_another_operator_does_not_review(case: Case, runtime: Runtime, maker: str) -> None:
    made_by, holder = (case.ada, case.ben) if maker == "closer" else (case.ben, case.ada)
    with runtime.transaction() as tx:
        statement = "UPDATE access_token SET made_by = %(maker)s WHERE operator_id = %(holder)s"
        tx.run(statement, maker=made_by.id, holder=holder.id)
    dispute_id = case.disputed(case.connection)
    case.testbed.pass_minutes(10)
    body = {"adjustedTransfers": {"ofcbtc": "-60"}, "notes": "as the fills say"}
    closure_id = ok(case.ada.post(f"/disputes/{dispute_id}/close", body))["disputeClosure"]["id"]
    refused = case.review(case.ben, closure_id)
    assert (refused.status_code, refused.json()["name"]) == (403, "four_eyes")


def test_database_refuses_a_review_by_the_clients_hand(case: Case, runtime: Runtime) -> None:
    dispute_id = case.disputed(case.with_adas_token)
    case.testbed.pass_minutes(10)
    closure_id = ok(close_dispute(case.connection, dispute_id))["disputeClosure"]["id"]
    with psycopg.connect(as_superuser(runtime.database.dsn)) as connection:
        statement = (
            "UPDATE dispute_closure SET status = 'rejected', reviewed_by = %s, reviewed_at = now() WHERE id = %s"
        )
        with pytest.raises(psycopg.IntegrityError) as refused:
            connection.execute(statement, [case.ada.id, closure_id])
    assert refused.value.diag.constraint_name == "dispute_closure_client_hands"


def test_closure_beyond_the_claim_needs_words_and_shows_both_amounts(case: Case) -> None:
    dispute_id = case.disputed(case.connection)
    case.testbed.pass_minutes(10)
    path = f"/disputes/{dispute_id}/close"
    beyond = {"adjustedTransfers": {"ofcbtc": "-49"}, "notes": " - "}
    refused = case.ada.post(path, beyond)
    assert (refused.status_code, refused.json()["name"]) == (400, "reason_missing")
    closure = ok(case.ada.post(path, beyond | {"notes": "a fill was billed twice"}))["disputeClosure"]
    (listed,) = ok(case.ben.get("/dispute-closures", statuses="pending_review"))["disputeClosures"]
    assert listed["adjustedTransfers"] == {"ofcbtc": "-49"}
    assert listed["claimedTransfers"] == {"ofcbtc": "-50"}
    assert listed["beyondClaim"] == ["ofcbtc"]
    ok(case.review(case.ben, closure["id"], "rejected"))
    within = ok(case.ada.post(path, {"adjustedTransfers": {"ofcbtc": "-50"}, "notes": "-"}))["disputeClosure"]
    assert within["beyondClaim"] == []
