"""What goes wrong: failed transactions, workers that die, operators that step in. Protocol §7, §10."""

from __future__ import annotations

from functools import partial

import pytest

from clearwindow.onchain.due import DepositWork, OnchainWork
from clearwindow.onchain.rules import CLAIM_SECONDS, TRIES
from clearwindow.onchain.simulated import SimulatedChain
from clearwindow.work.worker import Worker
from tests.support.chains import CONFIRMATION_MINUTES, ChainDesk, chain_desk, unsteady_worker
from tests.support.networks import Json, ok
from tests.support.racing import at_once
from tests.support.refusing import nothing_written
from tests.support.settling import Floor

CLAIM_MINUTES = CLAIM_SECONDS / 60


@pytest.fixture
def desk(floor: Floor) -> ChainDesk:
    return chain_desk(floor)


def act(desk: ChainDesk, settlement_id: str, what: str) -> Json:
    answer: Json = ok(desk.floor.operator.post(f"/settlements/{settlement_id}/{what}"))["settlement"]
    return answer


def refused(desk: ChainDesk, settlement_id: str, what: str) -> str:
    with nothing_written(desk.floor.runtime):
        answer = desk.floor.operator.post(f"/settlements/{settlement_id}/{what}")
    assert answer.status_code == 409, answer.text
    return str(answer.json()["name"])


def paid_to_ann(desk: ChainDesk) -> list[Json]:
    return desk.transactions(kinds="payment", states="confirmed")


def test_a_failed_transaction_is_sent_again_in_a_new_one(desk: ChainDesk) -> None:
    settlement_id = desk.initiate({desk.ann.id: {"BTC": "-300"}, desk.bob.id: {"BTC": "-5"}})["id"]
    desk.floor.run_due()
    failing = next(one for one in desk.pending() if one["quantity"] == "300")
    desk.tell(failing, "fail")
    desk.floor.pass_minutes(CONFIRMATION_MINUTES)
    assert desk.statuses(settlement_id) == {"ann ofcbtc -300": "onchain_failed", "bob ofcbtc -5": "completed"}
    assert desk.ann.balances()["ofcbtc"] == (700, 300)
    assert desk.status(settlement_id) == "pending"
    desk.floor.assert_proven()
    desk.floor.pass_minutes(1)
    assert desk.statuses(settlement_id)["ann ofcbtc -300"] == "onchain_initiated"
    (again,) = desk.pending()
    assert (again["transferId"], again["txId"] == failing["txId"]) == (failing["transferId"], False)
    desk.confirm_all()
    assert desk.status(settlement_id) == "completed"
    assert desk.ann.balances()["ofcbtc"] == (700, 0)
    desk.floor.assert_proven()


def test_after_five_failures_it_waits_for_somebody_and_a_retry_carries_on(desk: ChainDesk) -> None:
    settlement = desk.initiate({desk.ann.id: {"BTC": "-300"}, desk.bob.id: {"BTC": "9"}})
    settlement_id = settlement["id"]
    desk.fail_to_the_end()
    shown = desk.floor.settlement(settlement_id)["settlement"]
    assert (shown["status"], "dueAt" in shown) == ("failed", False)
    assert "failed 5 times" in shown["reason"]
    client = ok(desk.ann.client.api.get(f"/clients/settlements/{settlement_id}"))["settlement"]
    assert (client["status"], "5 times" in client["reason"]) == ("failed", False)
    assert "settlement.failed" in desk.floor.event_types("ann")
    desk.floor.pass_minutes(600)
    assert desk.pending() == []
    assert len(desk.transactions(kinds="payment")) == TRIES
    desk.floor.assert_proven()
    assert act(desk, settlement_id, "retry")["status"] == "pending"
    desk.fund(settlement["externalId"], "BTC", 9)
    desk.confirm_all()
    desk.fail_to_the_end()
    shown = desk.floor.settlement(settlement_id)["settlement"]
    assert (shown["status"], "gains to clients" in shown["reason"]) == ("failed", True)
    desk.floor.assert_proven()
    act(desk, settlement_id, "retry")
    desk.confirm_all()
    assert desk.status(settlement_id) == "completed"
    assert [one["quantity"] for one in paid_to_ann(desk)] == ["9", "300"]
    assert refused(desk, settlement_id, "retry") == "settlement_state"
    desk.floor.assert_proven()


def test_an_operator_need_not_wait_for_the_next_try(desk: ChainDesk) -> None:
    settlement_id = desk.initiate({desk.ann.id: {"BTC": "-300"}})["id"]
    desk.floor.run_due()
    with nothing_written(desk.floor.runtime):
        act(desk, settlement_id, "retry")
    desk.fail_all()
    desk.floor.pass_minutes(CONFIRMATION_MINUTES)
    assert desk.pending() == []
    act(desk, settlement_id, "retry")
    desk.floor.run_due()
    assert len(desk.pending()) == 1


def test_a_settlement_of_which_the_chain_has_nothing_can_be_rejected(desk: ChainDesk) -> None:
    settlement = desk.initiate({desk.ann.id: {"BTC": "-300"}, desk.bob.id: {"BTC": "100"}})
    desk.send("ofcbtc", "tx-1", 100)
    desk.deposit(settlement["externalId"], ("BTC", "tx-1"), ("BTC", "tx-2"))
    desk.floor.run_due()
    desk.fail_all()
    desk.floor.pass_minutes(CONFIRMATION_MINUTES)
    assert desk.partner_balances() == {"ofcbtc": (0, 100)}
    ended = act(desk, settlement["id"], "reject")
    assert (ended["status"], ended["reason"]) == ("rejected", "rejected by an operator")
    assert "finalizedAt" in ended
    assert set(desk.statuses(settlement["id"]).values()) == {"rejected"}
    assert desk.ann.balances()["ofcbtc"] == (1_000, 0)
    assert desk.partner_balances() == {"ofcbtc": (100, 0)}
    assert "settlement.rejected" in desk.floor.event_types("bob")
    with nothing_written(desk.floor.runtime):
        act(desk, settlement["id"], "reject")
    desk.floor.assert_proven()
    desk.send("ofcbtc", "tx-2", 7)
    desk.floor.pass_minutes(11)
    desk.floor.pass_minutes(11)
    assert desk.partner_balances() == {"ofcbtc": (107, 0)}
    assert desk.pending() == []
    desk.floor.assert_proven()


def test_what_the_chain_has_cannot_be_rejected(desk: ChainDesk) -> None:
    settlement = desk.initiate({desk.ann.id: {"BTC": "-300"}, desk.bob.id: {"BTC": "100"}})
    desk.floor.run_due()
    assert refused(desk, settlement["id"], "reject") == "settlement_on_chain"
    desk.floor.pass_minutes(CONFIRMATION_MINUTES)
    assert refused(desk, settlement["id"], "reject") == "settlement_on_chain"
    desk.fund(settlement["externalId"], "BTC", 100)
    desk.confirm_all()
    desk.confirm_all()
    assert refused(desk, settlement["id"], "reject") == "settlement_state"


@pytest.mark.parametrize("where", ["before paying", "after paying", "after reporting"])
def test_whoever_dies_between_two_steps_leaves_payments_that_are_paid_once(desk: ChainDesk, where: str) -> None:
    settlement = desk.initiate({desk.ann.id: {"BTC": "-300"}, desk.bob.id: {"BTC": "100"}})
    desk.fund(settlement["externalId"], "BTC", 100)
    worker, chain = unsteady_worker(desk.floor)
    chain.breaks.add(where)
    for _ in range(6):
        worker.run_due()
        desk.floor.assert_proven()
        desk.floor.clock.advance(minutes=1)
    assert desk.status(settlement["id"]) == "pending"
    assert desk.floor.settlement(settlement["id"])["settlement"]["attempts"] > 1
    assert len({tuple(paid) for paid in chain.paid}) <= 1, "a payment that may be on the chain is not made anew"
    chain.breaks.clear()
    for _ in range(8):
        worker.run_due()
        desk.floor.assert_proven()
        desk.floor.clock.advance(minutes=2)
    assert desk.status(settlement["id"]) == "completed"
    assert [one["quantity"] for one in desk.transactions(kinds="payment")] == ["100", "300"]
    assert desk.ann.balances()["ofcbtc"] == (700, 0)
    assert desk.bob.balances()["ofcbtc"] == (1_100, 0)


def test_whoever_is_killed_without_a_word_is_followed_once_its_claim_is_over(desk: ChainDesk) -> None:
    settlement_id = desk.initiate({desk.ann.id: {"BTC": "-300"}})["id"]
    worker, chain = unsteady_worker(desk.floor)
    chain.breaks.add("after paying")
    (job,) = OnchainWork(SimulatedChain).due(desk.floor.runtime, 10)
    with pytest.raises(Exception, match="after paying"):
        OnchainWork(lambda _: chain).perform(desk.floor.runtime, job)
    chain.breaks.clear()
    assert worker.run_due() == 0
    desk.floor.clock.advance(minutes=CLAIM_MINUTES)
    assert worker.run_due() == 1
    assert desk.status(settlement_id) == "completed"
    assert len(desk.transactions()) == 1
    desk.floor.assert_proven()


def test_two_workers_at_the_same_step_pay_once(desk: ChainDesk) -> None:
    settlements = [
        desk.initiate({desk.ann.id: {"BTC": "-30"}, desk.bob.id: {"ETH": "-7", "BTC": "10"}}) for _ in range(4)
    ]
    for settlement in settlements:
        desk.fund(settlement["externalId"], "BTC", 10)
    work = OnchainWork(SimulatedChain)
    for _ in range(100):
        with desk.floor.runtime.transaction() as tx:
            next_due_at = work.next_due_at(tx)
        if next_due_at is None:
            break
        Worker(desk.floor.runtime, [DepositWork(SimulatedChain)]).run_due()
        # The same job in many hands: as if each had found it due in the same instant.
        jobs = [job for job in work.due(desk.floor.runtime, 50) for _ in range(4)]
        if jobs:
            at_once([partial(work.perform, desk.floor.runtime, job) for job in jobs])
            desk.floor.assert_proven()
        desk.floor.clock.advance(minutes=CONFIRMATION_MINUTES)
    assert {desk.status(settlement["id"]) for settlement in settlements} == {"completed"}
    paid = desk.transactions(kinds="payment")
    assert len(paid) == len({one["transferId"] for one in paid}) == 12
    assert desk.ann.balances()["ofcbtc"] == (880, 0)
    assert desk.bob.balances() == {"ofcbtc": (1_040, 0), "ofceth": (972, 0)}
    desk.floor.assert_proven()


def test_workers_side_by_side_carry_everything_to_its_end(desk: ChainDesk) -> None:
    settlements = [desk.initiate({desk.ann.id: {"BTC": "-3"}, desk.bob.id: {"BTC": "1"}}) for _ in range(6)]
    for settlement in settlements:
        desk.fund(settlement["externalId"], "BTC", 1)
    workers = [unsteady_worker(desk.floor)[0] for _ in range(4)]
    for _ in range(8):
        at_once([worker.run_due for worker in workers])
        desk.floor.assert_proven()
        desk.floor.clock.advance(minutes=1)
    assert {desk.status(settlement["id"]) for settlement in settlements} == {"completed"}


def test_a_large_settlement_goes_to_the_chain_in_parts(desk: ChainDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clearwindow.onchain.rules.PAYMENTS_UNDER_WAY", 1)
    settlement_id = desk.initiate({desk.ann.id: {"BTC": "-3", "ETH": "-4"}, desk.bob.id: {"BTC": "-1"}})["id"]
    for _ in range(3):
        desk.floor.run_due()
        assert len(desk.pending()) == 1
        desk.floor.assert_proven()
        desk.floor.pass_minutes(CONFIRMATION_MINUTES)
    assert desk.status(settlement_id) == "completed"


def test_each_side_is_told_of_once_when_its_time_runs_out(floor: Floor) -> None:
    desk = chain_desk(floor, lossSlaMinutes=10, gainSlaMinutes=20)
    settlement = desk.initiate({desk.ann.id: {"BTC": "-300"}, desk.bob.id: {"BTC": "100"}})
    # The times are those of the beginning.
    floor.network.configure("exchange", onchainEnabled=True, lossSlaMinutes=1)
    desk.floor.run_due()
    for transaction in desk.pending():
        desk.tell(transaction, "withhold")

    def flags() -> tuple[bool, bool]:
        shown = ok(desk.partner.api.get(f"/partners/settlements/{settlement['id']}"))["settlement"]
        return shown["lossSLAAlertSent"], shown["gainSLAAlertSent"]

    def alerts() -> list[tuple[str, str]]:
        events = ok(floor.operator.get("/events", types="settlement.sla_alert", enterpriseId="exchange"))["events"]
        return [(event["payload"]["side"], event["payload"]["slaAt"]) for event in reversed(events)]

    desk.floor.pass_minutes(7.9)
    assert (flags(), alerts()) == ((False, False), [])
    desk.floor.pass_minutes(0.2)
    assert (flags(), alerts()) == ((True, False), [("loss", "2026-01-05T12:10:00.000Z")])
    for _ in range(3):
        desk.floor.pass_minutes(4)
    sides = [("loss", "2026-01-05T12:10:00.000Z"), ("gain", "2026-01-05T12:20:00.000Z")]
    assert (flags(), alerts()) == ((True, True), sides)
    desk.floor.pass_minutes(60)
    assert alerts() == sides


def test_a_side_that_is_done_in_time_or_that_there_is_not_is_never_told_of(floor: Floor) -> None:
    desk = chain_desk(floor, lossSlaMinutes=10, gainSlaMinutes=20)
    settlement_id = desk.initiate({desk.ann.id: {"BTC": "-300"}})["id"]
    desk.confirm_all()
    desk.floor.pass_minutes(60)
    shown = ok(desk.partner.api.get(f"/partners/settlements/{settlement_id}"))["settlement"]
    assert (shown["lossSLAAlertSent"], shown["gainSLAAlertSent"]) == (False, False)


def test_a_failed_settlement_is_told_of_too(floor: Floor) -> None:
    desk = chain_desk(floor, lossSlaMinutes=600, gainSlaMinutes=700)
    settlement_id = desk.initiate({desk.ann.id: {"BTC": "-300"}, desk.bob.id: {"BTC": "1"}})["id"]
    desk.fail_to_the_end()
    assert desk.status(settlement_id) == "failed"
    desk.floor.pass_minutes(600)
    shown = ok(desk.partner.api.get(f"/partners/settlements/{settlement_id}"))["settlement"]
    assert (shown["lossSLAAlertSent"], shown["gainSLAAlertSent"]) == (True, True)
    desk.floor.pass_minutes(600)
    assert "dueAt" not in desk.floor.settlement(settlement_id)["settlement"]


def test_work_shows_what_the_chain_is_waited_for(desk: ChainDesk) -> None:
    settlement_id = desk.initiate({desk.ann.id: {"BTC": "-300"}})["id"]
    (item,) = ok(desk.floor.operator.get("/work"))["work"]
    assert (item["id"], item["stage"], item["status"]) == (settlement_id, "onchain", "due")


def test_what_the_simulated_chain_is_told_is_checked(desk: ChainDesk) -> None:
    desk.initiate({desk.ann.id: {"BTC": "-300"}})
    desk.floor.run_due()
    (sent,) = desk.pending()
    desk.tell(sent, "confirm")
    with nothing_written(desk.floor.runtime):
        desk.tell(sent, "confirm")
        answer = desk.floor.operator.post(f"/chain/transactions/{sent['id']}/fail")
        assert (answer.status_code, answer.json()["name"]) == (409, "transaction_final")
        answer = desk.floor.operator.post("/chain/transactions/nothing/fail")
        assert (answer.status_code, answer.json()["name"]) == (404, "transaction_unknown")
        answer = desk.floor.operator.get("/chain/transactions", states="lost")
        assert answer.status_code == 400
        body = {"partnerId": desk.ann.id, "currency": "btc", "quantity": "5", "txId": "t"}
        answer = desk.floor.operator.post("/chain/deposits", body)
        assert (answer.status_code, answer.json()["name"]) == (400, "partner_unknown")
    first = desk.send("btc", "tx-1", 5)
    assert desk.send("ofcbtc", "tx-1", 5)["id"] == first["id"]
    body = {"partnerId": desk.partner.id, "currency": "btc", "quantity": "6", "txId": "tx-1"}
    answer = desk.floor.operator.post("/chain/deposits", body)
    assert (answer.status_code, answer.json()["name"]) == (409, "transaction_differs"), answer.text
    actions = [record["action"] for record in desk.floor.operator.audit_log(pageSize=500)]
    assert (actions.count("chain.confirm"), actions.count("chain.deposit_sent")) == (1, 1)
