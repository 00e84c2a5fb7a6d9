"""Members read the network's currencies, and a partner its own names of them."""

from __future__ import annotations

from tests.support.networks import Network, ok


def test_currencies_have_their_decimals_and_the_partners_own_names(network: Network) -> None:
    partner = network.partner(currencies={"XBT": "ofcbtc", "BTC": "ofcbtc"}, amountUnit="decimal")
    client = network.client()
    theirs, plain = ok(partner.api.get("/currencies")), ok(client.api.get("/currencies"))
    bitcoin = {"name": "ofcbtc", "backing": "btc", "decimals": 8}
    assert {**bitcoin, "partnerNames": ["BTC", "XBT"]} in theirs["currencies"]
    assert {**bitcoin, "partnerNames": []} in plain["currencies"]
    assert theirs["amountUnit"] == "decimal"
    assert "amountUnit" not in plain
    assert {each["name"] for each in theirs["currencies"]} == {each["name"] for each in plain["currencies"]}
