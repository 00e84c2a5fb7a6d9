"""What the tests of pauses share: a client at two partners, and what can be paused of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from fastapi import FastAPI

from clearwindow.runtime import Oversight
from tests.support.networks import ConnectionHandle, PartnerHandle, ok
from tests.support.operators import OperatorClient
from tests.support.settlements import Testbed

FUNDS = 10_000


@dataclass(frozen=True)
class World:
    """A client of an exchange with a dispute window, which also settles on chain, and of one without windows."""

    testbed: Testbed
    second: OperatorClient
    connection: ConnectionHandle
    at_once: ConnectionHandle

    @property
    def operator(self) -> OperatorClient:
        return self.testbed.operator

    @property
    def exchange(self) -> PartnerHandle:
        return self.connection.partner

    def subject(self, target: str, connection: ConnectionHandle | None = None) -> tuple[str, str | None]:
        """Returns the kind and the id with which this target is paused."""
        seen = connection or self.connection
        return {
            "network": ("network", None),
            "partner": ("partner", seen.partner.id),
            "client": ("client", seen.client.id),
            "currency": ("currency", "ofcbtc"),
            "client's account": ("account", seen.client.enterprise.account.id),
            "partner's account": ("account", seen.partner.enterprise.account.id),
        }[target]


@pytest.fixture
def second(operator: OperatorClient) -> Iterator[OperatorClient]:
    with operator.another() as client:
        yield client


@pytest.fixture
def two_needed(world: World, served_app: tuple[FastAPI, str]) -> None:
    """Lets the server want a second operator from now on. The network is built without."""
    app, _ = served_app
    app.state.runtime = replace(world.testbed.runtime, oversight=Oversight(approvals_needed=1))


@pytest.fixture
def world(testbed: Testbed, second: OperatorClient) -> World:
    network = testbed.network
    exchange = network.partner(deposits={"ofcbtc": FUNDS, "ofceth": FUNDS}, onchainEnabled=True)
    desk = network.partner("desk", dispute_window=None, deposits={"ofcbtc": FUNDS})
    client = network.client(deposits={"ofcbtc": 3 * FUNDS, "ofceth": FUNDS})
    connections = [network.connect(client, partner) for partner in (exchange, desk)]
    for connection in connections:
        ok(connection.allocate("ofcbtc", 1_000))
    ok(connections[0].allocate("ofceth", 1_000))
    return World(testbed, second, *connections)
