"""Version 1: executed at once, all of it or nothing, for partners without a dispute window. Protocol §5."""

from __future__ import annotations

import httpx2
import pytest

from clearwindow.signing.message import sign_message
from tests.support.networks import ConnectionHandle, Json, PartnerHandle, new_nonce, ok
from tests.support.operators import make_key
from tests.support.refusing import nothing_written
from tests.support.settling import (
    Floor,
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
def partner(floor: Floor) -> PartnerHandle:
    return floor.network.partner(dispute_window=None, top_up_window=None, deposits={"ofcusd": 50})


@pytest.fixture
def ann(floor: Floor, partner: PartnerHandle) -> ConnectionHandle:
    return floor.network.funded(partner, {"ofcbtc": 100}, name="ann")


@pytest.fixture
def bob(floor: Floor, partner: PartnerHandle) -> ConnectionHandle:
    return floor.network.funded(partner, {"ofcbtc": 100}, name="bob")


def short(response: httpx2.Response) -> Json:
    """The failed settlement of an answer that says what is short."""
    assert response.status_code == 401, response.text
    answer: Json = response.json()
    assert answer["name"] == "settlement_not_covered"
    assert answer["settlement"]["status"] == "failed"
    assert answer["details"]["shortfallCount"] == len(answer["details"]["shortfalls"])
    return answer


def windows(floor: Floor, partner: PartnerHandle, minutes: float | None) -> None:
    ok(floor.operator.patch(f"/partners/{partner.id}", {"clientDisputeWindowMinutes": minutes}))


def test_losses_and_gains_move_at_once(
    floor: Floor, partner: PartnerHandle, ann: ConnectionHandle, bob: ConnectionHandle
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
    assert floor.operator.balances(partner.enterprise.account.id) == {"ofcbtc": (18, 0), "ofcusd": (30, 0)}
    shown = ok(partner.api.get(f"{PATH}/{settlement['id']}"))
    assert shown["settlement"] == settlement
    assert {one["status"] for one in shown["settlementTransfers"]} == {"completed"}
    assert len(shown["settlementTransfers"]) == 3
    (entry,) = floor.operator.entries(causeId=settlement["id"])
    assert entry["kind"] == "settlement_executed"
    for enterprise in ("exchange", "ann", "bob"):
        types = floor.event_types(enterprise)
        assert types.count("settlement.completed") == 1
        assert not {"settlement.initiated", "settlement.failed"} & set(types)
    assert floor.operator.audit_log(action="settlement.settle")[0]["subjectId"] == settlement["id"]
    assert floor.pass_minutes(1000) == 0
    floor.assert_proven()


def test_a_cutoff_may_be_named(partner: PartnerHandle, ann: ConnectionHandle) -> None:
    settlement = settle(partner, {ann.id: {"BTC": "-1"}}, cutoffAt="2026-01-05T13:59:00.000+02:00")
    assert settlement["cutoffAt"] == "2026-01-05T11:59:00.000Z"


def test_only_the_sum_must_be_covered_by_the_partner(
    floor: Floor, partner: PartnerHandle, ann: ConnectionHandle, bob: ConnectionHandle
) -> None:
    settle(partner, {ann.id: {"BTC": "30"}, bob.id: {"BTC": "-30"}})
    assert (ann.balances(), bob.balances()) == ({"ofcbtc": (130, 0)}, {"ofcbtc": (70, 0)})
    floor.assert_proven()


def test_all_shortfalls_are_named_and_nothing_moves(
    floor: Floor, partner: PartnerHandle, ann: ConnectionHandle, bob: ConnectionHandle
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
    assert floor.operator.entries(causeId=failed["settlement"]["id"]) == []
    assert (ann.balances(), bob.balances()) == ({"ofcbtc": (100, 0)}, {"ofcbtc": (100, 0)})
    for enterprise in ("exchange", "ann", "bob"):
        assert floor.event_types(enterprise).count("settlement.failed") == 1
    (asked,) = floor.operator.events(enterpriseId="exchange", types="settlement.top_up_required")
    assert asked["payload"]["shortfalls"] == failed["details"]["partnerShortfalls"]
    ok(ann.deallocate("ofcbtc", 100))
    floor.assert_proven()


def test_what_is_held_for_something_else_does_not_cover(
    floor: Floor, partner: PartnerHandle, ann: ConnectionHandle
) -> None:
    windows(floor, partner, 10)
    stage(partner, {ann.id: {"BTC": "-60"}})
    windows(floor, partner, None)
    (gap,) = short(try_settle(partner, {ann.id: {"BTC": "-41"}}))["details"]["shortfalls"]
    assert (gap["available"], gap["shortfall"]) == ("40", "1")
    settle(partner, {ann.id: {"BTC": "-40"}})
    floor.pass_minutes(20)
    assert ann.balances() == {"ofcbtc": (0, 0)}
    floor.assert_proven()


def test_the_same_request_again_retries_a_failed_one(
    floor: Floor, partner: PartnerHandle, ann: ConnectionHandle
) -> None:
    body = partner.enterprise.sign(fields_at_once({ann.id: {"BTC": "-1", "USD": "60"}}))
    first = short(partner.api.post(PATH, body))["settlement"]
    floor.clock.advance(minutes=1)
    again = short(partner.api.post(PATH, body))["settlement"]
    assert (again["id"], again["createdAt"]) == (first["id"], first["createdAt"])
    assert again["updatedAt"] > first["updatedAt"]
    assert floor.event_types("ann").count("settlement.failed") == 1
    other = partner.enterprise.sign({**fields_at_once({ann.id: {"BTC": "-1"}}), "externalId": first["externalId"]})
    with nothing_written(floor.runtime):
        refused = partner.api.post(PATH, other)
    assert (refused.status_code, refused.json()["name"]) == (409, "external_id_taken")

    floor.operator.deposit(partner.enterprise.account.id, "ofcusd", 10)
    assert floor.pass_minutes(60) == 0
    assert floor.state(first["id"]) == "failed"
    done = partner.api.post(PATH, body)

    assert ok(done)["settlement"]["status"] == "completed"
    assert ok(done)["settlement"]["id"] == first["id"]
    assert "Idempotent-Replayed" not in done.headers
    assert ann.balances() == {"ofcbtc": (99, 0), "ofcusd": (60, 0)}
    floor.clock.advance(minutes=1)
    with nothing_written(floor.runtime):
        repeated = [partner.api.post(path, body) for path in (PATH, ALIAS)]
    for repeat in repeated:
        assert (repeat.status_code, repeat.headers["Idempotent-Replayed"]) == (200, "true")
        assert repeat.content == done.content
    floor.assert_proven()


def test_the_alias_is_the_same_use_case(floor: Floor, partner: PartnerHandle, ann: ConnectionHandle) -> None:
    body = partner.enterprise.sign(fields_at_once({ann.id: {"BTC": "-1"}}))
    settlement = ok(partner.api.post(ALIAS, body))["settlement"]
    assert (settlement["status"], settlement["reconciled"]) == ("completed", False)
    again = partner.api.post(PATH, body)
    assert (ok(again)["settlement"], again.headers["Idempotent-Replayed"]) == (settlement, "true")
    assert ann.balances() == {"ofcbtc": (99, 0)}
    paths = httpx2.get(f"{floor.operator.base_url}/openapi.json", trust_env=False).json()["paths"]
    prefix = "/api/network/v1/enterprises/{enterpriseId}"
    assert paths[f"{prefix}{ALIAS}"]["post"]["deprecated"] is True
    assert "deprecated" not in paths[f"{prefix}{PATH}"]["post"]


def test_each_version_serves_its_own_partners(floor: Floor, partner: PartnerHandle, ann: ConnectionHandle) -> None:
    amounts = {ann.id: {"BTC": "-1"}}
    at_once, staged = (partner.enterprise.sign(fields_of(amounts)) for _ in range(2))
    ok(partner.api.post(PATH, at_once))
    assert post(partner, staged).json()["name"] == "disputes_not_enabled"
    for minutes in (0, 10):
        windows(floor, partner, minutes)
        with nothing_written(floor.runtime):
            for path in (PATH, ALIAS):
                refused = partner.api.post(path, at_once)
                assert (refused.status_code, refused.json()["name"]) == (403, "disputes_enabled")
            again = post(partner, at_once)
        assert (again.status_code, again.json()["name"]) == (409, "external_id_taken")
    ok(post(partner, staged))
    windows(floor, partner, None)
    with nothing_written(floor.runtime):
        again = partner.api.post(PATH, staged)
    assert (again.status_code, again.json()["name"]) == (409, "external_id_taken")


def test_an_operator_retries(floor: Floor, partner: PartnerHandle, ann: ConnectionHandle) -> None:
    failed = short(try_settle(partner, {ann.id: {"BTC": "-1", "USD": "60"}}))["settlement"]
    path = f"/settlements/{failed['id']}/retry"
    still = ok(floor.operator.post(path))["settlement"]
    assert (still["status"], still["reason"]) == ("failed", failed["reason"])
    floor.operator.deposit(partner.enterprise.account.id, "ofcusd", 10)
    done = ok(floor.operator.post(path, {"reason": "funded by wire"}))["settlement"]
    assert (done["status"], done["stage"]) == ("completed", "completed")
    assert ann.balances() == {"ofcbtc": (99, 0), "ofcusd": (60, 0)}
    assert floor.operator.post(path).status_code == 409
    assert len(floor.operator.audit_log(action="settlement.retry")) == 2
    floor.assert_proven()


def test_a_rejected_one_stays_rejected(floor: Floor, partner: PartnerHandle, ann: ConnectionHandle) -> None:
    body = partner.enterprise.sign(fields_at_once({ann.id: {"BTC": "-101"}}))
    failed = short(partner.api.post(PATH, body))["settlement"]
    rejected = ok(floor.operator.post(f"/settlements/{failed['id']}/reject", {"reason": "sent twice"}))
    assert rejected["settlement"]["status"] == "rejected"
    floor.operator.deposit(ann.client.enterprise.account.id, "ofcbtc", 1)
    ok(ann.allocate("ofcbtc", 1))
    with nothing_written(floor.runtime):
        again = partner.api.post(PATH, body)
    assert (again.status_code, again.json()["name"]) == (401, "settlement_rejected")
    assert again.headers["Idempotent-Replayed"] == "true"
    shown = again.json()["settlement"]
    assert (shown["status"], shown["reason"]) == ("rejected", "sent twice")
    assert floor.operator.post(f"/settlements/{failed['id']}/retry").status_code == 409
    assert ann.balances() == {"ofcbtc": (101, 0)}
    floor.assert_proven()


def test_it_cannot_be_disputed(floor: Floor, partner: PartnerHandle, ann: ConnectionHandle) -> None:
    done = settle(partner, {ann.id: {"BTC": "-1"}})
    failed = short(try_settle(partner, {ann.id: {"BTC": "-101"}}))["settlement"]
    for settlement in (done, failed):
        assert dispute(ann, settlement["id"]).status_code == 422
    floor.assert_proven()


def test_closed_disputes_wait_for_a_settlement_with_a_window(
    floor: Floor, partner: PartnerHandle, ann: ConnectionHandle
) -> None:
    floor.network.configure("exchange", autoApproveClientClosures=True)
    windows(floor, partner, 10)
    disputed = stage(partner, {ann.id: {"BTC": "-60"}})
    raised = ok(dispute(ann, disputed["id"]))["dispute"]
    floor.pass_minutes(20)
    ok(close_dispute(ann, raised["id"]))
    windows(floor, partner, None)

    settle(partner, {ann.id: {"BTC": "-5"}})

    assert ann.balances() == {"ofcbtc": (35, 60)}
    floor.assert_proven()
    windows(floor, partner, 10)
    following = stage(partner, {ann.id: {"BTC": "-5"}})
    assert [one["id"] for one in following["settlingDisputes"]] == [raised["id"]]
    floor.pass_minutes(20)
    assert ann.balances() == {"ofcbtc": (30, 0)}
    floor.assert_proven()


def test_what_it_brings_in_wakes_a_staged_one_that_waits_for_money(
    floor: Floor, partner: PartnerHandle, ann: ConnectionHandle, bob: ConnectionHandle
) -> None:
    windows(floor, partner, 10)
    waiting = stage(partner, {ann.id: {"BTC": "5"}})
    floor.pass_minutes(20)
    assert floor.state(waiting["id"]) == "failed"
    windows(floor, partner, None)
    settle(partner, {bob.id: {"BTC": "-5"}})
    floor.run_due()
    assert floor.state(waiting["id"]) == "completed"
    floor.assert_proven()


def test_clients_are_not_told_what_others_are_short_of(
    partner: PartnerHandle, ann: ConnectionHandle, bob: ConnectionHandle
) -> None:
    failed = short(try_settle(partner, {ann.id: {"BTC": "-1"}, bob.id: {"BTC": "-101"}}))["settlement"]
    assert bob.id in failed["reason"]
    api = ann.client.api
    for view in (api.get("/clients/settlements"), api.get(f"/clients/settlements/{failed['id']}")):
        assert ok(view)
        assert bob.id not in view.text
        assert "not everything in the settlement was covered" in view.text


def test_what_the_helper_gives_is_what_to_sign(partner: PartnerHandle, ann: ConnectionHandle) -> None:
    fields = fields_at_once({ann.id: {"BTC": "-1"}})
    for method in ("get", "post"):
        fields |= {"externalId": method, "nonce": method}
        helper = "/partners/settlements-signing"
        given = partner.api.get(helper, body=fields) if method == "get" else partner.api.post(helper, fields)
        payload = ok(given)["payload"]
        signature = sign_message(partner.enterprise.account.key, payload)
        done = ok(partner.api.post(PATH, {**fields, "payload": payload, "signature": signature}))
        assert done["settlement"]["status"] == "completed"


def test_input_that_is_wrong_is_refused_and_writes_nothing(
    floor: Floor, partner: PartnerHandle, ann: ConnectionHandle
) -> None:
    foreign = floor.network.funded(floor.network.partner("rival"), {"ofcbtc": 1}, name="cid")
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
        (signed(externalId="taken"), 409, "external_id_taken"),
        (signed(nonce="used"), 409, "nonce_used"),
    ]
    for path in (PATH, ALIAS):
        for body, status, name in cases:
            with nothing_written(floor.runtime):
                refused = partner.api.post(path, body)
            assert (refused.status_code, refused.json()["name"]) == (status, name), refused.text
    ok(partner.api.post(PATH, signed()))
    client = ann.client.enterprise
    assert client.api.post(PATH, client.sign(good)).json()["name"] == "not_a_partner"


def test_a_brokers_flat_amounts_sum_to_zero(floor: Floor) -> None:
    broker = floor.network.partner("broker", dispute_window=None, broker=True)
    ann, bob = (floor.network.funded(broker, {"ofcbtc": 10}, name=name) for name in ("ann", "bob"))
    with nothing_written(floor.runtime):
        refused = try_settle(broker, {ann.id: {"BTC": "5"}, bob.id: {"BTC": "-4"}})
    assert (refused.status_code, refused.json()["name"]) == (400, "amounts_not_net_zero")
    settle(broker, {ann.id: {"BTC": "5"}, bob.id: {"BTC": "-5"}})
    assert (ann.balances(), bob.balances()) == ({"ofcbtc": (15, 0)}, {"ofcbtc": (5, 0)})
    floor.assert_proven()


def test_a_nonce_belongs_to_one_request_even_if_it_failed(
    floor: Floor, partner: PartnerHandle, ann: ConnectionHandle
) -> None:
    nonce = new_nonce()
    short(try_settle(partner, {ann.id: {"BTC": "-101"}}, nonce=nonce))
    with nothing_written(floor.runtime):
        refused = try_settle(partner, {ann.id: {"BTC": "-1"}}, nonce=nonce)
    assert (refused.status_code, refused.json()["name"]) == (409, "nonce_used")
