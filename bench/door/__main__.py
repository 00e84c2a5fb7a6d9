"""``python -m bench.door``: attacks a server of our own, and tells which aims are met."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from bench.door.attacks import bodies, connections, floods, heads, waiting
from bench.door.measure import NotNormalError, measure
from bench.door.outcome import Outcome
from bench.door.report import as_json, as_markdown, one_line, print_table
from clearwindow.simulator.programs import ProgramEndedError

ATTACKS: Final = (
    *heads.ATTACKS,
    *connections.ATTACKS,
    *bodies.ATTACKS,
    *floods.ATTACKS,
    *waiting.ATTACKS,
)
_WIDTH: Final = 200


def main(
    *,
    only: Annotated[list[str] | None, typer.Option(help="The name of an attack, or how it begins.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also writes the outcomes here.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Also writes the table here.")] = None,
    report_only: Annotated[bool, typer.Option("--report-only", help="Exit 0 when aims are missed.")] = False,
    small: Annotated[bool, typer.Option(help="A tenth of all counts and times.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="List the attacks.")] = False,
) -> None:
    """Attack a server of our own, one attack after another, and tell which aims are met."""
    if list_:
        for attack in ATTACKS:
            typer.echo(f"{attack.name:22}{attack.what}")
        return
    chosen = [attack for attack in ATTACKS if not only or attack.name.startswith(tuple(only))]
    if not chosen:
        raise typer.BadParameter("there is no such attack: see --list", param_hint="--only")
    notes = Console(stderr=True)
    began = time.monotonic()
    outcomes: list[Outcome] = []
    load = os.getloadavg()[0]
    whole = True
    try:
        for outcome in measure(chosen, notes.print, small=small):
            notes.print(one_line(outcome))
            outcomes.append(outcome)
    except (NotNormalError, ProgramEndedError) as error:
        notes.print(f"stopped, and what follows is what was measured until then: {error}")
        whole = False
    machine = (
        f"{os.cpu_count()} processors; load before {load:.1f}, at the end {os.getloadavg()[0]:.1f};"
        f" {time.monotonic() - began:.0f} s in all"
    )
    print_table(outcomes, Console(width=_WIDTH))
    typer.echo(machine)
    if json_file is not None:
        json_file.write_text(as_json(outcomes, machine), encoding="utf-8")
    if markdown is not None:
        markdown.write_text(as_markdown(outcomes, machine), encoding="utf-8")
    if not whole or not (report_only or all(outcome.met for outcome in outcomes)):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
