"""How often a request waits for the database: what a settlement costs on a network is mostly this."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import pytest

from clearwindow.settlements.jobs import SettlementWork
from tests.support.databases import TestCluster
from tests.support.networks import Network
from tests.support.round_trips import RoundTrips, counted_round_trips
from tests.support.settlements import Testbed, stage

MOST_FOR_STAGING: Final = 8
_TIMES: Final = 12
"""The driver prepares a statement when it has run it five times, with a round trip of its own."""


@pytest.fixture
def round_trips(cluster: TestCluster) -> Iterator[RoundTrips]:
    with cluster.fresh_database() as dsn, counted_round_trips(dsn) as counter:
        yield counter


@pytest.fixture
def dsn(round_trips: RoundTrips) -> str:
    return round_trips.dsn


def _fewest(counter: RoundTrips, act: Callable[[], object]) -> int:
    counts = []
    for _ in range(_TIMES):
        before = counter.count
        act()
        counts.append(counter.count - before)
    return min(counts)


def test_staging_a_small_settlement_takes_few_round_trips(network: Network, round_trips: RoundTrips) -> None:
    partner = network.partner()
    connection = network.funded(partner, {"ofcbtc": 1_000, "ofceth": 1_000})
    fewest = _fewest(round_trips, lambda: stage(partner, {connection.id: {"BTC": "-1", "ETH": "1"}}))
    assert fewest <= MOST_FOR_STAGING


def test_batch_takes_no_more_round_trips_for_more_settlements(testbed: Testbed, round_trips: RoundTrips) -> None:
    partner = testbed.network.partner(top_up_window=0)
    connection = testbed.network.funded(partner, {"ofcbtc": 1_000})
    work, counts = SettlementWork(), []
    for settlements in (2, 12):
        made = [stage(partner, {connection.id: {"BTC": "-1"}})["id"] for _ in range(settlements)]
        testbed.clock.advance(minutes=20)
        (job,) = work.due(testbed.runtime, 10)
        before = round_trips.count
        assert work.perform(testbed.runtime, job)
        counts.append(round_trips.count - before)
        assert {testbed.state(each) for each in made} == {"completed"}
    assert counts[1] == counts[0]
