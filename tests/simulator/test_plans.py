"""The plans of networks and days depend on the seed only."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from typing import Literal

import pytest

from clearwindow.simulator.day.plan import DayPlan, Resolution
from clearwindow.simulator.network.file import Connection, Exchange, Network, Trader
from clearwindow.simulator.network.plan import Plan, base_units

EXCHANGE = Exchange(
    name="exchange-001",
    enterprise_id="exchange-001",
    partner_id="partner",
    go_account_id="account",
    token="token",
    xprv="xprv",
    callback_url=None,
    currencies={"BTC": "ofcbtc", "USDC": "ofcusdc"},
    amount_unit="decimal",
)


def _network(traders: int, exchange: Exchange = EXCHANGE) -> Network:
    names = [f"trader-{number:03d}" for number in range(1, traders + 1)]
    connected = tuple(
        Trader(name, name, name, name, "token", "xprv", (Connection(exchange.name, f"{name} connection"),))
        for name in names
    )
    return Network("http://127.0.0.1:8080", (), (exchange,), connected)


def test_a_network_plan_depends_on_its_seed() -> None:
    plan = Plan(exchanges=3, traders=2, seed=7)
    assert plan.exchange_names == ["exchange-001", "exchange-002", "exchange-003"]
    assert plan.trader_names == ["trader-001", "trader-002"]
    funds = plan.allocation("trader-001", "exchange-001")
    assert funds == Plan(exchanges=30, traders=20, seed=7).allocation("trader-001", "exchange-001")
    assert funds != Plan(exchanges=3, traders=2, seed=8).allocation("trader-001", "exchange-001")
    assert funds != plan.allocation("trader-002", "exchange-001")
    brought = plan.deposit("trader-001")
    for currency in funds:
        needed = sum(plan.allocation("trader-001", name)[currency] for name in plan.exchange_names)
        assert brought[currency] >= needed > 0


def test_callback_urls_are_assigned_to_exchanges_in_order() -> None:
    plan = Plan(exchanges=3, traders=1, seed=1, callback_urls=("http://one", "http://two"))
    assert [plan.callback_url(name) for name in plan.exchange_names] == ["http://one", "http://two", None]


def test_base_units_are_exact() -> None:
    assert base_units(Decimal("0.00000001"), 8) == 1
    assert base_units(Decimal(3_000), 6) == 3_000_000_000
    with pytest.raises(ValueError, match="more than 2 decimals"):
        base_units(Decimal("0.001"), 2)


def test_a_day_plan_depends_on_its_seed() -> None:
    network = _network(50)
    days = [DayPlan(network, seed=seed, rounds=24, disputes_percent=10) for seed in (1, 1, 2)]
    first, same, other = ([day.disputes(number) for number in range(1, 25)] for day in days)
    assert first == same != other


@pytest.mark.parametrize(("traders", "percent", "disputes"), [(1_000, 2, 460), (10, 2, 4), (2, 100, 46), (3, 0, 0)])
def test_a_day_has_the_requested_percentage_of_disputes(traders: int, percent: float, disputes: int) -> None:
    day = DayPlan(_network(traders), seed=1, rounds=24, disputes_percent=percent)
    resolutions = Counter(resolution for number in range(1, 25) for resolution in day.disputes(number).values())
    assert resolutions.total() == disputes
    assert not day.disputes(24), "the last round only settles closed disputes"
    if disputes > len(Resolution):
        assert set(resolutions) == set(Resolution)


@pytest.mark.parametrize("unit", ["decimal", "base"])
def test_only_connections_whose_client_wins_the_dispute_get_wrong_amounts(unit: Literal["decimal", "base"]) -> None:
    exchange = replace(EXCHANGE, amount_unit=unit)
    day = DayPlan(_network(20, exchange), seed=3, rounds=24, disputes_percent=50)
    decimals = {"BTC": 8, "USDC": 6}
    for number in range(1, 24):
        for connection, resolution in day.disputes(number).items():
            traded, staged = day.traded(connection, number), day.staged(connection, number, resolution)
            assert staged.keys() == traded.keys()
            assert all(staged.values()), "no staged amount is zero"
            if resolution in (Resolution.PUT_RIGHT, Resolution.SENT_BACK):
                assert all(staged[name] < traded[name] for name in traded), "the exchange keeps a tenth"
            else:
                assert staged == traded
            places = 0 if unit == "base" else 8
            assert all(amount == round(amount, places) for amount in staged.values())
            in_base_units = {
                exchange.currencies[name]: int(amount.scaleb(0 if unit == "base" else decimals[name]))
                for name, amount in traded.items()
            }
            assert day.expected(connection, number) == in_base_units
