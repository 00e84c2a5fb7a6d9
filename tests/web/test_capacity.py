"""No caller uses up all capacity, over real HTTP: silent partners, locks, floods, large bodies. Protocol §2."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import httpx2
import psycopg
import pytest

from clearwindow import bootstrap
from clearwindow.api.bodies import LARGE_BODY_BYTES
from clearwindow.api.routing import ServerRuntime
from clearwindow.api.schema import WireModel
from clearwindow.core.clock import ManualClock
from clearwindow.core.places import Use
from clearwindow.core.work import CapacityTerms, Purpose, Work, working_for
from clearwindow.identity.guards import CallingMember, member_router
from clearwindow.identity.operators import ensure_bootstrap_operator
from clearwindow.outbound.waits import WaitTerms
from clearwindow.postgres.budget import LockWaits, divided
from clearwindow.runtime import Runtime
from clearwindow.web.app import create_app
from clearwindow.web.health import health_router
from clearwindow.web.routers import ROUTERS
from tests.conftest import OPERATOR_TOKEN, START
from tests.support.http import loopback_client
from tests.support.networks import Network, PartnerHandle, ok
from tests.support.operators import OperatorClient
from tests.support.partners import fake_partner
from tests.support.races import in_background
from tests.support.runtimes import PATIENT_LOCK_WAITS, PATIENT_WAITS, open_runtime
from tests.support.server import serving
from tests.support.settlements import Amounts, fields_of, stage, try_stage
from tests.support.unavailable import assert_unavailable

PATIENCE_SECONDS: Final = 60
LONG_SECONDS: Final = 100
PATIENT: Final = CapacityTerms(share=1, wait_seconds=PATIENCE_SECONDS, line_seconds=PATIENCE_SECONDS)


class Stayed(WireModel):
    user_id: str


class Busy:
    """Requests that keep a thread until the test releases them."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.began = threading.Semaphore(0)

    def stay(self) -> None:
        self.began.release()
        self.let_go.wait(PATIENCE_SECONDS)


busy: Busy = Busy()
probe: Final = member_router("probe", "/api/probe/{enterprise_id}")


@probe.get("/busy")
def stay_busy(runtime: ServerRuntime, member: CallingMember) -> Stayed:  # noqa: ARG001 - what a route takes
    busy.stay()
    return Stayed(user_id=member.user_id)


@dataclass(frozen=True)
class Server:
    runtime: Runtime
    network: Network
    operator: OperatorClient
    url: str

    def use(self, name: str) -> Use:
        """Returns what the metrics show of one class."""
        with loopback_client(base_url=self.url, timeout=PATIENCE_SECONDS) as http:
            text = http.get("/metrics").text
        lines = [line.rsplit(" ", 1) for line in text.splitlines() if f'class="{name}"' in line]
        found = {line.partition("{")[0].removeprefix("clearwindow_capacity_"): int(float(n)) for line, n in lines}
        return Use(found["size"], found["in_use"], found["waiting"], found["refused_total"])

    def stranger(self) -> Callable[[], httpx2.Response]:
        """Returns a GET of an enterprise that has nothing to do with the others."""
        client = self.network.client("stranger", deposits={"ofcusd": 1})
        return partial(client.api.get, "/clients/balances")


@contextmanager
def small_server(
    dsn: str,
    *,
    connections: int | None = None,
    terms: CapacityTerms = PATIENT,
    waits: WaitTerms = PATIENT_WAITS,
    lock_waits: LockWaits = PATIENT_LOCK_WAITS,
    connection_wait_seconds: float = PATIENCE_SECONDS,
) -> Iterator[Server]:
    budget = None if connections is None else divided(connections)
    with ExitStack() as stack:
        runtime = stack.enter_context(
            open_runtime(
                dsn,
                ManualClock(START),
                operator_token=OPERATOR_TOKEN,
                answer_seconds=LONG_SECONDS,
                connection_wait_seconds=connection_wait_seconds,
                budget=budget,
                lock_waits=lock_waits,
                waits=waits,
            )
        )
        ensure_bootstrap_operator(runtime)
        app = create_app(runtime, (*ROUTERS, probe, health_router(bootstrap.WORK, 60)), capacity=terms)
        url = stack.enter_context(serving(app))
        operator = stack.enter_context(OperatorClient(url, OPERATOR_TOKEN))
        yield Server(runtime, stack.enter_context(Network(operator)), operator, url)


@contextmanager
def silent_endpoint() -> Iterator[str]:
    """Accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def held_partners(dsn: str, *ids: str) -> Iterator[None]:
    """Holds the partners' rows, as another process may."""
    with psycopg.connect(dsn) as connection:
        connection.execute("SELECT FROM partner WHERE id = ANY(%s::uuid[]) FOR NO KEY UPDATE", [list(ids)])
        yield
        connection.rollback()


def until(done: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while not done():
        assert time.monotonic() < give_up_at, "it did not happen in time"
        time.sleep(0.02)


def test_silent_partners_leave_room_for_a_stranger_and_for_a_healthy_partner(dsn: str) -> None:
    waits = WaitTerms(at_once=8, share=0.25, silent_share=0.5)
    with small_server(dsn, waits=waits) as server, silent_endpoint() as silent, ExitStack() as stack:
        network = server.network
        asking = []
        for number in range(5):
            partner = network.partner(f"silent-{number}")
            for name in ("a", "b"):
                client = network.client(f"client-{number}{name}", deposits={"ofcbtc": 9})
                asking.append(network.connect(client, partner))
            network.configure(partner.enterprise.id, callbackUrl=silent)
        healthy = network.connect(network.client("other", deposits={"ofcbtc": 9}), network.partner("healthy"))
        endpoint = stack.enter_context(fake_partner(server.url))
        network.configure("healthy", callbackUrl=endpoint.url)
        read = server.stranger()
        asked = [
            stack.enter_context(in_background(partial(connection.allocate, "ofcbtc", 1))) for connection in asking
        ]
        until(lambda: sum(each.done() for each in asked) == 6)
        assert server.use("partner_waits_inline").in_use == 4
        assert read().status_code == 200
        assert ok(healthy.allocate("ofcbtc", 1))["allocation"]["status"] == "cleared"
        # A partner that was silent is not asked again while there is no room for another long wait.
        again = asking[0].allocate("ofcbtc", 1)
        assert (again.status_code, again.json()["allocation"]["retriable"]) == (502, True)
        use = server.use("partner_waits_inline")
        assert (use.size, use.in_use) == (4, 4)
        server.runtime.outgoing.close()
        answers = [each.result() for each in asked]
        assert {answer.status_code for answer in answers} == {502}
        assert all(answer.json()["allocation"]["retriable"] for answer in answers)
        assert server.use("partner_waits_inline").in_use == 0


def test_waits_for_locks_leave_connections_and_end_early(dsn: str) -> None:
    with small_server(dsn, connections=8) as server, ExitStack() as stack:
        network = server.network
        waiting = []
        for number in range(4):
            partner = network.partner(f"held-{number}")
            waiting.append((partner, network.funded(partner, {"ofcbtc": 9}, name=f"trader-{number}")))
        free = network.partner("free")
        other = network.funded(free, {"ofcbtc": 9}, name="other")
        read = server.stranger()
        with held_partners(dsn, *(partner.id for partner, _ in waiting)):
            asked = [
                stack.enter_context(in_background(partial(try_stage, partner, {connection.id: {"BTC": "-1"}})))
                for partner, connection in waiting
            ]
            # Two may wait for locks. The others are told at once.
            until(lambda: sum(each.done() for each in asked) == 2)
            for each in asked:
                if each.done():
                    assert_unavailable(each.result(), 503, "database_busy")
            use = server.use("lock_waits")
            assert (use.size, use.in_use, use.refused) == (2, 2, 2)
            assert read().status_code == 200
            stage(free, {other.id: {"BTC": "-1"}})
            assert server.use("lock_waits").in_use == 2
        assert sorted(each.result().status_code for each in asked) == [200, 200, 503, 503]
        assert server.use("lock_waits").in_use == 0
        for partner, connection in waiting:
            stage(partner, {connection.id: {"BTC": "-1"}})


def test_lock_that_is_not_had_in_time_is_503_and_nothing_is_written(dsn: str) -> None:
    with small_server(dsn, connections=8, lock_waits=LockWaits(0.2, LONG_SECONDS)) as server:
        partner = server.network.partner()
        connection = server.network.funded(partner, {"ofcbtc": 9})
        asked = partial(try_stage, partner, {connection.id: {"BTC": "-1"}}, externalId="once")
        with held_partners(dsn, partner.id):
            assert_unavailable(asked(), 503, "database_busy")
        assert ok(partner.api.get("/partners/settlements"))["settlements"] == []
        assert asked().status_code == 200


def test_writing_that_holds_its_part_leaves_the_rest_to_read(dsn: str) -> None:
    with small_server(dsn, connections=8, connection_wait_seconds=0.3) as server, ExitStack() as held:
        read = server.stranger()
        account = server.network.client("acme").enterprise.account.id
        for purpose, count in ((Purpose.WRITING, 3), (Purpose.BACKGROUND, 2)):
            for number in range(count):
                with working_for(f"{purpose} {number}", purpose):
                    held.enter_context(server.runtime.transaction())
        for _ in range(5):
            assert read().status_code == 200
        assert_unavailable(server.operator.move("deposits", account, "ofcusd", 1), 503, "database_busy")
        with loopback_client(base_url=server.url, timeout=PATIENCE_SECONDS) as http:
            assert http.get("/readyz").status_code == 200
            assert http.get("/metrics").status_code == 200


@pytest.fixture
def _fresh_busy() -> Iterator[None]:
    busy.let_go, busy.began = threading.Event(), threading.Semaphore(0)
    yield
    busy.let_go.set()


@pytest.mark.usefixtures("_fresh_busy")
def test_flood_of_one_enterprise_uses_its_share_of_the_threads(dsn: str) -> None:
    terms = CapacityTerms(threads={**PATIENT.threads, Work.ORDINARY: 4}, wait_seconds=PATIENCE_SECONDS)
    with small_server(dsn, terms=terms) as server, ExitStack() as stack:
        read = server.stranger()
        acme = server.network.client("acme").api
        flood = [
            stack.enter_context(in_background(partial(get_busy, server, acme.enterprise_id))) for _ in range(8)
        ]
        assert busy.began.acquire(timeout=PATIENCE_SECONDS)
        for _ in range(5):
            assert read().status_code == 200
        assert not busy.began.acquire(blocking=False), "one of four threads is a quarter"
        busy.let_go.set()
        assert {each.result() for each in flood} == {200}


@pytest.mark.usefixtures("_fresh_busy")
def test_full_class_of_work_is_503_early_and_health_answers(dsn: str) -> None:
    terms = replace(PATIENT, threads={**PATIENT.threads, Work.ORDINARY: 2}, share=0.5, wait_seconds=0.2)
    with small_server(dsn, terms=terms) as server, ExitStack() as stack:
        read = server.stranger()
        for name in ("acme", "beta"):
            server.network.client(name)
            stack.enter_context(in_background(partial(get_busy, server, name)))
            assert busy.began.acquire(timeout=PATIENCE_SECONDS)
        assert_unavailable(read(), 503, "server_busy")
        assert server.use("threads_ordinary").refused >= 1
        with loopback_client(base_url=server.url, timeout=PATIENCE_SECONDS) as http:
            assert {http.get(path).status_code for path in ("/healthz", "/readyz", "/metrics")} == {200}
        busy.let_go.set()
        until(lambda: read().status_code == 200)


@pytest.mark.usefixtures("_fresh_busy")
def test_request_behind_a_long_line_is_refused_before_its_token_is_looked_at(dsn: str) -> None:
    terms = replace(PATIENT, threads={**PATIENT.threads, Work.ORDINARY: 1}, line_seconds=1e-9)
    with (
        small_server(dsn, terms=terms) as server,
        ExitStack() as stack,
        loopback_client(base_url=server.url, timeout=PATIENCE_SECONDS) as stranger,
    ):
        names = ("acme", "beta")
        tokens = {name: server.operator.user_token(server.network.client(name).enterprise.id) for name in names}

        def ask(name: str) -> int:
            headers = {"Authorization": f"Bearer {tokens[name]}"}
            with loopback_client(base_url=server.url, timeout=PATIENCE_SECONDS, headers=headers) as http:
                return http.get(f"/api/probe/{name}/busy").status_code

        asked = [stack.enter_context(in_background(partial(ask, "acme")))]
        assert busy.began.acquire(timeout=PATIENCE_SECONDS)
        asked.append(stack.enter_context(in_background(partial(ask, "beta"))))
        until(lambda: server.use("threads_ordinary").waiting == 1)
        assert_unavailable(stranger.get("/api/probe/acme/busy"), 503, "server_busy")
        assert server.use("threads_ordinary").refused == 1
        assert stranger.get("/api/probe/nobody/nothing").status_code == 404, "what is no work needs no room"
        assert {stranger.get(path).status_code for path in ("/healthz", "/readyz", "/metrics")} == {200}
        busy.let_go.set()
        assert [each.result() for each in asked] == [200, 200]
        until(lambda: server.use("threads_ordinary").in_use == 0)
        assert stranger.get("/api/probe/acme/busy").status_code == 401


def get_busy(server: Server, enterprise_id: str) -> int:
    token = server.operator.user_token(enterprise_id)
    headers = {"Authorization": f"Bearer {token}"}
    with loopback_client(base_url=server.url, timeout=PATIENCE_SECONDS, headers=headers) as http:
        return http.get(f"/api/probe/{enterprise_id}/busy").status_code


def stage_with_large_body(partner: PartnerHandle, amounts: Amounts) -> httpx2.Response:
    """Stages a settlement whose body is a large one, because of spaces at its end."""
    body = json.dumps(partner.enterprise.sign(fields_of(amounts))).encode()
    return partner.api.post_raw(SETTLEMENTS, body + LARGE, version=2)


def test_settlements_use_no_thread_of_others(dsn: str) -> None:
    terms = replace(PATIENT, threads=dict.fromkeys(Work, 1), wait_seconds=0.2)
    with small_server(dsn, terms=terms) as server, ExitStack() as stack:
        network = server.network
        held, free = network.partner("held"), network.partner("free")
        waits = network.funded(held, {"ofcbtc": 9}, name="waits")
        other = network.funded(free, {"ofcbtc": 9}, name="other")
        read = server.stranger()
        account = other.client.enterprise.account.id
        with held_partners(dsn, held.id):
            asked = stack.enter_context(in_background(partial(try_stage, held, {waits.id: {"BTC": "-1"}})))
            until(lambda: server.use("threads_settlement").in_use == 1)
            assert read().status_code == 200
            server.operator.deposit(account, "ofcbtc", 1)
            assert ok(other.allocate("ofcbtc", 1))["allocation"]["status"] == "cleared"
            assert_unavailable(try_stage(free, {other.id: {"BTC": "-1"}}), 503, "server_busy")
        assert asked.result().status_code == 200


def test_large_settlement_keeps_no_small_one_out(dsn: str) -> None:
    terms = replace(PATIENT, threads={**PATIENT.threads, Work.SETTLEMENT: 1, Work.LARGE_BODY: 1}, wait_seconds=0.2)
    with small_server(dsn, terms=terms) as server, ExitStack() as stack:
        network = server.network
        held, free = network.partner("held"), network.partner("free")
        waits = network.funded(held, {"ofcbtc": 9}, name="waits")
        other = network.funded(free, {"ofcbtc": 9}, name="other")
        with held_partners(dsn, held.id):
            large = stack.enter_context(
                in_background(partial(stage_with_large_body, held, {waits.id: {"BTC": "-1"}}))
            )
            until(lambda: server.use("threads_large_body").in_use == 1)
            assert try_stage(free, {other.id: {"BTC": "-1"}}).status_code == 200
            assert_unavailable(stage_with_large_body(free, {other.id: {"BTC": "-2"}}), 503, "server_busy")
        assert large.result().status_code == 200


def test_large_body_is_read_when_there_is_a_place_for_it(dsn: str) -> None:
    terms = replace(PATIENT, large_bodies=2, share=0.5, wait_seconds=0.2, own_wait_seconds=0.3)
    with small_server(dsn, terms=terms) as server:
        slow, other = server.network.partner("slow"), server.network.partner("other")
        with half_sent(server, slow.enterprise.id):
            until(lambda: server.use("large_bodies").in_use == 1)
            assert too_large_to_be_small(slow).json()["name"] == "too_many_at_once"
            assert too_large_to_be_small(other).status_code == 400
            with half_sent(server, other.enterprise.id):
                until(lambda: server.use("large_bodies").in_use == 2)
                third = server.network.partner("third")
                assert_unavailable(too_large_to_be_small(third), 503, "server_busy")
        until(lambda: server.use("large_bodies").in_use == 0)
        assert too_large_to_be_small(slow).status_code == 400


SETTLEMENTS: Final = "/partners/settlements"
LARGE: Final = b" " * (LARGE_BODY_BYTES + 1)
"""More than a small body. It is no JSON, which is found when it has been read."""


def too_large_to_be_small(partner: PartnerHandle) -> httpx2.Response:
    return partner.api.post_raw(SETTLEMENTS, LARGE, version=2)


@contextmanager
def half_sent(server: Server, enterprise_id: str) -> Iterator[None]:
    """Sends all but the last byte of a large body, and goes away at the end."""
    host, port = server.url.removeprefix("http://").split(":")
    path = f"/api/network/v2/enterprises/{enterprise_id}{SETTLEMENTS}"
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\n"
        f"Authorization: Bearer {server.operator.user_token(enterprise_id)}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(LARGE)}\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(head.encode() + LARGE[:-1])
        yield
