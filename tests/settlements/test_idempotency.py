"""The same request again is the same settlement; another request is never taken for it. Protocol §5."""

from __future__ import annotations

import httpx2

from tests.support.networks import Json, new_nonce, sign_body
from tests.support.operators import make_key
from tests.support.refusing import Staging, nothing_written, staging
from tests.support.settling import Floor, change_dispute, dispute, stage


def assert_replays(desk: Staging, first: httpx2.Response, body: Json | None = None) -> None:
    """The same request gives the first answer byte for byte, marked, and writes nothing."""
    with nothing_written(desk.floor.runtime):
        again = desk.send(body or desk.signed())
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (200, "true")
    assert again.content == first.content
    desk.floor.assert_proven()


def staged(desk: Staging) -> httpx2.Response:
    first = desk.send(desk.signed())
    assert first.status_code == 200, first.text
    assert "Idempotent-Replayed" not in first.headers
    return first


def test_the_same_request_again_gives_the_same_answer_at_every_stage(floor: Floor) -> None:
    desk = staging(floor)
    first = staged(desk)
    assert_replays(desk, first)
    stage(desk.partner, {desk.connection.id: {"BTC": "-3"}})
    assert_replays(desk, first)
    floor.pass_minutes(10)
    assert_replays(desk, first)
    floor.pass_minutes(10)
    assert floor.state(first.json()["settlement"]["id"]) == "completed"
    assert_replays(desk, first)


def test_the_same_request_again_gives_the_same_answer_through_disputes(floor: Floor) -> None:
    desk = staging(floor)
    first = staged(desk)
    settlement_id = first.json()["settlement"]["id"]
    raised = dispute(desk.connection, settlement_id).json()["dispute"]["id"]
    assert_replays(desk, first)
    assert change_dispute(desk.connection, raised, retracted=True).status_code == 200
    assert_replays(desk, first)
    assert change_dispute(desk.connection, raised, retracted=False).status_code == 200
    floor.pass_minutes(20)
    assert floor.state(settlement_id) == "completed"
    assert desk.connection.balances() == {"ofcbtc": (993, 7)}
    assert_replays(desk, first)


def test_an_answer_that_assigned_disputes_is_repeated_with_them(floor: Floor) -> None:
    desk = staging(floor, autoApproveClientClosures=True)
    earlier = stage(desk.partner, {desk.connection.id: {"BTC": "-3"}})
    raised = dispute(desk.connection, earlier["id"]).json()["dispute"]["id"]
    floor.pass_minutes(10)
    closing = desk.connection.client.enterprise.sign({"notes": "we were wrong"})
    path = f"/clients/settlements/disputes/{raised}/close"
    assert desk.connection.client.api.post(path, closing).status_code == 200
    first = staged(desk)
    assert [found["id"] for found in first.json()["settlement"]["settlingDisputes"]] == [raised]
    assert_replays(desk, first)
    floor.pass_minutes(20)
    assert_replays(desk, first)
    assert desk.connection.balances() == {"ofcbtc": (990, 0)}


def test_the_same_external_id_with_any_field_different_conflicts(floor: Floor) -> None:
    desk = staging(floor)
    first = staged(desk)
    own = desk.connection.id
    for changes in (
        {"nonce": new_nonce()},
        {"notes": "of the sixth of January"},
        {"cutoffAt": "2026-01-05T11:58:00.000Z"},
        {"settlementAmounts": {own: {"BTC": "-8"}}},
        {"settlementAmounts": {own: {"BTC": "-7", "ETH": "1"}}},
        {"settlementAmounts": {own: {"ETH": "1"}}},
        {"enterpriseId": desk.partner.enterprise.id},
    ):
        desk.refuses(desk.signed(**changes), "external_id_taken", status=409)
    desk.refuses(desk.without("notes"), "external_id_taken", status=409)
    second_key = make_key(555)
    account = desk.partner.enterprise.account
    assert floor.operator.post(f"/go-accounts/{account.id}/keys", {"pub": second_key.xpub}).status_code == 200
    desk.refuses(sign_body(desk.fields, second_key), "external_id_taken", status=409)
    reordered = sign_body(dict(reversed(desk.fields.items())), desk.key)
    desk.refuses(reordered, "external_id_taken", status=409)
    assert_replays(desk, first)
    in_another_order: Json = dict(reversed(desk.signed().items()))
    assert_replays(desk, first, in_another_order)


def test_a_nonce_serves_one_request(floor: Floor) -> None:
    desk = staging(floor)
    first = staged(desk)
    desk.refuses(desk.signed(externalId="another"), "nonce_used", status=409)
    desk.accepts(desk.signed(externalId="another", nonce=new_nonce()))
    assert_replays(desk, first)


def test_a_refused_attempt_takes_neither_external_id_nor_nonce(floor: Floor) -> None:
    desk = staging(floor)
    own = desk.connection.id
    too_much = {own: {"BTC": "-1001"}}
    for _ in range(2):
        desk.refuses(desk.signed(settlementAmounts=too_much), "liabilities_exceed_balance", own, status=422)
    desk.refuses(desk.amounts({"BTC": "0"}), "amount_unfit")
    first = staged(desk)
    assert_replays(desk, first)
    desk.refuses(desk.signed(settlementAmounts=too_much), "external_id_taken", status=409)


def test_two_partners_may_use_the_same_external_id_and_nonce(floor: Floor) -> None:
    desk = staging(floor)
    first = desk.accepts()
    rival = floor.network.partner("rival")
    other = Staging(floor, rival, floor.network.connect(desk.connection.client, rival))
    other.fields = {**desk.fields, "settlementAmounts": {other.connection.id: {"BTC": "7"}}}
    assert other.accepts()["id"] != first["id"]


def test_the_same_request_revives_a_failed_settlement_until_it_completes(floor: Floor) -> None:
    desk = staging(floor)
    desk.fields["settlementAmounts"] = {desk.connection.id: {"BTC": "70"}}
    first = staged(desk)
    settlement_id = first.json()["settlement"]["id"]
    floor.pass_minutes(20)
    assert floor.state(settlement_id) == "failed"

    for minutes in (1, 5):
        floor.pass_minutes(minutes)
        again = desk.send(desk.signed())
        assert (again.status_code, again.headers["Idempotent-Replayed"]) == (200, "true")
        answered, before = again.json()["settlement"], first.json()["settlement"]
        assert answered.pop("updatedAt") > before.pop("updatedAt")
        assert answered == before
        assert floor.state(settlement_id) == "top_up_window"
        floor.run_due()
        assert floor.state(settlement_id) == "failed"
        floor.assert_proven()

    desk.refuses(desk.signed(notes="other notes"), "external_id_taken", status=409)
    assert floor.state(settlement_id) == "failed"
    floor.operator.deposit(desk.partner.enterprise.account.id, "ofcbtc", 100)
    floor.run_due()
    assert floor.state(settlement_id) == "completed"
    assert desk.connection.balances() == {"ofcbtc": (1_070, 0)}
    assert_replays(desk, first)
