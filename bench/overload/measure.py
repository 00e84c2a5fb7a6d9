"""Runs a server and the generator beside it, and compares what was answered with what is in the database."""

from __future__ import annotations

import base64
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import psycopg

from bench.overload.network import build, prepare
from bench.overload.outcome import Outcome, normal_after, row_of
from bench.overload.stages import OK, REFUSED, Offered, Plan, Stage
from bench.overload.usage import sampled
from clearwindow.ledger.check.service import check_ledger
from clearwindow.postgres.embedded.cluster import EmbeddedPostgres, start_embedded
from clearwindow.simulator.programs import Program
from clearwindow.simulator.server import data_folder, environment, temporary_folder
from tests.support.databases import migrate_as_owner
from tests.support.operators import OperatorClient
from tests.support.processes import START_TOKEN, Running, running
from tests.support.runtimes import open_runtime

Say = Callable[[str], None]

_COMMAND: Final = (sys.executable, "-m", "bench.overload.generator")
_SETTINGS: Final = {
    "operator_token": START_TOKEN,
    "secret_key": base64.b64encode(bytes(32)).decode(),
    # The limit of a minute is another one than that of the server's strength.
    "rate_limit_per_minute": "1000000",
}
_LONGEST_SECONDS: Final = 90.0
_LAST_STEPS_SECONDS: Final = 30.0
_STAGED: Final = "SELECT external_id FROM settlement"
_UNFINISHED: Final = "SELECT count(*) FROM settlement WHERE state <> 'completed' AND top_up_deadline_at < now()"
_OPEN: Final = "SELECT count(*) FROM settlement WHERE state <> 'completed'"


def measure(plan: Plan, partners: int, requests: int, say: Say) -> Outcome:
    """Measures a whole run in a new database.

    Raises:
        ProgramEndedError: the server or the generator ended too early.
    """
    with (
        temporary_folder("overload") as folder,
        start_embedded(data_folder(folder), durable=True) as postgres,
    ):
        migrate_as_owner(postgres.dsn)
        with (
            running(
                folder, "serve", "--port", "0", "--database-url", postgres.application_dsn, **_SETTINGS
            ) as server,
            OperatorClient(server.url, START_TOKEN) as operator,
        ):
            say(f"building {partners} partners")
            desks = build(operator, partners)
            say(f"signing {requests} requests")
            file = folder / "requests"
            ids = prepare(desks, requests, file, plan.seed)
            with (
                psycopg.connect(postgres.dsn, autocommit=True) as connection,
                sampled(server.process.pid, _postmaster(postgres)) as usage,
            ):
                connection.execute("ANALYZE")
                offered = _offered(plan, folder, server, file, say)
                unfinished = _number(connection, _UNFINISHED)
                broken = [*_differences(connection, offered, ids), *_left_open(connection)]
        with open_runtime(postgres.dsn) as runtime, runtime.transaction() as tx:
            broken += [str(finding) for finding in check_ledger(tx)]
        stages = {each.stage: each for each in offered}
        again = normal_after(stages[Stage.BEFORE], stages[Stage.OVERLOAD], stages[Stage.AFTER])
        return Outcome([row_of(each, usage) for each in offered], again, broken, unfinished)


def _offered(plan: Plan, folder: Path, server: Running, file: Path, say: Say) -> list[Offered]:
    where = urlsplit(server.url)
    given = {"host": where.hostname, "port": where.port, "requests": str(file), "plan": asdict(plan)}
    with _generator(folder, json.dumps(given)) as generator:
        seen = 0
        for stage in Stage:
            line = generator.await_line(lambda line: "begins" in line, _LONGEST_SECONDS, since=seen)
            seen = generator.lines.index(line) + 1
            say(f"stage {stage}")
        last = generator.await_line(lambda line: line.get("stage") == Stage.AFTER, _LONGEST_SECONDS)
        told = generator.lines[: generator.lines.index(last) + 1]
        return [Offered.read(dict(line)) for line in told if "stage" in line]


@contextmanager
def _generator(folder: Path, given: str) -> Iterator[Program]:
    program = Program("generator", [given], folder, environment(), command=_COMMAND)
    program.start()
    try:
        yield program
    finally:
        program.kill()


def _differences(connection: psycopg.Connection, offered: Sequence[Offered], ids: Sequence[str]) -> list[str]:
    """Compares the answers with what was written: accepted is there, refused is not."""
    staged = {external_id for (external_id,) in connection.execute(_STAGED)}
    answers = [answer for each in offered for answer in each.answers]
    lost = sum(answer.status == OK and ids[answer.number] not in staged for answer in answers)
    written = sum(answer.status == REFUSED and ids[answer.number] in staged for answer in answers)
    return [
        *([f"{lost} accepted settlements are lost"] if lost else []),
        *([f"{written} refused settlements were staged"] if written else []),
    ]


def _left_open(connection: psycopg.Connection) -> list[str]:
    """Waits until all settlements are completed."""
    give_up_at = time.monotonic() + _LAST_STEPS_SECONDS
    while (left := _number(connection, _OPEN)) and time.monotonic() < give_up_at:
        time.sleep(0.1)
    return [f"{left} settlements were not completed in {_LAST_STEPS_SECONDS:g} s"] if left else []


def _number(connection: psycopg.Connection, statement: str) -> int:
    found = connection.execute(statement).fetchone()
    return int(found[0]) if found else 0


def _postmaster(postgres: EmbeddedPostgres) -> int:
    return int((postgres.cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()[0])
