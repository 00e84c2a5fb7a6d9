"""Counts the modules, packages and changes of file that a request goes through. ``make doors`` prints them.

A server runs in this process, over a database of its own. Each kind of request is sent once to warm up and once
under a profiler that sees the threads of the server, not the one that sends. *Modules* are the files of the product
in which a function is called, *packages* the rooms they lie in, and *changes of file* how often a call goes to
another file than the call before it in the same thread.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Final

from clearwindow import bootstrap
from clearwindow.core.clock import ManualClock
from clearwindow.identity.operators import ensure_bootstrap_operator
from clearwindow.postgres.embedded.cluster import start_embedded
from clearwindow.web.app import create_app
from tests.conftest import OPERATOR_TOKEN, START
from tests.support.databases import TestCluster
from tests.support.networks import ConnectionHandle, Network, PartnerHandle, ok
from tests.support.operators import OperatorClient
from tests.support.runtimes import open_runtime
from tests.support.server import serving
from tests.support.settlements import dispute, stage

PRODUCT: Final = str(Path(bootstrap.__file__).parent) + "/"


@dataclass
class Doors:
    """The modules that one request entered."""

    changes: int = 0
    calls: dict[str, int] = field(default_factory=dict)
    last: dict[int, str] = field(default_factory=dict)

    def enter(self, file: str) -> None:
        thread = threading.get_ident()
        if self.last.get(thread) != file:
            self.changes += 1
            self.last[thread] = file
        self.calls[file] = self.calls.get(file, 0) + 1

    @property
    def packages(self) -> set[str]:
        return {str(Path(file).parent) for file in self.calls}


class Tracer:
    """Counts the calls of the product's functions while a request is watched."""

    def __init__(self) -> None:
        self.seen: Doors | None = None

    def __call__(self, frame: FrameType, event: str, _argument: object) -> None:
        if event != "call" or self.seen is None:
            return
        file = frame.f_code.co_filename
        # The body of a class or a module, a lambda and a comprehension count for their file.
        if file.startswith(PRODUCT):
            self.seen.enter(file.removeprefix(PRODUCT))

    def watch(self, send: Callable[[], object]) -> Doors:
        send()
        self.seen = seen = Doors()
        send()
        self.seen = None
        return seen


def measure() -> dict[str, Doors]:
    """Returns the doors of each kind of request."""
    tracer = Tracer()
    threading.setprofile(tracer)
    with (
        tempfile.TemporaryDirectory(prefix="clearwindow-doors-") as folder,
        start_embedded(Path(folder), durable=False) as embedded,
        TestCluster(embedded.dsn).fresh_database() as dsn,
    ):
        return _measure_on(dsn, tracer)


def _measure_on(dsn: str, tracer: Tracer) -> dict[str, Doors]:
    with open_runtime(dsn, ManualClock(START), operator_token=OPERATOR_TOKEN) as runtime:
        ensure_bootstrap_operator(runtime)
        with (
            serving(create_app(runtime, bootstrap.all_routers(60))) as url,
            OperatorClient(url, OPERATOR_TOKEN) as operator,
            Network(operator) as network,
        ):
            partner = network.partner(deposits={"ofcbtc": 10**12})
            client = network.client(deposits={"ofcbtc": 10**12})
            connection = network.connect(client, partner)
            ok(connection.allocate("ofcbtc", 10**9))
            return {kind: tracer.watch(send) for kind, send in requests(partner, connection).items()}


def requests(partner: PartnerHandle, connection: ConnectionHandle) -> dict[str, Callable[[], object]]:
    """Returns one request of each kind. Each can be sent many times."""
    staged: list[str] = []

    def stage_one() -> None:
        staged.append(stage(partner, {connection.id: {"BTC": "-1000"}})["id"])

    def raise_dispute() -> None:
        ok(dispute(connection, staged.pop(), {}))

    return {
        "stage a settlement": stage_one,
        "get a settlement": lambda: ok(partner.api.get(f"/partners/settlements/{staged[0]}")),
        "raise a dispute": raise_dispute,
        "balances": connection.balances,
        "allocate": lambda: ok(connection.allocate("ofcbtc", 1000)),
    }


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--list", action="store_true", help="name the modules of each kind of request")
    given = arguments.parse_args()
    found = measure()
    print(f"{'request':<20} {'modules':>8} {'packages':>9} {'changes of file':>16}")  # noqa: T201 - its purpose
    for kind, doors in found.items():
        print(f"{kind:<20} {len(doors.calls):>8} {len(doors.packages):>9} {doors.changes:>16}")  # noqa: T201
    if given.list:
        for kind, doors in found.items():
            print(f"\n{kind}")  # noqa: T201
            for file, calls in sorted(doors.calls.items(), key=lambda one: -one[1]):
                print(f"  {calls:>5} {file}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
