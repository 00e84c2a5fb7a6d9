"""Closing and reviewing disputes, and the settlement that takes over the closure. Protocol §6."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx2
import pytest

from clearwindow.identity.second_factor import rules as codes
from tests.support.networks import ConnectionHandle, Json, PartnerHandle, ok
from tests.support.operators import OperatorClient
from tests.support.settlements import Testbed, close_dispute, dispute, stage, try_stage


@dataclass(frozen=True)
class Case:
    """A disputed settlement, its window over, that takes 200 from a connection with 500."""

    testbed: Testbed
    connection: ConnectionHandle
    settlement_id: str
    dispute_id: str
    second: OperatorClient

    @property
    def partner(self) -> PartnerHandle:
        return self.connection.partner

    def adjust(self, amounts: dict[str, str], notes: str = "as the fills say") -> httpx2.Response:
        body = {"adjustedTransfers": amounts, "notes": notes}
        return self.testbed.operator.post(f"/disputes/{self.dispute_id}/close", body)

    def review(self, closure: Json, decision: str = "approved", notes: str = "seen") -> httpx2.Response:
        body = {"decision": decision, "notes": notes}
        return self.second.post(f"/dispute-closures/{closure['id']}/review", body)

    def dispute(self) -> Json:
        listed = ok(self.testbed.operator.get("/disputes", disputeIds=self.dispute_id))["disputes"]
        found: Json = listed[0]
        return found


@pytest.fixture
def case(testbed: Testbed) -> Iterator[Case]:
    partner = testbed.network.partner(deposits={"ofcbtc": 1_000, "ofcusd": 1_000})
    connection = testbed.network.funded(partner, {"ofcbtc": 500})
    settlement = stage(partner, {connection.id: {"BTC": "-200"}})
    raised = ok(dispute(connection, settlement["id"], {"ofcbtc": "-50"}))["dispute"]
    testbed.pass_minutes(10)
    with testbed.operator.another() as second:
        yield Case(testbed, connection, settlement["id"], raised["id"], second)


def run_through(testbed: Testbed) -> None:
    testbed.pass_minutes(10)
    testbed.assert_proven()
    testbed.pass_minutes(10)
    testbed.assert_proven()


def test_client_that_gives_up_its_dispute_pays(case: Case) -> None:
    closure = ok(close_dispute(case.connection, case.dispute_id))["disputeClosure"]
    assert closure["status"] == "pending_review"
    assert closure["closedBy"] == "client"
    assert closure["adjustedTransfers"] == {"ofcbtc": "-200"}
    approved = ok(case.review(closure))["disputeClosure"]
    assert approved["status"] == "approved"
    waiting = case.dispute()["disputeClosure"]["adjustedSettlementTransfers"]
    assert [(one["status"], one["quantity"]) for one in waiting] == [("pending_settlement_assignment", "-200")]
    assert "settlementId" not in waiting[0]
    assert case.connection.balances() == {"ofcbtc": (300, 200)}

    following = stage(case.partner, {case.connection.id: {"BTC": "-10"}})

    assert [one["id"] for one in following["settlingDisputes"]] == [case.dispute_id]
    assert following["settlingDisputes"][0]["settledInSettlementId"] == following["id"]
    (assigned,) = following["settlingDisputes"][0]["disputeClosure"]["adjustedSettlementTransfers"]
    assert assigned["settlementId"] == following["id"]
    assert case.connection.balances() == {"ofcbtc": (290, 210)}
    run_through(case.testbed)
    assert case.connection.balances() == {"ofcbtc": (290, 0)}
    assert case.dispute()["settledInSettlementId"] == following["id"]


def test_adjustment_runs_even_if_the_next_settlement_is_disputed(case: Case) -> None:
    closure = ok(case.adjust({"ofcbtc": "-50"}))["disputeClosure"]
    ok(case.review(closure))
    assert case.connection.balances() == {"ofcbtc": (450, 50)}

    following = stage(case.partner, {case.connection.id: {"BTC": "-10"}})
    ok(dispute(case.connection, following["id"]))
    run_through(case.testbed)

    assert case.connection.balances() == {"ofcbtc": (440, 10)}
    shown = ok(case.partner.api.get(f"/partners/settlements/{following['id']}"))
    statuses = {one["quantity"]: one["status"] for one in shown["settlementTransfers"]}
    assert statuses == {"-50": "completed", "-10": "disputed"}


def test_empty_adjustment_moves_nothing_and_is_settled(case: Case) -> None:
    closure = ok(case.adjust({}))["disputeClosure"]
    ok(case.review(closure))
    assert case.connection.balances() == {"ofcbtc": (500, 0)}
    other = case.testbed.network.funded(case.partner, {"ofcbtc": 5}, name="other")

    following = stage(case.partner, {other.id: {"BTC": "-1"}})

    assert [one["id"] for one in following["settlingDisputes"]] == [case.dispute_id]
    run_through(case.testbed)
    assert case.connection.balances() == {"ofcbtc": (500, 0)}


def test_adjustment_may_pay_a_gain_and_use_another_currency(case: Case) -> None:
    ok(case.review(ok(case.adjust({"ofcbtc": "30", "ofcusd": "40"}))["disputeClosure"]))
    other = case.testbed.network.funded(case.partner, {"ofcbtc": 5}, name="other")

    following = stage(case.partner, {other.id: {"BTC": "-1"}})
    run_through(case.testbed)

    assert case.testbed.state(following["id"]) == "completed"
    assert case.connection.balances() == {"ofcbtc": (530, 0), "ofcusd": (40, 0)}
    assert "settlement.initiated" in case.testbed.event_types("trader")


def test_pulled_in_gain_covers_a_new_loss_of_the_same_settlement(case: Case) -> None:
    ok(case.review(ok(case.adjust({"ofcbtc": "100"}))["disputeClosure"]))

    following = stage(case.partner, {case.connection.id: {"BTC": "-600"}})

    assert case.connection.balances() == {"ofcbtc": (0, 500)}
    refused = try_stage(case.partner, {case.connection.id: {"BTC": "-1"}})
    assert refused.status_code == 422
    run_through(case.testbed)
    assert case.testbed.state(following["id"]) == "completed"
    assert case.connection.balances() == {"ofcbtc": (0, 0)}


def test_pulled_in_gain_first_fills_the_hold_of_a_disputed_loss(case: Case) -> None:
    ok(case.review(ok(case.adjust({"ofcbtc": "150"}))["disputeClosure"]))
    following = stage(case.partner, {case.connection.id: {"BTC": "-600"}})
    assert case.connection.balances() == {"ofcbtc": (50, 450)}
    ok(dispute(case.connection, following["id"]))

    run_through(case.testbed)

    assert case.testbed.state(following["id"]) == "completed"
    assert case.connection.balances() == {"ofcbtc": (50, 600)}


def test_rest_of_a_pulled_in_gain_becomes_available(case: Case) -> None:
    ok(case.review(ok(case.adjust({"ofcbtc": "150"}))["disputeClosure"]))
    following = stage(case.partner, {case.connection.id: {"BTC": "-100"}})
    assert case.connection.balances() == {"ofcbtc": (500, 0)}
    ok(dispute(case.connection, following["id"]))

    run_through(case.testbed)

    assert case.connection.balances() == {"ofcbtc": (550, 100)}


def test_new_gain_does_not_cover_a_pulled_in_loss(case: Case) -> None:
    ok(case.review(ok(case.adjust({"ofcbtc": "-50"}))["disputeClosure"]))

    stage(case.partner, {case.connection.id: {"BTC": "80"}})

    assert case.connection.balances() == {"ofcbtc": (450, 50)}
    run_through(case.testbed)
    assert case.connection.balances() == {"ofcbtc": (530, 0)}


def test_rejected_closure_leaves_the_dispute_open(case: Case) -> None:
    closure = ok(case.adjust({"ofcbtc": "-50"}))["disputeClosure"]
    rejected = ok(case.review(closure, "rejected", "not what the fills say"))["disputeClosure"]
    assert rejected["reviewNotes"] == "not what the fills say"
    assert "disputeClosureId" not in case.dispute()
    assert case.connection.balances() == {"ofcbtc": (300, 200)}

    again = ok(case.adjust({"ofcbtc": "-60"}))["disputeClosure"]

    assert ok(case.review(again))["disputeClosure"]["status"] == "approved"
    assert case.connection.balances() == {"ofcbtc": (440, 60)}


def test_operator_cannot_review_its_own_closure(case: Case) -> None:
    closure = ok(case.adjust({}))["disputeClosure"]
    own = case.testbed.operator.post(f"/dispute-closures/{closure['id']}/review", {"decision": "approved"})
    assert own.status_code == 403
    assert own.json()["name"] == "four_eyes"
    ok(case.review(closure))
    assert case.review(closure, "rejected").json()["name"] == "closure_reviewed"
    assert case.review(closure).headers["Idempotent-Replayed"] == "true"


def test_dispute_is_closed_only_once(case: Case) -> None:
    first = case.adjust({"ofcbtc": "-50"})
    assert case.adjust({"ofcbtc": "-50"}).json() == first.json()
    assert case.adjust({"ofcbtc": "-51"}).status_code == 409
    assert close_dispute(case.connection, case.dispute_id).status_code == 409


def test_uncovered_adjustment_is_refused(case: Case) -> None:
    closure = ok(case.adjust({"ofcbtc": "-501"}))["disputeClosure"]

    refused = case.review(closure)

    assert refused.status_code == 422
    short = {"currency": "ofcbtc", "liability": "501", "available": "500", "shortfall": "1"}
    assert refused.json()["details"]["shortfalls"] == [short]
    assert case.dispute()["disputeClosure"]["status"] == "pending_review"
    case.testbed.assert_proven()


def test_closing_inside_the_window_is_refused(testbed: Testbed) -> None:
    connection = testbed.network.funded(testbed.network.partner(), {"ofcbtc": 500})
    settlement = stage(connection.partner, {connection.id: {"BTC": "-200"}})
    raised = ok(dispute(connection, settlement["id"]))["dispute"]
    assert close_dispute(connection, raised["id"]).json()["name"] == "dispute_window_open"
    body = {"adjustedTransfers": {}, "notes": "too early"}
    assert testbed.operator.post(f"/disputes/{raised['id']}/close", body).json()["name"] == "dispute_window_open"
    testbed.clock.advance(minutes=10)
    assert close_dispute(connection, raised["id"]).json()["name"] == "settlement_finalising"


def test_partner_may_configure_automatic_approval_of_client_closures(testbed: Testbed) -> None:
    partner = testbed.network.partner(autoApproveClientClosures=True)
    connection = testbed.network.funded(partner, {"ofcbtc": 500})
    settlement = stage(partner, {connection.id: {"BTC": "-200"}})
    raised = ok(dispute(connection, settlement["id"]))["dispute"]
    testbed.pass_minutes(10)

    closure = ok(close_dispute(connection, raised["id"]))["disputeClosure"]

    assert closure["status"] == "approved"
    assert closure["reviewedBy"] == "auto-approval"
    testbed.assert_proven()


def test_closures_of_several_settlements_run_with_one_settlement(testbed: Testbed) -> None:
    partner = testbed.network.partner(deposits={"ofcbtc": 100})
    connection = testbed.network.funded(partner, {"ofcbtc": 500})
    with testbed.operator.another() as second:
        for adjusted in ("-40", "15"):
            settlement = stage(partner, {connection.id: {"BTC": "-50"}})
            raised = ok(dispute(connection, settlement["id"]))["dispute"]
            testbed.pass_minutes(10)
            case = Case(testbed, connection, settlement["id"], raised["id"], second)
            ok(case.review(ok(case.adjust({"ofcbtc": adjusted}))["disputeClosure"]))
            if adjusted == "-40":
                assert connection.balances() == {"ofcbtc": (460, 40)}
    assert connection.balances() == {"ofcbtc": (460, 40)}

    following = stage(partner, {connection.id: {"BTC": "-1"}})

    assert len(following["settlingDisputes"]) in (1, 2)
    testbed.assert_proven()
    run_through(testbed)


def test_a_review_needs_a_code_of_an_operator_who_has_a_second_factor(case: Case) -> None:
    closure = ok(case.adjust({"ofcbtc": "-50"}))["disputeClosure"]
    secret = ok(case.second.post("/operators/me/second-factor"))["secondFactor"]["secret"]
    code = codes.totp(base64.b32decode(secret), codes.step_of(datetime.now(UTC)))
    confirmed = ok(case.second.post("/operators/me/second-factor/confirm", {"code": code}))["secondFactor"]
    path, body = f"/dispute-closures/{closure['id']}/review", {"decision": "approved", "notes": "seen"}
    refused = case.second.post(path, body)
    assert (refused.status_code, refused.json()["name"]) == (403, "code_missing")
    approved = ok(case.second.post(path, body, code=confirmed["recoveryCodes"][0]))["disputeClosure"]
    assert approved["status"] == "approved"
    run_through(case.testbed)


def test_a_program_does_not_review(case: Case) -> None:
    closure = ok(case.adjust({}))["disputeClosure"]
    third = case.testbed.operator.operator("third")
    token = case.testbed.operator.operator_token(third["id"], program=True)
    with OperatorClient(case.testbed.operator.base_url, token) as program:
        for decision in ("approved", "rejected"):
            refused = program.post(f"/dispute-closures/{closure['id']}/review", {"decision": decision})
            assert (refused.status_code, refused.json()["name"]) == (403, "token_of_a_program")
    assert ok(case.review(closure))["disputeClosure"]["status"] == "approved"
