"""A simulated exchange that acknowledges what it is asked and decides later, beside a real server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import pytest

from clearwindow.client.answers.network import Connection
from clearwindow.sandbox.exchange.faults import Fault, Faults
from tests.sandbox.exchange.support import ALLOCATED, SEED, Market, build, running
from tests.support.settling import Floor

LONG_SECONDS = 600
OF_WORDS = (Fault.SLOW, Fault.ERROR_500, Fault.GARBAGE, Fault.TIMEOUT_AFTER_WORK)


@pytest.fixture
def market(floor: Floor, base_url: str) -> Iterator[Market]:
    built = build(floor, base_url, answers_later=True)
    with built.operator, built.partner, built.trader:
        yield built


def reserve(market: Market, what: str, connection: Connection, quantity: int) -> str:
    """The id of a question that the exchange has acknowledged."""
    call = getattr(market.trader.allocations, what)
    asked = call(connection.id, currency="ofcbtc", quantity=quantity, client_external_id=uuid4().hex)
    assert (asked.status, asked.retriable) == ("reserved", False)
    return str(asked.id)


def test_funds_come_and_go_and_what_was_asked_before_a_restart_is_answered_after_it(market: Market) -> None:
    with running(market, rounds=0, answers_later_seconds=LONG_SECONDS) as heard:
        connection = market.connect()
        allocation_id = reserve(market, "allocate", connection, ALLOCATED["ofcbtc"])
        assert heard.wait_for("allocation.heard")["allocationId"] == allocation_id
    with running(market, rounds=0, answers_later_seconds=0) as heard:
        assert heard.wait_for("allocation.cleared")["allocationId"] == allocation_id
        assert market.available(connection) == {"ofcbtc": ALLOCATED["ofcbtc"]}
        assert market.move("allocate", connection, "ofcusdc", ALLOCATED["ofcusdc"]) == "cleared"
    with running(market, rounds=0, answers_later_seconds=LONG_SECONDS) as heard:
        deallocation_id = reserve(market, "deallocate", connection, ALLOCATED["ofcbtc"])
        heard.wait_for("deallocation.heard")
    with running(market, rounds=1, answers_later_seconds=0) as heard:
        assert heard.wait_for("deallocation.cleared")["deallocationId"] == deallocation_id
        assert market.move("allocate", connection, "ofcbtc", ALLOCATED["ofcbtc"]) == "cleared"
        staged = heard.wait_for("settlement.staged")
        transfers = market.trader.settlements.get(staged["settlementId"]).settlement_transfers
        lost = next(transfer.currency for transfer in transfers if transfer.quantity < 0)
        # It knows what it has traded, and the network does not say so for it: the loss is bound in both books.
        held = -next(transfer.quantity for transfer in transfers if transfer.currency == lost)
        assert market.move("deallocate", connection, lost, ALLOCATED[lost] - held) == "cleared"
        for _ in range(2):
            market.floor.pass_minutes(10)
        heard.wait_for("settlement.completed")
        for currency, quantity in market.available(connection).items():
            assert market.move("deallocate", connection, currency, quantity) == "cleared"
        assert market.available(connection) == {}
    market.floor.assert_proven()


class EachWordFailsOnce(Faults):
    """Every call of the network's fails the first time, and each of the first words in another way."""

    def of_call(self, call: str) -> tuple[Fault, int] | None:
        if call.startswith("/"):
            attempt = self._attempts[call] = self._attempts.get(call, 0) + 1
            return (Fault.ERROR_500, 0) if attempt == 1 else None
        left = [kind for kind in OF_WORDS if kind not in self._attempts]
        for kind in left[:1]:
            self._attempts[kind] = 1
            return kind, 0
        return None


def test_whatever_goes_wrong_with_its_word_the_books_stay_clean(market: Market) -> None:
    faults = EachWordFailsOnce(SEED, slow_seconds=0.02, late_seconds=0.02)
    only_btc = replace(market, access=replace(market.access, currencies={"BTC": "ofcbtc"}))
    with running(only_btc, faults, rounds=0, answers_later_seconds=0) as heard:
        connection = market.connect()
        for _ in range(3):
            assert market.move("allocate", connection, "ofcbtc", 10**8) == "cleared"
        assert market.move("deallocate", connection, "ofcbtc", 3 * 10**8) == "cleared"
        assert market.available(connection) == {}
        assert market.move("allocate", connection, "ofcusdc", 10**6) == "released"
        assert heard.wait_for("allocation.released")["rejectReason"] == "USDC is not traded here"
        failed = [told["fault"] for told in heard.named("fault") if "path" not in told]
        assert failed == [str(kind) for kind in OF_WORDS]
    market.floor.assert_proven()
