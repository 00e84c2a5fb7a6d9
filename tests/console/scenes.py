"""A small network for pages: an exchange, two traders, settlements in several stages, and a dispute."""

from __future__ import annotations

from dataclasses import dataclass

from tests.support.networks import ConnectionHandle, PartnerHandle, ok
from tests.support.settlements import Testbed, dispute, stage

BTC, USD = "ofcbtc", "ofcusd"


@dataclass(frozen=True)
class Scene:
    """Ids of what the network has. ``open_id`` is in its dispute window, ``disputed_id`` after it."""

    testbed: Testbed
    partner: PartnerHandle
    aster: ConnectionHandle
    borealis: ConnectionHandle
    disputed_id: str
    dispute_id: str
    open_id: str


def scene_of(testbed: Testbed, *, reason: str = "0.3 too much", external_id: str = "day-1") -> Scene:
    network = testbed.network
    partner = network.partner("meridian", deposits={BTC: 100, USD: 9_000})
    aster = network.funded(partner, {BTC: 1_000, USD: 5_000}, name="aster")
    borealis = network.funded(partner, {BTC: 1_000, USD: 5_000}, name="borealis")
    amounts = {aster.id: {"BTC": "-30"}, borealis.id: {"BTC": "20"}}
    disputed = stage(partner, amounts, externalId=external_id, notes="the first day")["id"]
    dispute_id = ok(dispute(aster, disputed, {BTC: "-20"}, reason=reason))["dispute"]["id"]
    testbed.pass_minutes(11)
    opened = stage(partner, {borealis.id: {"USD": "-700"}}, externalId="day-2")["id"]
    return Scene(testbed, partner, aster, borealis, disputed, dispute_id, opened)
