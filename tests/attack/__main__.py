"""``python -m tests.attack``: attacks networks of our own, class by class, and counts what succeeds."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import structlog
import typer
from fastapi import FastAPI
from rich.console import Console

from clearwindow import bootstrap
from clearwindow.core.clock import ManualClock
from clearwindow.identity.operators import ensure_bootstrap_operator
from clearwindow.runtime import CallTerms
from clearwindow.web.app import create_app
from tests.attack.report import Result, as_json, print_findings, print_table
from tests.attack.run import CLASSES, run, tally_of
from tests.attack.tally import AttackClass
from tests.conftest import OPERATOR_TOKEN, START
from tests.support.databases import TestCluster, running_cluster
from tests.support.networks import Network
from tests.support.operators import OperatorClient
from tests.support.runtimes import open_runtime
from tests.support.server import serving
from tests.support.settlements import Testbed

_WIDTH = 180


def main(
    *,
    only: Annotated[list[str] | None, typer.Option(help="The name of a class, or how it begins.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also writes the counts here.")] = None,
    small: Annotated[bool, typer.Option(help="Only the part that is in the test suite.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="List the classes.")] = False,
) -> None:
    """Attack networks of our own, and count what succeeds. Exit 1 if anything does."""
    if list_:
        for attacks in CLASSES:
            typer.echo(f"{attacks.name:12}{attacks.what}")
        return
    chosen = [attacks for attacks in CLASSES if not only or attacks.name.startswith(tuple(only))]
    if not chosen:
        raise typer.BadParameter("there is no such class: see --list", param_hint="--only")
    notes = Console(stderr=True)
    results = []
    for result in _results(chosen, thorough=not small):
        notes.print(f"{result.attacks.name}: {result.tally.attempts} attempts in {result.seconds:.0f} s")
        results.append(result)
    console = Console(width=_WIDTH)
    print_table(results, console)
    print_findings(results, console)
    if json_file is not None:
        json_file.write_text(as_json(results), encoding="utf-8")
    if not all(result.held for result in results):
        raise typer.Exit(1)


def _results(chosen: Sequence[AttackClass], *, thorough: bool) -> Iterator[Result]:
    app = create_app(None, bootstrap.all_routers(60))  # type: ignore[arg-type]  # set by ``_testbed`` before the first request
    with running_cluster() as cluster, serving(app) as url:
        for attacks in chosen:
            began, tally, broken = time.monotonic(), tally_of(attacks), None
            with _testbed(cluster, app, url) as testbed:
                try:
                    run(attacks, testbed, tally, thorough=thorough)
                except AssertionError as error:
                    broken = str(error)[:2_000] or "an assertion failed"
            yield Result(attacks, tally, time.monotonic() - began, broken)


@contextmanager
def _testbed(cluster: TestCluster, app: FastAPI, url: str) -> Iterator[Testbed]:
    clock = ManualClock(START)
    terms = CallTerms(inline_attempts=2)
    with (
        cluster.fresh_database() as dsn,
        open_runtime(dsn, clock, operator_token=OPERATOR_TOKEN, answer_seconds=20, calls=terms) as runtime,
        OperatorClient(url, OPERATOR_TOKEN) as operator,
        Network(operator) as network,
    ):
        ensure_bootstrap_operator(runtime)
        app.state.runtime = runtime
        yield Testbed(network, clock, runtime)


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    typer.run(main)
