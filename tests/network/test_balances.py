"""Balances as each side reads them."""

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


def test_a_partner_reads_its_clients_funds_in_its_own_terms(network: Network) -> None:
    partner = network.partner(
        currencies={"BTC": "ofcbtc", "XBT": "ofcbtc", "US$": "ofcusd"},
        amountUnit="decimal",
        deposits={"ofcbtc": 250_000_000, "ofceth": 5},
    )
    first = network.funded(partner, {"ofcbtc": 150_000_001, "ofcusd": 5}, name="first")
    second = network.funded(partner, {"ofcusd": 1200}, name="second")
    view = ok(partner.api.get("/partners/balances"))
    assert view["balances"] == {"BTC": {"available": "2.5", "held": "0"}}
    assert view["networkBalances"] == {
        first.id: {
            "clientId": first.client.id,
            "partnerId": partner.id,
            "partnersConnectionId": first.id,
            "balances": {
                "BTC": {"available": "1.50000001", "held": "0"},
                "US$": {"available": "0.05", "held": "0"},
            },
        },
        second.id: {
            "clientId": second.client.id,
            "partnerId": partner.id,
            "partnersConnectionId": second.id,
            "balances": {"US$": {"available": "12", "held": "0"}},
        },
    }
    only = ok(partner.api.get("/partners/balances", clientIds=second.client.id))
    assert list(only["networkBalances"]) == [second.id]

    network.configure("exchange", currencies={"USD": "ofcusd"})
    remapped = ok(partner.api.get("/partners/balances", connectionIds=first.id))
    assert remapped["networkBalances"][first.id]["balances"] == {"USD": {"available": "5", "held": "0"}}
    assert remapped["balances"] == {}
