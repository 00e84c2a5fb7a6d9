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
from collections.abc import Iterator
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
    rounds: Annotated[int, typer.Option(min=1)] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure how fast owed deliveries drain, and beside it a bare loop that posts as many."""
    with _receiver() as url, tempfile.TemporaryDirectory(prefix="clearwindow-bench-") as folder:
        done = [_round(Path(folder) / str(number), url, deliveries, endpoint_count) for number in range(rounds)]
    ratio = median(each.pump_per_second / each.floor_per_second for each in done)
    if as_json:
        typer.echo(json.dumps({"rounds": [asdict(each) for each in done], "medianRatio": round(ratio, 3)}))
        return
    table = Table("round", "pump, deliveries/s", "bare aiohttp loop, posts/s", "ratio")
    for number, each in enumerate(done, start=1):
        share = each.pump_per_second / each.floor_per_second
        table.add_row(str(number), f"{each.pump_per_second:.0f}", f"{each.floor_per_second:.0f}", f"{share:.2f}")
    Console().print(table, f"{deliveries} deliveries to {endpoint_count} endpoints; median ratio {ratio:.2f}")


def _round(folder: Path, url: str, deliveries: int, endpoint_count: int) -> Round:
    with start_embedded(folder) as embedded:
        migrate(embedded.dsn)
        database = Database(embedded.dsn, SystemClock())
        database.open()
        outgoing = Outgoing(allow_private=True)
        runtime = Runtime(database, SystemClock(), RandomIds(), Limits(), Vault(bytes(KEY_BYTES)), None, outgoing)
        _owe(runtime, url, deliveries, endpoint_count)
        started = time.perf_counter()
        delivered = DeliveryPump(runtime).run_due()
        pump_seconds = time.perf_counter() - started
        if delivered != deliveries:
            raise SystemExit(f"{delivered} of {deliveries} were delivered")
        database.close()
    floor_seconds = asyncio.run(_bare_loop(url, deliveries))
    return Round(deliveries / pump_seconds, deliveries / floor_seconds)


def _owe(runtime: Runtime, url: str, deliveries: int, endpoint_count: int) -> None:
    """As many enterprises as it takes, each with endpoints, and events that are owed to all of them."""
    per_enterprise = min(endpoint_count, endpoints.MAX_ENDPOINTS)
    enterprises = [f"{ENTERPRISE}-{number}" for number in range(-(-endpoint_count // per_enterprise))]
    left = endpoint_count
    for enterprise_id in enterprises:
        with runtime.transaction() as tx:
            now = tx.now()
            access.create_enterprise(
                tx,
                Enterprise(
                    enterprise_id, enterprise_id, TrustOrg.TRUST, licensed=True, created_at=now, updated_at=now
                ),
            )
        member = Member(enterprise_id, "bench", "bench")
        for _ in range(min(per_enterprise, left)):
            endpoints.create(runtime, member, endpoints.Wanted(url, None, None))
        left -= min(per_enterprise, left)
    payload = {"settlementId": str(runtime.ids.new()), "connectionIds": [str(runtime.ids.new()) for _ in range(4)]}
    with runtime.transaction() as tx:
        for enterprise_id in enterprises:
            events = [
                Event(EventType.SETTLEMENT_INITIATED, enterprise_id, runtime.ids.new(), payload)
                for _ in range(deliveries // endpoint_count)
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
