"""At the end of the dispute window, a partner with a callback gets the final amounts, repeated until received."""

from __future__ import annotations

import pytest

from tests.support.networks import ConnectionHandle, PartnerHandle, ok
from tests.support.partners import FakePartner, Reaction, agreeing, silent
from tests.support.settlements import Testbed, dispute, stage


@pytest.fixture
def partner(testbed: Testbed, partner_server: FakePartner) -> PartnerHandle:
    return testbed.network.partner(
        callbackUrl=partner_server.url, amountUnit="decimal", deposits={"ofcbtc": 10**9}, top_up_window=30
    )


def traders(testbed: Testbed, partner: PartnerHandle) -> list[ConnectionHandle]:
    return [testbed.network.funded(partner, {"ofcbtc": 10**9}, name=name) for name in ("ada", "ben")]


def test_finalize_call_has_the_final_amounts_without_disputed_ones(
    testbed: Testbed, partner: PartnerHandle, partner_server: FakePartner
) -> None:
    ada, ben = traders(testbed, partner)
    testbed.run_due()
    amounts = {ada.id: {"BTC": "-1.5"}, ben.id: {"BTC": "2"}}
    settlement = stage(partner, amounts, externalId="day-1")
    raised = ok(dispute(ben, settlement["id"]))["dispute"]
    partner_server.seen.clear()
    testbed.pass_minutes(10)
    (call,) = partner_server.seen
    assert (call.method, call.path) == ("POST", f"/bitgo/v1/settlements/{settlement['id']}/finalize")
    assert [one["id"] for one in call.body.pop("disputes")] == [raised["id"]]
    assert call.body == {
        "settlementId": settlement["id"],
        "externalId": "day-1",
        "settlementAmounts": {ada.id: {"BTC": "-1.5"}},
        "settlingDisputes": [],
        "topUpDeadline": "2026-01-05T12:40:00.000Z",
    }
    testbed.assert_proven()


def test_partner_that_does_not_answer_does_not_move_the_deadline(
    testbed: Testbed, partner: PartnerHandle, partner_server: FakePartner
) -> None:
    ada, _ = traders(testbed, partner)
    testbed.run_due()
    settlement = stage(partner, {ada.id: {"BTC": "-1.5"}})
    partner_server.behave = silent
    testbed.pass_minutes(10)
    testbed.pass_minutes(30)
    assert testbed.state(settlement["id"]) == "completed"
    partner_server.behave = lambda _: Reaction(204, b"")
    testbed.pass_minutes(10)
    calls = partner_server.asked("/finalize")
    assert len(calls) >= 2
    assert len({call.raw for call in calls}) == 1
    partner_server.behave = agreeing
    testbed.pass_minutes(60)
    assert partner_server.asked("/finalize") == calls
    testbed.assert_proven()
