"""The simulated exchange beside a real server: calls in, settlements out, and with every fault clean books."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clearwindow.sandbox.exchange.faults import Fault, Faults
from clearwindow.sandbox.market import Market as Drawn
from clearwindow.sandbox.market import round_of
from tests.sandbox.exchange.support import ALLOCATED, NAMES, SEED, Heard, Market, build, running
from tests.support.settling import Floor

MARKET = Drawn.of(SEED, NAMES)


@pytest.fixture
def market(floor: Floor, base_url: str) -> Iterator[Market]:
    built = build(floor, base_url)
    with built.operator, built.partner, built.trader:
        yield built


def test_a_day_with_a_restart(market: Market) -> None:
    with running(market, rounds=1) as heard:
        connection = market.connect()
        for currency, quantity in ALLOCATED.items():
            assert market.move("allocate", connection, currency, quantity) == "cleared"
        assert len(heard.named("allocation.cleared")) == 2
        staged = heard.wait_for("settlement.staged")
        number = round_of(staged["externalId"], "meridian")
        assert number is not None
        transfers = market.trader.settlements.get(staged["settlementId"]).settlement_transfers
        net = MARKET.net_base_units(connection.id, number)
        assert {transfer.currency: transfer.quantity for transfer in transfers} == net
        heard.wait_for("rounds.done")
        # What a round has cost and is not executed yet cannot leave.
        lost = next(currency for currency, quantity in net.items() if quantity < 0)
        assert market.move("deallocate", connection, lost, ALLOCATED[lost]) == "released"
        market.floor.pass_minutes(10)
        final = heard.wait_for("settlement.final")
        assert (final["agrees"], final["disputed"]) == (True, [])
    with running(market, rounds=1) as heard:
        # It has forgotten everything, and asks.
        assert heard.wait_for("started") == {"connections": 1, "nextRound": number + 1, "open": 1}
        assert (round_of(heard.wait_for("settlement.staged")["externalId"]) or 0) > number
        market.floor.pass_minutes(10)
        assert heard.wait_for("settlement.completed")["externalId"] == staged["externalId"]
        market.floor.pass_minutes(10)
        heard.wait_for("settlement.completed", 2)
        for currency, quantity in market.available(connection).items():
            assert market.move("deallocate", connection, currency, quantity) == "cleared"
        assert market.available(connection) == {}
    market.floor.assert_proven()


@pytest.mark.parametrize("fault", [kind for kind in Fault if kind is not Fault.WRONG_SETTLEMENT])
def test_whatever_goes_wrong_the_books_stay_clean(market: Market, fault: Fault) -> None:
    faults = Faults(SEED, frozenset({fault}), percent=60, slow_seconds=0.02, late_seconds=0.02)
    with running(market, faults, rounds=2) as heard:
        connection = market.connect()
        for currency, quantity in ALLOCATED.items():
            assert market.move("allocate", connection, currency, quantity) == "cleared"
        # Nothing is traded with funds of which the exchange was not told yet, and that is tried again only later.
        market.until(lambda: len(_distinct(heard, "allocation.cleared", "allocationId")) == len(ALLOCATED))
        heard.wait_for("rounds.done")
        market.until(lambda: len(_distinct(heard, "settlement.final", "settlementId")) == 2)
        market.until(lambda: len(heard.named("settlement.completed")) == 2)
        # What it is told again after the end it has forgotten.
        finals = heard.named("settlement.final")
        assert {final["settlementId"] for final in finals if final["agrees"]} == _distinct(
            heard, "settlement.final", "settlementId"
        )
        assert not any(final["agrees"] is False for final in finals)
        assert {told["fault"] for told in heard.named("fault")} == {fault.value}
        for currency, quantity in market.available(connection).items():
            assert market.move("deallocate", connection, currency, quantity) == "cleared"
        assert market.available(connection) == {}
    market.floor.assert_proven()


def test_a_wrong_settlement_is_disputed_and_made_good(market: Market) -> None:
    wrong = Faults(SEED, frozenset({Fault.WRONG_SETTLEMENT}), percent=100)
    with running(market, wrong, rounds=1) as heard:
        connection = market.connect()
        for currency, quantity in ALLOCATED.items():
            assert market.move("allocate", connection, currency, quantity) == "cleared"
        staged = heard.wait_for("settlement.staged")
        number = round_of(staged["externalId"])
        assert number is not None
        right = MARKET.net_base_units(connection.id, number)
        transfers = market.trader.settlements.get(staged["settlementId"]).settlement_transfers
        assert {transfer.currency: transfer.quantity for transfer in transfers} != right
        dispute = market.trader.disputes.create(
            staged["settlementId"], connection_id=connection.id, expected_transfers=right
        )
        market.floor.pass_minutes(10)
        final = heard.wait_for("settlement.final")
        assert (final["agrees"], final["disputed"], final["demanded"]) == (True, [connection.id], {})
        market.floor.pass_minutes(10)
        heard.wait_for("settlement.completed")
        market.close(dispute.id, right)
    with running(market, rounds=1) as heard:
        assert heard.wait_for("settlement.staged")["settlingDisputes"] == [dispute.id]
        market.floor.pass_minutes(10)
        market.floor.pass_minutes(10)
        completed = heard.wait_for("settlement.completed")
    later = MARKET.net_base_units(connection.id, round_of(completed["externalId"]) or 0)
    expected = {
        currency: quantity + right.get(currency, 0) + later.get(currency, 0)
        for currency, quantity in ALLOCATED.items()
    }
    assert market.available(connection) == expected
    market.floor.assert_proven()


def _distinct(heard: Heard, name: str, of: str) -> set[str]:
    """What the events of this name are about; the network tells some of it more than once."""
    return {fields[of] for fields in heard.named(name)}
