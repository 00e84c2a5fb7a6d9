"""A simulated exchange that acknowledges requests and decides later, on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import pytest

from clearwindow.client.answers.network import Connection
from clearwindow.simulator.exchange.faults import Fault, Faults
from tests.simulator.exchange.support import ALLOCATED, SEED, ExchangeSetup, build, running
from tests.support.settlements import Testbed

LONG_SECONDS = 600
DECISION_FAULTS = (Fault.SLOW, Fault.ERROR_500, Fault.GARBAGE, Fault.TIMEOUT_AFTER_WORK)


@pytest.fixture
def setup(testbed: Testbed, base_url: str) -> Iterator[ExchangeSetup]:
    built = build(testbed, base_url, answers_later=True)
    with built.operator, built.partner, built.trader:
        yield built


def reserve(setup: ExchangeSetup, what: str, connection: Connection, quantity: int) -> str:
    """Makes a request that the exchange acknowledges, and returns its id."""
    call = getattr(setup.trader.allocations, what)
    asked = call(connection.id, currency="ofcbtc", quantity=quantity, client_external_id=uuid4().hex)
    assert (asked.status, asked.retriable) == ("reserved", False)
    return str(asked.id)


def test_requests_from_before_a_restart_are_decided_after_it(setup: ExchangeSetup) -> None:
    with running(setup, rounds=0, answers_later_seconds=LONG_SECONDS) as events:
        connection = setup.connect()
        allocation_id = reserve(setup, "allocate", connection, ALLOCATED["ofcbtc"])
        assert events.wait_for("allocation.heard")["allocationId"] == allocation_id
    with running(setup, rounds=0, answers_later_seconds=0) as events:
        assert events.wait_for("allocation.cleared")["allocationId"] == allocation_id
        assert setup.available(connection) == {"ofcbtc": ALLOCATED["ofcbtc"]}
        assert setup.move("allocate", connection, "ofcusdc", ALLOCATED["ofcusdc"]) == "cleared"
    with running(setup, rounds=0, answers_later_seconds=LONG_SECONDS) as events:
        deallocation_id = reserve(setup, "deallocate", connection, ALLOCATED["ofcbtc"])
        events.wait_for("deallocation.heard")
    with running(setup, rounds=1, answers_later_seconds=0) as events:
        assert events.wait_for("deallocation.cleared")["deallocationId"] == deallocation_id
        assert setup.move("allocate", connection, "ofcbtc", ALLOCATED["ofcbtc"]) == "cleared"
        staged = events.wait_for("settlement.staged")
        transfers = setup.trader.settlements.get(staged["settlementId"]).settlement_transfers
        lost = next(transfer.currency for transfer in transfers if transfer.quantity < 0)
        # Both the exchange and the network hold the loss, so the rest may be deallocated.
        held = -next(transfer.quantity for transfer in transfers if transfer.currency == lost)
        assert setup.move("deallocate", connection, lost, ALLOCATED[lost] - held) == "cleared"
        for _ in range(2):
            setup.testbed.pass_minutes(10)
        events.wait_for("settlement.completed")
        for currency, quantity in setup.available(connection).items():
            assert setup.move("deallocate", connection, currency, quantity) == "cleared"
        assert setup.available(connection) == {}
    setup.testbed.assert_proven()


class EachDecisionFailsOnce(Faults):
    """Every call fails the first time, and the first decisions fail in a different way each."""

    def of_call(self, call: str) -> tuple[Fault, int] | None:
        if call.startswith("/"):
            attempt = self._attempts[call] = self._attempts.get(call, 0) + 1
            return (Fault.ERROR_500, 0) if attempt == 1 else None
        left = [kind for kind in DECISION_FAULTS if kind not in self._attempts]
        for kind in left[:1]:
            self._attempts[kind] = 1
            return kind, 0
        return None


def test_balances_stay_correct_if_decisions_fail(setup: ExchangeSetup) -> None:
    faults = EachDecisionFailsOnce(SEED, slow_seconds=0.02, late_seconds=0.02)
    only_btc = replace(setup, access=replace(setup.access, currencies={"BTC": "ofcbtc"}))
    with running(only_btc, faults, rounds=0, answers_later_seconds=0) as events:
        connection = setup.connect()
        for _ in range(3):
            assert setup.move("allocate", connection, "ofcbtc", 10**8) == "cleared"
        assert setup.move("deallocate", connection, "ofcbtc", 3 * 10**8) == "cleared"
        assert setup.available(connection) == {}
        assert setup.move("allocate", connection, "ofcusdc", 10**6) == "released"
        assert events.wait_for("allocation.released")["rejectReason"] == "USDC is not traded here"
        failed = [event["fault"] for event in events.named("fault") if "path" not in event]
        assert failed == [str(kind) for kind in DECISION_FAULTS]
    setup.testbed.assert_proven()
