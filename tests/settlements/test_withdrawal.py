"""A partner takes back its own settlement inside the dispute window. Protocol §5."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime
from functools import partial

import httpx2
import pytest

from tests.support.networks import ConnectionHandle, Json, ok
from tests.support.pauses import pause
from tests.support.races import at_once
from tests.support.refusals import nothing_written, staging
from tests.support.settlements import (
    Testbed,
    approved_closure,
    change_dispute,
    close_dispute,
    dispute,
    fields_of,
    post,
    post_withdrawal,
    settle,
    stage,
    try_stage,
    withdraw,
    withdrawal,
)


def refusal(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["name"]


def detail(connection: ConnectionHandle, settlement_id: str) -> Json:
    """Returns the settlement as its partner sees it."""
    found: Json = ok(connection.partner.api.get(f"/partners/settlements/{settlement_id}"))
    return found


def statuses(connection: ConnectionHandle, settlement_id: str) -> list[tuple[int, str]]:
    transfers = detail(connection, settlement_id)["settlementTransfers"]
    return sorted((int(transfer["quantity"]), transfer["status"]) for transfer in transfers)


def test_withdrawn_settlement_is_rejected_at_once_and_holds_nothing(testbed: Testbed) -> None:
    desk = staging(testbed)
    partner, own = desk.partner, desk.connection
    settlement_id = stage(partner, {own.id: {"BTC": "-7"}})["id"]
    done = ok(withdraw(partner, settlement_id))["settlement"]
    assert (done["status"], done["stage"], done["reason"]) == ("rejected", "rejected", "the wrong day")
    assert (done["withdrawnReason"], done["withdrawnAt"]) == ("the wrong day", done["finalizedAt"])
    assert own.balances() == {"ofcbtc": (1_000, 0)}
    assert statuses(own, settlement_id) == [(-7, "rejected")]
    testbed.assert_proven()
    testbed.pass_minutes(30)
    assert testbed.state(settlement_id) == "rejected"
    assert own.balances() == {"ofcbtc": (1_000, 0)}
    for enterprise in (partner.enterprise.id, own.client.enterprise.id):
        assert testbed.event_types(enterprise)[-2:] == ["settlement.withdrawn", "balance.changed"]
    testbed.assert_proven()
    testbed.assert_signed()


def test_external_id_stays_used(testbed: Testbed) -> None:
    desk = staging(testbed)
    body = desk.signed()
    settlement_id = ok(desk.send(body))["settlement"]["id"]
    ok(withdraw(desk.partner, settlement_id))
    again = desk.send(body)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert ok(again)["settlement"]["id"] == settlement_id
    other = desk.send(desk.signed(nonce="another", settlementAmounts={desk.connection.id: {"BTC": "-8"}}))
    assert refusal(other) == (409, "external_id_taken")
    assert testbed.state(settlement_id) == "rejected"


def test_closures_that_it_took_run_alone(testbed: Testbed) -> None:
    desk = staging(testbed)
    partner, own = desk.partner, desk.connection
    dispute_id = approved_closure(testbed, own, "-40")
    settlement = stage(partner, {own.id: {"BTC": "-7"}})
    assert [one["id"] for one in settlement["settlingDisputes"]] == [dispute_id]
    assert own.balances() == {"ofcbtc": (953, 47)}
    done = ok(withdraw(partner, settlement["id"]))["settlement"]
    assert (done["status"], done["stage"], done["withdrawnReason"]) == (
        "pending",
        "dispute_window",
        "the wrong day",
    )
    assert own.balances() == {"ofcbtc": (960, 40)}
    assert statuses(own, settlement["id"]) == [(-40, "pending"), (-7, "rejected")]
    testbed.assert_proven()
    testbed.pass_minutes(10)
    testbed.assert_proven()
    testbed.pass_minutes(10)
    assert testbed.state(settlement["id"]) == "completed"
    assert statuses(own, settlement["id"]) == [(-40, "completed"), (-7, "rejected")]
    assert own.balances() == {"ofcbtc": (960, 0)}
    settling = detail(own, settlement["id"])["settlingDisputes"]
    assert [one["settledInSettlementId"] for one in settling] == [settlement["id"]]
    # The closure is settled, and no later settlement takes it again.
    assert stage(partner, {own.id: {"BTC": "-1"}})["settlingDisputes"] == []
    testbed.assert_proven()


def test_closure_that_the_partner_must_pay_waits_for_money(testbed: Testbed) -> None:
    desk = staging(testbed)
    own = desk.connection
    approved_closure(testbed, own, "40")
    settlement_id = stage(desk.partner, {own.id: {"BTC": "-7"}})["id"]
    ok(withdraw(desk.partner, settlement_id))
    testbed.pass_minutes(20)
    assert testbed.state(settlement_id) == "failed"
    testbed.assert_proven()
    testbed.operator.deposit(desk.partner.enterprise.account.id, "ofcbtc", 40)
    testbed.run_due()
    assert testbed.state(settlement_id) == "completed"
    assert own.balances() == {"ofcbtc": (1_040, 0)}
    testbed.assert_proven()


def test_operator_rejects_what_was_withdrawn_and_carries_closures(testbed: Testbed) -> None:
    desk = staging(testbed)
    own = desk.connection
    approved_closure(testbed, own, "-40")
    settlement_id = stage(desk.partner, {own.id: {"BTC": "-7"}})["id"]
    ok(withdraw(desk.partner, settlement_id))
    with testbed.operator.another("third") as second:
        for operator in (testbed.operator, second):
            assert operator.post(f"/settlements/{settlement_id}/reject").status_code in {200, 202}
    assert testbed.state(settlement_id) == "rejected"
    testbed.assert_proven()
    testbed.pass_minutes(20)
    assert own.balances() == {"ofcbtc": (960, 0)}
    testbed.assert_proven()


def test_disputes_end_with_the_settlement(testbed: Testbed) -> None:
    desk = staging(testbed)
    own = desk.connection
    settlement_id = stage(desk.partner, {own.id: {"BTC": "-7"}})["id"]
    dispute_id = ok(dispute(own, settlement_id))["dispute"]["id"]
    ok(withdraw(desk.partner, settlement_id))
    assert own.balances() == {"ofcbtc": (1_000, 0)}
    late = [change_dispute(own, dispute_id, retracted=True), close_dispute(own, dispute_id)]
    assert [refusal(answer) for answer in late] == [(422, "settlement_rejected")] * 2
    other = stage(desk.partner, {own.id: {"BTC": "-7"}})["id"]
    ok(withdraw(desk.partner, other))
    assert refusal(dispute(own, other)) == (422, "settlement_rejected")
    testbed.pass_minutes(30)
    testbed.assert_proven()


def test_disputes_of_a_withdrawn_settlement_with_closures_end_too(testbed: Testbed) -> None:
    desk = staging(testbed)
    own = desk.connection
    approved_closure(testbed, own, "-40")
    settlement_id = stage(desk.partner, {own.id: {"BTC": "-7"}})["id"]
    dispute_id = ok(dispute(own, settlement_id))["dispute"]["id"]
    ok(withdraw(desk.partner, settlement_id))
    testbed.pass_minutes(10)
    assert refusal(close_dispute(own, dispute_id)) == (422, "settlement_rejected")
    assert statuses(own, settlement_id) == [(-40, "pending"), (-7, "rejected")]
    testbed.pass_minutes(10)
    assert testbed.state(settlement_id) == "completed"
    assert own.balances() == {"ofcbtc": (960, 0)}
    testbed.assert_proven()


def test_nothing_is_withdrawn_after_the_window(testbed: Testbed) -> None:
    desk = staging(testbed)
    settlement_id = stage(desk.partner, {desk.connection.id: {"BTC": "-7"}})["id"]
    testbed.clock.advance(minutes=10)
    # Its window is over at the deadline, whether or not the worker has come.
    for _ in range(3):
        with nothing_written(testbed.runtime):
            assert refusal(withdraw(desk.partner, settlement_id)) == (422, "withdrawal_window_over")
        testbed.run_due()
        testbed.clock.advance(minutes=10)


def test_settlements_without_a_window_are_not_withdrawn(testbed: Testbed) -> None:
    at_once_partner = testbed.network.partner("spot", dispute_window=None)
    own = testbed.network.funded(at_once_partner, {"ofcbtc": 100}, name="spot-trader")
    settled = settle(at_once_partner, {own.id: {"BTC": "-7"}})["id"]
    assert refusal(withdraw(at_once_partner, settled)) == (409, "settlement_state")
    desk = staging(testbed)
    rejected = stage(desk.partner, {desk.connection.id: {"BTC": "-7"}})["id"]
    ok(testbed.operator.post(f"/settlements/{rejected}/reject"))
    assert refusal(withdraw(desk.partner, rejected)) == (409, "settlement_state")
    # Another's is as unknown as one that does not exist.
    assert refusal(withdraw(desk.partner, settled)) == (404, "settlement_not_found")
    assert refusal(withdraw(desk.partner, desk.connection.id)) == (404, "settlement_not_found")
    assert desk.connection.client.api.post(
        f"/partners/settlements/{rejected}/withdraw", withdrawal(desk.partner, rejected)
    ).status_code in {400, 403}


def test_same_request_again_gets_the_settlement(testbed: Testbed) -> None:
    desk = staging(testbed)
    settlement_id = stage(desk.partner, {desk.connection.id: {"BTC": "-7"}})["id"]
    body = withdrawal(desk.partner, settlement_id)
    first = post_withdrawal(desk.partner, settlement_id, body)
    testbed.pass_minutes(30)
    again = post_withdrawal(desk.partner, settlement_id, body)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert ok(again) == ok(first)
    anew = withdraw(desk.partner, settlement_id)
    assert anew.headers["Idempotent-Replayed"] == "true"
    with nothing_written(testbed.runtime):
        assert refusal(withdraw(desk.partner, settlement_id, "another reason")) == (409, "settlement_withdrawn")
    other = stage(desk.partner, {desk.connection.id: {"BTC": "-7"}})["id"]
    assert post_withdrawal(desk.partner, other, body).status_code == 400
    testbed.assert_signed()


def test_signature_and_intent_are_required(testbed: Testbed) -> None:
    desk = staging(testbed)
    settlement_id = stage(desk.partner, {desk.connection.id: {"BTC": "-7"}})["id"]
    bare = desk.partner.enterprise.sign({"reason": "no", "nonce": "n"})
    signed = withdrawal(desk.partner, settlement_id)
    forged = {**signed, "signature": bare["signature"]}
    with nothing_written(testbed.runtime):
        assert refusal(post_withdrawal(desk.partner, settlement_id, bare)) == (400, "intent_missing")
        assert refusal(post_withdrawal(desk.partner, settlement_id, forged)) == (401, "signature_invalid")
        assert post_withdrawal(desk.partner, settlement_id, {"reason": "no"}).status_code == 400
    assert testbed.state(settlement_id) == "dispute_window"


def test_withdrawing_works_while_everything_is_paused(testbed: Testbed) -> None:
    desk = staging(testbed)
    settlement_id = stage(desk.partner, {desk.connection.id: {"BTC": "-7"}})["id"]
    pause(testbed.operator, "network")
    assert ok(withdraw(desk.partner, settlement_id))["settlement"]["status"] == "rejected"
    assert desk.connection.balances() == {"ofcbtc": (1_000, 0)}


def test_withdrawn_settlement_counts_for_no_limit_of_the_day(testbed: Testbed) -> None:
    desk = staging(testbed)
    own = desk.connection
    limits = {"lossLimits": {"btc": {"perSettlement": None, "perDay": "10"}}}
    ok(own.client.api.put(f"{own.path}/loss-limits", limits))
    approved_closure(testbed, own, "-3")
    # One with closures stays pending, and one without is rejected: neither counts.
    for _ in range(2):
        settlement_id = stage(desk.partner, {own.id: {"BTC": "-7"}})["id"]
        assert refusal(try_stage(desk.partner, {own.id: {"BTC": "-7"}})) == (422, "loss_limit_exceeded")
        ok(withdraw(desk.partner, settlement_id))
    stage(desk.partner, {own.id: {"BTC": "-7"}})


def test_withdrawn_settlement_is_no_last_cutoff(testbed: Testbed) -> None:
    desk = staging(testbed)
    approved_closure(testbed, desk.connection, "-3")
    later = stage(desk.partner, {desk.connection.id: {"BTC": "-7"}}, cutoffAt="2026-01-05T12:01:00Z")["id"]
    ok(withdraw(desk.partner, later))
    body = desk.partner.enterprise.sign(fields_of({desk.connection.id: {"BTC": "-7"}}))
    assert "Clearwindow-Warning" not in post(desk.partner, body).headers


def test_withdrawal_ends_the_trades_between_two_clients(testbed: Testbed) -> None:
    broker = testbed.network.partner(broker=True)
    ann = testbed.network.funded(broker, {"ofcbtc": 100}, name="ann")
    bob = testbed.network.funded(broker, {"ofcbtc": 100}, name="bob")
    body = broker.enterprise.sign({**fields_of({}), "settlementAmounts": {ann.id: {bob.id: {"BTC": "30"}}}})
    settlement_id = ok(post(broker, body))["settlement"]["id"]
    assert ann.balances() == {"ofcbtc": (70, 30)}
    ok(withdraw(broker, settlement_id))
    assert ann.balances() == bob.balances() == {"ofcbtc": (100, 0)}
    testbed.assert_proven()


def test_clients_see_that_it_was_withdrawn_and_why(testbed: Testbed) -> None:
    desk = staging(testbed)
    settlement_id = stage(desk.partner, {desk.connection.id: {"BTC": "-7"}})["id"]
    ok(withdraw(desk.partner, settlement_id))
    api = desk.connection.client.api
    seen = ok(api.get(f"/clients/settlements/{settlement_id}"))
    assert (seen["settlement"]["status"], seen["settlement"]["withdrawnReason"]) == ("rejected", "the wrong day")
    assert [transfer["status"] for transfer in seen["settlementTransfers"]] == ["rejected"]
    listed = ok(api.get("/clients/settlementTransfers", settlementTransferStatuses="rejected"))
    assert [transfer["settlementId"] for transfer in listed["settlementTransfers"]] == [settlement_id]


def test_one_of_many_withdrawals_at_once_withdraws(testbed: Testbed) -> None:
    desk = staging(testbed)
    settlement_id = stage(desk.partner, {desk.connection.id: {"BTC": "-7"}})["id"]
    body = withdrawal(desk.partner, settlement_id)
    answers = at_once([partial(post_withdrawal, desk.partner, settlement_id, body)] * 20)
    assert {answer.status_code for answer in answers} == {200}
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert desk.connection.balances() == {"ofcbtc": (1_000, 0)}
    testbed.assert_proven()
    testbed.assert_signed()


def test_withdrawal_in_the_last_milliseconds_is_accepted_or_too_late(
    testbed: Testbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock goes on between any two looks at it, as a real one does."""
    desk, clock = staging(testbed), testbed.clock
    held = clock.now

    def go_on() -> datetime:
        clock.advance(minutes=1 / 60_000)
        return held()

    statuses: set[int] = set()
    for left in range(40, 0, -1):
        settlement_id = stage(desk.partner, {desk.connection.id: {"BTC": "-7"}})["id"]
        body = withdrawal(desk.partner, settlement_id)
        # The request looks at the clock some times before it decides. Somewhere in between, the window ends.
        clock.advance(minutes=10 - left / 60_000)
        with monkeypatch.context() as ticking:
            ticking.setattr(clock, "now", go_on)
            statuses.add(post_withdrawal(desk.partner, settlement_id, body).status_code)
        testbed.pass_minutes(20)
        if len(statuses) > 1:
            break
    assert statuses == {200, 422}
    testbed.assert_proven()


def test_withdrawal_races_with_disputes_rejection_and_the_end_of_the_window(testbed: Testbed) -> None:
    """Whoever comes first wins as a whole: the settlement runs, or nothing of it does."""
    desk = staging(testbed)
    own, left = desk.connection, 1_000
    for _ in range(4):
        settlement_id = stage(desk.partner, {own.id: {"BTC": "-7"}})["id"]

        def end_window() -> int:
            testbed.clock.advance(minutes=10)
            return testbed.run_due()

        def withdrawn(settlement_id: str = settlement_id) -> int:
            return withdraw(desk.partner, settlement_id).status_code

        def disputed(settlement_id: str = settlement_id) -> int:
            return dispute(own, settlement_id).status_code

        status, _, raised = at_once([withdrawn, end_window, disputed])
        assert status in {200, 422}
        testbed.assert_proven()
        testbed.pass_minutes(10)
        assert testbed.state(settlement_id) == ("rejected" if status == 200 else "completed")
        if status == 422 and raised != 200:
            left -= 7
    held = own.balances()["ofcbtc"][1]
    assert own.balances()["ofcbtc"][0] + held == left
    testbed.assert_proven()


def test_withdrawal_and_rejection_at_once_end_it_once(testbed: Testbed) -> None:
    desk = staging(testbed)
    settlement_id = stage(desk.partner, {desk.connection.id: {"BTC": "-7"}})["id"]
    with ExitStack() as stack:
        others = [stack.enter_context(testbed.operator.another(f"operator-{number}")) for number in range(3)]
        rejecting = [partial(one.post, f"/settlements/{settlement_id}/reject") for one in others]
        answers = at_once([partial(withdraw, desk.partner, settlement_id), *rejecting])
    assert answers[0].status_code in {200, 409}
    assert {answer.status_code for answer in answers[1:]} == {200}
    assert testbed.state(settlement_id) == "rejected"
    assert desk.connection.balances() == {"ofcbtc": (1_000, 0)}
    testbed.assert_proven()
