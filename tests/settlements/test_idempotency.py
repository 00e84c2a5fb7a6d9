"""A repeated request is the same settlement, another request never is. Protocol §5."""

from __future__ import annotations

import httpx2

from tests.support.networks import Json, new_nonce, sign_body
from tests.support.operators import make_key
from tests.support.refusals import EVIDENCE, Staging, nothing_written, staging
from tests.support.settlements import Testbed, change_dispute, dispute, stage


def assert_replays(
    desk: Staging, first: httpx2.Response, body: Json | None = None, *, signed_anew: bool = False
) -> None:
    """Asserts that a repeat gets the first answer byte for byte, marked as replayed, and writes nothing.

    ``signed_anew``: the repeat has another text or signature, which is kept.
    """
    with nothing_written(desk.testbed.runtime, but=EVIDENCE if signed_anew else ()):
        again = desk.send(body or desk.signed())
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (200, "true")
    assert again.content == first.content
    desk.testbed.assert_proven()


def staged(desk: Staging) -> httpx2.Response:
    first = desk.send(desk.signed())
    assert first.status_code == 200, first.text
    assert "Idempotent-Replayed" not in first.headers
    return first


def test_repeat_gets_the_same_answer_at_every_stage(testbed: Testbed) -> None:
    desk = staging(testbed)
    first = staged(desk)
    assert_replays(desk, first)
    stage(desk.partner, {desk.connection.id: {"BTC": "-3"}})
    assert_replays(desk, first)
    testbed.pass_minutes(10)
    assert_replays(desk, first)
    testbed.pass_minutes(10)
    assert testbed.state(first.json()["settlement"]["id"]) == "completed"
    assert_replays(desk, first)


def test_repeat_gets_the_same_answer_after_disputes(testbed: Testbed) -> None:
    desk = staging(testbed)
    first = staged(desk)
    settlement_id = first.json()["settlement"]["id"]
    raised = dispute(desk.connection, settlement_id).json()["dispute"]["id"]
    assert_replays(desk, first)
    assert change_dispute(desk.connection, raised, retracted=True).status_code == 200
    assert_replays(desk, first)
    assert change_dispute(desk.connection, raised, retracted=False).status_code == 200
    testbed.pass_minutes(20)
    assert testbed.state(settlement_id) == "completed"
    assert desk.connection.balances() == {"ofcbtc": (993, 7)}
    assert_replays(desk, first)


def test_repeat_gets_the_assigned_disputes_again(testbed: Testbed) -> None:
    desk = staging(testbed, autoApproveClientClosures=True)
    earlier = stage(desk.partner, {desk.connection.id: {"BTC": "-3"}})
    raised = dispute(desk.connection, earlier["id"]).json()["dispute"]["id"]
    testbed.pass_minutes(10)
    closing = desk.connection.client.enterprise.sign({"notes": "we were wrong"})
    path = f"/clients/settlements/disputes/{raised}/close"
    assert desk.connection.client.api.post(path, closing).status_code == 200
    first = staged(desk)
    assert [found["id"] for found in first.json()["settlement"]["settlingDisputes"]] == [raised]
    assert_replays(desk, first)
    testbed.pass_minutes(20)
    assert_replays(desk, first)
    assert desk.connection.balances() == {"ofcbtc": (990, 0)}


def test_same_external_id_with_any_different_field_is_a_conflict(testbed: Testbed) -> None:
    desk = staging(testbed)
    first = staged(desk)
    own = desk.connection.id
    for changes in (
        {"notes": "of the sixth of January"},
        {"cutoffAt": "2026-01-05T11:58:00.000Z"},
        {"settlementAmounts": {own: {"BTC": "-8"}}},
        {"settlementAmounts": {own: {"BTC": "-7", "ETH": "1"}}},
        {"settlementAmounts": {own: {"ETH": "1"}}},
    ):
        desk.refuses(desk.signed(**changes), "external_id_taken", status=409)
    desk.refuses(desk.without("notes"), "external_id_taken", status=409)
    assert_replays(desk, first)


def test_same_values_in_other_bytes_are_the_same_request(testbed: Testbed) -> None:
    desk = staging(testbed)
    first = staged(desk)
    second_key = make_key(555)
    account = desk.partner.enterprise.account
    assert testbed.operator.post(f"/go-accounts/{account.id}/keys", {"pub": second_key.xpub}).status_code == 200
    # The nonce of the first request serves this settlement already.
    assert_replays(desk, first, sign_body(desk.fields, second_key), signed_anew=True)
    assert_replays(desk, first, sign_body(dict(reversed(desk.fields.items())), desk.key), signed_anew=True)
    assert_replays(desk, first, desk.signed(enterpriseId=desk.partner.enterprise.id), signed_anew=True)
    in_another_order: Json = dict(reversed(desk.signed().items()))
    assert_replays(desk, first, in_another_order)


def test_nonce_is_accepted_for_one_request(testbed: Testbed) -> None:
    desk = staging(testbed)
    first = staged(desk)
    desk.refuses(desk.signed(externalId="another"), "nonce_used", status=409)
    desk.accepts(desk.signed(externalId="another", nonce=new_nonce()))
    assert_replays(desk, first)


def test_refused_request_uses_up_neither_external_id_nor_nonce(testbed: Testbed) -> None:
    desk = staging(testbed)
    own = desk.connection.id
    too_much = {own: {"BTC": "-1001"}}
    for _ in range(2):
        desk.refuses(desk.signed(settlementAmounts=too_much), "liabilities_exceed_balance", own, status=422)
    desk.refuses(desk.amounts({"BTC": "0"}), "amount_unfit")
    first = staged(desk)
    assert_replays(desk, first)
    desk.refuses(desk.signed(settlementAmounts=too_much), "external_id_taken", status=409)


def test_two_partners_may_use_the_same_external_id_and_nonce(testbed: Testbed) -> None:
    desk = staging(testbed)
    first = desk.accepts()
    rival = testbed.network.partner("rival")
    other = Staging(testbed, rival, testbed.network.connect(desk.connection.client, rival))
    other.fields = {**desk.fields, "settlementAmounts": {other.connection.id: {"BTC": "7"}}}
    assert other.accepts()["id"] != first["id"]


def test_repeat_retries_a_failed_settlement_until_it_completes(testbed: Testbed) -> None:
    desk = staging(testbed)
    desk.fields["settlementAmounts"] = {desk.connection.id: {"BTC": "70"}}
    first = staged(desk)
    settlement_id = first.json()["settlement"]["id"]
    testbed.pass_minutes(20)
    assert testbed.state(settlement_id) == "failed"

    for minutes in (1, 5):
        testbed.pass_minutes(minutes)
        again = desk.send(desk.signed())
        assert (again.status_code, again.headers["Idempotent-Replayed"]) == (200, "true")
        answered, before = again.json()["settlement"], first.json()["settlement"]
        assert answered.pop("updatedAt") > before.pop("updatedAt")
        assert answered == before
        assert testbed.state(settlement_id) == "top_up_window"
        testbed.run_due()
        assert testbed.state(settlement_id) == "failed"
        testbed.assert_proven()

    desk.refuses(desk.signed(notes="other notes"), "external_id_taken", status=409)
    assert testbed.state(settlement_id) == "failed"
    testbed.operator.deposit(desk.partner.enterprise.account.id, "ofcbtc", 100)
    testbed.run_due()
    assert testbed.state(settlement_id) == "completed"
    assert desk.connection.balances() == {"ofcbtc": (1_070, 0)}
    assert_replays(desk, first)
