"""Who pays whom how much of what in a settlement, and all its transfers as a list."""

from __future__ import annotations

import csv
import io
from collections import defaultdict

from tests.statements.histories import network_account
from tests.support.lists import next_query
from tests.support.networks import ConnectionHandle, Json, NetworkClient, PartnerHandle, ok
from tests.support.settlements import Testbed, approved_closure, dispute, fields_of, post, stage, withdraw


def orders_of(api: NetworkClient, side: str, settlement_id: str, **query: object) -> list[Json]:
    found: list[Json] = ok(api.get(f"/{side}/settlements/{settlement_id}/net-orders", **query))["netOrders"]
    return found


def who(connections: dict[str, ConnectionHandle], order: Json) -> tuple[str, str, str, str, int]:
    """Returns who pays whom how much of what, and how many transfers that are."""
    names = {connection.id: name for name, connection in connections.items()}
    payer = names.get(str(order.get("payerConnectionId")), str(order["payer"]))
    payee = names.get(str(order.get("payeeConnectionId")), str(order["payee"]))
    return payer, payee, order["currency"], order["quantity"], order["transferCount"]


def broker_with_three(testbed: Testbed) -> tuple[PartnerHandle, dict[str, ConnectionHandle]]:
    broker = testbed.network.partner("broker", broker=True)
    return broker, {
        name: testbed.network.funded(broker, {"ofcbtc": 100, "ofceth": 100}, name=name)
        for name in ("ann", "bob", "cho")
    }


def between(testbed: Testbed) -> tuple[PartnerHandle, dict[str, ConnectionHandle], str]:
    """Stages amounts that go both ways between ann and bob, and one from cho to ann."""
    broker, found = broker_with_three(testbed)
    ann, bob, cho = (found[name].id for name in ("ann", "bob", "cho"))
    amounts = {ann: {bob: {"BTC": "30"}}, bob: {ann: {"BTC": "12", "ETH": "5"}}, cho: {ann: {"BTC": "1"}}}
    staged = ok(post(broker, broker.enterprise.sign({**fields_of({}), "settlementAmounts": amounts})))
    return broker, found, staged["settlement"]["id"]


def test_orders_of_two_connections_are_netted_in_both_directions(testbed: Testbed) -> None:
    broker, found, settlement_id = between(testbed)
    orders = orders_of(broker.api, "partners", settlement_id)
    assert {who(found, order) for order in orders} == {
        ("ann", "bob", "ofcbtc", "18", 2),
        ("bob", "ann", "ofceth", "5", 1),
        ("cho", "ann", "ofcbtc", "1", 1),
    }
    (paid,) = [order for order in orders if order["quantity"] == "18"]
    assert paid["payerAccountId"] == network_account(found["ann"])
    assert paid["payeeAccountId"] == network_account(found["bob"])
    assert ok(testbed.operator.get(f"/settlements/{settlement_id}/net-orders"))["netOrders"] == orders


def test_client_sees_what_its_connections_pay_and_nobody_else(testbed: Testbed) -> None:
    _, found, settlement_id = between(testbed)
    api = found["ann"].client.api
    mine = orders_of(api, "clients", settlement_id)
    assert {who(found, order) for order in mine} == {
        ("ann", "another_client", "ofcbtc", "17", 3),
        ("another_client", "ann", "ofceth", "5", 1),
    }
    pages = [api.get(f"/clients/settlements/{settlement_id}/net-orders", pageSize=1)]
    cursor = next_query(pages[0])
    assert cursor is not None
    for name in ("bob", "cho"):
        assert found[name].id not in str(mine) + cursor["cursor"]
    assert [who(found, order) for order in orders_of(found["cho"].client.api, "clients", settlement_id)] == [
        ("cho", "another_client", "ofcbtc", "1", 1)
    ]
    stranger, rival = testbed.network.client("stranger"), testbed.network.partner("rival")
    for api, side, path in (
        (stranger.api, "clients", "net-orders"),
        (rival.api, "partners", "net-orders"),
        (rival.api, "partners", "transfers"),
    ):
        refused = api.get(f"/{side}/settlements/{settlement_id}/{path}")
        assert (refused.status_code, refused.json()["name"]) == (404, "settlement_not_found")


def test_orders_of_a_partner_are_what_executes(testbed: Testbed) -> None:
    partner = testbed.network.partner(deposits={"ofcusd": 50})
    found = {name: testbed.network.funded(partner, {"ofcbtc": 100}, name=name) for name in ("ann", "bob", "cho")}
    approved_closure(testbed, found["ann"], "-4")
    amounts = {
        found["ann"].id: {"BTC": "-7", "USD": "6"},
        found["bob"].id: {"BTC": "-9"},
        found["cho"].id: {"USD": "2"},
    }
    settlement_id = stage(partner, amounts)["id"]
    ok(dispute(found["bob"], settlement_id))
    before = orders_of(partner.api, "partners", settlement_id)
    assert ("bob", "partner", "ofcbtc", "9", 1) in {who(found, order) for order in before}
    owned = {name: connection.balances() for name, connection in found.items()}
    testbed.pass_minutes(20)
    assert testbed.state(settlement_id) == "completed"
    after = orders_of(partner.api, "partners", settlement_id)
    assert {who(found, order) for order in after} == {
        ("ann", "partner", "ofcbtc", "11", 2),
        ("partner", "ann", "ofcusd", "6", 1),
        ("partner", "cho", "ofcusd", "2", 1),
    }
    go_account = partner.enterprise.account.id
    assert {order["payerAccountId"] for order in after if order["payer"] == "partner"} == {go_account}
    moved: dict[tuple[str, str], int] = defaultdict(int)
    for order in after:
        payer, payee, currency, quantity, _ = who(found, order)
        moved[payer, currency] -= int(quantity)
        moved[payee, currency] += int(quantity)
    for name, connection in found.items():
        for currency, (available, held) in connection.balances().items():
            was = sum(owned[name].get(currency, (0, 0)))
            assert available + held - was == moved[name, currency]
    assert orders_of(partner.api, "partners", settlement_id, currencies="usd") == [
        order for order in after if order["currency"] == "ofcusd"
    ]


def test_nothing_is_paid_in_a_withdrawn_settlement(testbed: Testbed) -> None:
    partner = testbed.network.partner()
    ann = testbed.network.funded(partner, {"ofcbtc": 100}, name="ann")
    settlement_id = stage(partner, {ann.id: {"BTC": "-7"}})["id"]
    ok(withdraw(partner, settlement_id))
    assert orders_of(partner.api, "partners", settlement_id) == []
    assert len(ok(partner.api.get(f"/partners/settlements/{settlement_id}/transfers"))["settlementTransfers"]) == 1


def test_transfers_of_one_settlement_are_read_with_cursors_and_exported(testbed: Testbed) -> None:
    broker, found, settlement_id = between(testbed)
    path = f"/partners/settlements/{settlement_id}/transfers"
    whole = ok(broker.api.get(path))["settlementTransfers"]
    shown = ok(broker.api.get(f"/partners/settlements/{settlement_id}"))["settlementTransfers"]
    assert sorted(whole, key=str) == sorted(shown, key=str)
    page = broker.api.get(path, pageSize=3)
    read = ok(page)["settlementTransfers"]
    rest = next_query(page)
    assert rest is not None
    assert [*read, *ok(broker.api.get(path, **rest))["settlementTransfers"]] == whole
    rows = list(csv.DictReader(io.StringIO(broker.api.get(path, format="csv").text, newline="")))
    assert [row["id"] for row in rows] == [transfer["id"] for transfer in whole]
    account = network_account(found["cho"])
    (of_cho,) = ok(broker.api.get(path, sourceNetworkAccountIds=account))["settlementTransfers"]
    assert of_cho["sourceNetworkAccountId"] == account
    ether = ok(testbed.operator.get(f"/settlements/{settlement_id}/transfers", currencies="eth"))
    assert [transfer["currency"] for transfer in ether["settlementTransfers"]] == ["ofceth"]
