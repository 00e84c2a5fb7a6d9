"""At the same instant: one request is carried out once, and no balance is spent twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import httpx2

from tests.support.networks import Network, ok


def at_once(count: int, send: Callable[[int], httpx2.Response]) -> list[httpx2.Response]:
    barrier = Barrier(count)

    def go(number: int) -> httpx2.Response:
        barrier.wait()
        return send(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(go, range(count)))


def test_twenty_identical_allocations_are_one(network: Network) -> None:
    connection = network.connect(network.client(deposits={"ofcbtc": 1000}), network.partner())
    body = connection.client.enterprise.sign(connection.allocation_fields("ofcbtc", 30))
    path = f"{connection.path}/allocations"
    answers = at_once(20, lambda _: connection.client.api.post(path, body))
    assert len({ok(answer)["allocation"]["id"] for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert connection.balances() == {"ofcbtc": (30, 0)}
    assert connection.go_balances() == {"ofcbtc": (970, 0)}
    assert network.operator.check() == []


def test_one_external_id_in_twenty_requests_is_carried_out_once(network: Network) -> None:
    connection = network.connect(network.client(deposits={"ofcbtc": 1000}), network.partner())
    answers = at_once(20, lambda _: connection.allocate("ofcbtc", 30, clientExternalId="same"))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 400: 19}
    assert connection.balances() == {"ofcbtc": (30, 0)}
    assert network.operator.check() == []


def test_many_allocations_never_overspend_one_balance(network: Network) -> None:
    client = network.client(deposits={"ofcbtc": 100})
    connections = [network.connect(client, network.partner(name)) for name in ("one", "two")]
    answers = at_once(20, lambda number: connections[number % 2].allocate("ofcbtc", 30))
    assert Counter(answer.status_code for answer in answers) == {200: 3, 422: 17}
    allocated = sum(connection.balances().get("ofcbtc", (0, 0))[0] for connection in connections)
    assert (allocated, connections[0].go_balances()["ofcbtc"]) == (90, (10, 0))
    assert network.operator.check() == []


def test_funds_going_both_ways_at_once_neither_block_nor_vanish(network: Network) -> None:
    connection = network.connect(network.client(deposits={"ofcbtc": 200}), network.partner())
    ok(connection.allocate("ofcbtc", 100))
    answers = at_once(
        16,
        lambda number: (connection.allocate if number % 2 else connection.deallocate)("ofcbtc", 10),
    )
    assert {answer.status_code for answer in answers} == {200}
    assert connection.balances() == {"ofcbtc": (100, 0)}
    assert connection.go_balances() == {"ofcbtc": (100, 0)}
    assert network.operator.check() == []
