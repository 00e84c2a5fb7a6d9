"""Measures attacks, each on a server of its own over one database."""

from __future__ import annotations

import asyncio
import base64
import os
import resource
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from bench.door.attacks.attack import Attack, Field
from bench.door.memory import sampled
from bench.door.network import Target, build
from bench.door.outcome import Outcome, Taken
from bench.door.probes import NORMAL_SECONDS, Probes, probing
from bench.door.wire import Address
from clearwindow.postgres.embedded.cluster import EmbeddedPostgres, start_embedded
from clearwindow.postgres.migrations import migrate
from clearwindow.simulator.server import data_folder, temporary_folder
from tests.support.certificates import self_signed
from tests.support.operators import OperatorClient
from tests.support.processes import START_TOKEN, Running, running

Say = Callable[[str], None]

_SETTINGS: Final = {
    "operator_token": START_TOKEN,
    "secret_key": base64.b64encode(bytes(32)).decode(),
    # Only so that the silent partners can be on loopback.
    "allow_private_addresses": "true",
    # One line for each request of a flood says nothing.
    "log_level": "warning",
}
_SERVER_FILES: Final = 1_024
"""How many files the server may have open: what Linux gives a program that asks for no more."""

_NICE: Final = 10
"""An attacker has a machine of its own. Here it shares ours, and gets what the server and the prober leave."""

_NORMAL_BEFORE_SECONDS: Final = 60.0
_NORMAL_AFTER_SECONDS: Final = 60.0
SILENT_PARTNERS: Final = 30


class NotNormalError(RuntimeError):
    """A server that nobody attacks does not answer within the aims: this machine is too busy to measure."""


def measure(attacks: Sequence[Attack], say: Say, *, small: bool = False) -> Iterator[Outcome]:
    """Builds a network and runs the attacks on it, one after another.

    Raises:
        NotNormalError: the server is not normal before an attack.
    """
    with (
        temporary_folder("door") as folder,
        start_embedded(data_folder(folder), durable=False) as postgres,
    ):
        migrate(postgres.dsn)
        say("building the network")
        with _server(folder, postgres) as server, OperatorClient(server.url, START_TOKEN) as operator:
            target = build(operator, 3 if small else SILENT_PARTNERS)
        for number, attack in enumerate(attacks, start=1):
            say(f"{number} of {len(attacks)}: {attack.name}: {attack.what}")
            with _server(folder / attack.name, postgres, tls=attack.tls) as server:
                yield _measure(attack, server, folder / attack.name, postgres, target, small=small)


def _measure(
    attack: Attack, server: Running, folder: Path, postgres: EmbeddedPostgres, target: Target, *, small: bool
) -> Outcome:
    where = urlsplit(server.url)
    address = Address(where.hostname or "", where.port or 0)
    with (
        probing(folder, address.host, address.port, target.strangers, tls=attack.tls) as probes,
        OperatorClient(server.url, START_TOKEN) as operator,
    ):
        if probes.await_normal(time.monotonic(), _NORMAL_BEFORE_SECONDS) is None:
            raise NotNormalError("before the attack, the server does not answer within the aims")
        field = Field(address, postgres.dsn, operator, target, small)
        with sampled(server.process.pid, _postmaster(postgres)) as memory, _many_files():
            began = time.monotonic()
            taken = _run(attack, field)
            ended = time.monotonic()
            normal_after = probes.await_normal(ended, _NORMAL_AFTER_SECONDS)
        return _outcome(
            attack,
            taken,
            probes,
            (began, ended),
            normal_after,
            memory_growth=(memory.server_growth, memory.database_growth),
        )


def _outcome(
    attack: Attack,
    taken: Taken,
    probes: Probes,
    window: tuple[float, float],
    normal_after: float | None,
    *,
    memory_growth: tuple[int, int],
) -> Outcome:
    began, ended = window
    # An attack that is cut off at once may be over before the next probe: those of the normal stretch count too.
    until = ended + (_NORMAL_AFTER_SECONDS if normal_after is None else normal_after + NORMAL_SECONDS)
    return Outcome(
        attack.name,
        attack.what,
        taken,
        *memory_growth,
        probes.times("health", began, until),
        probes.times("stranger", began, until),
        ended - began,
        normal_after,
    )


def _run(attack: Attack, field: Field) -> Taken:
    """Runs the attack in a thread, which gets less of the processors than the server."""

    def run() -> Taken:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        # Its helpers are threads, which get the same priority as the one that starts them.
        return asyncio.run(_awaited(attack, field))

    with ThreadPoolExecutor(1, "attack") as attacker:
        return attacker.submit(run).result()


async def _awaited(attack: Attack, field: Field) -> Taken:
    return await attack.run(field)


@contextmanager
def _server(folder: Path, postgres: EmbeddedPostgres, *, tls: bool = False) -> Iterator[Running]:
    """Starts a server that may open as many files as a program usually may."""
    settings = dict(_SETTINGS)
    if tls:
        folder.mkdir()
        certificate = str(self_signed("clearwindow.example", folder))
        settings |= {"tls_certificate": certificate, "tls_key": certificate}
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(_SERVER_FILES, soft), hard))
    try:
        starting = running(folder, "serve", "--port", "0", "--database-url", postgres.dsn, **settings)
        server = starting.__enter__()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    try:
        yield server
    finally:
        starting.__exit__(None, None, None)


@contextmanager
def _many_files() -> Iterator[None]:
    """Lets this process open as many files as it may, for thousands of connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _postmaster(postgres: EmbeddedPostgres) -> int:
    return int((postgres.cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()[0])
