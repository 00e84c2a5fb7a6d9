"""The largest amount that can be moved, and why not more, without a database. Protocol §4."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clearwindow.allocations.models import Parties
from clearwindow.core.money import AmountUnit
from clearwindow.ledger.models import Balance
from clearwindow.liquidity.movable import rules
from clearwindow.liquidity.movable.models import Movable, Reason
from clearwindow.network.models import CurrencyMap
from clearwindow.pauses.models import Pause, PauseKind
from clearwindow.pauses.rules import told
from tests.support.prototypes import CLIENT, CONNECTION, CURRENCIES, NOW, PARTNER, an_id

PARTIES = Parties(CLIENT, PARTNER, CONNECTION, CURRENCIES)
SEVEN, NOTHING = Balance(7, 3), Balance(0, 3)


def pause(kind: PauseKind, currency: str | None = None) -> Pause:
    return Pause(an_id(1), kind, None, None, currency, None, "why", an_id(2), NOW)


def test_all_that_is_available_can_be_moved() -> None:
    assert rules.allocatable(PARTIES, "ofcbtc", SEVEN, [], licensed=True) == Movable(7, [])
    assert rules.deallocatable(PARTIES, "ofcbtc", SEVEN, []) == Movable(7, [])
    assert rules.withdrawable("ofcbtc", SEVEN, []) == Movable(7, [])


def test_nothing_available_is_the_reason_if_there_is_no_other() -> None:
    lacking = Movable(0, [Reason("insufficient_funds")])
    assert rules.allocatable(PARTIES, "ofcbtc", NOTHING, [], licensed=True) == lacking
    assert rules.deallocatable(PARTIES, "ofcbtc", NOTHING, []) == lacking
    assert rules.withdrawable("ofcbtc", NOTHING, []) == lacking
    paused = pause(PauseKind.NETWORK)
    assert rules.withdrawable("ofcbtc", NOTHING, [paused]) == Movable(0, [Reason("paused", told(paused))])


def test_every_reason_against_an_allocation_is_named() -> None:
    closed = replace(PARTIES, client=replace(CLIENT, active=False), currencies=CurrencyMap(AmountUnit.BASE, {}))
    paused = pause(PauseKind.PARTNER)
    assert rules.allocatable(closed, "ofcbtc", SEVEN, [paused], licensed=False) == Movable(
        0,
        [
            Reason("partner_not_licensed"),
            Reason("currency_not_supported"),
            Reason("client_inactive"),
            Reason("paused", told(paused)),
        ],
    )


def test_paused_partner_and_inactive_client_do_not_stop_what_leads_back() -> None:
    closed = replace(PARTIES, client=replace(CLIENT, active=False), currencies=CurrencyMap(AmountUnit.BASE, {}))
    assert rules.deallocatable(closed, "ofcbtc", SEVEN, [pause(PauseKind.PARTNER)]) == Movable(7, [])
    not_confirmed = replace(CONNECTION, partners_client_id=None, partners_connection_id=None)
    assert rules.deallocatable(replace(PARTIES, connection=not_confirmed), "ofcbtc", SEVEN, []) == Movable(
        0, [Reason("connection_not_initialized")]
    )
    client = pause(PauseKind.CLIENT)
    assert rules.deallocatable(PARTIES, "ofcbtc", SEVEN, [client]) == Movable(0, [Reason("paused", told(client))])


@pytest.mark.parametrize(("currency", "largest"), [("ofcbtc", 0), ("ofceth", 7)])
def test_pause_of_another_currency_stops_nothing(currency: str, largest: int) -> None:
    paused = [pause(PauseKind.CURRENCY, currency)]
    assert rules.withdrawable("ofcbtc", SEVEN, paused).largest == largest
    assert rules.allocatable(PARTIES, "ofcbtc", SEVEN, paused, licensed=True).largest == largest
    assert rules.deallocatable(PARTIES, "ofcbtc", SEVEN, paused).largest == largest
