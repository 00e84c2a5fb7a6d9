"""A partner's deposits: submitted before or after the settlement, counted once, and held for it. Protocol §7."""

from __future__ import annotations

from functools import partial
from uuid import uuid4

import pytest

from tests.support.chains import CONFIRMATION_MINUTES, PATH, ChainDesk, chain_desk
from tests.support.networks import Json, ok, sign_body
from tests.support.operators import make_key
from tests.support.races import at_once
from tests.support.refusals import nothing_written
from tests.support.settlements import Testbed, try_stage


@pytest.fixture
def desk(testbed: Testbed) -> ChainDesk:
    return chain_desk(testbed)


def refuses(desk: ChainDesk, body: Json, status: int, name: str) -> None:
    with nothing_written(desk.testbed.runtime):
        answer = desk.partner.api.post(f"{PATH}/deposits", body)
    assert (answer.status_code, answer.json()["name"]) == (status, name), answer.text


def deposits_of(desk: ChainDesk, **filters: object) -> list[Json]:
    found: list[Json] = ok(desk.testbed.operator.get("/onchain-deposits", **filters))["deposits"]
    return found


def test_deposits_before_the_settlement_reserve_its_id(desk: ChainDesk) -> None:
    desk.send("ofcbtc", "tx-1", 100)
    (given,) = desk.deposit("later", ("BTC", "tx-1"))
    assert (given["externalSettlementId"], given["currency"], given["onChainTxId"]) == ("later", "BTC", "tx-1")
    assert "quantity" not in given
    desk.testbed.pass_minutes(CONFIRMATION_MINUTES)
    assert desk.partner_balances() == {"ofcbtc": (0, 100)}
    desk.testbed.assert_proven()
    (second,) = desk.deposit("later", ("BTC", "tx-2"), settlementId=given["settlementId"])
    assert second["settlementId"] == given["settlementId"]
    settlement = desk.initiate({desk.ann.id: {"BTC": "60"}}, externalId="later")
    assert settlement["id"] == given["settlementId"]
    desk.confirm_all()
    assert desk.status(settlement["id"]) == "completed"
    assert desk.partner_balances() == {"ofcbtc": (40, 0)}
    desk.testbed.assert_proven()


def test_repeat_of_deposits_is_answered_whatever_has_changed_since(desk: ChainDesk) -> None:
    operator, api, path = desk.testbed.operator, desk.partner.api, f"{PATH}/deposits"
    desk.deposit("one", ("ETH", "tx-1"))
    body = desk.deposit_body("one", ("BTC", "tx-1"), ("ETH", "tx-1"))
    first = api.post(path, body)
    assert first.status_code == 201, first.text
    all_known = desk.deposit_body("one", ("BTC", "tx-1"))
    account = desk.partner.enterprise.account
    ok(operator.patch(f"/partners/{desk.partner.id}", {"active": False}))
    desk.testbed.network.configure("exchange", currencies={"USD": "ofcusd"}, onchainEnabled=False)
    ok(operator.post(f"/go-accounts/{account.id}/keys", {"pub": make_key(4_321).xpub}))
    assert operator.delete(f"/go-accounts/{account.id}/keys/{account.key_id}").status_code == 204
    with desk.testbed.runtime.transaction() as tx, nothing_written(desk.testbed.runtime):
        tx.run("SELECT FROM partner FOR UPDATE")
        again = api.post(path, body)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert again.content == first.content
    bent = {**body, "signature": f"{body['signature'][:-1]}{'0' if body['signature'][-1] != '0' else '1'}"}
    refuses(desk, bent, 403, "partner_inactive")
    refuses(desk, all_known, 403, "partner_inactive")


def test_same_deposit_again_is_a_replay(desk: ChainDesk) -> None:
    desk.send("ofcbtc", "tx-1", 100)
    body = desk.deposit_body("one", ("BTC", "tx-1"), ("ETH", "tx-1"))
    first = desk.partner.api.post(f"{PATH}/deposits", body)
    with nothing_written(desk.testbed.runtime):
        again = desk.partner.api.post(f"{PATH}/deposits", body)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert again.json() == first.json()
    assert len(deposits_of(desk)) == 2
    desk.testbed.pass_minutes(CONFIRMATION_MINUTES)
    confirmed = desk.partner.api.post(f"{PATH}/deposits", body).json()["deposits"]
    assert [one.get("quantity") for one in confirmed] == [100, None]
    assert desk.partner_balances() == {"ofcbtc": (0, 100)}
    # The second deposit is new. The first one is not counted again.
    more = desk.try_deposit("one", ("BTC", "tx-1"), ("BTC", "tx-2"))
    assert (more.status_code, "Idempotent-Replayed" in more.headers) == (201, False)
    assert len(deposits_of(desk)) == 3
    desk.testbed.assert_proven()


def test_transaction_of_another_settlement_is_refused(desk: ChainDesk) -> None:
    desk.deposit("one", ("BTC", "tx-1"))
    refuses(desk, desk.deposit_body("two", ("BTC", "tx-2"), ("BTC", "tx-1")), 409, "deposit_taken")
    answers = at_once([partial(desk.try_deposit, f"race {number}", ("BTC", "tx-9")) for number in range(20)])
    assert sorted(answer.status_code for answer in answers) == [201, *[409] * 19]


def test_transaction_of_another_partner_is_not_credited(desk: ChainDesk) -> None:
    desk.send("ofcbtc", "tx-1", 100)
    other = desk.testbed.network.partner("other", onchainEnabled=True)
    fields = {"externalSettlementId": "one", "deposits": [{"currency": "BTC", "onChainTxId": "tx-1"}]}
    body = sign_body(fields, other.enterprise.account.key)
    assert other.api.post(f"{PATH}/deposits", body).status_code == 201
    desk.deposit("one", ("BTC", "tx-1"))
    desk.testbed.pass_minutes(CONFIRMATION_MINUTES)
    assert desk.partner_balances() == {"ofcbtc": (0, 100)}
    assert desk.testbed.operator.balances(other.enterprise.account.id) == {}
    desk.testbed.assert_proven()


def test_external_id_with_deposits_is_reserved_for_onchain_settlement(desk: ChainDesk) -> None:
    desk.deposit("kept", ("BTC", "tx-1"))
    staged = try_stage(desk.partner, {desk.ann.id: {"BTC": "-1"}}, externalId="kept")
    assert (staged.status_code, staged.json()["name"]) == (409, "settlement_external_id_reserved")
    assert try_stage(desk.partner, {desk.ann.id: {"BTC": "-1"}}, externalId="off").status_code == 200
    refuses(desk, desk.deposit_body("off", ("BTC", "tx-2")), 409, "settlement_offchain")
    assert desk.try_initiate({desk.ann.id: {"BTC": "-1"}}, externalId="kept").status_code == 202


def test_settlement_id_that_differs_from_external_id_is_refused(desk: ChainDesk) -> None:
    one = desk.initiate({desk.ann.id: {"BTC": "-1"}})
    two = desk.initiate({desk.ann.id: {"BTC": "-1"}})
    crossed = desk.deposit_body(one["externalId"], ("BTC", "tx-1"), settlementId=two["id"])
    refuses(desk, crossed, 409, "settlement_differs")
    unknown = desk.deposit_body(one["externalId"], ("BTC", "tx-1"), settlementId=str(uuid4()))
    refuses(desk, unknown, 404, "settlement_not_found")
    other = desk.testbed.network.partner("other", onchainEnabled=True)
    fields = {
        "externalSettlementId": one["externalId"],
        "settlementId": one["id"],
        "deposits": [{"currency": "BTC", "onChainTxId": "tx-1"}],
    }
    foreign = other.api.post(f"{PATH}/deposits", sign_body(fields, other.enterprise.account.key))
    assert (foreign.status_code, foreign.json()["name"]) == (404, "settlement_not_found")
    (given,) = desk.deposit(one["externalId"], ("BTC", "tx-1"), settlementId=one["id"])
    assert given["settlementId"] == one["id"]


def test_ended_settlement_refuses_new_deposits_and_repeats_known_ones(desk: ChainDesk) -> None:
    settlement = desk.initiate({desk.ann.id: {"BTC": "-1"}})
    desk.deposit(settlement["externalId"], ("BTC", "tx-1"))
    desk.confirm_all()
    assert desk.status(settlement["id"]) == "completed"
    refuses(desk, desk.deposit_body(settlement["externalId"], ("BTC", "tx-2")), 409, "settlement_ended")
    desk.deposit(settlement["externalId"], ("BTC", "tx-1"))
    # A deposit that is confirmed after the end becomes available to the partner.
    desk.send("ofcbtc", "tx-1", 50)
    desk.testbed.pass_minutes(11)
    desk.testbed.pass_minutes(11)
    assert desk.partner_balances() == {"ofcbtc": (50, 0)}
    desk.testbed.assert_proven()


@pytest.mark.parametrize(
    ("deposits", "name"),
    [
        ([], "request_invalid"),
        ([{"currency": "BTC"}], "request_invalid"),
        ([{"currency": "BTC", "onChainTxId": ""}], "request_invalid"),
        ([{"currency": "BTC", "onChainTxId": "t", "quantity": "5"}], "request_invalid"),
        ([{"currency": "DOGE", "onChainTxId": "t"}], "currency_unmapped"),
        ([{"currency": "BTC", "onChainTxId": "t"}] * 2, "deposit_twice"),
    ],
)
def test_invalid_deposits_are_refused(desk: ChainDesk, deposits: object, name: str) -> None:
    fields = {"externalSettlementId": "one", "deposits": deposits}
    refuses(desk, sign_body(fields, desk.partner.enterprise.account.key), 400, name)


def test_deposits_with_another_signature_are_refused(desk: ChainDesk) -> None:
    fields = {"externalSettlementId": "one", "deposits": [{"currency": "BTC", "onChainTxId": "t"}]}
    refuses(desk, sign_body(fields, make_key(77)), 401, "signature_invalid")
    signed = desk.deposit_body("one", ("BTC", "t"))
    refuses(desk, signed | {"externalSettlementId": "two"}, 400, "payload_differs")


def test_signed_text_of_the_helper_is_accepted(desk: ChainDesk) -> None:
    fields = {"externalSettlementId": "one", "deposits": [{"currency": "BTC", "onChainTxId": "t"}]}
    payload = ok(desk.partner.api.get(f"{PATH}/deposits/signing", body=fields))["payload"]
    assert desk.deposit_body("one", ("BTC", "t"))["payload"] == payload


def test_failed_deposit_is_not_credited(desk: ChainDesk) -> None:
    sent = desk.send("ofcbtc", "tx-1", 100)
    desk.deposit("one", ("BTC", "tx-1"))
    desk.tell(sent, "fail")
    desk.testbed.pass_minutes(1)
    assert [one["status"] for one in deposits_of(desk)] == ["failed"]
    assert desk.partner_balances() == {}
    desk.testbed.assert_proven()


def test_withheld_deposit_is_credited_once_confirmed(desk: ChainDesk) -> None:
    sent = desk.send("ofcbtc", "tx-1", 100, withheld=True)
    desk.deposit("one", ("BTC", "tx-1"))
    desk.testbed.pass_minutes(60)
    assert desk.partner_balances() == {}
    desk.tell(sent, "confirm")
    desk.testbed.pass_minutes(1)
    assert desk.partner_balances() == {"ofcbtc": (0, 100)}
    desk.testbed.assert_proven()


def test_deposit_without_settlement_can_be_released(desk: ChainDesk) -> None:
    tx_id = desk.fund("never", "BTC", 100)
    (deposit,) = deposits_of(desk)
    path = f"/onchain-deposits/{deposit['id']}/release"
    assert desk.testbed.operator.post(path).json()["name"] == "deposit_state"
    desk.testbed.pass_minutes(1)
    assert ok(desk.testbed.operator.post(path))["deposit"]["status"] == "released"
    with nothing_written(desk.testbed.runtime):
        ok(desk.testbed.operator.post(path))
    assert desk.partner_balances() == {"ofcbtc": (100, 0)}
    assert desk.try_deposit("other", ("BTC", tx_id)).status_code == 409
    desk.testbed.assert_proven()
    desk.initiate({desk.ann.id: {"BTC": "5"}}, externalId="soon")
    desk.fund("soon", "BTC", 4)
    desk.testbed.run_due()
    desk.testbed.pass_minutes(1)
    (waiting,) = deposits_of(desk, statuses="confirmed")
    refused = desk.testbed.operator.post(f"/onchain-deposits/{waiting['id']}/release")
    assert (refused.status_code, refused.json()["name"]) == (409, "settlement_exists")
    assert desk.testbed.operator.post(f"/onchain-deposits/{uuid4()}/release").status_code == 404


def test_deposit_held_for_a_settlement_cannot_be_withdrawn(desk: ChainDesk) -> None:
    desk.fund("one", "BTC", 100)
    desk.testbed.pass_minutes(1)
    refused = desk.testbed.operator.move("withdrawals", desk.partner.enterprise.account.id, "ofcbtc", 1)
    assert refused.status_code == 422
