"""Version 1 between two connections of a broker, and the lists of transfers of both sides. Protocol §5, §6."""

from __future__ import annotations

import pytest

from tests.support.networks import ConnectionHandle, Json, PartnerHandle, ok
from tests.support.settlements import Testbed, settle, try_settle

TRANSFERS = "/clients/settlementTransfers"


@pytest.fixture
def broker(testbed: Testbed) -> PartnerHandle:
    return testbed.network.partner(broker=True, dispute_window=None)


@pytest.fixture
def ann(testbed: Testbed, broker: PartnerHandle) -> ConnectionHandle:
    return testbed.network.funded(broker, {"ofcbtc": 100}, name="ann")


@pytest.fixture
def bob(testbed: Testbed, broker: PartnerHandle) -> ConnectionHandle:
    return testbed.network.funded(broker, {"ofcusd": 100}, name="bob")


def listed(connection: ConnectionHandle) -> list[Json]:
    answer = connection.client.api.get(TRANSFERS)
    found: list[Json] = ok(answer)["settlementTransfers"]
    assert answer.headers["X-Total-Count"] == str(len(found))
    return found


def test_both_sides_move_at_once_and_each_sees_its_own_side(
    testbed: Testbed, broker: PartnerHandle, ann: ConnectionHandle, bob: ConnectionHandle
) -> None:
    settlement = settle(broker, {ann.id: {bob.id: {"BTC": "20", "USD": "-30"}}})

    assert settlement["status"] == "completed"
    assert ann.balances() == {"ofcbtc": (80, 0), "ofcusd": (30, 0)}
    assert bob.balances() == {"ofcbtc": (20, 0), "ofcusd": (70, 0)}
    assert testbed.operator.balances(broker.enterprise.account.id) == {}
    for own, other, side, away in ((ann, bob, "source", "destination"), (bob, ann, "destination", "source")):
        found = listed(own)
        assert sorted(one["quantity"] for one in found) == ["-30", "20"]
        for one in found:
            assert one[f"{side}ConnectionName"] == "main"
            assert one[f"{side}ClientName"] == own.client.enterprise.id
            assert one[f"{side}TradingAccountId"] == own.client.enterprise.account.id
            assert not [name for name in one if name.startswith(away)]
        assert other.id not in str(found)
    testbed.assert_proven()


def test_only_the_final_balance_must_not_be_negative(
    testbed: Testbed, broker: PartnerHandle, ann: ConnectionHandle, bob: ConnectionHandle
) -> None:
    settle(broker, {ann.id: {bob.id: {"BTC": "150"}}, bob.id: {ann.id: {"BTC": "60"}}})
    assert (ann.balances()["ofcbtc"], bob.balances()["ofcbtc"]) == ((10, 0), (90, 0))

    refused = try_settle(broker, {ann.id: {bob.id: {"BTC": "12"}}, bob.id: {ann.id: {"BTC": "1"}}})

    assert refused.status_code == 401
    details = refused.json()["details"]
    (gap,) = details["shortfalls"]
    assert (gap["connectionId"], gap["currency"], gap["shortfall"]) == (ann.id, "ofcbtc", "1")
    assert details["partnerShortfalls"] == []
    assert (ann.balances()["ofcbtc"], bob.balances()["ofcbtc"]) == ((10, 0), (90, 0))
    testbed.assert_proven()


def test_transfer_between_own_connections_is_listed_once(
    testbed: Testbed, broker: PartnerHandle, ann: ConnectionHandle
) -> None:
    second = testbed.network.connect(ann.client, broker, "second")
    settle(broker, {ann.id: {second.id: {"BTC": "20"}}})
    (one,) = listed(ann)
    assert (one["sourceConnectionName"], one["destinationConnectionName"]) == ("main", "second")
    assert one["sourceClientName"] == one["destinationClientName"] == "ann"
    testbed.assert_proven()
