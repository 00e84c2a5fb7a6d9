"""Closing disputes, four eyes, and the settlement that carries the outcome out. Protocol §6."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import httpx2
import pytest

from tests.support.networks import ConnectionHandle, Json, PartnerHandle, ok
from tests.support.operators import OperatorClient
from tests.support.settling import Floor, close_dispute, dispute, stage, try_stage


@dataclass(frozen=True)
class Case:
    """A settlement that took 200 from a connection with 500, disputed, its window over."""

    floor: Floor
    connection: ConnectionHandle
    settlement_id: str
    dispute_id: str
    second: OperatorClient

    @property
    def partner(self) -> PartnerHandle:
        return self.connection.partner

    def adjust(self, amounts: dict[str, str], notes: str = "as the fills say") -> httpx2.Response:
        body = {"adjustedTransfers": amounts, "notes": notes}
        return self.floor.operator.post(f"/disputes/{self.dispute_id}/close", body)

    def review(self, closure: Json, decision: str = "approved", notes: str = "seen") -> httpx2.Response:
        body = {"decision": decision, "notes": notes}
        return self.second.post(f"/dispute-closures/{closure['id']}/review", body)

    def dispute(self) -> Json:
        listed = ok(self.floor.operator.get("/disputes", disputeIds=self.dispute_id))["disputes"]
        found: Json = listed[0]
        return found


@pytest.fixture
def case(floor: Floor) -> Iterator[Case]:
    partner = floor.network.partner(deposits={"ofcbtc": 1_000, "ofcusd": 1_000})
    connection = floor.network.funded(partner, {"ofcbtc": 500})
    settlement = stage(partner, {connection.id: {"BTC": "-200"}})
    raised = ok(dispute(connection, settlement["id"], {"ofcbtc": "-50"}))["dispute"]
    floor.pass_minutes(10)
    with floor.operator.another() as second:
        yield Case(floor, connection, settlement["id"], raised["id"], second)


def run_through(floor: Floor) -> None:
    floor.pass_minutes(10)
    floor.assert_proven()
    floor.pass_minutes(10)
    floor.assert_proven()


def test_a_client_that_was_wrong_pays_what_was_settled(case: Case) -> None:
    closure = ok(close_dispute(case.connection, case.dispute_id))["disputeClosure"]
    assert closure["status"] == "pending_review"
    assert closure["closedBy"] == "client"
    assert closure["adjustedTransfers"] == {"ofcbtc": "-200"}
    approved = ok(case.review(closure))["disputeClosure"]
    assert approved["status"] == "approved"
    waiting = case.dispute()["disputeClosure"]["adjustedSettlementTransfers"]
    assert [(one["status"], one["quantity"]) for one in waiting] == [("pending_settlement_assignment", "-200")]
    assert case.connection.balances() == {"ofcbtc": (300, 200)}

    following = stage(case.partner, {case.connection.id: {"BTC": "-10"}})

    assert [one["id"] for one in following["settlingDisputes"]] == [case.dispute_id]
    assert following["settlingDisputes"][0]["settledInSettlementId"] == following["id"]
    assert case.connection.balances() == {"ofcbtc": (290, 210)}
    run_through(case.floor)
    assert case.connection.balances() == {"ofcbtc": (290, 0)}
    assert case.dispute()["settledInSettlementId"] == following["id"]


def test_an_adjustment_runs_even_where_the_next_settlement_is_disputed_too(case: Case) -> None:
    closure = ok(case.adjust({"ofcbtc": "-50"}))["disputeClosure"]
    ok(case.review(closure))
    assert case.connection.balances() == {"ofcbtc": (450, 50)}

    following = stage(case.partner, {case.connection.id: {"BTC": "-10"}})
    ok(dispute(case.connection, following["id"]))
    run_through(case.floor)

    assert case.connection.balances() == {"ofcbtc": (440, 10)}
    shown = ok(case.partner.api.get(f"/partners/settlements/{following['id']}"))
    statuses = {one["quantity"]: one["status"] for one in shown["settlementTransfers"]}
    assert statuses == {"-50": "completed", "-10": "disputed"}


def test_an_empty_adjustment_moves_nothing_and_is_settled_all_the_same(case: Case) -> None:
    closure = ok(case.adjust({}))["disputeClosure"]
    ok(case.review(closure))
    assert case.connection.balances() == {"ofcbtc": (500, 0)}
    other = case.floor.network.funded(case.partner, {"ofcbtc": 5}, name="other")

    following = stage(case.partner, {other.id: {"BTC": "-1"}})

    assert [one["id"] for one in following["settlingDisputes"]] == [case.dispute_id]
    run_through(case.floor)
    assert case.connection.balances() == {"ofcbtc": (500, 0)}


def test_an_adjustment_may_give_and_bring_in_another_currency(case: Case) -> None:
    ok(case.review(ok(case.adjust({"ofcbtc": "30", "ofcusd": "40"}))["disputeClosure"]))
    other = case.floor.network.funded(case.partner, {"ofcbtc": 5}, name="other")

    following = stage(case.partner, {other.id: {"BTC": "-1"}})
    run_through(case.floor)

    assert case.floor.state(following["id"]) == "completed"
    assert case.connection.balances() == {"ofcbtc": (530, 0), "ofcusd": (40, 0)}
    assert "settlement.initiated" in case.floor.event_types("trader")


def test_a_pulled_in_gain_covers_a_new_loss_of_the_same_settlement(case: Case) -> None:
    ok(case.review(ok(case.adjust({"ofcbtc": "100"}))["disputeClosure"]))

    following = stage(case.partner, {case.connection.id: {"BTC": "-600"}})

    assert case.connection.balances() == {"ofcbtc": (0, 500)}
    refused = try_stage(case.partner, {case.connection.id: {"BTC": "-1"}})
    assert refused.status_code == 422
    run_through(case.floor)
    assert case.floor.state(following["id"]) == "completed"
    assert case.connection.balances() == {"ofcbtc": (0, 0)}


def test_if_that_loss_is_disputed_the_gain_first_fills_the_disputes_hold(case: Case) -> None:
    ok(case.review(ok(case.adjust({"ofcbtc": "150"}))["disputeClosure"]))
    following = stage(case.partner, {case.connection.id: {"BTC": "-600"}})
    assert case.connection.balances() == {"ofcbtc": (50, 450)}
    ok(dispute(case.connection, following["id"]))

    run_through(case.floor)

    assert case.floor.state(following["id"]) == "completed"
    assert case.connection.balances() == {"ofcbtc": (50, 600)}


def test_what_the_gain_leaves_over_becomes_available(case: Case) -> None:
    ok(case.review(ok(case.adjust({"ofcbtc": "150"}))["disputeClosure"]))
    following = stage(case.partner, {case.connection.id: {"BTC": "-100"}})
    assert case.connection.balances() == {"ofcbtc": (500, 0)}
    ok(dispute(case.connection, following["id"]))

    run_through(case.floor)

    assert case.connection.balances() == {"ofcbtc": (550, 100)}


def test_a_new_gain_does_not_cover_what_is_pulled_in(case: Case) -> None:
    ok(case.review(ok(case.adjust({"ofcbtc": "-50"}))["disputeClosure"]))

    stage(case.partner, {case.connection.id: {"BTC": "80"}})

    assert case.connection.balances() == {"ofcbtc": (450, 50)}
    run_through(case.floor)
    assert case.connection.balances() == {"ofcbtc": (530, 0)}


def test_a_rejected_closure_leaves_the_dispute_open(case: Case) -> None:
    closure = ok(case.adjust({"ofcbtc": "-50"}))["disputeClosure"]
    rejected = ok(case.review(closure, "rejected", "not what the fills say"))["disputeClosure"]
    assert rejected["reviewNotes"] == "not what the fills say"
    assert "disputeClosureId" not in case.dispute()
    assert case.connection.balances() == {"ofcbtc": (300, 200)}

    again = ok(case.adjust({"ofcbtc": "-60"}))["disputeClosure"]

    assert ok(case.review(again))["disputeClosure"]["status"] == "approved"
    assert case.connection.balances() == {"ofcbtc": (440, 60)}


def test_four_eyes(case: Case) -> None:
    closure = ok(case.adjust({}))["disputeClosure"]
    own = case.floor.operator.post(f"/dispute-closures/{closure['id']}/review", {"decision": "approved"})
    assert own.status_code == 403
    assert own.json()["name"] == "four_eyes"
    ok(case.review(closure))
    assert case.review(closure, "rejected").json()["name"] == "closure_reviewed"
    assert case.review(closure).headers["Idempotent-Replayed"] == "true"


def test_a_dispute_is_closed_once(case: Case) -> None:
    first = case.adjust({"ofcbtc": "-50"})
    assert case.adjust({"ofcbtc": "-50"}).json() == first.json()
    assert case.adjust({"ofcbtc": "-51"}).status_code == 409
    assert close_dispute(case.connection, case.dispute_id).status_code == 409


def test_an_adjustment_that_nobody_can_pay_is_refused(case: Case) -> None:
    closure = ok(case.adjust({"ofcbtc": "-501"}))["disputeClosure"]

    refused = case.review(closure)

    assert refused.status_code == 422
    short = {"currency": "ofcbtc", "liability": "501", "available": "500", "shortfall": "1"}
    assert refused.json()["details"]["shortfalls"] == [short]
    assert case.dispute()["disputeClosure"]["status"] == "pending_review"
    case.floor.assert_proven()


def test_inside_the_window_a_dispute_is_retracted_not_closed(floor: Floor) -> None:
    connection = floor.network.funded(floor.network.partner(), {"ofcbtc": 500})
    settlement = stage(connection.partner, {connection.id: {"BTC": "-200"}})
    raised = ok(dispute(connection, settlement["id"]))["dispute"]
    assert close_dispute(connection, raised["id"]).json()["name"] == "dispute_window_open"
    body = {"adjustedTransfers": {}, "notes": "too early"}
    assert floor.operator.post(f"/disputes/{raised['id']}/close", body).json()["name"] == "dispute_window_open"
    floor.clock.advance(minutes=10)
    assert close_dispute(connection, raised["id"]).json()["name"] == "settlement_finalising"


def test_a_partner_may_have_client_closures_approved_by_themselves(floor: Floor) -> None:
    partner = floor.network.partner(autoApproveClientClosures=True)
    connection = floor.network.funded(partner, {"ofcbtc": 500})
    settlement = stage(partner, {connection.id: {"BTC": "-200"}})
    raised = ok(dispute(connection, settlement["id"]))["dispute"]
    floor.pass_minutes(10)

    closure = ok(close_dispute(connection, raised["id"]))["disputeClosure"]

    assert closure["status"] == "approved"
    assert closure["reviewedBy"] == "auto-approval"
    floor.assert_proven()


def test_closures_of_several_settlements_are_settled_together(floor: Floor) -> None:
    partner = floor.network.partner(deposits={"ofcbtc": 100})
    connection = floor.network.funded(partner, {"ofcbtc": 500})
    with floor.operator.another() as second:
        for adjusted in ("-40", "15"):
            settlement = stage(partner, {connection.id: {"BTC": "-50"}})
            raised = ok(dispute(connection, settlement["id"]))["dispute"]
            floor.pass_minutes(10)
            case = Case(floor, connection, settlement["id"], raised["id"], second)
            ok(case.review(ok(case.adjust({"ofcbtc": adjusted}))["disputeClosure"]))
            if adjusted == "-40":
                assert connection.balances() == {"ofcbtc": (460, 40)}
    assert connection.balances() == {"ofcbtc": (460, 40)}

    following = stage(partner, {connection.id: {"BTC": "-1"}})

    assert len(following["settlingDisputes"]) in (1, 2)
    floor.assert_proven()
    run_through(floor)
