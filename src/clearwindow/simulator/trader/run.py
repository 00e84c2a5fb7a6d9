"""Runs any number of traders in one process, with one HTTP server."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from aiohttp import web

from clearwindow.client import AsyncClient
from clearwindow.simulator.trader.inbox import BODY_BYTES
from clearwindow.simulator.trader.reports import Reports
from clearwindow.simulator.trader.trader import Access, Terms, Trader

_STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_FINISH_SECONDS: Final = 10
_SHUTDOWN_SECONDS: Final = 1


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """The address for webhooks.

    Attributes:
        host: the address to listen on.
        port: the port; 0 takes a free one.
        public_url: the address as the network reaches it, if it differs.
    """

    host: str = "127.0.0.1"
    port: int = 0
    public_url: str | None = None


class CannotListenError(RuntimeError):
    """It cannot listen for webhooks; the message says why."""


async def trade_until_signal(
    accesses: Sequence[Access], terms: Terms, reports: Reports, listen_address: ListenAddress
) -> None:
    """Runs the traders until SIGTERM or Ctrl-C; see `trade`."""
    stopping = asyncio.Event()
    for number in _STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    await trade(accesses, terms, reports, listen_address, stopping)


async def trade(
    accesses: Sequence[Access],
    terms: Terms,
    reports: Reports,
    listen_address: ListenAddress,
    stopping: asyncio.Event,
) -> None:
    """Runs the traders until ``stopping`` is set, and then reports the tally of each.

    Raises:
        CannotListenError: it cannot listen on the address for webhooks.
        ClearwindowError: the network rejects a trader.
    """
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(_client(access)) for access in accesses]
        traders = [Trader(access, terms, client, reports) for access, client in zip(accesses, clients, strict=True)]
        server = _server({trader.name: trader for trader in traders})
        await server.setup()
        stack.push_async_callback(server.cleanup)
        address = await _listen(server, listen_address)
        reports.report("traders", "serving", address=address, traders=len(traders))
        await _until_stopped(traders, (listen_address.public_url or address).rstrip("/"), stopping)
    for trader in traders:
        reports.report(trader.name, "tally", **trader.tally.summary())


async def _until_stopped(traders: Iterable[Trader], root: str, stopping: asyncio.Event) -> None:
    tasks = [asyncio.create_task(trader.run(f"{root}/webhooks/{trader.name}", stopping)) for trader in traders]
    try:
        # A trader ends by itself only after an error.
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            task.result()
        await asyncio.wait(tasks, timeout=_FINISH_SECONDS)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _client(access: Access) -> AsyncClient:
    return AsyncClient(access.url, access.token, access.enterprise_id, signer=access.signer)


def _server(traders: Mapping[str, Trader]) -> web.AppRunner:
    async def receive(request: web.Request) -> web.StreamResponse:
        trader = traders.get(request.match_info["name"])
        return web.Response(status=HTTPStatus.NOT_FOUND) if trader is None else await trader.inbox.receive(request)

    app = web.Application(client_max_size=BODY_BYTES)
    app.router.add_post("/webhooks/{name}", receive)
    return web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)


async def _listen(server: web.AppRunner, listen_address: ListenAddress) -> str:
    try:
        await web.TCPSite(server, listen_address.host, listen_address.port).start()
    except OSError as error:
        raise CannotListenError(
            f"Cannot listen on {listen_address.host}, port {listen_address.port}: {error.strerror}."
        ) from None
    name, taken = server.addresses[0][:2]
    return f"http://{f'[{name}]' if ':' in name else name}:{taken}"
