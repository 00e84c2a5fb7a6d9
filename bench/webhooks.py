"""``python -m bench.webhooks``: owed deliveries drained by the pump, beside a bare aiohttp loop posting as many.

Both post the same bodies to the same receiver, a process of its own; the bare loop signs nothing and writes
nothing, so that it is the floor.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Annotated, Final

import aiohttp
import typer
from aiohttp import web
from rich.console import Console
from rich.table import Table

from clearwindow.access import service as access
from clearwindow.access.values import Enterprise, Member, TrustOrg
from clearwindow.clock import SystemClock
from clearwindow.database.embedded import start_embedded
from clearwindow.database.migrations import migrate
from clearwindow.database.pool import Database
from clearwindow.ids import RandomIds
from clearwindow.notices import endpoints
from clearwindow.notices import service as notices
from clearwindow.notices.pump import ENDPOINTS_AT_ONCE, DeliveryPump
from clearwindow.notices.values import Event, EventType
from clearwindow.outgoing.client import Outgoing
from clearwindow.runtime import Limits, Runtime
from clearwindow.vault import KEY_BYTES, Vault

ENTERPRISE: Final = "bench"


@dataclass(frozen=True)
class Round:
    pump_per_second: float
    floor_per_second: float


def main(
    *,
    deliveries: Annotated[int, typer.Option(min=100)] = 10_000,
    endpoint_count: Annotated[int, typer.Option("--endpoints", min=1, max=endpoints.MAX_ENDPOINTS * 20)] = 100,
    rounds: Annotated[int, typer.Option(min=1)] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure how fast owed deliveries drain, and beside it a bare loop that posts as many."""
    with _receiver() as url, _network() as runtime:
        enterprises = _enterprises(runtime, url, endpoint_count)
        done = [_round(runtime, url, enterprises, deliveries, endpoint_count) for _ in range(rounds)]
    ratio = median(each.pump_per_second / each.floor_per_second for each in done)
    if as_json:
        typer.echo(json.dumps({"rounds": [asdict(each) for each in done], "medianRatio": round(ratio, 3)}))
        return
    table = Table("round", "pump, deliveries/s", "bare aiohttp loop, posts/s", "ratio")
    for number, each in enumerate(done, start=1):
        share = each.pump_per_second / each.floor_per_second
        table.add_row(str(number), f"{each.pump_per_second:.0f}", f"{each.floor_per_second:.0f}", f"{share:.2f}")
    Console().print(table, f"{deliveries} deliveries to {endpoint_count} endpoints; median ratio {ratio:.2f}")


@contextmanager
def _network() -> Iterator[Runtime]:
    """What a pump works on: an empty network of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="clearwindow-bench-") as folder,
        start_embedded(Path(folder)) as embedded,
    ):
        migrate(embedded.dsn)
        database = Database(embedded.dsn, SystemClock())
        database.open()
        outgoing = Outgoing(allow_private=True)
        yield Runtime(database, SystemClock(), RandomIds(), Limits(), Vault(bytes(KEY_BYTES)), None, outgoing)
        database.close()


def _round(runtime: Runtime, url: str, enterprises: Sequence[str], deliveries: int, endpoint_count: int) -> Round:
    """The floor is half before and half after the pump: a machine's speed changes from one second to the next."""
    _owe(runtime, enterprises, deliveries // endpoint_count)
    floor_seconds = asyncio.run(_bare_loop(url, deliveries // 2))
    started = time.perf_counter()
    delivered = DeliveryPump(runtime).run_due()
    pump_seconds = time.perf_counter() - started
    if delivered != deliveries:
        raise SystemExit(f"{delivered} of {deliveries} were delivered")
    floor_seconds += asyncio.run(_bare_loop(url, deliveries - deliveries // 2))
    return Round(deliveries / pump_seconds, deliveries / floor_seconds)


def _enterprises(runtime: Runtime, url: str, endpoint_count: int) -> Sequence[str]:
    """As many as it takes for so many endpoints."""
    made = []
    for first in range(0, endpoint_count, endpoints.MAX_ENDPOINTS):
        made.append(f"{ENTERPRISE}-{first}")
        with runtime.transaction() as tx:
            now = tx.now()
            access.create_enterprise(
                tx, Enterprise(made[-1], made[-1], TrustOrg.TRUST, licensed=True, created_at=now, updated_at=now)
            )
        for _ in range(min(endpoints.MAX_ENDPOINTS, endpoint_count - first)):
            endpoints.create(runtime, Member(made[-1], "bench", "bench"), endpoints.Wanted(url, None, None))
    return made


def _owe(runtime: Runtime, enterprises: Sequence[str], events_each: int) -> None:
    """Events that are owed to every endpoint of their enterprise."""
    payload = {"settlementId": str(runtime.ids.new()), "connectionIds": [str(runtime.ids.new()) for _ in range(4)]}
    with runtime.transaction() as tx:
        for enterprise_id in enterprises:
            events = [
                Event(EventType.SETTLEMENT_INITIATED, enterprise_id, runtime.ids.new(), payload)
                for _ in range(events_each)
            ]
            notices.record(tx, events)


async def _bare_loop(url: str, posts: int) -> float:
    """Seconds that so many tasks side by side as the pump has take for as many posts."""
    body = json.dumps({"type": "settlement.initiated", "data": {"connectionIds": ["0" * 36] * 4}}).encode()
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def post(count: int) -> None:
            for _ in range(count):
                async with session.post(url, data=body) as response:
                    await response.read()

        started = time.perf_counter()
        shares = [posts // ENDPOINTS_AT_ONCE] * (ENDPOINTS_AT_ONCE - 1)
        await asyncio.gather(*(post(count) for count in [*shares, posts - sum(shares)]))
        return time.perf_counter() - started


@contextmanager
def _receiver() -> Iterator[str]:
    """A receiver in a process of its own, so that it takes no time from whoever is measured."""
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_receive, args=(there,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}/hook"
    finally:
        process.terminate()
        process.join()


def _receive(there: Connection) -> None:
    async def take(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(status=204)

    async def serve() -> None:
        app = web.Application()
        app.router.add_post("/hook", take)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        there.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(serve())


if __name__ == "__main__":
    typer.run(main)
