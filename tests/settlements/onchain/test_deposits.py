"""A partner's deposits: given before or after the settlement, once each, and held for it. Protocol §7."""

from __future__ import annotations

from functools import partial
from uuid import uuid4

import pytest

from tests.support.chains import CONFIRMATION_MINUTES, PATH, ChainDesk, chain_desk
from tests.support.networks import Json, ok, sign_body
from tests.support.operators import make_key
from tests.support.racing import at_once
from tests.support.refusing import nothing_written
from tests.support.settling import Floor, try_stage


@pytest.fixture
def desk(floor: Floor) -> ChainDesk:
    return chain_desk(floor)


def refuses(desk: ChainDesk, body: Json, status: int, name: str) -> None:
    with nothing_written(desk.floor.runtime):
        answer = desk.partner.api.post(f"{PATH}/deposits", body)
    assert (answer.status_code, answer.json()["name"]) == (status, name), answer.text


def deposits_of(desk: ChainDesk, **filters: object) -> list[Json]:
    found: list[Json] = ok(desk.floor.operator.get("/onchain-deposits", **filters))["deposits"]
    return found


def test_deposits_that_come_first_name_the_settlement_that_they_are_for(desk: ChainDesk) -> None:
    desk.send("ofcbtc", "tx-1", 100)
    (given,) = desk.deposit("later", ("BTC", "tx-1"))
    assert (given["externalSettlementId"], given["currency"], given["onChainTxId"]) == ("later", "BTC", "tx-1")
    assert "quantity" not in given
    desk.floor.pass_minutes(CONFIRMATION_MINUTES)
    assert desk.partner_balances() == {"ofcbtc": (0, 100)}
    desk.floor.assert_proven()
    (second,) = desk.deposit("later", ("BTC", "tx-2"), settlementId=given["settlementId"])
    assert second["settlementId"] == given["settlementId"]
    settlement = desk.initiate({desk.ann.id: {"BTC": "60"}}, externalId="later")
    assert settlement["id"] == given["settlementId"]
    desk.confirm_all()
    assert desk.status(settlement["id"]) == "completed"
    assert desk.partner_balances() == {"ofcbtc": (40, 0)}
    desk.floor.assert_proven()


def test_a_deposit_given_again_is_the_same_deposit(desk: ChainDesk) -> None:
    desk.send("ofcbtc", "tx-1", 100)
    body = desk.deposit_body("one", ("BTC", "tx-1"), ("ETH", "tx-1"))
    first = desk.partner.api.post(f"{PATH}/deposits", body)
    with nothing_written(desk.floor.runtime):
        again = desk.partner.api.post(f"{PATH}/deposits", body)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert again.json() == first.json()
    assert len(deposits_of(desk)) == 2
    desk.floor.pass_minutes(CONFIRMATION_MINUTES)
    confirmed = desk.partner.api.post(f"{PATH}/deposits", body).json()["deposits"]
    assert [one.get("quantity") for one in confirmed] == [100, None]
    assert desk.partner_balances() == {"ofcbtc": (0, 100)}
    # One more beside it is new; the one that was given already is not counted again.
    more = desk.try_deposit("one", ("BTC", "tx-1"), ("BTC", "tx-2"))
    assert (more.status_code, "Idempotent-Replayed" in more.headers) == (201, False)
    assert len(deposits_of(desk)) == 3
    desk.floor.assert_proven()


def test_a_transaction_serves_one_settlement(desk: ChainDesk) -> None:
    desk.deposit("one", ("BTC", "tx-1"))
    refuses(desk, desk.deposit_body("two", ("BTC", "tx-2"), ("BTC", "tx-1")), 409, "deposit_taken")
    answers = at_once([partial(desk.try_deposit, f"race {number}", ("BTC", "tx-9")) for number in range(20)])
    assert sorted(answer.status_code for answer in answers) == [201, *[409] * 19]


def test_another_partners_transaction_is_nobodys_here(desk: ChainDesk) -> None:
    desk.send("ofcbtc", "tx-1", 100)
    other = desk.floor.network.partner("other", onchainEnabled=True)
    fields = {"externalSettlementId": "one", "deposits": [{"currency": "BTC", "onChainTxId": "tx-1"}]}
    body = sign_body(fields, other.enterprise.account.key)
    assert other.api.post(f"{PATH}/deposits", body).status_code == 201
    desk.deposit("one", ("BTC", "tx-1"))
    desk.floor.pass_minutes(CONFIRMATION_MINUTES)
    assert desk.partner_balances() == {"ofcbtc": (0, 100)}
    assert desk.floor.operator.balances(other.enterprise.account.id) == {}
    desk.floor.assert_proven()


def test_an_external_id_with_deposits_is_kept_for_the_chain(desk: ChainDesk) -> None:
    desk.deposit("kept", ("BTC", "tx-1"))
    staged = try_stage(desk.partner, {desk.ann.id: {"BTC": "-1"}}, externalId="kept")
    assert (staged.status_code, staged.json()["name"]) == (409, "settlement_external_id_reserved")
    assert try_stage(desk.partner, {desk.ann.id: {"BTC": "-1"}}, externalId="off").status_code == 200
    refuses(desk, desk.deposit_body("off", ("BTC", "tx-2")), 409, "settlement_offchain")
    assert desk.try_initiate({desk.ann.id: {"BTC": "-1"}}, externalId="kept").status_code == 202


def test_a_settlement_id_must_be_the_one_of_the_external_id(desk: ChainDesk) -> None:
    one = desk.initiate({desk.ann.id: {"BTC": "-1"}})
    two = desk.initiate({desk.ann.id: {"BTC": "-1"}})
    crossed = desk.deposit_body(one["externalId"], ("BTC", "tx-1"), settlementId=two["id"])
    refuses(desk, crossed, 409, "settlement_differs")
    unknown = desk.deposit_body(one["externalId"], ("BTC", "tx-1"), settlementId=str(uuid4()))
    refuses(desk, unknown, 404, "settlement_not_found")
    other = desk.floor.network.partner("other", onchainEnabled=True)
    fields = {
        "externalSettlementId": one["externalId"],
        "settlementId": one["id"],
        "deposits": [{"currency": "BTC", "onChainTxId": "tx-1"}],
    }
    foreign = other.api.post(f"{PATH}/deposits", sign_body(fields, other.enterprise.account.key))
    assert (foreign.status_code, foreign.json()["name"]) == (404, "settlement_not_found")
    (given,) = desk.deposit(one["externalId"], ("BTC", "tx-1"), settlementId=one["id"])
    assert given["settlementId"] == one["id"]


def test_an_ended_settlement_takes_no_more_deposits_but_knows_its_own(desk: ChainDesk) -> None:
    settlement = desk.initiate({desk.ann.id: {"BTC": "-1"}})
    desk.deposit(settlement["externalId"], ("BTC", "tx-1"))
    desk.confirm_all()
    assert desk.status(settlement["id"]) == "completed"
    refuses(desk, desk.deposit_body(settlement["externalId"], ("BTC", "tx-2")), 409, "settlement_ended")
    desk.deposit(settlement["externalId"], ("BTC", "tx-1"))
    # Money that comes in after the end is the partner's own.
    desk.send("ofcbtc", "tx-1", 50)
    desk.floor.pass_minutes(11)
    desk.floor.pass_minutes(11)
    assert desk.partner_balances() == {"ofcbtc": (50, 0)}
    desk.floor.assert_proven()


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
def test_deposits_that_cannot_be_are_refused(desk: ChainDesk, deposits: object, name: str) -> None:
    fields = {"externalSettlementId": "one", "deposits": deposits}
    refuses(desk, sign_body(fields, desk.partner.enterprise.account.key), 400, name)


def test_deposits_that_another_signed_are_refused(desk: ChainDesk) -> None:
    fields = {"externalSettlementId": "one", "deposits": [{"currency": "BTC", "onChainTxId": "t"}]}
    refuses(desk, sign_body(fields, make_key(77)), 401, "signature_invalid")
    signed = desk.deposit_body("one", ("BTC", "t"))
    refuses(desk, signed | {"externalSettlementId": "two"}, 400, "payload_differs")


def test_the_text_to_sign_is_the_one_that_is_taken(desk: ChainDesk) -> None:
    fields = {"externalSettlementId": "one", "deposits": [{"currency": "BTC", "onChainTxId": "t"}]}
    payload = ok(desk.partner.api.get(f"{PATH}/deposits/signing", body=fields))["payload"]
    assert desk.deposit_body("one", ("BTC", "t"))["payload"] == payload


def test_what_the_chain_gives_up_is_not_credited(desk: ChainDesk) -> None:
    sent = desk.send("ofcbtc", "tx-1", 100)
    desk.deposit("one", ("BTC", "tx-1"))
    desk.tell(sent, "fail")
    desk.floor.pass_minutes(1)
    assert [one["status"] for one in deposits_of(desk)] == ["failed"]
    assert desk.partner_balances() == {}
    desk.floor.assert_proven()


def test_a_withheld_deposit_is_credited_once_it_is_confirmed(desk: ChainDesk) -> None:
    sent = desk.send("ofcbtc", "tx-1", 100, withheld=True)
    desk.deposit("one", ("BTC", "tx-1"))
    desk.floor.pass_minutes(60)
    assert desk.partner_balances() == {}
    desk.tell(sent, "confirm")
    desk.floor.pass_minutes(1)
    assert desk.partner_balances() == {"ofcbtc": (0, 100)}
    desk.floor.assert_proven()


def test_a_deposit_whose_settlement_does_not_come_is_given_back(desk: ChainDesk) -> None:
    tx_id = desk.fund("never", "BTC", 100)
    (deposit,) = deposits_of(desk)
    path = f"/onchain-deposits/{deposit['id']}/release"
    assert desk.floor.operator.post(path).json()["name"] == "deposit_state"
    desk.floor.pass_minutes(1)
    assert ok(desk.floor.operator.post(path))["deposit"]["status"] == "released"
    with nothing_written(desk.floor.runtime):
        ok(desk.floor.operator.post(path))
    assert desk.partner_balances() == {"ofcbtc": (100, 0)}
    assert desk.try_deposit("other", ("BTC", tx_id)).status_code == 409
    desk.floor.assert_proven()
    desk.initiate({desk.ann.id: {"BTC": "5"}}, externalId="soon")
    desk.fund("soon", "BTC", 4)
    desk.floor.run_due()
    desk.floor.pass_minutes(1)
    (waiting,) = deposits_of(desk, statuses="confirmed")
    refused = desk.floor.operator.post(f"/onchain-deposits/{waiting['id']}/release")
    assert (refused.status_code, refused.json()["name"]) == (409, "settlement_exists")
    assert desk.floor.operator.post(f"/onchain-deposits/{uuid4()}/release").status_code == 404


def test_a_payment_held_for_a_settlement_cannot_be_withdrawn(desk: ChainDesk) -> None:
    desk.fund("one", "BTC", 100)
    desk.floor.pass_minutes(1)
    refused = desk.floor.operator.move("withdrawals", desk.partner.enterprise.account.id, "ofcbtc", 1)
    assert refused.status_code == 422
