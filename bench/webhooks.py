"""``python -m bench.webhooks``: measures the pump's deliveries, and a bare aiohttp loop with as many posts.

Both post the same bodies to the same receiver, a process of its own. The bare loop, which signs and writes nothing,
is the baseline.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Annotated

import aiohttp
import typer
from aiohttp import web
from rich.console import Console
from rich.table import Table

from clearwindow.postgres.embedded.cluster import start_embedded
from clearwindow.runtime import Runtime
from clearwindow.webhooks import endpoints
from clearwindow.webhooks.pump import ENDPOINTS_AT_ONCE, DeliveryPump
from tests.support.databases import migrate_as_owner
from tests.support.deliveries import make_endpoints, record_events
from tests.support.runtimes import open_runtime


@dataclass(frozen=True)
class Round:
    pump_per_second: float
    baseline_per_second: float

    def as_json(self) -> dict[str, float]:
        # Programs know the baseline by this name.
        return {"pump_per_second": self.pump_per_second, "floor_per_second": self.baseline_per_second}


def main(
    *,
    deliveries: Annotated[int, typer.Option(min=100)] = 10_000,
    endpoint_count: Annotated[int, typer.Option("--endpoints", min=1, max=endpoints.MAX_ENDPOINTS * 20)] = 100,
    rounds: Annotated[int, typer.Option(min=1)] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure how fast due deliveries are made, and a bare loop that makes as many posts."""
    with _receiver() as url, _network() as runtime:
        enterprises = make_endpoints(runtime, [url] * endpoint_count)
        done = [_round(runtime, url, enterprises, deliveries, endpoint_count) for _ in range(rounds)]
    ratio = median(each.pump_per_second / each.baseline_per_second for each in done)
    if as_json:
        typer.echo(json.dumps({"rounds": [each.as_json() for each in done], "medianRatio": round(ratio, 3)}))
        return
    table = Table("round", "pump, deliveries/s", "bare aiohttp loop, posts/s", "ratio")
    for number, each in enumerate(done, start=1):
        share = each.pump_per_second / each.baseline_per_second
        table.add_row(str(number), f"{each.pump_per_second:.0f}", f"{each.baseline_per_second:.0f}", f"{share:.2f}")
    Console().print(table, f"{deliveries} deliveries to {endpoint_count} endpoints; median ratio {ratio:.2f}")


@contextmanager
def _network() -> Iterator[Runtime]:
    """Opens a runtime on a new, empty database."""
    with (
        tempfile.TemporaryDirectory(prefix="clearwindow-bench-") as folder,
        start_embedded(Path(folder)) as embedded,
    ):
        migrate_as_owner(embedded.dsn)
        with open_runtime(embedded.dsn) as runtime:
            yield runtime


def _round(runtime: Runtime, url: str, enterprises: Sequence[str], deliveries: int, endpoint_count: int) -> Round:
    """Runs half of the baseline before the pump and half after it, because the machine's speed changes."""
    _owe(runtime, enterprises, deliveries // endpoint_count)
    baseline_seconds = asyncio.run(_bare_loop(url, deliveries // 2))
    started = time.perf_counter()
    delivered = DeliveryPump(runtime).run_due()
    pump_seconds = time.perf_counter() - started
    if delivered != deliveries:
        raise SystemExit(f"{delivered} of {deliveries} were delivered")
    baseline_seconds += asyncio.run(_bare_loop(url, deliveries - deliveries // 2))
    return Round(deliveries / pump_seconds, deliveries / baseline_seconds)


def _owe(runtime: Runtime, enterprises: Sequence[str], events_each: int) -> None:
    """Makes so many events due to every endpoint of each enterprise."""
    payload = {"settlementId": str(runtime.ids.new()), "connectionIds": [str(runtime.ids.new()) for _ in range(4)]}
    for enterprise_id in enterprises:
        record_events(runtime, enterprise_id, [payload] * events_each)


async def _bare_loop(url: str, posts: int) -> float:
    """Returns the seconds for the posts, made by as many tasks as the pump has."""
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
    """Runs the receiver in a process of its own, so that it takes no time from the measured process."""
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
