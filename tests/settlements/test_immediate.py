"""Version 1 executes all of a settlement at once or nothing, without a dispute window. Protocol §5."""

from __future__ import annotations

import httpx2
import pytest

from clearwindow.signing.message import sign_message
from tests.support.networks import TIMEOUT_SECONDS, ConnectionHandle, Json, PartnerHandle, new_nonce, ok
from tests.support.operators import make_key
from tests.support.refusals import nothing_written
from tests.support.settlements import (
    Testbed,
    close_dispute,
    dispute,
    fields_at_once,
    fields_of,
    post,
    settle,
    stage,
    try_settle,
)

PATH = "/partners/settlements"
ALIAS = "/partners/settlements/nonReconciled"


@pytest.fixture
def partner(testbed: Testbed) -> PartnerHandle:
    return testbed.network.partner(dispute_window=None, top_up_window=None, deposits={"ofcusd": 50})


@pytest.fixture
def ann(testbed: Testbed, partner: PartnerHandle) -> ConnectionHandle:
    return testbed.network.funded(partner, {"ofcbtc": 100}, name="ann")


@pytest.fixture
def bob(testbed: Testbed, partner: PartnerHandle) -> ConnectionHandle:
    return testbed.network.funded(partner, {"ofcbtc": 100}, name="bob")


def short(response: httpx2.Response) -> Json:
    """Returns the failed settlement of an answer that names shortfalls."""
    assert response.status_code == 401, response.text
    answer: Json = response.json()
    assert answer["name"] == "settlement_not_covered"
    assert answer["settlement"]["status"] == "failed"
    assert answer["details"]["shortfallCount"] == len(answer["details"]["shortfalls"])
    return answer


def windows(testbed: Testbed, partner: PartnerHandle, minutes: float | None) -> None:
    ok(testbed.operator.patch(f"/partners/{partner.id}", {"clientDisputeWindowMinutes": minutes}))


def test_losses_and_gains_move_at_once(
    testbed: Testbed, partner: PartnerHandle, ann: ConnectionHandle, bob: ConnectionHandle
) -> None:
    amounts = {ann.id: {"BTC": "-30", "USD": "20"}, bob.id: {"BTC": "12"}}

    settlement = settle(partner, amounts, notes="of today", externalId="day 1")

    assert (settlement["status"], settlement["settlementType"]) == ("completed", "offchain")
    assert (settlement["reconciled"], settlement["disputed"]) == (False, False)
    assert (settlement["externalId"], settlement["notes"]) == ("day 1", "of today")
    assert settlement["finalizedAt"] == settlement["createdAt"] == settlement["updatedAt"]
    assert "cutoffAt" not in settlement
    assert "reason" not in settlement
    assert ann.balances() == {"ofcbtc": (70, 0), "ofcusd": (20, 0)}
    assert bob.balances() == {"ofcbtc": (112, 0)}
    assert testbed.operator.balances(partner.enterprise.account.id) == {"ofcbtc": (18, 0), "ofcusd": (30, 0)}
    shown = ok(partner.api.get(f"{PATH}/{settlement['id']}"))
    assert shown["settlement"] == settlement
    assert {one["status"] for one in shown["settlementTransfers"]} == {"completed"}
    assert len(shown["settlementTransfers"]) == 3
    (entry,) = testbed.operator.entries(causeId=settlement["id"])
    assert entry["kind"] == "settlement_executed"
    for enterprise in ("exchange", "ann", "bob"):
        types = testbed.event_types(enterprise)
        assert types.count("settlement.completed") == 1
        assert not {"settlement.initiated", "settlement.failed"} & set(types)
    assert testbed.operator.audit_log(action="settlement.settle")[0]["subjectId"] == settlement["id"]
    assert testbed.pass_minutes(1000) == 0
    testbed.assert_proven()


def test_cutoff_may_be_given(partner: PartnerHandle, ann: ConnectionHandle) -> None:
    settlement = settle(partner, {ann.id: {"BTC": "-1"}}, cutoffAt="2026-01-05T13:59:00.000+02:00")
    assert settlement["cutoffAt"] == "2026-01-05T11:59:00.000Z"


def test_partner_must_cover_only_the_sum(
    testbed: Testbed, partner: PartnerHandle, ann: ConnectionHandle, bob: ConnectionHandle
) -> None:
    settle(partner, {ann.id: {"BTC": "30"}, bob.id: {"BTC": "-30"}})
    assert (ann.balances(), bob.balances()) == ({"ofcbtc": (130, 0)}, {"ofcbtc": (70, 0)})
    testbed.assert_proven()


def test_all_shortfalls_are_named_and_nothing_moves(
    testbed: Testbed, partner: PartnerHandle, ann: ConnectionHandle, bob: ConnectionHandle
) -> None:
    amounts = {ann.id: {"BTC": "-101", "USD": "51"}, bob.id: {"BTC": "-7", "ETH": "-3"}}

    failed = short(try_settle(partner, amounts))

    entries = sorted(failed["details"]["shortfalls"], key=lambda entry: entry["currency"])
    assert entries == [
        {
            "connectionId": ann.id,
            "currency": "ofcbtc",
            "partnerCurrency": "BTC",
            "liability": "101",
            "available": "100",
            "shortfall": "1",
        },
        {
            "connectionId": bob.id,
            "currency": "ofceth",
            "partnerCurrency": "ETH",
            "liability": "3",
            "available": "0",
            "shortfall": "3",
        },
    ]
    assert failed["details"]["partnerShortfalls"] == [
        {"currency": "ofcusd", "needed": "51", "available": "50", "shortfall": "1"}
    ]
    reason = failed["settlement"]["reason"]
    assert "and 1 more; the partner's account is short of ofcusd by 1 (needs 51, has 50)" in reason
    assert ok(partner.api.get(f"{PATH}/{failed['settlement']['id']}"))["settlement"] == failed["settlement"]
    assert testbed.operator.entries(causeId=failed["settlement"]["id"]) == []
    assert (ann.balances(), bob.balances()) == ({"ofcbtc": (100, 0)}, {"ofcbtc": (100, 0)})
    for enterprise in ("exchange", "ann", "bob"):
        assert testbed.event_types(enterprise).count("settlement.failed") == 1
    (asked,) = testbed.operator.events(enterpriseId="exchange", types="settlement.top_up_required")
    assert asked["payload"]["shortfalls"] == failed["details"]["partnerShortfalls"]
    ok(ann.deallocate("ofcbtc", 100))
    testbed.assert_proven()


def test_held_funds_do_not_cover_a_settlement(
    testbed: Testbed, partner: PartnerHandle, ann: ConnectionHandle
) -> None:
    windows(testbed, partner, 10)
    stage(partner, {ann.id: {"BTC": "-60"}})
    windows(testbed, partner, None)
    (gap,) = short(try_settle(partner, {ann.id: {"BTC": "-41"}}))["details"]["shortfalls"]
    assert (gap["available"], gap["shortfall"]) == ("40", "1")
    settle(partner, {ann.id: {"BTC": "-40"}})
    testbed.pass_minutes(20)
    assert ann.balances() == {"ofcbtc": (0, 0)}
    testbed.assert_proven()


def test_repeat_retries_a_failed_immediate_settlement(
    testbed: Testbed, partner: PartnerHandle, ann: ConnectionHandle
) -> None:
    body = partner.enterprise.sign(fields_at_once({ann.id: {"BTC": "-1", "USD": "60"}}))
    first = short(partner.api.post(PATH, body))["settlement"]
    testbed.clock.advance(minutes=1)
    again = short(partner.api.post(PATH, body))["settlement"]
    assert (again["id"], again["createdAt"]) == (first["id"], first["createdAt"])
    assert again["updatedAt"] > first["updatedAt"]
    assert testbed.event_types("ann").count("settlement.failed") == 1
    other = partner.enterprise.sign({**fields_at_once({ann.id: {"BTC": "-1"}}), "externalId": first["externalId"]})
    with nothing_written(testbed.runtime):
        refused = partner.api.post(PATH, other)
    assert (refused.status_code, refused.json()["name"]) == (409, "external_id_taken")

    testbed.operator.deposit(partner.enterprise.account.id, "ofcusd", 10)
    assert testbed.pass_minutes(60) == 0
    assert testbed.state(first["id"]) == "failed"
    done = partner.api.post(PATH, body)

    assert ok(done)["settlement"]["status"] == "completed"
    assert ok(done)["settlement"]["id"] == first["id"]
    assert "Idempotent-Replayed" not in done.headers
    assert ann.balances() == {"ofcbtc": (99, 0), "ofcusd": (60, 0)}
    testbed.clock.advance(minutes=1)
    with nothing_written(testbed.runtime):
        repeated = [partner.api.post(path, body) for path in (PATH, ALIAS)]
    for repeat in repeated:
        assert (repeat.status_code, repeat.headers["Idempotent-Replayed"]) == (200, "true")
        assert repeat.content == done.content
    testbed.assert_proven()


def test_request_may_be_repeated_at_the_other_path(
    testbed: Testbed, partner: PartnerHandle, ann: ConnectionHandle
) -> None:
    body = partner.enterprise.sign(fields_at_once({ann.id: {"BTC": "-1"}}))
    settlement = ok(partner.api.post(ALIAS, body))["settlement"]
    assert (settlement["status"], settlement["reconciled"]) == ("completed", False)
    again = partner.api.post(PATH, body)
    assert (ok(again)["settlement"], again.headers["Idempotent-Replayed"]) == (settlement, "true")
    assert ann.balances() == {"ofcbtc": (99, 0)}
    document = httpx2.get(f"{testbed.operator.base_url}/openapi.json", trust_env=False, timeout=TIMEOUT_SECONDS)
    paths = document.json()["paths"]
    prefix = "/api/network/v1/enterprises/{enterpriseId}"
    assert paths[f"{prefix}{ALIAS}"]["post"]["deprecated"] is True
    assert "deprecated" not in paths[f"{prefix}{PATH}"]["post"]


def test_each_version_refuses_partners_of_the_other(
    testbed: Testbed, partner: PartnerHandle, ann: ConnectionHandle
) -> None:
    amounts = {ann.id: {"BTC": "-1"}}
    at_once, new, staged = (partner.enterprise.sign(fields_of(amounts)) for _ in range(3))
    ok(partner.api.post(PATH, at_once))
    assert post(partner, staged).json()["name"] == "disputes_not_enabled"
    for minutes in (0, 10):
        windows(testbed, partner, minutes)
        with nothing_written(testbed.runtime):
            for path in (PATH, ALIAS):
                refused = partner.api.post(path, new)
                assert (refused.status_code, refused.json()["name"]) == (403, "disputes_enabled")
                assert ok(partner.api.post(path, at_once))["settlement"]["status"] == "completed"
            again = post(partner, at_once)
        assert (again.status_code, again.json()["name"]) == (409, "external_id_taken")
    ok(post(partner, staged))
    windows(testbed, partner, None)
    with nothing_written(testbed.runtime):
        again = partner.api.post(PATH, staged)
    assert (again.status_code, again.json()["name"]) == (409, "external_id_taken")


def test_operator_can_retry_a_failed_immediate_settlement(
    testbed: Testbed, partner: PartnerHandle, ann: ConnectionHandle
) -> None:
    failed = short(try_settle(partner, {ann.id: {"BTC": "-1", "USD": "60"}}))["settlement"]
    path = f"/settlements/{failed['id']}/retry"
    still = ok(testbed.operator.post(path))["settlement"]
    assert (still["status"], still["reason"]) == ("failed", failed["reason"])
    testbed.operator.deposit(partner.enterprise.account.id, "ofcusd", 10)
    done = ok(testbed.operator.post(path, {"reason": "funded by wire"}))["settlement"]
    assert (done["status"], done["stage"]) == ("completed", "completed")
    assert ann.balances() == {"ofcbtc": (99, 0), "ofcusd": (60, 0)}
    assert testbed.operator.post(path).status_code == 409
    assert len(testbed.operator.audit_log(action="settlement.retry")) == 2
    testbed.assert_proven()


def test_rejected_immediate_settlement_stays_rejected(
    testbed: Testbed, partner: PartnerHandle, ann: ConnectionHandle
) -> None:
    body = partner.enterprise.sign(fields_at_once({ann.id: {"BTC": "-101"}}))
    failed = short(partner.api.post(PATH, body))["settlement"]
    rejected = ok(testbed.operator.post(f"/settlements/{failed['id']}/reject", {"reason": "sent twice"}))
    assert rejected["settlement"]["status"] == "rejected"
    testbed.operator.deposit(ann.client.enterprise.account.id, "ofcbtc", 1)
    ok(ann.allocate("ofcbtc", 1))
    with nothing_written(testbed.runtime):
        again = partner.api.post(PATH, body)
    assert (again.status_code, again.json()["name"]) == (401, "settlement_rejected")
    assert again.headers["Idempotent-Replayed"] == "true"
    shown = again.json()["settlement"]
    assert (shown["status"], shown["reason"]) == ("rejected", "sent twice")
    assert testbed.operator.post(f"/settlements/{failed['id']}/retry").status_code == 409
    assert ann.balances() == {"ofcbtc": (101, 0)}
    testbed.assert_proven()


def test_immediate_settlement_cannot_be_disputed(
    testbed: Testbed, partner: PartnerHandle, ann: ConnectionHandle
) -> None:
    done = settle(partner, {ann.id: {"BTC": "-1"}})
    failed = short(try_settle(partner, {ann.id: {"BTC": "-101"}}))["settlement"]
    for settlement in (done, failed):
        assert dispute(ann, settlement["id"]).status_code == 422
    testbed.assert_proven()


def test_closed_disputes_wait_for_a_staged_settlement(
    testbed: Testbed, partner: PartnerHandle, ann: ConnectionHandle
) -> None:
    testbed.network.configure("exchange", autoApproveClientClosures=True)
    windows(testbed, partner, 10)
    disputed = stage(partner, {ann.id: {"BTC": "-60"}})
    raised = ok(dispute(ann, disputed["id"]))["dispute"]
    testbed.pass_minutes(20)
    ok(close_dispute(ann, raised["id"]))
    windows(testbed, partner, None)

    settle(partner, {ann.id: {"BTC": "-5"}})

    assert ann.balances() == {"ofcbtc": (35, 60)}
    testbed.assert_proven()
    windows(testbed, partner, 10)
    following = stage(partner, {ann.id: {"BTC": "-5"}})
    assert [one["id"] for one in following["settlingDisputes"]] == [raised["id"]]
    testbed.pass_minutes(20)
    assert ann.balances() == {"ofcbtc": (30, 0)}
    testbed.assert_proven()


def test_money_from_an_immediate_settlement_wakes_a_waiting_staged_one(
    testbed: Testbed, partner: PartnerHandle, ann: ConnectionHandle, bob: ConnectionHandle
) -> None:
    windows(testbed, partner, 10)
    waiting = stage(partner, {ann.id: {"BTC": "5"}})
    testbed.pass_minutes(20)
    assert testbed.state(waiting["id"]) == "failed"
    windows(testbed, partner, None)
    settle(partner, {bob.id: {"BTC": "-5"}})
    testbed.run_due()
    assert testbed.state(waiting["id"]) == "completed"
    testbed.assert_proven()


def test_client_does_not_see_the_shortfalls_of_others(
    partner: PartnerHandle, ann: ConnectionHandle, bob: ConnectionHandle
) -> None:
    failed = short(try_settle(partner, {ann.id: {"BTC": "-1"}, bob.id: {"BTC": "-101"}}))["settlement"]
    assert bob.id in failed["reason"]
    api = ann.client.api
    for view in (api.get("/clients/settlements"), api.get(f"/clients/settlements/{failed['id']}")):
        assert ok(view)
        assert bob.id not in view.text
        assert "not everything in the settlement was covered" in view.text


def test_signed_text_of_the_helper_is_accepted(partner: PartnerHandle, ann: ConnectionHandle) -> None:
    fields = fields_at_once({ann.id: {"BTC": "-1"}})
    for method in ("get", "post"):
        fields |= {"externalId": method, "nonce": method}
        helper = "/partners/settlements-signing"
        given = partner.api.get(helper, body=fields) if method == "get" else partner.api.post(helper, fields)
        payload = ok(given)["payload"]
        signature = sign_message(partner.enterprise.account.key, payload)
        done = ok(partner.api.post(PATH, {**fields, "payload": payload, "signature": signature}))
        assert done["settlement"]["status"] == "completed"


def test_invalid_input_is_refused_and_writes_nothing(
    testbed: Testbed, partner: PartnerHandle, ann: ConnectionHandle
) -> None:
    foreign = testbed.network.funded(testbed.network.partner("rival"), {"ofcbtc": 1}, name="cid")
    good = fields_at_once({ann.id: {"BTC": "-1"}})
    ok(partner.api.post(PATH, partner.enterprise.sign({**good, "externalId": "taken", "nonce": "used"})))

    def signed(**changes: object) -> Json:
        return partner.enterprise.sign({**good, **changes})

    def amounts(given: object) -> Json:
        return signed(settlementAmounts=given)

    cases: list[tuple[Json, int, str]] = [
        (amounts({}), 400, "request_invalid"),
        (amounts({ann.id: {}}), 400, "amounts_missing"),
        (amounts({ann.id: {"BTC": "0"}}), 400, "amount_unfit"),
        (amounts({ann.id: {"BTC": -1}}), 400, "request_invalid"),
        (amounts({ann.id: {"XYZ": "-1"}}), 400, "currency_unmapped"),
        (amounts({foreign.id: {"BTC": "-1"}}), 400, "connection_unknown"),
        (amounts({partner.id: {"BTC": "-1"}}), 400, "connection_unknown"),
        (signed(color="red"), 400, "request_invalid"),
        (signed(cutoffAt="yesterday"), 400, "request_invalid"),
        (signed(notes=""), 400, "request_invalid"),
        ({**signed(), "notes": "not signed"}, 400, "payload_differs"),
        ({**signed(), "signature": sign_message(make_key(987), signed()["payload"])}, 401, "signature_invalid"),
        (signed(externalId="taken", notes="of the sixth"), 409, "external_id_taken"),
        (signed(nonce="used"), 409, "nonce_used"),
    ]
    for path in (PATH, ALIAS):
        for body, status, name in cases:
            with nothing_written(testbed.runtime):
                refused = partner.api.post(path, body)
            assert (refused.status_code, refused.json()["name"]) == (status, name), refused.text
    ok(partner.api.post(PATH, signed()))
    client = ann.client.enterprise
    assert client.api.post(PATH, client.sign(good)).json()["name"] == "not_a_partner"


def test_flat_amounts_of_a_broker_must_sum_to_zero(testbed: Testbed) -> None:
    broker = testbed.network.partner("broker", dispute_window=None, broker=True)
    ann, bob = (testbed.network.funded(broker, {"ofcbtc": 10}, name=name) for name in ("ann", "bob"))
    with nothing_written(testbed.runtime):
        refused = try_settle(broker, {ann.id: {"BTC": "5"}, bob.id: {"BTC": "-4"}})
    assert (refused.status_code, refused.json()["name"]) == (400, "amounts_not_net_zero")
    settle(broker, {ann.id: {"BTC": "5"}, bob.id: {"BTC": "-5"}})
    assert (ann.balances(), bob.balances()) == ({"ofcbtc": (15, 0)}, {"ofcbtc": (5, 0)})
    testbed.assert_proven()


def test_nonce_of_a_failed_settlement_is_used_up(
    testbed: Testbed, partner: PartnerHandle, ann: ConnectionHandle
) -> None:
    nonce = new_nonce()
    short(try_settle(partner, {ann.id: {"BTC": "-101"}}, nonce=nonce))
    with nothing_written(testbed.runtime):
        refused = try_settle(partner, {ann.id: {"BTC": "-1"}}, nonce=nonce)
    assert (refused.status_code, refused.json()["name"]) == (409, "nonce_used")
