"""Members read their own events without an endpoint."""

from __future__ import annotations

from tests.support.lists import followed
from tests.support.networks import Network, ok


def test_enterprise_reads_its_own_events_and_no_others(network: Network) -> None:
    partner, other = network.partner("one"), network.partner("two")
    client = network.client(deposits={"ofcbtc": 100})
    connection = network.connect(client, partner, "first")
    network.connect(client, other, "second")
    ok(connection.allocate("btc", 60))
    seen = ok(partner.api.get("/events"))["events"]
    assert [(event["type"], event["data"].get("connectionId")) for event in seen] == [
        ("allocation.cleared", connection.id),
        ("allocation.reserved", connection.id),
        ("connection.created", connection.id),
        ("partner.updated", None),
    ]
    assert set(seen[0]) == {"id", "type", "subjectId", "createdAt", "data"}
    mine = ok(client.api.get("/events", types="connection.created"))["events"]
    assert [event["data"]["name"] for event in mine] == ["second", "first"]
    assert client.api.get("/events", types="nothing.known").status_code == 400
    assert ok(client.api.get("/events", createdBefore="2020-01-01T00:00:00Z")) == {"events": []}


def test_cursor_reads_every_event_once(network: Network) -> None:
    partner = network.partner()
    client = network.client(deposits={"ofcbtc": 100})
    connection = network.connect(client, partner)
    for _ in range(3):
        ok(connection.allocate("btc", 10))
    paged = followed(client.api.get, "/events", "events", pageSize=2)
    whole = ok(client.api.get("/events"))["events"]
    assert len(whole) > 2
    assert [event["id"] for event in paged] == [event["id"] for event in whole]
