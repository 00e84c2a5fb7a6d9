"""Raising and retracting disputes. Protocol §6."""

from __future__ import annotations

import pytest

from tests.support.networks import ConnectionHandle, ok
from tests.support.settlements import Testbed, change_dispute, dispute, stage


@pytest.fixture
def connection(testbed: Testbed) -> ConnectionHandle:
    partner = testbed.network.partner()
    return testbed.network.funded(partner, {"ofcbtc": 500})


def test_client_raises_a_dispute_with_its_expected_transfers(
    testbed: Testbed, connection: ConnectionHandle
) -> None:
    settlement = stage(connection.partner, {connection.id: {"BTC": "-200"}})

    raised = ok(dispute(connection, settlement["id"], {"btc": "-150"}, reason="fills are missing"))["dispute"]

    assert raised["disputedSettlementId"] == settlement["id"]
    assert raised["expectedTransfers"] == {"ofcbtc": "-150"}
    assert raised["reason"] == "fills are missing"
    assert raised["retracted"] is False
    assert "settledInSettlementId" not in raised
    listed = ok(connection.client.api.get("/clients/settlement/disputes"))["disputes"]
    assert [one["id"] for one in listed] == [raised["id"]]
    seen = ok(connection.partner.api.get("/partners/settlement/disputes"))["disputes"]
    assert [one["id"] for one in seen] == [raised["id"]]
    shown = ok(connection.client.api.get(f"/clients/settlements/{settlement['id']}"))
    assert shown["settlement"]["disputed"] is True
    assert [one["id"] for one in shown["settlementDisputes"]] == [raised["id"]]
    assert "dispute.created" in testbed.event_types("exchange")
    assert "dispute.created" in testbed.event_types("trader")


def test_expected_transfers_may_be_empty(connection: ConnectionHandle) -> None:
    settlement = stage(connection.partner, {connection.id: {"BTC": "-200"}})
    assert ok(dispute(connection, settlement["id"], {}))["dispute"]["expectedTransfers"] == {}


def test_second_dispute_of_the_connection_is_a_conflict(connection: ConnectionHandle) -> None:
    settlement = stage(connection.partner, {connection.id: {"BTC": "-200"}})
    raised = ok(dispute(connection, settlement["id"]))["dispute"]["id"]
    second = dispute(connection, settlement["id"], {"btc": "-150"}, reason="fills are missing")
    assert (second.status_code, second.json()["name"]) == (409, "dispute_exists")
    assert second.json()["details"] == {"fields": ["reason", "expectedTransfers"], "disputeId": raised}


def test_same_request_again_gets_the_same_dispute(connection: ConnectionHandle) -> None:
    settlement = stage(connection.partner, {connection.id: {"BTC": "-200"}})
    fields = {"connectionId": connection.id, "expectedTransfers": {}}
    body = connection.client.enterprise.sign(fields)
    path = f"/clients/settlements/{settlement['id']}/disputes"
    first = connection.client.api.post(path, body)

    again = connection.client.api.post(path, body)

    assert ok(again) == ok(first)
    assert again.headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("minutes", [10, 11, 30])
def test_dispute_after_the_window_is_refused(testbed: Testbed, connection: ConnectionHandle, minutes: int) -> None:
    settlement = stage(connection.partner, {connection.id: {"BTC": "-200"}})
    testbed.clock.advance(minutes=minutes)

    refused = dispute(connection, settlement["id"])

    assert refused.status_code == 422
    assert refused.json()["name"] == "dispute_window_over"
    testbed.run_due()
    assert dispute(connection, settlement["id"]).json()["name"] == "dispute_window_over"


def test_dispute_in_the_last_moment_of_the_window_is_accepted(
    testbed: Testbed, connection: ConnectionHandle
) -> None:
    settlement = stage(connection.partner, {connection.id: {"BTC": "-200"}})
    testbed.clock.advance(minutes=9.9999)
    ok(dispute(connection, settlement["id"]))


def test_other_clients_cannot_dispute_on_the_connection(testbed: Testbed, connection: ConnectionHandle) -> None:
    settlement = stage(connection.partner, {connection.id: {"BTC": "-200"}})
    stranger = testbed.network.funded(connection.partner, {"ofcbtc": 5}, name="stranger")
    foreign = ConnectionHandle(connection.id, stranger.client, connection.partner)

    assert dispute(foreign, settlement["id"]).json()["name"] == "settlement_not_found"
    assert dispute(stranger, settlement["id"]).json()["name"] == "settlement_not_found"


@pytest.mark.parametrize(
    ("expected", "name"),
    [
        ({"ofcnone": "1"}, "currency_unknown"),
        ({"btc": "1", "ofcbtc": "1"}, "currency_twice"),
        ({"ofcbtc": "0"}, "request_invalid"),
        ({"ofcbtc": "1.5"}, "request_invalid"),
        ({"": "1"}, "request_invalid"),
    ],
)
def test_invalid_expected_transfers_are_refused(
    connection: ConnectionHandle, expected: dict[str, str], name: str
) -> None:
    settlement = stage(connection.partner, {connection.id: {"BTC": "-200"}})
    refused = dispute(connection, settlement["id"], expected)
    assert refused.status_code == 400
    assert refused.json()["name"] == name


def test_transfers_run_after_the_dispute_is_retracted(testbed: Testbed, connection: ConnectionHandle) -> None:
    settlement = stage(connection.partner, {connection.id: {"BTC": "-200"}})
    raised = ok(dispute(connection, settlement["id"]))["dispute"]

    retracted = ok(change_dispute(connection, raised["id"], retracted=True, reason="found them"))["dispute"]

    assert retracted["retractedReason"] == "found them"
    assert retracted["retractedBy"] == "user-of-trader"
    assert "retractedAt" in retracted
    assert ok(connection.partner.api.get("/partners/settlement/disputes"))["disputes"] == []
    shown = ok(connection.partner.api.get("/partners/settlement/disputes", showRetracted="true"))["disputes"]
    assert [one["id"] for one in shown] == [raised["id"]]
    testbed.pass_minutes(10)
    testbed.pass_minutes(10)
    assert connection.balances() == {"ofcbtc": (300, 0)}
    testbed.assert_proven()


def test_retraction_can_be_reversed(testbed: Testbed, connection: ConnectionHandle) -> None:
    settlement = stage(connection.partner, {connection.id: {"BTC": "-200"}})
    raised = ok(dispute(connection, settlement["id"], {"ofcbtc": "-1"}))["dispute"]
    ok(change_dispute(connection, raised["id"], retracted=True))
    assert change_dispute(connection, raised["id"], retracted=True).status_code == 409

    restored = ok(change_dispute(connection, raised["id"], retracted=False, expectedTransfers={"ofcbtc": "-2"}))

    assert restored["dispute"]["retracted"] is False
    assert restored["dispute"]["expectedTransfers"] == {"ofcbtc": "-2"}
    assert "retractedAt" not in restored["dispute"]
    testbed.pass_minutes(10)
    assert change_dispute(connection, raised["id"], retracted=True).status_code == 422
    testbed.pass_minutes(10)
    assert connection.balances() == {"ofcbtc": (300, 200)}
    kinds = testbed.event_types("exchange")
    assert kinds.index("dispute.retracted") < kinds.index("dispute.unretracted")


def test_dispute_cannot_change_its_connection(testbed: Testbed, connection: ConnectionHandle) -> None:
    other = testbed.network.connect(connection.client, connection.partner, "second")
    settlement = stage(connection.partner, {connection.id: {"BTC": "-200"}})
    raised = ok(dispute(connection, settlement["id"]))["dispute"]
    refused = change_dispute(
        ConnectionHandle(other.id, connection.client, connection.partner), raised["id"], retracted=True
    )
    assert refused.json()["name"] == "connection_differs"
