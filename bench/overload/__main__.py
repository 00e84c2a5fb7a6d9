"""``python -m bench.overload``: offers a server four times what it can take, and tells which aims are met."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from bench.overload.measure import measure
from bench.overload.network import PARTNERS
from bench.overload.report import as_json, as_markdown, print_outcome
from bench.overload.stages import Plan

_WIDTH: Final = 200
_SMALL: Final = Plan(1, 2, 2, 3, 2)


def main(
    *,
    partners: Annotated[int, typer.Option(min=1, help="Over how many partners the load is spread.")] = PARTNERS,
    requests: Annotated[int, typer.Option(min=100, help="How many requests are signed beforehand.")] = 12_000,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also writes the outcome here.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Also writes the table here.")] = None,
    report_only: Annotated[bool, typer.Option("--report-only", help="Exit 0 when aims are missed.")] = False,
    small: Annotated[
        bool, typer.Option(help="Stages of a few seconds, which show that the command works.")
    ] = False,
) -> None:
    """Offer a server four times what it can take, and tell which aims are met."""
    began, load = time.monotonic(), os.getloadavg()[0]
    notes = Console(stderr=True)
    outcome = measure(_SMALL if small else Plan(), partners, requests, notes.print)
    machine = (
        f"{os.cpu_count()} processors, which the generator shares with the server; load before {load:.1f}, at the"
        f" end {os.getloadavg()[0]:.1f}; {time.monotonic() - began:.0f} s in all"
    )
    print_outcome(outcome, Console(width=_WIDTH))
    typer.echo(machine)
    if json_file is not None:
        json_file.write_text(as_json(outcome, machine), encoding="utf-8")
    if markdown is not None:
        markdown.write_text(as_markdown(outcome, machine), encoding="utf-8")
    if not (outcome.met or report_only):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
