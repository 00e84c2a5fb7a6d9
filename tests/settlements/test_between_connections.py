"""A broker's settlement between two connections: staged, held, executed and seen by each side. Protocol §5."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from clearwindow.runtime import Limits
from tests.support.networks import ConnectionHandle, Json, PartnerHandle, ok
from tests.support.refusals import Staging
from tests.support.settlements import Testbed, dispute, stage, try_stage


@dataclass(frozen=True)
class Trade:
    """A broker with three clients: ann has bitcoin, bob has dollars, cid has both."""

    testbed: Testbed
    broker: PartnerHandle
    ann: ConnectionHandle
    bob: ConnectionHandle
    cid: ConnectionHandle

    def stage(self, *trades: tuple[ConnectionHandle, ConnectionHandle, dict[str, str]]) -> Json:
        amounts: dict[str, dict[str, Any]] = {}
        for source, destination, given in trades:
            amounts.setdefault(source.id, {})[destination.id] = given
        return stage(self.broker, amounts)

    def run(self) -> None:
        for _ in range(2):
            self.testbed.pass_minutes(10)
            self.testbed.assert_proven()


@pytest.fixture
def trade(testbed: Testbed) -> Trade:
    broker = testbed.network.partner(broker=True)
    ann = testbed.network.funded(broker, {"ofcbtc": 500}, name="ann")
    bob = testbed.network.funded(broker, {"ofcusd": 900}, name="bob")
    cid = testbed.network.funded(broker, {"ofcbtc": 100, "ofcusd": 100}, name="cid")
    return Trade(testbed, broker, ann, bob, cid)


def test_trade_moves_money_between_clients_and_none_of_the_broker(trade: Trade) -> None:
    settlement = trade.stage((trade.ann, trade.bob, {"BTC": "20", "USD": "-300"}))

    assert trade.ann.balances() == {"ofcbtc": (480, 20)}
    assert trade.bob.balances() == {"ofcusd": (600, 300)}
    trade.testbed.assert_proven()
    trade.run()

    assert trade.testbed.state(settlement["id"]) == "completed"
    assert trade.ann.balances() == {"ofcbtc": (480, 0), "ofcusd": (300, 0)}
    assert trade.bob.balances() == {"ofcbtc": (20, 0), "ofcusd": (600, 0)}
    assert ok(trade.broker.api.get("/partners/balances"))["balances"] == {}


def test_transfers_are_listed_in_an_order_that_no_random_id_decides(trade: Trade) -> None:
    given = [trade.testbed.network.funded(trade.broker, {"ofcbtc": 1}, name=f"client-{n}") for n in range(6)]
    settlement = trade.stage(*((one, trade.ann, {"BTC": "1"}) for one in given))

    shown = ok(trade.testbed.operator.get(f"/settlements/{settlement['id']}"))["settlementTransfers"]
    assert len(shown) == 6
    connections = {one.client.enterprise.account.id: one.id for one in given}
    order = [connections[transfer["sourceTradingAccountId"]] for transfer in shown]
    assert order == sorted(order)


def test_both_directions_of_a_pair_are_two_amounts(trade: Trade) -> None:
    settlement = trade.stage((trade.ann, trade.bob, {"BTC": "20"}), (trade.bob, trade.ann, {"BTC": "15"}))

    shown = trade.testbed.settlement(settlement["id"])["settlementTransfers"]
    assert sorted(transfer["quantity"] for transfer in shown) == ["15", "20"]
    assert trade.ann.balances() == {"ofcbtc": (495, 5)}
    trade.run()
    assert trade.ann.balances() == {"ofcbtc": (495, 0)}
    assert trade.bob.balances() == {"ofcbtc": (5, 0), "ofcusd": (900, 0)}


def test_gain_from_one_client_does_not_cover_a_loss_to_another(trade: Trade) -> None:
    """The client that pays the gain may dispute."""
    refused = try_stage(
        trade.broker, {trade.ann.id: {trade.cid.id: {"BTC": "50"}}, trade.cid.id: {trade.bob.id: {"BTC": "120"}}}
    )
    assert refused.status_code == 422
    short = refused.json()["details"]["shortfalls"]
    assert [(one["connectionId"], one["liability"], one["shortfall"]) for one in short] == [
        (trade.cid.id, "120", "20")
    ]

    trade.stage((trade.ann, trade.cid, {"BTC": "50"}), (trade.cid, trade.bob, {"BTC": "90"}))
    assert trade.cid.balances()["ofcbtc"] == (10, 90)
    trade.run()
    assert trade.cid.balances()["ofcbtc"] == (60, 0)
    assert trade.bob.balances()["ofcbtc"] == (90, 0)


def test_only_trades_of_the_disputing_client_are_stopped(trade: Trade) -> None:
    settlement = trade.stage((trade.ann, trade.bob, {"BTC": "20"}), (trade.ann, trade.cid, {"BTC": "30"}))
    ok(dispute(trade.bob, settlement["id"]))

    trade.run()

    assert trade.testbed.state(settlement["id"]) == "completed"
    assert trade.ann.balances() == {"ofcbtc": (450, 20)}
    assert trade.bob.balances() == {"ofcusd": (900, 0)}
    assert trade.cid.balances()["ofcbtc"] == (130, 0)
    shown = trade.testbed.settlement(settlement["id"])["settlementTransfers"]
    assert {transfer["quantity"]: transfer["status"] for transfer in shown} == {"20": "disputed", "30": "completed"}


def test_broker_sees_both_sides(trade: Trade) -> None:
    settlement = trade.stage((trade.ann, trade.bob, {"BTC": "20"}), (trade.cid, trade.bob, {"USD": "-5"}))
    path = f"/partners/settlements/{settlement['id']}"

    by_currency = {one["currency"]: one for one in ok(trade.broker.api.get(path))["settlementTransfers"]}

    btc = by_currency["ofcbtc"]
    assert btc["quantity"] == "20"
    assert btc["sourceTradingAccountId"] == trade.ann.client.enterprise.account.id
    assert btc["destinationTradingAccountId"] == trade.bob.client.enterprise.account.id
    accounts = {name: account(trade, getattr(trade, name)) for name in ("ann", "bob", "cid")}
    assert (btc["sourceNetworkAccountId"], btc["destinationNetworkAccountId"]) == (accounts["ann"], accounts["bob"])
    for field, value, found in (
        ("sourceNetworkAccountIds", accounts["ann"], ["ofcbtc"]),
        ("sourceNetworkAccountIds", accounts["bob"], []),
        ("destinationNetworkAccountIds", accounts["bob"], ["ofcbtc", "ofcusd"]),
        ("sourceTradingAccountIds", trade.cid.client.enterprise.account.id, ["ofcusd"]),
        ("sourceTradingAccountIds", trade.broker.enterprise.account.id, []),
        ("destinationTradingAccountIds", trade.bob.client.enterprise.account.id, ["ofcbtc", "ofcusd"]),
        ("destinationTradingAccountIds", trade.ann.client.enterprise.account.id, []),
    ):
        answer = trade.broker.api.get(path, **{field: value})
        assert [one["currency"] for one in ok(answer)["settlementTransfers"]] == found, (field, value)
        assert answer.headers["X-Total-Count"] == str(len(found))


def test_settlements_are_filtered_by_both_sides(trade: Trade) -> None:
    first = trade.stage((trade.ann, trade.bob, {"BTC": "20"}))["id"]
    second = trade.stage((trade.cid, trade.bob, {"USD": "5"}))["id"]

    def found(connection: ConnectionHandle | None, **filters: str) -> set[str]:
        api, side = (trade.broker.api, "partners") if connection is None else (connection.client.api, "clients")
        return {one["id"] for one in ok(api.get(f"/{side}/settlements", **filters))["settlements"]}

    assert found(None, counterpartyConnectionIds=trade.ann.id) == {first}
    assert found(None, counterpartyConnectionIds=trade.bob.id) == {first, second}
    assert found(None, counterpartyConnectionIds=trade.bob.id, partyConnectionIds=trade.cid.id) == {second}
    assert found(None, counterpartyConnectionIds=trade.ann.id, partyConnectionIds=trade.cid.id) == set()
    assert found(trade.bob) == {first, second}
    # A client must not find out who is on the other side.
    assert found(trade.bob, counterpartyConnectionIds=trade.ann.id) == set()


def test_client_sees_only_its_own_side(trade: Trade) -> None:
    settlement = trade.stage((trade.ann, trade.bob, {"BTC": "20"}), (trade.bob, trade.cid, {"USD": "7"}))
    views = {}
    for name in ("ann", "bob", "cid"):
        connection: ConnectionHandle = getattr(trade, name)
        response = connection.client.api.get(f"/clients/settlements/{settlement['id']}")
        listed = ok(connection.client.api.get("/clients/settlements"))["settlements"]
        views[name] = ok(response)["settlementTransfers"]
        for other in {"ann", "bob", "cid"} - {name}:
            theirs: ConnectionHandle = getattr(trade, other)
            secrets = (theirs.id, account(trade, theirs), theirs.client.enterprise.account.id)
            assert not [secret for secret in secrets if secret in response.text], (name, other)
        assert listed[0]["transferDirection"] == {"ann": "send", "bob": "send-and-receive", "cid": "receive"}[name]
    (sent,) = views["ann"]
    assert (sent["quantity"], sent["sourceNetworkAccountId"]) == ("20", account(trade, trade.ann))
    assert sent["sourceConnectionName"] == "main"
    assert "destinationNetworkAccountId" not in sent
    (received,) = views["cid"]
    assert (received["quantity"], received["destinationNetworkAccountId"]) == ("7", account(trade, trade.cid))
    assert "sourceNetworkAccountId" not in received
    assert len(views["bob"]) == 2


def test_client_with_two_connections_may_be_on_both_sides(trade: Trade) -> None:
    other = trade.testbed.network.connect(trade.ann.client, trade.broker, "second")
    settlement = trade.stage((trade.ann, other, {"BTC": "20"}))

    (shown,) = ok(trade.ann.client.api.get(f"/clients/settlements/{settlement['id']}"))["settlementTransfers"]

    assert (shown["sourceConnectionName"], shown["destinationConnectionName"]) == ("main", "second")
    trade.run()
    assert other.balances() == {"ofcbtc": (20, 0)}


def account(trade: Trade, connection: ConnectionHandle) -> str:
    listed = ok(trade.broker.api.get("/partners/connections"))["connections"]
    return str(next(one["networkAccountId"] for one in listed if one["id"] == connection.id))


def desk(trade: Trade) -> Staging:
    return Staging(trade.testbed, trade.broker, trade.ann)


def test_invalid_trade_amounts_are_named(trade: Trade) -> None:
    at = desk(trade)
    ann, bob, stranger = trade.ann.id, trade.bob.id, str(uuid4())
    for given, name, mention in (
        ({ann: {bob: {"BTC": "0"}}}, "amount_unfit", f"settlementAmounts.{ann}.{bob}.BTC: 0 is zero"),
        ({ann: {bob: {"BTC": "1.5"}}}, "amount_unfit", f"settlementAmounts.{ann}.{bob}.BTC: 1.5 has more decimals"),
        ({ann: {bob: {"XRP": "1"}}}, "currency_unmapped", f"settlementAmounts.{ann}.{bob}.XRP"),
        ({ann: {stranger: {"BTC": "1"}}}, "connection_unknown", f"settlementAmounts.{ann}.{stranger}"),
        ({stranger: {bob: {"BTC": "1"}}}, "connection_unknown", f"settlementAmounts.{stranger}:"),
        ({ann: {ann: {"BTC": "1"}}}, "connection_with_itself", f"settlementAmounts.{ann}.{ann}"),
        ({ann: {bob: {}}}, "amounts_missing", f"settlementAmounts.{ann}"),
        ({ann: {bob: {"BTC": "1"}}, bob: {}}, "amounts_missing", f"settlementAmounts.{bob}"),
        ({ann: {bob: {"BTC": "1"}}, bob: {"BTC": "1"}}, "request_invalid", f"settlementAmounts.{bob}.BTC"),
        ({ann: {"BTC": "1", bob: {"BTC": "1"}}}, "request_invalid", f"settlementAmounts.{ann}.BTC"),
        ({ann: {"bob": {"BTC": "1"}}}, "request_invalid", f"settlementAmounts.{ann}.bob"),
        ({ann: {bob: {"BTC": {"x": "1"}}}}, "request_invalid", f"settlementAmounts.{ann}.{bob}.BTC"),
        ({ann: {bob: {"BTC": 1}}}, "request_invalid", f"settlementAmounts.{ann}.{bob}.BTC"),
        ({ann: {bob: {"": "1"}}}, "request_invalid", f"settlementAmounts.{ann}.{bob}"),
        ({ann: {bob: "1", bob.upper(): {"BTC": "1"}}}, "request_invalid", f"settlementAmounts.{ann}.{bob}"),
    ):
        at.refuses(at.signed(settlementAmounts=given), name, mention)
    at.accepts(at.signed(settlementAmounts={ann: {bob: {"BTC": "1"}}}))


def test_connection_of_another_partner_is_unknown(trade: Trade) -> None:
    rival = trade.testbed.network.partner("rival", broker=True)
    theirs = trade.testbed.network.funded(rival, {"ofcbtc": 5}, name="dot")
    at = desk(trade)
    at.refuses(
        at.signed(settlementAmounts={trade.ann.id: {theirs.id: {"BTC": "1"}}}), "connection_unknown", theirs.id
    )


def test_partner_that_is_no_broker_cannot_settle_between_connections(testbed: Testbed) -> None:
    exchange = testbed.network.partner()
    one = testbed.network.funded(exchange, {"ofcbtc": 50}, name="one")
    two = testbed.network.funded(exchange, {"ofcbtc": 50}, name="two")
    at = Staging(testbed, exchange, one)
    at.refuses(at.signed(settlementAmounts={one.id: {two.id: {"BTC": "1"}}}), "amounts_not_flat", one.id)
    at.accepts()


def test_flat_amounts_of_a_broker_must_sum_to_zero_and_use_its_account(trade: Trade) -> None:
    at = desk(trade)
    at.refuses(at.signed(settlementAmounts={trade.ann.id: {"BTC": "-5"}}), "amounts_not_net_zero", "sum to -5")
    stage(trade.broker, {trade.ann.id: {"BTC": "-5"}, trade.bob.id: {"BTC": "5"}})
    trade.run()
    assert trade.bob.balances()["ofcbtc"] == (5, 0)


def test_each_connection_counts_once_towards_the_limit(trade: Trade) -> None:
    limits = Limits(connections_per_settlement=2, amounts_per_settlement=3)
    object.__setattr__(trade.testbed.runtime, "limits", limits)
    at = desk(trade)
    ann, bob, cid = trade.ann.id, trade.bob.id, trade.cid.id
    three = {ann: {bob: {"BTC": "1"}, cid: {"BTC": "1"}}}
    at.refuses(at.signed(settlementAmounts=three), "too_many_connections", "3 connections", "the limit is 2")
    four = {ann: {bob: {"BTC": "1", "USD": "-1"}}, bob: {ann: {"USD": "1", "BTC": "-1"}}}
    at.refuses(at.signed(settlementAmounts=four), "too_many_amounts", "4 amounts", "the limit is 3")
    at.accepts(at.signed(settlementAmounts={ann: {bob: {"BTC": "1"}}, bob: {ann: {"USD": "1", "BTC": "-1"}}}))


def test_signing_helper_accepts_nested_amounts(trade: Trade) -> None:
    fields = {
        "externalId": "x",
        "nonce": "n",
        "settlementAmounts": {trade.ann.id: {trade.bob.id: {"BTC": "1"}}},
        "cutoffAt": "2026-01-05T11:59:00.000Z",
    }
    answer = ok(trade.broker.api.post("/partners/settlements-signing", fields))
    assert trade.bob.id in answer["payload"]
