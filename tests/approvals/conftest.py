"""A client with two more users, connected to a partner with allocation policies."""

from __future__ import annotations

import pytest

from tests.support.approvals import user
from tests.support.networks import ConnectionHandle, Network, NetworkClient, PartnerHandle


@pytest.fixture
def partner(network: Network) -> PartnerHandle:
    return network.partner(allocation_policies=True)


@pytest.fixture
def connection(network: Network, partner: PartnerHandle) -> ConnectionHandle:
    """A client with 1000 ofcbtc in its Go Account. Its first member is ``user-of-trader``."""
    return network.connect(network.client(deposits={"ofcbtc": 1000}), partner)


@pytest.fixture
def anna(network: Network, connection: ConnectionHandle) -> NetworkClient:
    return user(network, connection.client.enterprise.id, "anna")


@pytest.fixture
def berta(network: Network, connection: ConnectionHandle) -> NetworkClient:
    return user(network, connection.client.enterprise.id, "berta")
