"""Whether an enterprise may use one partner: ``isLicensedForPartner``, and what its absence stops."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from tests.support.networks import TOKEN_KEY, ConnectionHandle, Network, ok
from tests.support.refusals import nothing_written
from tests.support.settlements import Testbed, stage

NOBODY = "7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39"


def refusal(response: httpx2.Response) -> tuple[int, str]:
    return response.status_code, response.json()["name"]


@pytest.fixture
def connection(testbed: Testbed) -> ConnectionHandle:
    return testbed.network.funded(testbed.network.partner(), {"ofcbtc": 100})


def license_for(network: Network, enterprise_id: str, partner_id: str, *, licensed: bool) -> dict[str, Any]:
    path = f"/enterprises/{enterprise_id}/partner-licences/{partner_id}"
    made: dict[str, Any] = ok(network.operator.patch(path, {"licensed": licensed}))["partnerLicence"]
    return made


def licences(connection: ConnectionHandle) -> dict[str, bool]:
    partners = ok(connection.client.api.get("/partners"))["partners"]
    return {partner["id"]: partner["isLicensedForPartner"] for partner in partners}


def test_each_partner_says_whether_the_caller_may_use_it(testbed: Testbed, connection: ConnectionHandle) -> None:
    second = testbed.network.partner("second")
    other = testbed.network.connect(testbed.network.client("other"), second)
    assert licences(connection) == {connection.partner.id: True, second.id: True}
    made = license_for(testbed.network, "trader", connection.partner.id, licensed=False)
    assert (made["enterpriseId"], made["partnerId"], made["licensed"]) == ("trader", connection.partner.id, False)
    assert licences(connection) == {connection.partner.id: False, second.id: True}
    assert licences(other) == {connection.partner.id: True, second.id: True}
    license_for(testbed.network, "trader", connection.partner.id, licensed=True)
    assert licences(connection) == {connection.partner.id: True, second.id: True}


def test_without_it_new_connections_and_allocations_are_403_and_the_rest_goes_on(
    testbed: Testbed, connection: ConnectionHandle
) -> None:
    network, client, partner = testbed.network, connection.client, connection.partner
    testbed.operator.deposit(client.enterprise.account.id, "ofcbtc", 50)
    fields = connection.allocation_fields("ofcbtc", 5)
    body = client.enterprise.sign(fields)
    made = ok(client.api.post(f"{connection.path}/allocations", body))
    asked = {"partnerId": partner.id, "name": "second", "connectionKey": TOKEN_KEY}
    connecting = client.enterprise.sign(asked)
    connected = ok(client.api.post("/clients/connections", connecting))
    settlement = stage(partner, {connection.id: {"BTC": "-10"}})

    license_for(network, "trader", partner.id, licensed=False)
    with nothing_written(testbed.runtime):
        assert refusal(connection.allocate("ofcbtc", 1)) == (403, "partner_not_licensed")
        refused = client.api.post("/clients/connections", client.enterprise.sign(asked | {"name": "third"}))
        assert refusal(refused) == (403, "partner_not_licensed")
    # What exists goes on.
    assert ok(client.api.post(f"{connection.path}/allocations", body)) == made
    assert ok(client.api.post("/clients/connections", connecting)) == connected
    assert ok(connection.deallocate("ofcbtc", 3))["deallocation"]["status"] == "cleared"
    stage(partner, {connection.id: {"BTC": "-1"}})
    testbed.pass_minutes(30)
    assert testbed.state(settlement["id"]) == "completed"

    license_for(network, "trader", partner.id, licensed=True)
    assert ok(connection.allocate("ofcbtc", 1))["allocation"]["status"] == "cleared"
    testbed.assert_proven()


def test_the_same_licence_again_changes_nothing_and_wrong_ones_are_refused(
    testbed: Testbed, connection: ConnectionHandle
) -> None:
    first = license_for(testbed.network, "trader", connection.partner.id, licensed=False)
    testbed.clock.advance(minutes=1)
    assert license_for(testbed.network, "trader", connection.partner.id, licensed=False) == first
    (record,) = testbed.operator.audit_log(action="partner_licence.changed")
    assert record["details"] == {"partnerId": connection.partner.id, "licensed": False}
    path = "/enterprises/{}/partner-licences/{}".format
    change = {"licensed": True}
    assert refusal(testbed.operator.patch(path("nobody", connection.partner.id), change)) == (
        404,
        "enterprise_unknown",
    )
    for unknown in (NOBODY, "nonsense"):
        assert refusal(testbed.operator.patch(path("trader", unknown), change)) == (404, "partner_unknown")
    for wrong in ({}, {"licensed": None}, {"licensed": "true"}, {"licensed": True, "x": 1}):
        assert testbed.operator.patch(path("trader", connection.partner.id), wrong).status_code == 400
