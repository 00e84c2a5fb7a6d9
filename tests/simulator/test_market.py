"""Both sides of a trade compute the same trades from the same seed."""

from __future__ import annotations

from decimal import ROUND_UP, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearwindow.simulator.market import Market, Side, external_id, net_of, round_of

NAMES = {"BTC": "ofcbtc", "USDC": "ofcusdc", "tETH": "ofcteth"}
CONNECTION = "5f2a7c36-6a3c-4b62-9a1a-0b8e3f1d2c4e"
EXPECTED = {"tETH": Decimal("0.489"), "USDC": Decimal("-1447.287201")}
EXPECTED_BASE_UNITS = {"ofcteth": 489_000_000_000_000_000, "ofcusdc": -1_447_287_201}


def test_trades_of_a_seed_never_change() -> None:
    market = Market.of("7", NAMES)
    assert market.net(CONNECTION, 1) == Market.of("7", dict(reversed(NAMES.items()))).net(CONNECTION, 1)
    # Recorded once: a trader that runs another version must still compute the same trades.
    assert market.net(CONNECTION, 3) == EXPECTED
    assert market.net_base_units(CONNECTION, 3) == EXPECTED_BASE_UNITS
    with localcontext(prec=6, rounding=ROUND_UP):
        assert market.net(CONNECTION, 3) == EXPECTED
        assert market.net_base_units(CONNECTION, 3) == EXPECTED_BASE_UNITS


@given(st.text(max_size=20), st.uuids(), st.integers(1, 10**6))
def test_a_round_balances_quantities_and_prices(seed: str, connection: object, number: int) -> None:
    market = Market.of(seed, NAMES)
    fills = market.fills(str(connection), number)
    assert 1 <= len(fills) <= 3
    for fill in fills:
        assert fill.quantity > 0
        assert fill.price > 0
        bought, paid = fill.amounts[fill.base.name], fill.amounts[fill.quote.name]
        assert (bought > 0 > paid) is (fill.side is Side.BUY)
        assert abs(abs(paid) - fill.quantity * fill.price) <= fill.quote.smallest
    net = market.net(str(connection), number)
    assert net == net_of(fills)
    assert all(net.values())
    units = market.net_base_units(str(connection), number)
    assert {name: Decimal(units[NAMES[name]]) for name in net} == {
        name: amount.scaleb({"BTC": 8, "USDC": 6, "tETH": 18}[name]) for name, amount in net.items()
    }


def test_rounds_connections_and_seeds_differ() -> None:
    market = Market.of("7", NAMES)
    drawn = [
        market.net(CONNECTION, 1),
        market.net(CONNECTION, 2),
        market.net("another", 1),
        Market.of("8", NAMES).net(CONNECTION, 1),
    ]
    assert all(drawn.count(net) == 1 for net in drawn)


def test_currencies_without_a_price_are_not_traded() -> None:
    assert Market.of("7", {"BTC": "ofcbtc", "PTS": "ofcpoints"}).fills(CONNECTION, 1) == []
    one_name = Market.of("7", {"XBT": "ofcbtc", "BTC": "ofcbtc", "USD": "ofcusd"})
    assert [currency.name for currency in one_name.currencies] == ["BTC", "USD"]
    with pytest.raises(ValueError, match="more than 2 decimals"):
        one_name.currencies[1].base_units(Decimal("0.001"))


def test_the_external_id_contains_the_round() -> None:
    assert round_of(external_id("exchange-001", 12)) == 12
    assert round_of("exchange-001-round-12", "exchange-001") == 12
    assert round_of("exchange-001-round-12", "exchange-002") is None
    assert round_of("exchange-001-round-0") is None
    assert round_of("day-1") is None
    with pytest.raises(ValueError, match="from 1"):
        external_id("exchange-001", 0)
