"""Clients and partners read their balances."""

from __future__ import annotations

from tests.support.networks import Network, ok


def test_a_client_reads_its_own_funds_in_our_names(network: Network) -> None:
    partner, other = network.partner("one"), network.partner("two")
    client = network.client(deposits={"ofcbtc": 100, "ofceth": 10**30})
    first, second = network.connect(client, partner, "first"), network.connect(client, other, "second")
    ok(first.allocate("btc", 60))
    view = ok(client.api.get("/clients/balances"))
    assert view["clientId"] == client.id
    assert view["balances"] == {
        "ofcbtc": {"available": "40", "held": "0"},
        "ofceth": {"available": str(10**30), "held": "0"},
    }
    assert view["networkBalances"] == {
        first.id: {
            "partnerId": partner.id,
            "partnersConnectionId": first.id,
            "name": "first",
            "partnerInstitutionIdentifier": "one",
            "balances": {"ofcbtc": {"available": "60", "held": "0"}},
        },
        second.id: {
            "partnerId": other.id,
            "partnersConnectionId": second.id,
            "name": "second",
            "partnerInstitutionIdentifier": "two",
            "balances": {},
        },
    }
    only = client.api.get("/clients/balances", partnerIds=other.id)
    assert (list(ok(only)["networkBalances"]), only.headers["X-Total-Count"]) == ([second.id], "1")
    pages = [client.api.get("/clients/balances", pageSize=1, pageNumber=number) for number in range(2)]
    assert {id_ for page in pages for id_ in ok(page)["networkBalances"]} == {first.id, second.id}
    assert {page.headers["X-Total-Count"] for page in pages} == {"2"}


def test_a_partner_reads_its_clients_funds_in_its_own_names_and_base_units(network: Network) -> None:
    partner = network.partner(
        currencies={"BTC": "ofcbtc", "XBT": "ofcbtc", "US$": "ofcusd"},
        amountUnit="decimal",
        deposits={"ofcbtc": 250_000_000, "ofceth": 5},
    )
    first = network.funded(partner, {"ofcbtc": 150_000_001, "ofcusd": 5}, name="first")
    second = network.funded(partner, {"ofcusd": 1200}, name="second")
    view = ok(partner.api.get("/partners/balances"))
    assert view["balances"] == {"BTC": {"available": "250000000", "held": "0"}}
    assert view["networkBalances"] == {
        first.id: {
            "clientId": first.client.id,
            "partnerId": partner.id,
            "partnersConnectionId": first.id,
            "balances": {
                "BTC": {"available": "150000001", "held": "0"},
                "US$": {"available": "5", "held": "0"},
            },
        },
        second.id: {
            "clientId": second.client.id,
            "partnerId": partner.id,
            "partnersConnectionId": second.id,
            "balances": {"US$": {"available": "1200", "held": "0"}},
        },
    }
    only = ok(partner.api.get("/partners/balances", clientIds=second.client.id))
    assert list(only["networkBalances"]) == [second.id]

    network.configure("exchange", currencies={"USD": "ofcusd"})
    remapped = ok(partner.api.get("/partners/balances", connectionIds=first.id))
    assert remapped["networkBalances"][first.id]["balances"] == {"USD": {"available": "5", "held": "0"}}
    assert remapped["balances"] == {}


def test_client_balances_can_be_filtered(network: Network) -> None:
    one, two = network.partner("one"), network.partner("two")
    client, other = network.client("ann"), network.client("bob")
    first, second = network.connect(client, one, "first"), network.connect(client, two, "second")
    foreign = network.connect(other, one, "foreign")
    cases: list[tuple[dict[str, object], set[str]]] = [
        ({"connectionIds": first.id}, {first.id}),
        ({"connectionIds": [first.id, second.id, foreign.id]}, {first.id, second.id}),
        ({"connectionIds": foreign.id}, set()),
        ({"partnerIds": [one.id, two.id]}, {first.id, second.id}),
        ({"partnerIds": one.id, "connectionIds": second.id}, set()),
        ({"pageSize": "1", "pageNumber": "2"}, set()),
    ]
    for filters, expected in cases:
        for answer in (
            client.api.get("/clients/balances", **filters),
            client.api.get("/clients/balances", body=filters),
        ):
            assert set(ok(answer)["networkBalances"]) == expected, filters


def test_partner_balances_can_be_filtered(network: Network) -> None:
    partner, rival = network.partner("one"), network.partner("two")
    ann, bob = network.client("ann"), network.client("bob")
    first, second = network.connect(ann, partner, "first"), network.connect(bob, partner, "second")
    foreign = network.connect(ann, rival, "foreign")
    cases: list[tuple[dict[str, object], set[str]]] = [
        ({}, {first.id, second.id}),
        ({"partnerIds": partner.id}, {first.id, second.id}),
        ({"partnerIds": rival.id}, set()),
        ({"clientIds": ann.id}, {first.id}),
        ({"clientIds": [ann.id, bob.id]}, {first.id, second.id}),
        ({"connectionIds": [second.id, foreign.id]}, {second.id}),
        ({"partnersConnectionIds": first.id}, {first.id}),
        ({"partnersConnectionIds": [second.id, "unknown"]}, {second.id}),
        ({"partnersConnectionIds": foreign.id}, set()),
        ({"clientIds": ann.id, "connectionIds": second.id}, set()),
    ]
    for filters, expected in cases:
        for answer in (
            partner.api.get("/partners/balances", **filters),
            partner.api.get("/partners/balances", body=filters),
        ):
            assert set(ok(answer)["networkBalances"]) == expected, filters
            assert answer.headers["X-Total-Count"] == str(len(expected)), filters
    pages = [partner.api.get("/partners/balances", pageSize=1, pageNumber=number) for number in range(3)]
    assert [len(ok(page)["networkBalances"]) for page in pages] == [1, 1, 0]
    assert {page.headers["X-Total-Count"] for page in pages} == {"2"}
