"""``make crash``: kills every target at every step, several times, and at random moments under load."""

from __future__ import annotations

import os
import time
import traceback
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console
from rich.table import Table

from tests.crash.kills import CrashRun, open_crash_run
from tests.crash.load import LoadedServer, open_loaded_server
from tests.crash.servers import Target
from tests.crash.steps import STEPS, Step

SEED: Final = 1_067
_WIDTH: Final = 130


@dataclass
class Tally:
    """The outcomes of the kills in one cell of the table."""

    survived: int = 0
    violated: int = 0
    seconds: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        kills = self.survived + self.violated
        if not kills:
            return ""
        result = f"[red]{self.violated} of {kills} violated[/]" if self.violated else f"[green]{kills} ok[/]"
        return f"{result}  {self.seconds / kills:.1f} s"


class Run:
    """All kills of one run. After a violation the next kill gets a new server."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._opened = ExitStack()
        self.violations = 0

    def steps(self, repeats: int) -> dict[tuple[Step, Target], Tally]:
        tallies = {(step, target): Tally() for step in STEPS for target in Target}
        crash_run: CrashRun | None = None
        for _ in range(repeats):
            for (step, target), tally in tallies.items():
                crash_run = crash_run or self._opened.enter_context(open_crash_run(SEED, thorough=True))
                started_at = time.monotonic()
                try:
                    crash_run.crash(step, target)
                    tally.survived += 1
                except Exception:  # noqa: BLE001 - every error is an outcome
                    self._violated(tally, f"{step.id}, {target}")
                    crash_run = None
                tally.seconds += time.monotonic() - started_at
                self._console.print(f"  {step.id}, {target}: {tally}")
        if crash_run is not None:
            crash_run.settle_without_dispute()
        self._opened.close()
        return tallies

    def rounds(self, rounds: int) -> dict[Target, Tally]:
        tallies = {target: Tally() for target in Target}
        server: LoadedServer | None = None
        for number in range(rounds):
            target = list(Target)[number % len(Target)]
            tally = tallies[target]
            server = server or self._opened.enter_context(open_loaded_server(SEED + number))
            started_at = time.monotonic()
            try:
                tally.counts += server.round(target)
                tally.survived += 1
            except Exception:  # noqa: BLE001 - the same
                self._violated(tally, f"round {number}, {target}")
                server = None
            tally.seconds += time.monotonic() - started_at
            self._console.print(f"  round {number + 1} of {rounds}, {target}: {tally} {dict(tally.counts)}")
        self._opened.close()
        return tallies

    def _violated(self, tally: Tally, where: str) -> None:
        tally.violated += 1
        self.violations += 1
        self._console.print(f"[red]violated[/] at {where}")
        self._console.print(traceback.format_exc(), markup=False, highlight=False)
        self._opened.close()


def main() -> int:
    repeats, rounds = int(os.environ.get("CRASH_REPEATS", "2")), int(os.environ.get("CRASH_ROUNDS", "50"))
    console = Console()
    if not console.is_terminal:
        console.width = _WIDTH
    run = Run(console)
    console.rule(f"kills at every step, {repeats} times")
    of_steps = run.steps(repeats)
    console.rule(f"kills at random moments under load, {rounds} rounds")
    of_rounds = run.rounds(rounds)
    table = Table(title="kills, and their mean duration")
    for title in ("step", *Target):
        table.add_column(title, no_wrap=True)
    for step in STEPS:
        table.add_row(step.id, *(str(of_steps[step, target]) for target in Target))
    table.add_section()
    table.add_row("random moments, rounds", *(str(of_rounds[target]) for target in Target))
    for counted in ("sent", "acknowledged"):
        table.add_row(f"  requests {counted}", *(str(of_rounds[target].counts[counted]) for target in Target))
    console.print(table)
    console.print(f"{run.violations} violations" if run.violations else "No violation.")
    return int(bool(run.violations))


if __name__ == "__main__":
    raise SystemExit(main())
