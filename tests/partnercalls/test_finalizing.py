"""At the end of the dispute window a partner that is called is told what is final, until it has heard."""

from __future__ import annotations

import pytest

from tests.support.networks import ConnectionHandle, PartnerHandle, ok
from tests.support.partners import FakePartner, Reaction, agreeing, silent
from tests.support.settling import Floor, dispute, stage


@pytest.fixture
def partner(floor: Floor, their_side: FakePartner) -> PartnerHandle:
    return floor.network.partner(
        callbackUrl=their_side.url, amountUnit="decimal", deposits={"ofcbtc": 10**9}, top_up_window=30
    )


def traders(floor: Floor, partner: PartnerHandle) -> list[ConnectionHandle]:
    return [floor.network.funded(partner, {"ofcbtc": 10**9}, name=name) for name in ("ada", "ben")]


def test_the_final_amounts_are_told_without_what_is_disputed(
    floor: Floor, partner: PartnerHandle, their_side: FakePartner
) -> None:
    ada, ben = traders(floor, partner)
    floor.run_due()
    amounts = {ada.id: {"BTC": "-1.5"}, ben.id: {"BTC": "2"}}
    settlement = stage(partner, amounts, externalId="day-1")
    raised = ok(dispute(ben, settlement["id"]))["dispute"]
    their_side.seen.clear()
    floor.pass_minutes(10)
    (told,) = their_side.seen
    assert (told.method, told.path) == ("POST", f"/bitgo/v1/settlements/{settlement['id']}/finalize")
    assert [one["id"] for one in told.body.pop("disputes")] == [raised["id"]]
    assert told.body == {
        "settlementId": settlement["id"],
        "externalId": "day-1",
        "settlementAmounts": {ada.id: {"BTC": "-1.5"}},
        "settlingDisputes": [],
        "topUpDeadline": "2026-01-05T12:40:00.000Z",
    }
    floor.assert_proven()


def test_a_partner_that_does_not_hear_does_not_move_the_deadline(
    floor: Floor, partner: PartnerHandle, their_side: FakePartner
) -> None:
    ada, _ = traders(floor, partner)
    floor.run_due()
    settlement = stage(partner, {ada.id: {"BTC": "-1.5"}})
    their_side.behave = silent
    floor.pass_minutes(10)
    floor.pass_minutes(30)
    assert floor.state(settlement["id"]) == "completed"
    their_side.behave = lambda _: Reaction(204, b"")
    floor.pass_minutes(10)
    told = their_side.asked("/finalize")
    assert len(told) >= 2
    assert len({call.raw for call in told}) == 1
    their_side.behave = agreeing
    floor.pass_minutes(60)
    assert their_side.asked("/finalize") == told
    floor.assert_proven()
