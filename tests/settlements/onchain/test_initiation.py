"""Starting an on-chain settlement: who may, what is refused, and what a repeat gets. Protocol §7, §10.4."""

from __future__ import annotations

from functools import partial
from uuid import uuid4

import pytest

from tests.support.chains import PATH, ChainDesk, chain_desk
from tests.support.networks import Json, new_nonce, ok, sign_body
from tests.support.operators import make_key
from tests.support.races import at_once
from tests.support.refusals import nothing_written
from tests.support.settlements import Testbed, try_stage


@pytest.fixture
def desk(testbed: Testbed) -> ChainDesk:
    return chain_desk(testbed)


def refuses(desk: ChainDesk, body: Json, status: int, name: str, mentions: str = "") -> Json:
    with nothing_written(desk.testbed.runtime):
        answer = desk.post(body)
    assert (answer.status_code, answer.json()["name"]) == (status, name), answer.text
    assert mentions in answer.json()["error"], answer.text
    problem: Json = answer.json()
    return problem


@pytest.mark.parametrize(
    ("amount", "name", "mentions"),
    [
        ("0", "request_invalid", "BTC"),
        ("-0", "request_invalid", "BTC"),
        ("1.5", "request_invalid", "BTC"),
        ("1.0", "request_invalid", "BTC"),
        ("1e3", "request_invalid", "BTC"),
        (" 1", "request_invalid", "BTC"),
        ("9" * 79, "request_invalid", "BTC"),
        (7, "request_invalid", "BTC"),
        ({"BTC": "1"}, "request_invalid", "BTC"),
    ],
)
def test_amount_that_is_not_base_units_is_refused(
    desk: ChainDesk, amount: object, name: str, mentions: str
) -> None:
    fields = desk.fields({}) | {"settlementAmounts": {desk.ann.id: {"BTC": amount}}}
    refuses(desk, desk.partner.enterprise.sign(fields), 400, name, mentions)


def test_invalid_amounts_are_refused(desk: ChainDesk) -> None:
    sign = desk.partner.enterprise.sign
    unknown = str(uuid4())
    refuses(desk, sign(desk.fields({})), 400, "request_invalid", "settlementAmounts")
    refuses(desk, sign(desk.fields({desk.ann.id: {}})), 400, "amounts_missing")
    refuses(desk, sign(desk.fields({unknown: {"BTC": "1"}})), 400, "connection_unknown", unknown)
    refuses(desk, sign(desk.fields({desk.ann.id: {"DOGE": "1"}})), 400, "currency_unmapped", "DOGE")
    with_cutoff = desk.fields({desk.ann.id: {"BTC": "1"}}, cutoffAt="2026-01-05T11:59:00.000Z")
    refuses(desk, sign(with_cutoff), 400, "request_invalid", "cutoffAt")
    other = desk.testbed.network.partner("other", onchainEnabled=True)
    foreign = desk.testbed.network.connect(desk.ann.client, other)
    refuses(desk, sign(desk.fields({foreign.id: {"BTC": "1"}})), 400, "connection_unknown")


def test_uncovered_losses_are_all_named_and_nothing_is_written(desk: ChainDesk) -> None:
    amounts = {desk.ann.id: {"BTC": "-1001", "ETH": "-1000"}, desk.bob.id: {"ETH": "-1700", "BTC": "5"}}
    body = desk.partner.enterprise.sign(desk.fields(amounts))
    problem = refuses(desk, body, 400, "liabilities_exceed_balance")
    named = {(one["connectionId"], one["currency"], one["shortfall"]) for one in problem["details"]["shortfalls"]}
    assert named == {(desk.ann.id, "ofcbtc", "1"), (desk.bob.id, "ofceth", "700")}
    # The nonce is not used up: the same request is accepted once the client has allocated more.
    for connection, currency in ((desk.ann, "ofcbtc"), (desk.bob, "ofceth")):
        account = connection.client.enterprise.account.id
        desk.testbed.operator.deposit(account, currency, 700)
        ok(connection.allocate(currency, 700))
    assert desk.post(body).status_code == 202
    desk.testbed.assert_proven()


def test_inactive_or_not_enabled_partner_is_refused(desk: ChainDesk) -> None:
    body = desk.partner.enterprise.sign(desk.fields({desk.ann.id: {"BTC": "-1"}}))
    ok(desk.testbed.operator.patch(f"/partners/{desk.partner.id}", {"active": False}))
    refuses(desk, body, 403, "partner_inactive")
    assert desk.try_deposit("x", ("BTC", "t")).json()["name"] == "partner_inactive"
    ok(desk.testbed.operator.patch(f"/partners/{desk.partner.id}", {"active": True}))
    desk.testbed.network.configure("exchange", onchainEnabled=False)
    refuses(desk, body, 403, "onchain_not_enabled")
    assert desk.try_deposit("x", ("BTC", "t")).json()["name"] == "onchain_not_enabled"
    answer = desk.partner.api.get(f"{PATH}/deposits/signing", body=deposit_fields())
    assert (answer.status_code, answer.json()["name"]) == (403, "onchain_not_enabled")
    client = desk.ann.client.api.post(PATH, body)
    assert (client.status_code, client.json()["name"]) == (403, "not_a_partner")
    configured = desk.testbed.network.configure(
        "exchange", onchainEnabled=True, lossSlaMinutes=5, gainSlaMinutes=7.5
    )
    shown = configured["partnerConfiguration"]
    assert (shown["onchainEnabled"], shown["lossSlaMinutes"], shown["gainSlaMinutes"]) == (True, 5, 7.5)
    assert desk.post(body).status_code == 202


@pytest.mark.parametrize("minutes", [0, -1, 525_601, "5"])
def test_invalid_sla_minutes_are_refused(testbed: Testbed, minutes: object) -> None:
    testbed.network.enterprise("exchange")
    for side in ("lossSlaMinutes", "gainSlaMinutes"):
        body = {"currencies": {"BTC": "ofcbtc"}, "amountUnit": "base", side: minutes}
        answer = testbed.operator.put("/enterprises/exchange/partner-configuration", body)
        assert answer.status_code == 400, answer.text


def test_wrong_signature_or_payload_is_refused(desk: ChainDesk) -> None:
    fields = desk.fields({desk.ann.id: {"BTC": "-1"}})
    refuses(desk, sign_body(fields, make_key(77)), 401, "signature_invalid")
    signed = desk.partner.enterprise.sign(fields)
    refuses(desk, signed | {"notes": "not signed"}, 400, "payload_differs", "notes")


def test_repeat_is_answered_by_the_state_of_the_settlement(desk: ChainDesk) -> None:
    body = desk.partner.enterprise.sign(desk.fields({desk.ann.id: {"BTC": "-1"}}))
    first = desk.post(body)
    desk.testbed.run_due()
    with nothing_written(desk.testbed.runtime):
        again = desk.post(body)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (202, "true")
    assert again.content == first.content
    desk.confirm_all()
    with nothing_written(desk.testbed.runtime):
        ended = desk.post(body)
    assert (ended.status_code, ended.headers["Idempotent-Replayed"]) == (200, "true")
    assert ended.json()["settlement"]["status"] == "completed"
    assert ended.json()["settlement"]["id"] == first.json()["settlement"]["id"]


def test_repeat_retries_a_failed_settlement(desk: ChainDesk) -> None:
    body = desk.partner.enterprise.sign(desk.fields({desk.ann.id: {"BTC": "-1"}}))
    settlement_id = desk.post(body).json()["settlement"]["id"]
    desk.fail_to_the_end()
    assert desk.status(settlement_id) == "failed"
    revived = desk.post(body)
    assert (revived.status_code, revived.json()["settlement"]["status"]) == (202, "pending")
    desk.confirm_all()
    assert desk.status(settlement_id) == "completed"
    assert desk.ann.balances()["ofcbtc"] == (999, 0)
    desk.testbed.assert_proven()


def test_external_id_or_nonce_of_another_request_is_refused(desk: ChainDesk) -> None:
    taken = desk.fields({desk.ann.id: {"BTC": "-1"}})
    assert desk.post(desk.partner.enterprise.sign(taken)).status_code == 202
    other = taken | {"nonce": new_nonce(), "notes": "other"}
    refuses(desk, desk.partner.enterprise.sign(other), 409, "external_id_taken")
    same_nonce = taken | {"externalId": uuid4().hex}
    refuses(desk, desk.partner.enterprise.sign(same_nonce), 409, "nonce_used")
    staged = try_stage(desk.partner, {desk.ann.id: {"BTC": "-1"}}, externalId="off chain")
    assert staged.status_code == 200
    off_chain = desk.fields({desk.ann.id: {"BTC": "-1"}}, externalId="off chain")
    refuses(desk, desk.partner.enterprise.sign(off_chain), 409, "external_id_taken")


def test_fifty_identical_requests_create_one_settlement(desk: ChainDesk) -> None:
    body = desk.partner.enterprise.sign(desk.fields({desk.ann.id: {"BTC": "-7"}}))
    answers = at_once([partial(desk.post, body)] * 50)
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert desk.ann.balances()["ofcbtc"] == (993, 7)
    desk.testbed.assert_proven()


def deposit_fields() -> Json:
    return {"externalSettlementId": "x", "deposits": [{"currency": "BTC", "onChainTxId": "t"}]}
