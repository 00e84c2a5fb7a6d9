"""A signed text is good for the path it was sent to: its nonce is used, whatever another path would make of it."""

from __future__ import annotations

from tests.support.networks import ok
from tests.support.refusing import nothing_written
from tests.support.settling import Floor, dispute, stage


def test_an_objection_to_one_settlement_cannot_be_sent_to_another(floor: Floor) -> None:
    partner = floor.network.partner()
    connection = floor.network.funded(partner, {"ofcbtc": 100})
    one, other = (stage(partner, {connection.id: {"BTC": "-1"}})["id"] for _ in range(2))
    api, enterprise = connection.client.api, connection.client.enterprise
    body = enterprise.sign({"connectionId": connection.id, "expectedTransfers": {}})
    raised = ok(api.post(f"/clients/settlements/{one}/disputes", body))

    with nothing_written(floor.runtime):
        refused = api.post(f"/clients/settlements/{other}/disputes", body)
        assert (refused.status_code, refused.json()["name"]) == (409, "nonce_used")
        again = api.post(f"/clients/settlements/{one}/disputes", body)
    assert (ok(again), again.headers["Idempotent-Replayed"]) == (raised, "true")


def test_the_closing_of_one_dispute_cannot_be_sent_to_another(floor: Floor) -> None:
    partner = floor.network.partner()
    connection = floor.network.funded(partner, {"ofcbtc": 100})
    settlements = [stage(partner, {connection.id: {"BTC": "-1"}})["id"] for _ in range(2)]
    one, other = (ok(dispute(connection, settlement))["dispute"]["id"] for settlement in settlements)
    floor.pass_minutes(10)
    api, body = connection.client.api, connection.client.enterprise.sign({"notes": "we were wrong"})
    closed = ok(api.post(f"/clients/settlements/disputes/{one}/close", body))

    with nothing_written(floor.runtime):
        refused = api.post(f"/clients/settlements/disputes/{other}/close", body)
        assert (refused.status_code, refused.json()["name"]) == (409, "nonce_used")
        again = api.post(f"/clients/settlements/disputes/{one}/close", body)
    assert (ok(again), again.headers["Idempotent-Replayed"]) == (closed, "true")


def test_the_retraction_of_one_dispute_cannot_be_sent_to_another(floor: Floor) -> None:
    partner = floor.network.partner()
    connection = floor.network.funded(partner, {"ofcbtc": 100})
    settlements = [stage(partner, {connection.id: {"BTC": "-1"}})["id"] for _ in range(2)]
    one, other = (ok(dispute(connection, settlement))["dispute"]["id"] for settlement in settlements)
    api = connection.client.api
    body = connection.client.enterprise.sign({"connectionId": connection.id, "retracted": True})
    ok(api.put(f"/clients/settlements/disputes/{one}", body))

    with nothing_written(floor.runtime):
        refused = api.put(f"/clients/settlements/disputes/{other}", body)
        assert (refused.status_code, refused.json()["name"]) == (409, "nonce_used")
    floor.assert_proven()


def test_an_allocation_cannot_be_sent_to_another_connection_or_back(floor: Floor) -> None:
    partner = floor.network.partner()
    connection = floor.network.funded(partner, {"ofcbtc": 100})
    second = floor.network.connect(connection.client, partner, "second")
    floor.operator.deposit(connection.client.enterprise.account.id, "ofcbtc", 100)
    api = connection.client.api
    body = connection.client.enterprise.sign(connection.allocation_fields("ofcbtc", 5))
    ok(api.post(f"{connection.path}/allocations", body))

    with nothing_written(floor.runtime):
        for path in (f"{second.path}/allocations", f"{connection.path}/deallocations"):
            refused = api.post(path, body)
            assert (refused.status_code, refused.json()["name"]) == (400, "nonce_used"), path
