"""Failed transactions, workers that die, retries and rejections by operators. Protocol §7, §10."""

from __future__ import annotations

from functools import partial

import pytest

from clearwindow.jobs.worker import Worker
from clearwindow.settlements.onchain.jobs import DepositWork, OnchainWork
from clearwindow.settlements.onchain.rules import CLAIM_SECONDS, TRIES
from clearwindow.settlements.onchain.simulated_chain import SimulatedChain
from tests.support.chains import CONFIRMATION_MINUTES, ChainDesk, chain_desk, unsteady_worker
from tests.support.networks import Json, ok
from tests.support.races import at_once
from tests.support.refusals import nothing_written
from tests.support.settlements import Testbed

CLAIM_MINUTES = CLAIM_SECONDS / 60


@pytest.fixture
def desk(testbed: Testbed) -> ChainDesk:
    return chain_desk(testbed)


def act(desk: ChainDesk, settlement_id: str, what: str) -> Json:
    answer: Json = ok(desk.testbed.operator.post(f"/settlements/{settlement_id}/{what}"))["settlement"]
    return answer


def refused(desk: ChainDesk, settlement_id: str, what: str) -> str:
    with nothing_written(desk.testbed.runtime):
        answer = desk.testbed.operator.post(f"/settlements/{settlement_id}/{what}")
    assert answer.status_code == 409, answer.text
    return str(answer.json()["name"])


def paid_to_ann(desk: ChainDesk) -> list[Json]:
    return desk.transactions(kinds="payment", states="confirmed")


def test_failed_transfer_is_sent_again_in_a_new_transaction(desk: ChainDesk) -> None:
    settlement_id = desk.initiate({desk.ann.id: {"BTC": "-300"}, desk.bob.id: {"BTC": "-5"}})["id"]
    desk.testbed.run_due()
    failing = next(one for one in desk.pending() if one["quantity"] == "300")
    desk.tell(failing, "fail")
    desk.testbed.pass_minutes(CONFIRMATION_MINUTES)
    assert desk.statuses(settlement_id) == {"ann ofcbtc -300": "onchain_failed", "bob ofcbtc -5": "completed"}
    assert desk.ann.balances()["ofcbtc"] == (700, 300)
    assert desk.status(settlement_id) == "pending"
    desk.testbed.assert_proven()
    desk.testbed.pass_minutes(1)
    assert desk.statuses(settlement_id)["ann ofcbtc -300"] == "onchain_initiated"
    (again,) = desk.pending()
    assert (again["transferId"], again["txId"] == failing["txId"]) == (failing["transferId"], False)
    desk.confirm_all()
    assert desk.status(settlement_id) == "completed"
    assert desk.ann.balances()["ofcbtc"] == (700, 0)
    desk.testbed.assert_proven()


def test_transfer_waits_after_five_failures_until_a_retry(desk: ChainDesk) -> None:
    settlement = desk.initiate({desk.ann.id: {"BTC": "-300"}, desk.bob.id: {"BTC": "9"}})
    settlement_id = settlement["id"]
    desk.fail_to_the_end()
    shown = desk.testbed.settlement(settlement_id)["settlement"]
    assert (shown["status"], "dueAt" in shown) == ("failed", False)
    assert "failed 5 times" in shown["reason"]
    client = ok(desk.ann.client.api.get(f"/clients/settlements/{settlement_id}"))["settlement"]
    assert (client["status"], "5 times" in client["reason"]) == ("failed", False)
    assert "settlement.failed" in desk.testbed.event_types("ann")
    desk.testbed.pass_minutes(600)
    assert desk.pending() == []
    assert len(desk.transactions(kinds="payment")) == TRIES
    desk.testbed.assert_proven()
    assert act(desk, settlement_id, "retry")["status"] == "pending"
    desk.fund(settlement["externalId"], "BTC", 9)
    desk.confirm_all()
    desk.fail_to_the_end()
    shown = desk.testbed.settlement(settlement_id)["settlement"]
    assert (shown["status"], "gains to clients" in shown["reason"]) == ("failed", True)
    desk.testbed.assert_proven()
    act(desk, settlement_id, "retry")
    desk.confirm_all()
    assert desk.status(settlement_id) == "completed"
    assert [one["quantity"] for one in paid_to_ann(desk)] == ["9", "300"]
    assert refused(desk, settlement_id, "retry") == "settlement_state"
    desk.testbed.assert_proven()


def test_operator_can_retry_before_the_next_try_is_due(desk: ChainDesk) -> None:
    settlement_id = desk.initiate({desk.ann.id: {"BTC": "-300"}})["id"]
    desk.testbed.run_due()
    with nothing_written(desk.testbed.runtime):
        act(desk, settlement_id, "retry")
    desk.fail_all()
    desk.testbed.pass_minutes(CONFIRMATION_MINUTES)
    assert desk.pending() == []
    act(desk, settlement_id, "retry")
    desk.testbed.run_due()
    assert len(desk.pending()) == 1


def test_settlement_without_transactions_on_the_chain_can_be_rejected(desk: ChainDesk) -> None:
    settlement = desk.initiate({desk.ann.id: {"BTC": "-300"}, desk.bob.id: {"BTC": "100"}})
    desk.send("ofcbtc", "tx-1", 100)
    desk.deposit(settlement["externalId"], ("BTC", "tx-1"), ("BTC", "tx-2"))
    desk.testbed.run_due()
    desk.fail_all()
    desk.testbed.pass_minutes(CONFIRMATION_MINUTES)
    assert desk.partner_balances() == {"ofcbtc": (0, 100)}
    ended = act(desk, settlement["id"], "reject")
    assert (ended["status"], ended["reason"]) == ("rejected", "rejected by an operator")
    assert "finalizedAt" in ended
    assert set(desk.statuses(settlement["id"]).values()) == {"rejected"}
    assert desk.ann.balances()["ofcbtc"] == (1_000, 0)
    assert desk.partner_balances() == {"ofcbtc": (100, 0)}
    assert "settlement.rejected" in desk.testbed.event_types("bob")
    with nothing_written(desk.testbed.runtime):
        act(desk, settlement["id"], "reject")
    desk.testbed.assert_proven()
    desk.send("ofcbtc", "tx-2", 7)
    desk.testbed.pass_minutes(11)
    desk.testbed.pass_minutes(11)
    assert desk.partner_balances() == {"ofcbtc": (107, 0)}
    assert desk.pending() == []
    desk.testbed.assert_proven()


def test_settlement_with_transactions_on_the_chain_cannot_be_rejected(desk: ChainDesk) -> None:
    settlement = desk.initiate({desk.ann.id: {"BTC": "-300"}, desk.bob.id: {"BTC": "100"}})
    desk.testbed.run_due()
    assert refused(desk, settlement["id"], "reject") == "settlement_on_chain"
    desk.testbed.pass_minutes(CONFIRMATION_MINUTES)
    assert refused(desk, settlement["id"], "reject") == "settlement_on_chain"
    desk.fund(settlement["externalId"], "BTC", 100)
    desk.confirm_all()
    desk.confirm_all()
    assert refused(desk, settlement["id"], "reject") == "settlement_state"


@pytest.mark.parametrize("where", ["before paying", "after paying", "after reporting"])
def test_payments_are_paid_once_after_a_worker_dies_between_two_steps(desk: ChainDesk, where: str) -> None:
    settlement = desk.initiate({desk.ann.id: {"BTC": "-300"}, desk.bob.id: {"BTC": "100"}})
    desk.fund(settlement["externalId"], "BTC", 100)
    worker, chain = unsteady_worker(desk.testbed)
    chain.breaks.add(where)
    for _ in range(6):
        worker.run_due()
        desk.testbed.assert_proven()
        desk.testbed.clock.advance(minutes=1)
    assert desk.status(settlement["id"]) == "pending"
    assert desk.testbed.settlement(settlement["id"])["settlement"]["attempts"] > 1
    assert len({tuple(paid) for paid in chain.paid}) <= 1, "a payment that may be on the chain is not made anew"
    chain.breaks.clear()
    for _ in range(8):
        worker.run_due()
        desk.testbed.assert_proven()
        desk.testbed.clock.advance(minutes=2)
    assert desk.status(settlement["id"]) == "completed"
    assert [one["quantity"] for one in desk.transactions(kinds="payment")] == ["100", "300"]
    assert desk.ann.balances()["ofcbtc"] == (700, 0)
    assert desk.bob.balances()["ofcbtc"] == (1_100, 0)


def test_another_worker_takes_the_step_after_the_claim_of_a_killed_one(desk: ChainDesk) -> None:
    settlement_id = desk.initiate({desk.ann.id: {"BTC": "-300"}})["id"]
    worker, chain = unsteady_worker(desk.testbed)
    chain.breaks.add("after paying")
    (job,) = OnchainWork(SimulatedChain).due(desk.testbed.runtime, 10)
    with pytest.raises(Exception, match="after paying"):
        OnchainWork(lambda _: chain).perform(desk.testbed.runtime, job)
    chain.breaks.clear()
    assert worker.run_due() == 0
    desk.testbed.clock.advance(minutes=CLAIM_MINUTES)
    assert worker.run_due() == 1
    assert desk.status(settlement_id) == "completed"
    assert len(desk.transactions()) == 1
    desk.testbed.assert_proven()


def test_two_workers_at_the_same_step_pay_once(desk: ChainDesk) -> None:
    settlements = [
        desk.initiate({desk.ann.id: {"BTC": "-30"}, desk.bob.id: {"ETH": "-7", "BTC": "10"}}) for _ in range(4)
    ]
    for settlement in settlements:
        desk.fund(settlement["externalId"], "BTC", 10)
    work = OnchainWork(SimulatedChain)
    for _ in range(100):
        with desk.testbed.runtime.transaction() as tx:
            next_due_at = work.next_due_at(tx)
        if next_due_at is None:
            break
        Worker(desk.testbed.runtime, [DepositWork(SimulatedChain)]).run_due()
        # Several workers have the same job, as if all had found it due at the same time.
        jobs = [job for job in work.due(desk.testbed.runtime, 50) for _ in range(4)]
        if jobs:
            at_once([partial(work.perform, desk.testbed.runtime, job) for job in jobs])
            desk.testbed.assert_proven()
        desk.testbed.clock.advance(minutes=CONFIRMATION_MINUTES)
    assert {desk.status(settlement["id"]) for settlement in settlements} == {"completed"}
    paid = desk.transactions(kinds="payment")
    assert len(paid) == len({one["transferId"] for one in paid}) == 12
    assert desk.ann.balances()["ofcbtc"] == (880, 0)
    assert desk.bob.balances() == {"ofcbtc": (1_040, 0), "ofceth": (972, 0)}
    desk.testbed.assert_proven()


def test_concurrent_workers_complete_all_settlements(desk: ChainDesk) -> None:
    settlements = [desk.initiate({desk.ann.id: {"BTC": "-3"}, desk.bob.id: {"BTC": "1"}}) for _ in range(6)]
    for settlement in settlements:
        desk.fund(settlement["externalId"], "BTC", 1)
    workers = [unsteady_worker(desk.testbed)[0] for _ in range(4)]
    for _ in range(8):
        at_once([worker.run_due for worker in workers])
        desk.testbed.assert_proven()
        desk.testbed.clock.advance(minutes=1)
    assert {desk.status(settlement["id"]) for settlement in settlements} == {"completed"}


def test_large_settlement_is_handed_to_the_chain_in_parts(desk: ChainDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clearwindow.settlements.onchain.rules.PAYMENTS_UNDER_WAY", 1)
    settlement_id = desk.initiate({desk.ann.id: {"BTC": "-3", "ETH": "-4"}, desk.bob.id: {"BTC": "-1"}})["id"]
    for _ in range(3):
        desk.testbed.run_due()
        assert len(desk.pending()) == 1
        desk.testbed.assert_proven()
        desk.testbed.pass_minutes(CONFIRMATION_MINUTES)
    assert desk.status(settlement_id) == "completed"


def test_each_late_side_is_alerted_once(testbed: Testbed) -> None:
    desk = chain_desk(testbed, lossSlaMinutes=10, gainSlaMinutes=20)
    settlement = desk.initiate({desk.ann.id: {"BTC": "-300"}, desk.bob.id: {"BTC": "100"}})
    # The times are those of the start of the settlement.
    testbed.network.configure("exchange", onchainEnabled=True, lossSlaMinutes=1)
    desk.testbed.run_due()
    for transaction in desk.pending():
        desk.tell(transaction, "withhold")

    def flags() -> tuple[bool, bool]:
        shown = ok(desk.partner.api.get(f"/partners/settlements/{settlement['id']}"))["settlement"]
        return shown["lossSLAAlertSent"], shown["gainSLAAlertSent"]

    def alerts() -> list[tuple[str, str]]:
        events = ok(testbed.operator.get("/events", types="settlement.sla_alert", enterpriseId="exchange"))[
            "events"
        ]
        return [(event["payload"]["side"], event["payload"]["slaAt"]) for event in reversed(events)]

    desk.testbed.pass_minutes(7.9)
    assert (flags(), alerts()) == ((False, False), [])
    desk.testbed.pass_minutes(0.2)
    assert (flags(), alerts()) == ((True, False), [("loss", "2026-01-05T12:10:00.000Z")])
    for _ in range(3):
        desk.testbed.pass_minutes(4)
    sides = [("loss", "2026-01-05T12:10:00.000Z"), ("gain", "2026-01-05T12:20:00.000Z")]
    assert (flags(), alerts()) == ((True, True), sides)
    desk.testbed.pass_minutes(60)
    assert alerts() == sides


def test_no_alert_for_a_side_that_completed_in_time_or_is_empty(testbed: Testbed) -> None:
    desk = chain_desk(testbed, lossSlaMinutes=10, gainSlaMinutes=20)
    settlement_id = desk.initiate({desk.ann.id: {"BTC": "-300"}})["id"]
    desk.confirm_all()
    desk.testbed.pass_minutes(60)
    shown = ok(desk.partner.api.get(f"/partners/settlements/{settlement_id}"))["settlement"]
    assert (shown["lossSLAAlertSent"], shown["gainSLAAlertSent"]) == (False, False)


def test_late_side_of_a_failed_settlement_is_alerted(testbed: Testbed) -> None:
    desk = chain_desk(testbed, lossSlaMinutes=600, gainSlaMinutes=700)
    settlement_id = desk.initiate({desk.ann.id: {"BTC": "-300"}, desk.bob.id: {"BTC": "1"}})["id"]
    desk.fail_to_the_end()
    assert desk.status(settlement_id) == "failed"
    desk.testbed.pass_minutes(600)
    shown = ok(desk.partner.api.get(f"/partners/settlements/{settlement_id}"))["settlement"]
    assert (shown["lossSLAAlertSent"], shown["gainSLAAlertSent"]) == (True, True)
    desk.testbed.pass_minutes(600)
    assert "dueAt" not in desk.testbed.settlement(settlement_id)["settlement"]


def test_work_lists_settlements_that_wait_for_the_chain(desk: ChainDesk) -> None:
    settlement_id = desk.initiate({desk.ann.id: {"BTC": "-300"}})["id"]
    (item,) = ok(desk.testbed.operator.get("/work"))["work"]
    assert (item["id"], item["stage"], item["status"]) == (settlement_id, "onchain", "due")


def test_invalid_actions_on_the_simulated_chain_are_refused(desk: ChainDesk) -> None:
    desk.initiate({desk.ann.id: {"BTC": "-300"}})
    desk.testbed.run_due()
    (sent,) = desk.pending()
    desk.tell(sent, "confirm")
    with nothing_written(desk.testbed.runtime):
        desk.tell(sent, "confirm")
        answer = desk.testbed.operator.post(f"/chain/transactions/{sent['id']}/fail")
        assert (answer.status_code, answer.json()["name"]) == (409, "transaction_final")
        answer = desk.testbed.operator.post("/chain/transactions/nothing/fail")
        assert (answer.status_code, answer.json()["name"]) == (404, "transaction_unknown")
        answer = desk.testbed.operator.get("/chain/transactions", states="lost")
        assert answer.status_code == 400
        body = {"partnerId": desk.ann.id, "currency": "btc", "quantity": "5", "txId": "t"}
        answer = desk.testbed.operator.post("/chain/deposits", body)
        assert (answer.status_code, answer.json()["name"]) == (400, "partner_unknown")
    first = desk.send("btc", "tx-1", 5)
    assert desk.send("ofcbtc", "tx-1", 5)["id"] == first["id"]
    body = {"partnerId": desk.partner.id, "currency": "btc", "quantity": "6", "txId": "tx-1"}
    answer = desk.testbed.operator.post("/chain/deposits", body)
    assert (answer.status_code, answer.json()["name"]) == (409, "transaction_differs"), answer.text
    actions = [record["action"] for record in desk.testbed.operator.audit_log(pageSize=500)]
    assert (actions.count("chain.confirm"), actions.count("chain.deposit_sent")) == (1, 1)
