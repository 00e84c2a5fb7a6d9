"""A settlement is staged, becomes final and executes, fails or is rejected. Protocol §5."""

from __future__ import annotations

import threading
from uuid import UUID

import psycopg
import pytest

from clearwindow.jobs.worker import Worker
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime
from clearwindow.settlements import execution
from clearwindow.settlements.jobs import SettlementWork
from clearwindow.settlements.models import DueSettlement
from clearwindow.settlements.transfers import store as transfers
from clearwindow.settlements.transfers.models import Run
from tests.support.networks import ok
from tests.support.settlements import Testbed, dispute, stage, try_stage


def test_settlement_executes_after_its_windows(testbed: Testbed) -> None:
    partner = testbed.network.partner(deposits={"ofcusd": 1_000})
    loser = testbed.network.funded(partner, {"ofcbtc": 500}, name="loser")
    winner = testbed.network.funded(partner, {"ofcusd": 10}, name="winner")

    settlement = stage(partner, {loser.id: {"BTC": "-200"}, winner.id: {"USD": "70"}})

    assert settlement["status"] == "pending"
    assert settlement["settlingDisputes"] == []
    assert loser.balances() == {"ofcbtc": (300, 200)}
    testbed.assert_proven()
    assert testbed.run_due() == 0

    testbed.pass_minutes(10)
    assert testbed.state(settlement["id"]) == "top_up_window"
    assert loser.balances() == {"ofcbtc": (300, 200)}
    testbed.assert_proven()

    testbed.pass_minutes(10)
    assert testbed.state(settlement["id"]) == "completed"
    assert loser.balances() == {"ofcbtc": (300, 0)}
    assert winner.balances() == {"ofcusd": (80, 0)}
    balances = ok(partner.api.get("/partners/balances"))["balances"]
    assert balances == {
        "BTC": {"available": "200", "held": "0"},
        "USD": {"available": "930", "held": "0"},
    }
    testbed.assert_proven()


def test_disputed_connection_is_not_settled_and_stays_held(testbed: Testbed) -> None:
    partner = testbed.network.partner()
    one = testbed.network.funded(partner, {"ofcbtc": 500}, name="one")
    other = testbed.network.funded(partner, {"ofcbtc": 500}, name="other")
    settlement = stage(partner, {one.id: {"BTC": "-200"}, other.id: {"BTC": "-100"}})

    raised = ok(dispute(one, settlement["id"], {"ofcbtc": "-50"}))["dispute"]

    testbed.pass_minutes(10)
    testbed.assert_proven()
    testbed.pass_minutes(10)
    assert testbed.state(settlement["id"]) == "completed"
    assert one.balances() == {"ofcbtc": (300, 200)}
    assert other.balances() == {"ofcbtc": (400, 0)}
    statuses = {
        transfer["destinationNetworkAccountId"]: transfer["status"]
        for transfer in testbed.settlement(settlement["id"])["settlementTransfers"]
    }
    assert sorted(statuses.values()) == ["completed", "disputed"]
    assert raised["retracted"] is False
    testbed.assert_proven()


def test_unfunded_settlement_fails_with_all_shortfalls_and_completes_after_a_deposit(testbed: Testbed) -> None:
    partner = testbed.network.partner(deposits={"ofcusd": 50})
    winner = testbed.network.funded(partner, {"ofcbtc": 5}, name="winner")
    settlement = stage(partner, {winner.id: {"USD": "70", "BTC": "3"}})

    testbed.pass_minutes(10)
    assert "settlement.top_up_required" in testbed.event_types("exchange")
    testbed.pass_minutes(10)

    shown = ok(partner.api.get(f"/partners/settlements/{settlement['id']}"))["settlement"]
    assert shown["status"] == "failed"
    assert shown["reason"] == (
        "the partner's account is short of ofcbtc by 3 (needs 3, has 0), ofcusd by 20 (needs 70, has 50)"
    )
    to_client = ok(winner.client.api.get(f"/clients/settlements/{settlement['id']}"))["settlement"]
    assert "50" not in to_client["reason"]
    assert winner.balances() == {"ofcbtc": (5, 0)}

    testbed.operator.deposit(partner.enterprise.account.id, "ofcusd", 20)
    testbed.run_due()
    assert testbed.state(settlement["id"]) == "failed"
    reason = testbed.settlement(settlement["id"])["settlement"]["reason"]
    assert reason == "the partner's account is short of ofcbtc by 3 (needs 3, has 0)"

    testbed.operator.deposit(partner.enterprise.account.id, "ofcbtc", 3)
    testbed.run_due()
    assert testbed.state(settlement["id"]) == "completed"
    assert winner.balances() == {"ofcbtc": (8, 0), "ofcusd": (70, 0)}
    testbed.assert_proven()


def test_losses_are_taken_before_gains_are_paid(testbed: Testbed) -> None:
    partner = testbed.network.partner()
    loser = testbed.network.funded(partner, {"ofcbtc": 100}, name="loser")
    winner = testbed.network.funded(partner, {"ofcusd": 1}, name="winner")
    settlement = stage(partner, {loser.id: {"BTC": "-100"}, winner.id: {"BTC": "100"}})

    testbed.pass_minutes(20)

    assert testbed.state(settlement["id"]) == "completed"
    assert winner.balances() == {"ofcbtc": (100, 0), "ofcusd": (1, 0)}


def test_money_from_another_settlement_completes_a_failed_one(testbed: Testbed) -> None:
    partner = testbed.network.partner()
    connection = testbed.network.funded(partner, {"ofcbtc": 100})
    first = stage(partner, {connection.id: {"BTC": "40"}})
    testbed.pass_minutes(20)
    assert testbed.state(first["id"]) == "failed"

    second = stage(partner, {connection.id: {"BTC": "-60"}})
    testbed.pass_minutes(20)

    assert testbed.state(second["id"]) == "completed"
    assert testbed.state(first["id"]) == "completed"
    assert connection.balances() == {"ofcbtc": (80, 0)}
    testbed.assert_proven()


def test_operator_can_retry_a_failed_settlement(testbed: Testbed) -> None:
    partner = testbed.network.partner()
    connection = testbed.network.funded(partner, {"ofcbtc": 100})
    settlement = stage(partner, {connection.id: {"BTC": "40"}})
    testbed.pass_minutes(20)

    retried = ok(testbed.operator.post(f"/settlements/{settlement['id']}/retry"))["settlement"]

    assert retried["status"] == "pending"
    testbed.run_due()
    assert testbed.state(settlement["id"]) == "failed"
    assert testbed.event_types("trader").count("settlement.failed") == 2


def test_settlement_executes_as_soon_as_funded_if_configured(testbed: Testbed) -> None:
    partner = testbed.network.partner(executeWhenFunded=True)
    connection = testbed.network.funded(partner, {"ofcbtc": 100})
    losing = stage(partner, {connection.id: {"BTC": "-10"}})
    testbed.pass_minutes(10)
    assert testbed.state(losing["id"]) == "completed"

    winning = stage(partner, {connection.id: {"BTC": "40"}})
    testbed.pass_minutes(10)
    assert testbed.state(winning["id"]) == "top_up_window"
    testbed.operator.deposit(partner.enterprise.account.id, "ofcbtc", 30)
    testbed.run_due()
    assert testbed.state(winning["id"]) == "completed"
    assert connection.balances() == {"ofcbtc": (130, 0)}
    testbed.assert_proven()


def test_settlement_with_zero_windows_executes_at_once(testbed: Testbed) -> None:
    partner = testbed.network.partner(dispute_window=0, top_up_window=0)
    connection = testbed.network.funded(partner, {"ofcbtc": 100})
    settlement = stage(partner, {connection.id: {"BTC": "-40"}})
    assert settlement["status"] == "pending"
    testbed.run_due()
    assert testbed.state(settlement["id"]) == "completed"


def test_windows_may_be_fractions_and_do_not_change_after_staging(testbed: Testbed) -> None:
    partner = testbed.network.partner(dispute_window=0.05, top_up_window=0.025)
    connection = testbed.network.funded(partner, {"ofcbtc": 100})
    settlement = stage(partner, {connection.id: {"BTC": "-40"}})
    ok(testbed.operator.patch(f"/partners/{partner.id}", {"clientDisputeWindowMinutes": 500}))

    shown = testbed.settlement(settlement["id"])["settlement"]

    assert shown["disputeDeadlineAt"] == "2026-01-05T12:00:03.000Z"
    assert shown["topUpDeadlineAt"] == "2026-01-05T12:00:04.500Z"
    testbed.pass_minutes(0.05)
    assert testbed.state(settlement["id"]) == "top_up_window"
    testbed.pass_minutes(0.025)
    assert testbed.state(settlement["id"]) == "completed"


def test_settlement_disputed_by_all_completes_without_transfers(testbed: Testbed) -> None:
    partner = testbed.network.partner()
    one = testbed.network.funded(partner, {"ofcbtc": 100}, name="one")
    other = testbed.network.funded(partner, {"ofcbtc": 100}, name="other")
    settlement = stage(partner, {one.id: {"BTC": "-10"}, other.id: {"BTC": "5"}})
    for connection in (one, other):
        ok(dispute(connection, settlement["id"]))

    testbed.pass_minutes(20)

    assert testbed.state(settlement["id"]) == "completed"
    assert one.balances() == {"ofcbtc": (90, 10)}
    assert other.balances() == {"ofcbtc": (100, 0)}
    testbed.assert_proven()


def test_inactive_connection_still_settles(testbed: Testbed) -> None:
    partner = testbed.network.partner()
    connection = testbed.network.funded(partner, {"ofcbtc": 100})
    ok(connection.client.api.put(connection.path, {"active": False}))
    settlement = stage(partner, {connection.id: {"BTC": "-10"}})
    testbed.pass_minutes(20)
    assert testbed.state(settlement["id"]) == "completed"


def test_held_funds_cannot_be_deallocated(testbed: Testbed) -> None:
    partner = testbed.network.partner()
    connection = testbed.network.funded(partner, {"ofcbtc": 100})
    stage(partner, {connection.id: {"BTC": "-60"}})
    assert connection.deallocate("ofcbtc", 41).status_code == 422
    assert connection.deallocate("ofcbtc", 40).status_code == 200
    testbed.assert_proven()


def test_rejection_releases_everything_held(testbed: Testbed) -> None:
    partner = testbed.network.partner()
    connection = testbed.network.funded(partner, {"ofcbtc": 100})
    settlement = stage(partner, {connection.id: {"BTC": "-60"}})

    path = f"/settlements/{settlement['id']}/reject"
    rejected = ok(testbed.operator.post(path, {"reason": "sent by mistake"}))["settlement"]

    assert (rejected["status"], rejected["reason"]) == ("rejected", "sent by mistake")
    assert connection.balances() == {"ofcbtc": (100, 0)}
    assert ok(testbed.operator.post(path))["settlement"]["reason"] == "sent by mistake"
    assert testbed.pass_minutes(20) == 0
    assert testbed.event_types("trader")[-2:] == ["settlement.rejected", "balance.changed"]
    shown = ok(partner.api.get(f"/partners/settlements/{settlement['id']}"))
    assert [one["status"] for one in shown["settlementTransfers"]] == ["rejected"]
    testbed.assert_proven()


def test_disputed_settlement_cannot_be_rejected_by_one_operator_or_after_its_end(testbed: Testbed) -> None:
    partner = testbed.network.partner()
    connection = testbed.network.funded(partner, {"ofcbtc": 100})
    settlement = stage(partner, {connection.id: {"BTC": "-60"}})
    ok(dispute(connection, settlement["id"]))
    path = f"/settlements/{settlement['id']}/reject"
    assert testbed.operator.post(path).status_code == 202
    assert testbed.operator.post(path).status_code == 202
    testbed.pass_minutes(20)
    assert testbed.operator.post(path).json()["name"] == "settlement_state"


def test_amounts_of_a_broker_must_sum_to_zero(testbed: Testbed) -> None:
    partner = testbed.network.partner(broker=True, currencies={"BTC": "ofcbtc", "XBT": "ofcbtc", "USD": "ofcusd"})
    one = testbed.network.funded(partner, {"ofcbtc": 100}, name="one")
    other = testbed.network.funded(partner, {"ofcusd": 100}, name="other")

    refused = try_stage(partner, {one.id: {"BTC": "-10", "USD": "5"}, other.id: {"XBT": "9", "USD": "-5"}})

    assert refused.status_code == 400
    assert refused.json()["name"] == "amounts_not_net_zero"
    assert refused.json()["details"] == {"sums": {"BTC and XBT": "-1"}}
    stage(partner, {one.id: {"BTC": "-10", "USD": "5"}, other.id: {"XBT": "10", "USD": "-5"}})
    testbed.pass_minutes(20)
    assert one.balances() == {"ofcbtc": (90, 0), "ofcusd": (5, 0)}
    assert other.balances() == {"ofcbtc": (10, 0), "ofcusd": (95, 0)}


def test_partner_and_clients_of_a_settlement_are_notified(testbed: Testbed) -> None:
    partner = testbed.network.partner()
    connection = testbed.network.funded(partner, {"ofcbtc": 100})
    stage(partner, {connection.id: {"BTC": "-60"}})
    testbed.pass_minutes(20)
    stages = ["settlement.initiated", "settlement.finalizing", "settlement.completed"]
    for enterprise in ("exchange", "trader"):
        kinds = testbed.event_types(enterprise)
        assert [kind for kind in kinds if kind.startswith("settlement.")] == stages
        assert kinds[-1] == "balance.changed"
    event = ok(testbed.operator.get("/events", enterpriseId="trader", types="settlement.initiated"))["events"][0]
    assert event["payload"]["connectionIds"] == [connection.id]


def test_deposit_during_a_retry_is_counted_and_does_not_block(
    testbed: Testbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    partner = testbed.network.partner()
    connection = testbed.network.funded(partner, {"ofcbtc": 100})
    settlement = stage(partner, {connection.id: {"BTC": "40"}})
    testbed.pass_minutes(20)
    assert testbed.state(settlement["id"]) == "failed"
    testbed.operator.deposit(partner.enterprise.account.id, "ofcbtc", 1)
    trying, deposited = threading.Event(), threading.Event()
    compute = transfers.run  # between the locks of settlement and balance

    def compute_slowly(tx: Transaction, settlement_id: UUID, *, without_new: bool) -> Run:
        trying.set()
        deposited.wait(timeout=0.5)
        return compute(tx, settlement_id, without_new=without_new)

    monkeypatch.setattr(transfers, "run", compute_slowly)
    worker = threading.Thread(target=testbed.run_due)
    worker.start()
    assert trying.wait(timeout=60)
    testbed.operator.deposit(partner.enterprise.account.id, "ofcbtc", 39)
    deposited.set()
    worker.join(timeout=60)
    assert not worker.is_alive()

    testbed.run_due()

    assert testbed.state(settlement["id"]) == "completed"
    assert testbed.settlement(settlement["id"])["settlement"]["attempts"] == 0


def test_unexpected_error_is_recorded_and_the_step_tried_again(
    testbed: Testbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    partner = testbed.network.partner()
    connection = testbed.network.funded(partner, {"ofcbtc": 100})
    settlement = stage(partner, {connection.id: {"BTC": "-40"}})
    with monkeypatch.context() as broken:

        def defect(*_: object) -> None:
            raise ZeroDivisionError("a defect")

        broken.setattr(execution, "_finalise", defect)
        assert testbed.pass_minutes(10) == 0
    item = ok(testbed.operator.get("/work"))["work"][0]
    assert (item["status"], item["attempts"]) == ("failing", 1)
    assert item["lastError"] == "ZeroDivisionError: a defect"
    assert testbed.run_due() == 0

    testbed.pass_minutes(0.05)

    assert testbed.state(settlement["id"]) == "top_up_window"
    assert ok(testbed.operator.get("/work"))["work"][0]["status"] == "waiting"


class LostAnswer(SettlementWork):
    """Loses its connection after the commit, before the database's answer arrives."""

    def perform(self, runtime: Runtime, job: DueSettlement) -> bool:
        super().perform(runtime, job)
        raise psycopg.OperationalError("the connection is lost")


def test_committed_step_is_not_repeated_if_its_answer_was_lost(testbed: Testbed) -> None:
    partner = testbed.network.partner(deposits={"ofcusd": 1_000})
    connection = testbed.network.funded(partner, {"ofcusd": 100})
    settlement = stage(partner, {connection.id: {"USD": "50"}})
    testbed.clock.advance(minutes=10)

    Worker(testbed.runtime, [LostAnswer()]).run_due()

    assert testbed.state(settlement["id"]) == "top_up_window"
    testbed.pass_minutes(5)
    assert testbed.state(settlement["id"]) == "top_up_window"
    testbed.pass_minutes(5)
    assert testbed.state(settlement["id"]) == "completed"
    testbed.assert_proven()
