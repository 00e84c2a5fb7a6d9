"""Every state has a way out for operators: rejecting and cancelling, by two of them. Protocol §5, §6, §10."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import httpx2
import pytest

from tests.support.networks import ConnectionHandle, Json, PartnerHandle, ok
from tests.support.operators import OperatorClient
from tests.support.races import at_once
from tests.support.settlements import Testbed, change_dispute, close_dispute, dispute, stage, withdraw


@dataclass(frozen=True)
class Desk:
    """A partner with a trader who has 500, and two operators."""

    testbed: Testbed
    connection: ConnectionHandle
    second: OperatorClient

    @property
    def first(self) -> OperatorClient:
        return self.testbed.operator

    @property
    def partner(self) -> PartnerHandle:
        return self.connection.partner

    def stage(self, amount: int) -> str:
        return str(stage(self.partner, {self.connection.id: {"BTC": str(amount)}})["id"])

    def disputed(self, amount: int) -> tuple[str, str]:
        """Returns a settlement whose window has ended, and its dispute."""
        settlement_id = self.stage(amount)
        dispute_id = ok(dispute(self.connection, settlement_id))["dispute"]["id"]
        self.testbed.pass_minutes(10)
        return settlement_id, str(dispute_id)

    def approved(self, amount: int, adjusted: int) -> str:
        """Returns an approved closure."""
        return self.closed(self.disputed(amount)[1], adjusted)

    def closed(self, dispute_id: str, adjusted: int) -> str:
        """Returns an approved closure of the dispute."""
        body = {"adjustedTransfers": {"ofcbtc": str(adjusted)}, "notes": "as the fills say"}
        closure_id = ok(self.first.post(f"/disputes/{dispute_id}/close", body))["disputeClosure"]["id"]
        ok(self.second.post(f"/dispute-closures/{closure_id}/review", {"decision": "approved"}))
        return str(closure_id)

    def reject_by_two(self, settlement_id: str) -> Json:
        path = f"/settlements/{settlement_id}/reject"
        assert self.first.post(path, {"reason": "a wrong file"}).status_code == 202
        rejected: Json = ok(self.second.post(path, {"reason": "seen"}))["settlement"]
        assert rejected["status"] == "rejected"
        self.testbed.assert_proven()
        return rejected

    def cancel(self, closure_id: str, operator: OperatorClient) -> httpx2.Response:
        return operator.post(f"/dispute-closures/{closure_id}/cancel", {"reason": "never to be paid"})

    def transfers(self, settlement_id: str) -> dict[str, str]:
        shown = ok(self.partner.api.get(f"/partners/settlements/{settlement_id}"))
        return {one["quantity"]: one["status"] for one in shown["settlementTransfers"]}

    def pay_in(self, quantity: int) -> None:
        self.first.deposit(self.partner.enterprise.account.id, "ofcbtc", quantity)
        self.testbed.run_due()


@pytest.fixture
def desk(testbed: Testbed) -> Iterator[Desk]:
    connection = testbed.network.funded(testbed.network.partner(), {"ofcbtc": 500})
    with testbed.operator.another() as second:
        yield Desk(testbed, connection, second)


@pytest.mark.parametrize("minutes", [0, 10])
def test_two_operators_reject_a_disputed_settlement(desk: Desk, minutes: int) -> None:
    settlement_id = desk.stage(-200)
    ok(dispute(desk.connection, settlement_id))
    desk.testbed.pass_minutes(minutes)
    path = f"/settlements/{settlement_id}/reject"

    first = desk.first.post(path, {"reason": "a wrong file"})

    assert first.status_code == 202
    proposal = first.json()["proposal"]
    assert (proposal["act"], proposal["subjectId"], proposal["status"]) == (
        "settlement.reject",
        settlement_id,
        "pending",
    )
    assert desk.first.post(path, {"reason": "again"}).json() == first.json()
    assert desk.connection.balances() == {"ofcbtc": (300, 200)}
    rejected = ok(desk.second.post(path, {"reason": "another text"}))["settlement"]
    assert (rejected["status"], rejected["reason"]) == ("rejected", "another text")
    assert desk.connection.balances() == {"ofcbtc": (500, 0)}
    assert desk.transfers(settlement_id) == {"-200": "rejected"}
    assert ok(desk.first.post(path))["settlement"]["reason"] == "another text"
    assert desk.testbed.pass_minutes(30) == 0
    actions = [one["action"] for one in desk.first.audit_log()]
    assert {"proposal.made", "settlement.reject"} <= set(actions)
    desk.testbed.assert_proven()


@pytest.mark.parametrize("minutes", [0, 10, 20])
def test_withdrawn_settlement_ends_with_its_last_closure(desk: Desk, minutes: int) -> None:
    # The partner has nothing to pay the gain with, so that the settlement fails after both windows.
    disputes = [desk.disputed(-100)[1] for _ in range(2)]
    closures = [desk.closed(dispute_id, 100) for dispute_id in disputes]
    settlement_id, told = desk.stage(-1), 0
    ok(withdraw(desk.partner, settlement_id))
    desk.testbed.pass_minutes(minutes)

    for closure_id in closures:
        assert desk.testbed.state(settlement_id) not in {"rejected", "completed"}
        told = len(desk.testbed.event_types(desk.partner.enterprise.id))
        assert desk.cancel(closure_id, desk.first).status_code == 202
        ok(desk.cancel(closure_id, desk.second))
        desk.testbed.assert_proven()

    shown = ok(desk.partner.api.get(f"/partners/settlements/{settlement_id}"))["settlement"]
    assert (shown["status"], shown["reason"]) == ("rejected", "the wrong day")
    types = desk.testbed.event_types(desk.partner.enterprise.id)[told:]
    # Each of what happened is told once.
    assert [types.count(each) for each in ("settlement.rejected", "dispute.reviewed", "balance.changed")] == [
        1,
        1,
        1,
    ]
    desk.testbed.pass_minutes(30)
    assert desk.testbed.state(settlement_id) == "rejected"
    desk.testbed.assert_proven()


def test_confirmation_after_a_week_is_a_new_proposal(desk: Desk) -> None:
    closure_id = desk.approved(-200, 100)
    desk.stage(-1)
    desk.testbed.pass_minutes(20)
    assert desk.cancel(closure_id, desk.first).status_code == 202
    desk.testbed.clock.advance(minutes=7 * 24 * 60)
    late = desk.cancel(closure_id, desk.second)
    assert late.status_code == 202
    assert desk.cancel(closure_id, desk.second).json() == late.json()
    # The first operator has made the client's tokens.
    with desk.testbed.operator.another("third") as third:
        assert desk.cancel(closure_id, third).status_code == 200


def test_two_operators_at_once_propose_and_confirm(desk: Desk) -> None:
    settlement_id, _ = desk.disputed(-200)
    path = f"/settlements/{settlement_id}/reject"
    with desk.testbed.operator.another("third") as third:
        answers = at_once([lambda: third.post(path), lambda: desk.second.post(path)])
    assert sorted(answer.status_code for answer in answers) == [200, 202]


@pytest.mark.parametrize("when", ["before", "after"])
def test_dispute_of_a_rejected_settlement_is_refused(desk: Desk, when: str) -> None:
    settlement_id = desk.stage(-200)
    if when == "before":
        dispute_id = ok(dispute(desk.connection, settlement_id))["dispute"]["id"]
        desk.reject_by_two(settlement_id)
        refused = [
            change_dispute(desk.connection, dispute_id, retracted=True),
            change_dispute(desk.connection, dispute_id, retracted=False, expectedTransfers={"ofcbtc": "-1"}),
            close_dispute(desk.connection, dispute_id),
            desk.first.post(f"/disputes/{dispute_id}/close", {"adjustedTransfers": {}, "notes": "n"}),
        ]
        desk.testbed.pass_minutes(20)
        refused.append(close_dispute(desk.connection, dispute_id))
    else:
        ok(desk.first.post(f"/settlements/{settlement_id}/reject"))
        refused = [dispute(desk.connection, settlement_id)]
    assert {(one.status_code, one.json()["name"]) for one in refused} == {(422, "settlement_rejected")}
    desk.testbed.assert_proven()


def test_retraction_of_a_rejected_settlement_is_not_reversed(desk: Desk) -> None:
    settlement_id = desk.stage(-200)
    dispute_id = ok(dispute(desk.connection, settlement_id))["dispute"]["id"]
    ok(change_dispute(desk.connection, dispute_id, retracted=True))
    ok(desk.first.post(f"/settlements/{settlement_id}/reject"))
    again = change_dispute(desk.connection, dispute_id, retracted=False)
    assert (again.status_code, again.json()["name"]) == (422, "settlement_rejected")


def test_closure_in_review_of_a_rejected_settlement_can_only_be_rejected(desk: Desk) -> None:
    settlement_id, dispute_id = desk.disputed(-200)
    closure_id = ok(close_dispute(desk.connection, dispute_id))["disputeClosure"]["id"]
    desk.reject_by_two(settlement_id)
    path = f"/dispute-closures/{closure_id}/review"
    refused = desk.second.post(path, {"decision": "approved"})
    assert (refused.status_code, refused.json()["name"]) == (422, "settlement_rejected")
    ok(desk.second.post(path, {"decision": "rejected"}))
    desk.testbed.assert_proven()


@pytest.mark.parametrize("adjusted", [-50, 100])
def test_closures_of_a_rejected_settlement_still_run(desk: Desk, adjusted: int) -> None:
    desk.approved(-200, adjusted)
    before = desk.connection.balances()["ofcbtc"]
    settlement_id = desk.stage(-10)
    desk.reject_by_two(settlement_id)
    assert desk.connection.balances()["ofcbtc"] == before, "its own transfers hold nothing any more"
    assert desk.transfers(settlement_id) == {"-10": "rejected", str(adjusted): "pending"}

    desk.testbed.pass_minutes(20)
    desk.testbed.assert_proven()
    if adjusted > 0:
        assert desk.transfers(settlement_id)[str(adjusted)] == "pending", "the partner has nothing to pay it with"
        assert "settlement.top_up_required" in desk.testbed.event_types("exchange")
        desk.pay_in(100)

    assert desk.transfers(settlement_id) == {"-10": "rejected", str(adjusted): "completed"}
    assert desk.connection.balances()["ofcbtc"] == (500 + adjusted, 0)
    assert desk.testbed.state(settlement_id) == "rejected"
    desk.testbed.assert_proven()


def test_failed_settlement_that_carries_closures_can_be_rejected(desk: Desk) -> None:
    desk.approved(-200, 100)
    settlement_id = desk.stage(50)
    desk.testbed.pass_minutes(10)
    desk.testbed.pass_minutes(10)
    assert desk.testbed.state(settlement_id) == "failed"
    desk.reject_by_two(settlement_id)
    desk.pay_in(100)
    assert desk.transfers(settlement_id) == {"50": "rejected", "100": "completed"}
    desk.testbed.assert_proven()


def test_two_operators_cancel_a_taken_closure(desk: Desk) -> None:
    closure_id = desk.approved(-200, 100)
    settlement_id = desk.stage(-10)
    desk.testbed.pass_minutes(10)
    desk.testbed.pass_minutes(10)
    assert desk.testbed.state(settlement_id) == "failed"

    assert desk.cancel(closure_id, desk.first).status_code == 202
    assert desk.cancel(closure_id, desk.first).status_code == 202
    closure = ok(desk.cancel(closure_id, desk.second))["disputeClosure"]

    assert closure["status"] == "approved"
    assert "cancelledAt" in closure
    assert ok(desk.cancel(closure_id, desk.first))["disputeClosure"] == closure
    assert desk.transfers(settlement_id) == {"-10": "failed", "100": "rejected"}
    desk.testbed.assert_proven()
    desk.testbed.run_due()
    assert desk.transfers(settlement_id) == {"-10": "completed", "100": "rejected"}
    assert desk.connection.balances()["ofcbtc"] == (490, 0)
    (settled,) = ok(desk.first.get("/disputes", settledInSettlementIds=settlement_id))["disputes"]
    assert settled["settledInSettlementId"] == settlement_id
    assert [one["status"] for one in settled["disputeClosure"]["adjustedSettlementTransfers"]] == ["rejected"]
    assert desk.cancel(desk.approved(-1, -1), desk.first).json()["name"] == "closure_not_taken"
    desk.testbed.assert_proven()


def test_closure_that_was_carried_out_cannot_be_cancelled(desk: Desk) -> None:
    closure_id = desk.approved(-200, -100)
    desk.stage(-10)
    desk.testbed.pass_minutes(20)
    refused = desk.cancel(closure_id, desk.first)
    assert (refused.status_code, refused.json()["name"]) == (409, "closure_settled")


def test_gain_that_covers_a_loss_is_cancelled_after_a_rejection_only(desk: Desk) -> None:
    closure_id = desk.approved(-200, 100)
    settlement_id = desk.stage(-600)
    assert desk.connection.balances()["ofcbtc"] == (0, 500)
    assert desk.cancel(closure_id, desk.first).status_code == 202
    refused = desk.cancel(closure_id, desk.second)
    assert (refused.status_code, refused.json()["name"]) == (422, "cancellation_not_covered")
    (short,) = refused.json()["details"]["shortfalls"]
    assert (short["liability"], short["available"], short["shortfall"]) == ("600", "500", "100")
    desk.testbed.assert_proven()

    desk.reject_by_two(settlement_id)
    ok(desk.cancel(closure_id, desk.second))

    assert desk.transfers(settlement_id) == {"-600": "rejected", "100": "rejected"}
    assert desk.connection.balances()["ofcbtc"] == (500, 0)
    desk.testbed.pass_minutes(30)
    desk.testbed.assert_proven()


@pytest.mark.parametrize(("currency", "quantity"), [("ofcbtc", 10**30), ("ofcbtc", -(10**30)), ("ofceth", 1)])
def test_adjustment_that_nobody_could_pay_is_refused(desk: Desk, currency: str, quantity: int) -> None:
    _, dispute_id = desk.disputed(-200)
    body = {"adjustedTransfers": {currency: str(quantity)}, "notes": "a slip"}
    refused = desk.first.post(f"/disputes/{dispute_id}/close", body)
    assert (refused.status_code, refused.json()["name"]) == (422, "adjustment_out_of_reach")
    (named,) = refused.json()["details"]["adjustments"]
    assert named == {
        "currency": currency,
        "adjusted": str(quantity),
        "account": "custody" if quantity > 0 else "connection",
        "balance": "500" if currency == "ofcbtc" else "0",
        "settlementAmounts": "200" if currency == "ofcbtc" else "0",
    }
    desk.testbed.assert_proven()


def test_adjustment_that_nobody_could_pay_any_more_is_not_approved(desk: Desk) -> None:
    desk.pay_in(1_000)
    _, dispute_id = desk.disputed(-200)
    body = {"adjustedTransfers": {"ofcbtc": "1700"}, "notes": "all of it"}
    closure_id = ok(desk.first.post(f"/disputes/{dispute_id}/close", body))["disputeClosure"]["id"]
    desk.first.withdraw(desk.partner.enterprise.account.id, "ofcbtc", 1)
    path = f"/dispute-closures/{closure_id}/review"
    refused = desk.second.post(path, {"decision": "approved"})
    assert (refused.status_code, refused.json()["name"]) == (422, "adjustment_out_of_reach")
    ok(desk.second.post(path, {"decision": "rejected"}))
