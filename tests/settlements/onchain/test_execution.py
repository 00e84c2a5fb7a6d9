"""An on-chain settlement pays losses first, then gains out of confirmed deposits. Protocol §7."""

from __future__ import annotations

import pytest

from tests.support.chains import CONFIRMATION_MINUTES, ChainDesk, chain_desk
from tests.support.networks import ok
from tests.support.settlements import Testbed


@pytest.fixture
def desk(testbed: Testbed) -> ChainDesk:
    return chain_desk(testbed)


def test_gains_are_paid_after_losses_once_deposits_cover_them(desk: ChainDesk) -> None:
    amounts = {desk.ann.id: {"BTC": "-300", "ETH": "40"}, desk.bob.id: {"BTC": "100", "ETH": "-7"}}
    settlement = desk.initiate(amounts)
    settlement_id = settlement["id"]
    assert (settlement["status"], settlement["settlementType"]) == ("pending", "onchain")
    assert "cutoffAt" not in settlement
    assert desk.ann.balances() == {"ofcbtc": (700, 300), "ofceth": (1_000, 0)}
    assert set(desk.statuses(settlement_id).values()) == {"pending_onchain"}
    desk.testbed.assert_proven()

    desk.testbed.run_due()
    assert desk.statuses(settlement_id) == {
        "ann ofcbtc -300": "onchain_initiated",
        "ann ofceth 40": "pending_onchain",
        "bob ofcbtc 100": "pending_onchain",
        "bob ofceth -7": "onchain_initiated",
    }
    assert {(one["currency"], one["quantity"]) for one in desk.pending()} == {("ofcbtc", "300"), ("ofceth", "7")}
    desk.testbed.assert_proven()

    desk.testbed.pass_minutes(CONFIRMATION_MINUTES)
    assert desk.statuses(settlement_id)["ann ofcbtc -300"] == "completed"
    assert desk.ann.balances() == {"ofcbtc": (700, 0), "ofceth": (1_000, 0)}
    assert desk.bob.balances() == {"ofcbtc": (1_000, 0), "ofceth": (993, 0)}
    assert desk.partner_balances() == {}
    desk.testbed.assert_proven()

    desk.fund(settlement["externalId"], "BTC", 100)
    desk.confirm_all()
    assert desk.partner_balances() == {"ofcbtc": (0, 100)}
    assert desk.statuses(settlement_id)["bob ofcbtc 100"] == "pending_onchain"
    desk.fund(settlement["externalId"], "ETH", 45)
    desk.confirm_all()
    assert desk.statuses(settlement_id)["bob ofcbtc 100"] == "onchain_initiated"
    # What the gains do not need of the deposits is available to the partner.
    assert desk.partner_balances() == {"ofcbtc": (0, 100), "ofceth": (5, 40)}
    desk.testbed.assert_proven()

    desk.confirm_all()
    assert desk.status(settlement_id) == "completed"
    assert set(desk.statuses(settlement_id).values()) == {"completed"}
    assert desk.ann.balances() == {"ofcbtc": (700, 0), "ofceth": (1_040, 0)}
    assert desk.bob.balances() == {"ofcbtc": (1_100, 0), "ofceth": (993, 0)}
    assert desk.partner_balances() == {"ofcbtc": (0, 0), "ofceth": (5, 0)}
    desk.testbed.assert_proven()


def test_partner_and_client_see_the_same_transactions(desk: ChainDesk) -> None:
    settlement_id = desk.initiate({desk.ann.id: {"BTC": "-300"}, desk.bob.id: {"BTC": "-5"}})["id"]
    waiting = ok(desk.partner.api.get(f"/partners/settlements/{settlement_id}"))["settlementTransfers"]
    assert [transfer["txIds"] for transfer in waiting] == [[], []]
    desk.confirm_all()
    sent = {one["transferId"]: one["txId"] for one in desk.transactions(kinds="payment")}
    by_partner = ok(desk.partner.api.get(f"/partners/settlements/{settlement_id}"))["settlementTransfers"]
    assert {transfer["id"]: transfer["txIds"] for transfer in by_partner} == {
        transfer: [tx_id] for transfer, tx_id in sent.items()
    }
    seen = ok(desk.ann.client.api.get(f"/clients/settlements/{settlement_id}"))
    (own,) = seen["settlementTransfers"]
    assert own["txIds"] == [sent[own["id"]]]
    assert (own["status"], own["settlementStatus"], own["quantity"]) == ("completed", "completed", "-300")
    assert seen["settlement"]["settlementType"] == "onchain"
    listed = ok(desk.ann.client.api.get("/clients/settlements", statuses="completed"))["settlements"]
    assert [(one["id"], one["transferDirection"]) for one in listed] == [(settlement_id, "send")]
    shown = desk.testbed.settlement(settlement_id)["settlement"]
    assert (shown["stage"], shown["settlementType"]) == ("completed", "onchain")


def test_gain_does_not_cover_a_loss_of_the_same_connection(testbed: Testbed) -> None:
    desk = chain_desk(testbed, currencies={"BTC": "ofcbtc", "XBT": "ofcbtc", "ETH": "ofceth"})
    settlement = desk.initiate({desk.ann.id: {"BTC": "-900", "XBT": "850"}})
    assert desk.ann.balances()["ofcbtc"] == (100, 900)
    testbed.assert_proven()
    desk.send("ofcbtc", "tx-1", 850)
    desk.deposit(settlement["externalId"], ("XBT", "tx-1"))
    desk.confirm_all()
    desk.confirm_all()
    assert desk.status(settlement["id"]) == "completed"
    assert desk.ann.balances()["ofcbtc"] == (950, 0)
    testbed.assert_proven()


def test_amounts_are_base_units_for_every_partner(testbed: Testbed) -> None:
    desk = chain_desk(testbed, amountUnit="decimal")
    desk.initiate({desk.ann.id: {"BTC": "-300"}})
    assert desk.ann.balances()["ofcbtc"] == (700, 300)


def test_settlement_with_losses_only_needs_no_deposit(desk: ChainDesk) -> None:
    settlement_id = desk.initiate({desk.ann.id: {"BTC": "-300"}})["id"]
    desk.confirm_all()
    assert desk.status(settlement_id) == "completed"
    desk.testbed.assert_proven()


def test_settlement_with_gains_only_holds_nothing_before_its_deposits(desk: ChainDesk) -> None:
    settlement = desk.initiate({desk.ann.id: {"BTC": "300"}})
    desk.testbed.run_due()
    assert desk.transactions() == []
    desk.fund(settlement["externalId"], "BTC", 300)
    desk.confirm_all()
    desk.confirm_all()
    assert desk.status(settlement["id"]) == "completed"
    assert desk.ann.balances()["ofcbtc"] == (1_300, 0)
    desk.testbed.assert_proven()


def test_funds_held_on_chain_cannot_be_deallocated_or_settled(desk: ChainDesk) -> None:
    desk.initiate({desk.ann.id: {"BTC": "-800"}})
    assert desk.ann.deallocate("ofcbtc", 201).status_code == 422
    assert desk.try_initiate({desk.ann.id: {"BTC": "-201"}}).status_code == 400
    desk.initiate({desk.ann.id: {"BTC": "-200"}})
    desk.confirm_all()
    assert desk.ann.balances()["ofcbtc"] == (0, 0)
    desk.testbed.assert_proven()


def test_partner_and_clients_are_notified(desk: ChainDesk) -> None:
    settlement = desk.initiate({desk.ann.id: {"BTC": "-300"}, desk.bob.id: {"BTC": "100"}})
    desk.confirm_all()
    assert desk.testbed.event_types("exchange")[-2:] == ["settlement.initiated", "settlement.top_up_required"]
    desk.fund(settlement["externalId"], "BTC", 100)
    desk.confirm_all()
    desk.confirm_all()
    told = desk.testbed.event_types("bob")
    assert told[-3:] == ["settlement.initiated", "settlement.completed", "balance.changed"]
    assert "settlement.completed" in desk.testbed.event_types("exchange")


def test_dispute_of_an_onchain_settlement_is_refused(desk: ChainDesk) -> None:
    settlement_id = desk.initiate({desk.ann.id: {"BTC": "-300"}})["id"]
    body = desk.ann.client.enterprise.sign({"connectionId": desk.ann.id, "expectedTransfers": {}})
    answer = desk.ann.client.api.post(f"/clients/settlements/{settlement_id}/disputes", body)
    assert answer.status_code == 422, answer.text


def test_routed_settlement_has_its_route_id_on_the_wire_and_on_the_chain(desk: ChainDesk) -> None:
    changed = desk.testbed.operator.patch(
        f"/partners/{desk.partner.id}", {"settlementTransactionRouteId": "route-7"}
    )
    assert ok(changed)["partner"]["settlementTransactionRouteId"] == "route-7"
    listed = ok(desk.ann.client.api.get("/partners"))["partners"]
    assert [one["settlementTransactionRouteId"] for one in listed] == ["route-7"]
    routed = desk.initiate({desk.ann.id: {"BTC": "-1"}})
    desk.testbed.run_due()
    assert [one["rtId"] for one in desk.pending()] == [routed["rtId"]]
    ok(desk.testbed.operator.patch(f"/partners/{desk.partner.id}", {"settlementTransactionRouteId": None}))
    assert "rtId" not in desk.initiate({desk.ann.id: {"BTC": "-1"}})
    assert ok(desk.partner.api.get(f"/partners/settlements/{routed['id']}"))["settlement"]["rtId"] == routed["rtId"]
