"""An exchange before its pages: a scene, with an allocation that waits for the exchange's decision."""

from __future__ import annotations

from dataclasses import dataclass

from tests.console.scenes import Scene
from tests.support.networks import ok
from tests.support.settlements import Testbed

BTC = "ofcbtc"
HOSTILE = "\"'><script>alert(1)</script>{{7*7}}<img src=x onerror=alert(1)>"


@dataclass(frozen=True)
class Exchange:
    """A scene, with an allocation that waits for the exchange's decision."""

    scene: Scene
    allocation_id: str

    def settlements(self) -> list[str]:
        found = ok(self.scene.partner.api.get("/partners/settlements"))["settlements"]
        return [each["externalId"] for each in found]


def exchange_of(testbed: Testbed, scene: Scene, notes: str = "for the week") -> Exchange:
    testbed.operator.deposit(scene.aster.client.enterprise.account.id, BTC, 500)
    testbed.network.configure("meridian", asyncAllocations=True)
    record = ok(scene.aster.allocate(BTC, 200, notes=notes))["allocation"]
    assert record["status"] == "reserved"
    return Exchange(scene, record["id"])


def pages_of_exchange(exchange: Exchange) -> list[str]:
    scene = exchange.scene
    return [
        "/console",
        "/console/exchange/settlements",
        f"/console/exchange/settlements/{scene.open_id}",
        f"/console/exchange/settlements/{scene.disputed_id}",
        "/console/exchange/new",
        "/console/exchange/disputes?closed=",
        f"/console/exchange/disputes/{scene.dispute_id}",
        "/console/exchange/connections",
        f"/console/exchange/connections?connectionIds={scene.aster.id}",
        "/console/exchange/allocations?statuses=",
        f"/console/exchange/allocations/{exchange.allocation_id}",
        "/console/exchange/endpoint",
        "/console/exchange/endpoint?owed=",
    ]
