"""The simulated exchange on a real server: calls, settlements and correct balances with every fault."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clearwindow.simulator.exchange.faults import Fault, Faults
from clearwindow.simulator.market import Market, round_of
from tests.simulator.exchange.support import ALLOCATED, NAMES, SEED, EventLog, ExchangeSetup, build, running
from tests.support.settlements import Testbed

MARKET = Market.of(SEED, NAMES)


@pytest.fixture
def setup(testbed: Testbed, base_url: str) -> Iterator[ExchangeSetup]:
    built = build(testbed, base_url)
    with built.operator, built.partner, built.trader:
        yield built


def test_exchange_settles_and_continues_after_a_restart(setup: ExchangeSetup) -> None:
    with running(setup, rounds=1) as events:
        connection = setup.connect()
        for currency, quantity in ALLOCATED.items():
            assert setup.move("allocate", connection, currency, quantity) == "cleared"
        assert len(events.named("allocation.cleared")) == 2
        staged = events.wait_for("settlement.staged")
        number = round_of(staged["externalId"], "meridian")
        assert number is not None
        transfers = setup.trader.settlements.get(staged["settlementId"]).settlement_transfers
        net = MARKET.net_base_units(connection.id, number)
        assert {transfer.currency: transfer.quantity for transfer in transfers} == net
        events.wait_for("rounds.done")
        # The losses of a round that is not executed yet cannot be deallocated.
        lost = next(currency for currency, quantity in net.items() if quantity < 0)
        assert setup.move("deallocate", connection, lost, ALLOCATED[lost]) == "released"
        setup.testbed.pass_minutes(10)
        final = events.wait_for("settlement.final")
        assert (final["agrees"], final["disputed"]) == (True, [])
    with running(setup, rounds=1) as events:
        # It has lost its state and reads it from the network.
        assert events.wait_for("started") == {"connections": 1, "nextRound": number + 1, "open": 1}
        assert (round_of(events.wait_for("settlement.staged")["externalId"]) or 0) > number
        setup.testbed.pass_minutes(10)
        assert events.wait_for("settlement.completed")["externalId"] == staged["externalId"]
        setup.testbed.pass_minutes(10)
        events.wait_for("settlement.completed", 2)
        for currency, quantity in setup.available(connection).items():
            assert setup.move("deallocate", connection, currency, quantity) == "cleared"
        assert setup.available(connection) == {}
    setup.testbed.assert_proven()


@pytest.mark.parametrize("fault", [kind for kind in Fault if kind is not Fault.WRONG_SETTLEMENT])
def test_balances_stay_correct_with_each_fault(setup: ExchangeSetup, fault: Fault) -> None:
    faults = Faults(SEED, frozenset({fault}), percent=60, slow_seconds=0.02, late_seconds=0.02)
    with running(setup, faults, rounds=2) as events:
        connection = setup.connect()
        for currency, quantity in ALLOCATED.items():
            assert setup.move("allocate", connection, currency, quantity) == "cleared"
        # The exchange trades only with funds whose clear it got, and a failed call is repeated only later.
        setup.wait_until(lambda: len(_distinct(events, "allocation.cleared", "allocationId")) == len(ALLOCATED))
        events.wait_for("rounds.done")
        setup.wait_until(lambda: len(_distinct(events, "settlement.final", "settlementId")) == 2)
        setup.wait_until(lambda: len(events.named("settlement.completed")) == 2)
        # It does not know a settlement any more if the final amounts are repeated after its end.
        finals = events.named("settlement.final")
        assert {final["settlementId"] for final in finals if final["agrees"]} == _distinct(
            events, "settlement.final", "settlementId"
        )
        assert not any(final["agrees"] is False for final in finals)
        assert {event["fault"] for event in events.named("fault")} == {fault.value}
        for currency, quantity in setup.available(connection).items():
            assert setup.move("deallocate", connection, currency, quantity) == "cleared"
        assert setup.available(connection) == {}
    setup.testbed.assert_proven()


def test_a_wrong_settlement_is_disputed_and_corrected(setup: ExchangeSetup) -> None:
    wrong = Faults(SEED, frozenset({Fault.WRONG_SETTLEMENT}), percent=100)
    with running(setup, wrong, rounds=1) as events:
        connection = setup.connect()
        for currency, quantity in ALLOCATED.items():
            assert setup.move("allocate", connection, currency, quantity) == "cleared"
        staged = events.wait_for("settlement.staged")
        number = round_of(staged["externalId"])
        assert number is not None
        right = MARKET.net_base_units(connection.id, number)
        transfers = setup.trader.settlements.get(staged["settlementId"]).settlement_transfers
        assert {transfer.currency: transfer.quantity for transfer in transfers} != right
        dispute = setup.trader.disputes.create(
            staged["settlementId"], connection_id=connection.id, expected_transfers=right
        )
        setup.testbed.pass_minutes(10)
        final = events.wait_for("settlement.final")
        assert (final["agrees"], final["disputed"], final["demanded"]) == (True, [connection.id], {})
        setup.testbed.pass_minutes(10)
        events.wait_for("settlement.completed")
        setup.close(dispute.id, right)
    with running(setup, rounds=1) as events:
        assert events.wait_for("settlement.staged")["settlingDisputes"] == [dispute.id]
        setup.testbed.pass_minutes(10)
        setup.testbed.pass_minutes(10)
        completed = events.wait_for("settlement.completed")
    later = MARKET.net_base_units(connection.id, round_of(completed["externalId"]) or 0)
    expected = {
        currency: quantity + right.get(currency, 0) + later.get(currency, 0)
        for currency, quantity in ALLOCATED.items()
    }
    assert setup.available(connection) == expected
    setup.testbed.assert_proven()


def _distinct(events: EventLog, name: str, of: str) -> set[str]:
    """Returns the distinct subjects of the events with this name; the network repeats some calls."""
    return {fields[of] for fields in events.named(name)}
