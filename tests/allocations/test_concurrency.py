"""Concurrent requests: each is carried out once, and no balance is overspent."""

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


def test_identical_concurrent_requests_make_one_allocation(network: Network) -> None:
    connection = network.connect(network.client(deposits={"ofcbtc": 1000}), network.partner())
    body = connection.client.enterprise.sign(connection.allocation_fields("ofcbtc", 30))
    path = f"{connection.path}/allocations"
    answers = at_once(20, lambda _: connection.client.api.post(path, body))
    assert len({ok(answer)["allocation"]["id"] for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert connection.balances() == {"ofcbtc": (30, 0)}
    assert connection.go_balances() == {"ofcbtc": (970, 0)}
    assert network.operator.check() == []


def test_concurrent_requests_with_one_external_id_make_one_allocation(network: Network) -> None:
    connection = network.connect(network.client(deposits={"ofcbtc": 1000}), network.partner())
    answers = at_once(20, lambda number: connection.allocate("ofcbtc", 30 + number, clientExternalId="same"))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 400: 19}
    assert {answer.json()["name"] for answer in answers if answer.status_code == 400} == {
        "client_external_id_taken"
    }
    assert sum(connection.balances()["ofcbtc"]) in range(30, 50)
    assert network.operator.check() == []


def test_one_request_signed_anew_many_times_at_once_makes_one_allocation(network: Network) -> None:
    connection = network.connect(network.client(deposits={"ofcbtc": 1000}), network.partner())
    answers = at_once(20, lambda _: connection.allocate("ofcbtc", 30, clientExternalId="same"))
    assert len({ok(answer)["allocation"]["id"] for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert connection.balances() == {"ofcbtc": (30, 0)}
    assert network.operator.check() == []


def test_concurrent_allocations_do_not_overspend_a_balance(network: Network) -> None:
    client = network.client(deposits={"ofcbtc": 100})
    connections = [network.connect(client, network.partner(name)) for name in ("one", "two")]
    answers = at_once(20, lambda number: connections[number % 2].allocate("ofcbtc", 30))
    assert Counter(answer.status_code for answer in answers) == {200: 3, 422: 17}
    allocated = sum(connection.balances().get("ofcbtc", (0, 0))[0] for connection in connections)
    assert (allocated, connections[0].go_balances()["ofcbtc"]) == (90, (10, 0))
    assert network.operator.check() == []


def test_concurrent_allocations_and_deallocations_keep_the_sum_and_do_not_deadlock(network: Network) -> None:
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
