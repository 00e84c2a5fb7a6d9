"""``python -m bench.door.prober``: asks a server again and again, and writes a line of JSON for each answer.

It is a process of its own, so that an attack does not slow down its clock, and it comes from an address of its own,
so that the server has no reason to limit it. A probe starts at its time, whether or not the
one before it has been answered: otherwise a silent server would be asked only once.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time
from dataclasses import dataclass
from itertools import cycle
from typing import Final

LONGEST_SECONDS: Final = 20.0
"""A probe without an answer counts as this long."""

INTERVAL_SECONDS: Final = 0.1
_OPEN_AT_MOST: Final = 20
_ENDS_AFTER_SECONDS: Final = 300.0
_READ_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True)
class _Server:
    host: str
    port: int
    source: str
    tls: ssl.SSLContext | None


async def _ask(server: _Server, path: str, token: str | None) -> str:
    reader, writer = await asyncio.open_connection(
        server.host, server.port, local_addr=(server.source, 0), ssl=server.tls
    )
    try:
        authorization = f"Authorization: Bearer {token}\r\n" if token else ""
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: clearwindow\r\n{authorization}Connection: close\r\n\r\n".encode()
        )
        answer = await reader.read(_READ_BYTES)
        while more := await reader.read(_READ_BYTES):
            answer += more
    finally:
        writer.close()
    return answer.split(b" ", 2)[1].decode("ascii", "replace") if answer.count(b" ") > 1 else "none"


async def _probe(what: str, server: _Server, path: str, token: str | None) -> None:
    started = time.monotonic()
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            status = await _ask(server, path, token)
    except TimeoutError:
        status = "late"
    except OSError as error:
        status = type(error).__name__
    seconds = time.monotonic() - started
    line = {"what": what, "at": started, "seconds": seconds, "status": status}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


async def _repeat(what: str, server: _Server, asked: list[tuple[str, str | None]]) -> None:
    """Asks for the paths in turn, each with its token."""
    running: set[asyncio.Task[None]] = set()
    due = time.monotonic()
    for path, token in cycle(asked):
        if len(running) < _OPEN_AT_MOST:
            task = asyncio.create_task(_probe(what, server, path, token))
            running.add(task)
            task.add_done_callback(running.discard)
        due = max(due + INTERVAL_SECONDS, time.monotonic())
        await asyncio.sleep(due - time.monotonic())


def _unchecked() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _main() -> None:
    given = json.loads(sys.argv[1])
    server = _Server(given["host"], given["port"], given["source"], _unchecked() if given["tls"] else None)
    strangers = [(path, token) for path, token in given["strangers"]]
    async with asyncio.timeout(_ENDS_AFTER_SECONDS), asyncio.TaskGroup() as group:
        group.create_task(_repeat("health", server, [("/healthz", None)]))
        group.create_task(_repeat("stranger", server, strangers))


if __name__ == "__main__":
    asyncio.run(_main())
