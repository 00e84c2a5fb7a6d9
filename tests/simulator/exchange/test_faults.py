"""Faults and rounds follow from the seed."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from clearwindow.simulator.exchange.accounts import Accounts, NetworkBalance
from clearwindow.simulator.exchange.faults import Fault, Faults, altered
from clearwindow.simulator.exchange.rounds import draw, expected_finals, required_funds
from clearwindow.simulator.market import Market

MARKET = Market.of("7", {"BTC": "ofcbtc", "USDC": "ofcusdc"})
CUTOFF = datetime(2026, 1, 5, 12, tzinfo=UTC)
ALL = frozenset(Fault)


def test_the_same_seed_gives_the_same_faults() -> None:
    calls = [f"call {number}" for number in range(300)] * 2
    first, again, other = (Faults(seed, ALL, percent=25) for seed in ("7", "7", "8"))
    drawn = [first.of_call(call) for call in calls]
    assert drawn == [again.of_call(call) for call in calls]
    assert drawn != [other.of_call(call) for call in calls]
    hit = [fault for fault in drawn if fault is not None]
    # A call without a fault has none when repeated: a quarter of all fail, and a quarter of these fail again.
    assert 75 < len(hit) < 115
    assert {fault for fault, _ in hit} == ALL - {Fault.WRONG_SETTLEMENT}


def test_only_faults_that_are_on_happen() -> None:
    assert Faults("7", frozenset(), percent=100).of_call("a") is None
    assert Faults("7", ALL, percent=0).of_call("a") is None
    only = Faults("7", frozenset({Fault.WRONG_SETTLEMENT}), percent=100)
    assert only.of_call("a") is None
    assert only.of_amounts("a", 1)
    every = Faults("7", frozenset({Fault.GARBAGE}), percent=100)
    assert {every.of_call("a")[0] for _ in range(9)} == {Fault.GARBAGE}  # type: ignore[index]  # always one
    assert not every.of_amounts("a", 1)


def test_wrong_amounts_are_whole_base_units_and_differ_from_the_right_ones() -> None:
    for number in range(1, 50):
        net = MARKET.net("a", number)
        wrong = altered(net, MARKET.currencies)
        assert wrong != net
        assert wrong.keys() == net.keys()
        for currency in MARKET.currencies:
            currency.base_units(wrong.get(currency.name, Decimal(0)))


def test_a_round_leaves_out_connections_that_cannot_pay() -> None:
    accounts = Accounts()
    for name, quantity in (("rich", 10**6), ("poor", 0)):
        balance = NetworkBalance(Decimal(quantity), Decimal(0))
        accounts.open(name, "client").set_balances({"BTC": balance, "USDC": balance})
    drawn = draw(1, "x", list(accounts), MARKET, Faults("7"), CUTOFF)
    assert drawn.amounts == {"rich": MARKET.net("rich", 1)}
    assert (drawn.withheld, drawn.wrong, drawn.fills) == (("poor",), (), len(MARKET.fills("rich", 1)))
    shorter = drawn.without({"rich", "somebody else"})
    assert (shorter.amounts, shorter.withheld) == ({}, ("poor", "rich"))
    assert (drawn.nonce, shorter.nonce) == ("x-round-1-1", "x-round-1-2")
    wrong = draw(1, "x", list(accounts), MARKET, Faults("7", ALL, percent=100), CUTOFF)
    assert wrong.wrong == ("rich",)
    assert wrong.amounts["rich"] == altered(MARKET.net("rich", 1), MARKET.currencies)


def test_expected_final_amounts_are_the_staged_ones_without_disputed_connections() -> None:
    staged = {"a": {"BTC": Decimal(2)}, "b": {"BTC": Decimal(-1), "USDC": Decimal(-5)}, "c": {"USDC": Decimal(4)}}
    assert expected_finals(staged, ["a"]) == {"b": staged["b"], "c": staged["c"]}
    assert required_funds(staged) == {"BTC": Decimal(1)}
