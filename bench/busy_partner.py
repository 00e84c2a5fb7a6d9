"""``python -m bench.busy_partner``: due settlements of a partner that is busy with its own requests.

A real server with its worker runs beside threads that send requests of one partner without a pause. Measured is how
many of the partner's due settlements complete, and after how many seconds.
"""

from __future__ import annotations

import base64
import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Final

import httpx2
import psycopg
import typer

from bench.network import PATH, Network, seed, signed_request
from clearwindow.ledger.check.service import check_ledger
from clearwindow.postgres.embedded.cluster import start_embedded
from clearwindow.simulator.server import serving
from tests.support.databases import migrate_as_owner
from tests.support.runtimes import open_runtime

_OPERATOR_TOKEN: Final = "an-operator-of-this-bench"  # noqa: S105 - of a database that lives for a minute
_POLL_SECONDS: Final = 0.05
_WARM_UP_SECONDS: Final = 1.0
_SETTINGS: Final = {
    "CLEARWINDOW_RATE_LIMIT_PER_MINUTE": "1000000",
    "CLEARWINDOW_SECRET_KEY": base64.b64encode(bytes(32)).decode(),
}
_WINDOWS: Final = "UPDATE partner SET client_dispute_window_minutes = 600, top_up_window_minutes = 0"
# Deadlines never change, so that the trigger that says so is off for this statement.
_MAKE_DUE: Final = (
    "SET session_replication_role = replica;"
    " UPDATE settlement SET dispute_deadline_at = now(), top_up_deadline_at = now(), due_at = now()"
    " WHERE external_id LIKE 'due-%';"
    " UPDATE settlement_party SET dispute_deadline_at = settlement.dispute_deadline_at"
    " FROM settlement WHERE settlement.id = settlement_id;"
    " RESET session_replication_role"
)
_COUNT_OPEN: Final = "SELECT count(*) FROM settlement WHERE external_id LIKE 'due-%' AND state <> 'completed'"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run measured. ``answers``: how often the threads got each status."""

    load: str
    threads: int
    due: int
    completed: int
    seconds: float
    requests: int
    answers: dict[int, int]


class Load:
    """Threads that send requests without a pause until they are stopped."""

    def __init__(self, send: Callable[[int], int], threads: int) -> None:
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._send = send
        self._number = 0
        self.answers: dict[int, int] = {}
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            with self._lock:
                self._number += 1
                number = self._number
            status = self._send(number)
            with self._lock:
                self.answers[status] = self.answers.get(status, 0) + 1


def main(
    *,
    due: Annotated[int, typer.Option(min=1, help="How many settlements are due.")] = 60,
    longest: Annotated[float, typer.Option(min=0.1, help="The longest time that is measured, in seconds.")] = 60,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for each run.")] = False,
) -> None:
    """Measure how soon due settlements complete while their partner sends requests without a pause."""
    for load, threads in (("none", 0), ("staging", 2), ("one request again", 4)):
        outcome = measure(load, threads, due, longest)
        typer.echo(json.dumps(asdict(outcome)) if as_json else _line(outcome))


def measure(load: str, threads: int, due: int, longest_seconds: float) -> Outcome:
    """Measures one load in a new database.

    Raises:
        RuntimeError: a settlement was not staged, or the check of the ledger finds something at the end.
    """
    with _network() as (dsn, network, address, connection):
        _stage_due(address, network, due)
        connection.execute(_WINDOWS)
        repeated = signed_request(network, "again")

        def send(number: int) -> int:
            body = repeated if load == "one request again" else signed_request(network, f"new-{number}")
            return _post(address, network, body).status_code

        running = Load(send, threads)
        running.start()
        time.sleep(_WARM_UP_SECONDS)
        start = time.perf_counter()
        connection.execute(_MAKE_DUE)
        while (waiting := _count(connection)) and time.perf_counter() - start < longest_seconds:
            time.sleep(_POLL_SECONDS)
        seconds = time.perf_counter() - start
        running.stop()
        _require_clean(dsn)
    answers = running.answers
    return Outcome(load, threads, due, due - waiting, round(seconds, 2), sum(answers.values()), answers)


@contextmanager
def _network() -> Iterator[tuple[str, Network, str, psycopg.Connection]]:
    with (
        tempfile.TemporaryDirectory(prefix="clearwindow-bench-") as folder,
        start_embedded(Path(folder) / "database", durable=True) as postgres,
    ):
        migrate_as_owner(postgres.dsn)
        network = seed(postgres.dsn, 2, 1)
        arguments = ["--database-url", postgres.application_dsn]
        with (
            psycopg.connect(postgres.dsn, autocommit=True) as connection,
            serving(Path(folder), _OPERATOR_TOKEN, _SETTINGS, arguments=arguments) as address,
        ):
            connection.execute(_WINDOWS)
            yield postgres.dsn, network, address, connection


def _stage_due(address: str, network: Network, due: int) -> None:
    for number in range(due):
        answer = _post(address, network, signed_request(network, f"due-{number}"))
        if answer.status_code != httpx2.codes.OK:
            raise RuntimeError(f"a settlement was not staged: {answer.text}")


_clients = threading.local()


def _post(address: str, network: Network, body: bytes) -> httpx2.Response:
    client: httpx2.Client | None = getattr(_clients, address, None)
    if client is None:
        client = httpx2.Client(base_url=address, timeout=60, trust_env=False)
        setattr(_clients, address, client)
    headers = {"Authorization": f"Bearer {network.token}", "Content-Type": "application/json"}
    return client.post(PATH, content=body, headers=headers)


def _count(connection: psycopg.Connection) -> int:
    found = connection.execute(_COUNT_OPEN).fetchone()
    return int(found[0]) if found else 0


def _require_clean(dsn: str) -> None:
    with open_runtime(dsn) as runtime, runtime.transaction() as tx:
        found: Sequence[object] = check_ledger(tx)
        if found:
            raise RuntimeError(f"the ledger is not in order: {found}")


def _line(outcome: Outcome) -> str:
    return (
        f"{outcome.threads} threads, {outcome.load}: {outcome.completed} of {outcome.due} due settlements completed"
        f" in {outcome.seconds:.1f} s beside {outcome.requests} requests {outcome.answers}"
    )


if __name__ == "__main__":
    typer.run(main)
