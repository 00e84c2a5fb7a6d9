"""``make crash``: kills at every step of every kind of request, and at random moments under load."""

from __future__ import annotations

import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from tests.crash.anywhere import Anywhere, NotReachedError, open_anywhere
from tests.crash.apart import running_apart
from tests.crash.kills import CrashRun, open_crash_run
from tests.crash.kinds import KINDS, Kind
from tests.crash.load import LoadedServer, open_loaded_server
from tests.crash.servers import APART_TARGETS, EMBEDDED_TARGETS, AnyServer, Target, running_server
from tests.crash.steps import STEPS

SEED: Final = 1_067
LAYOUTS: Final = {"embedded": EMBEDDED_TARGETS, "apart": APART_TARGETS}
"""Who is killed of one server with its own database, and of a server and a worker beside a database."""

_WIDTH: Final = 150
_THOROUGH_EVERY: Final = 25
"""So often the command checks the ledger after a round. Otherwise the server does, which is the same check."""


@dataclass
class Tally:
    """The outcomes of the kills in one cell of the table."""

    survived: int = 0
    violated: int = 0
    missed: int = 0
    seconds: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        kills = self.survived + self.violated
        missed = f" {self.missed} not reached" if self.missed else ""
        if not kills:
            return missed.strip()
        result = f"[red]{self.violated} of {kills} violated[/]" if self.violated else f"[green]{kills} ok[/]"
        return f"{result}  {self.seconds / kills:.1f} s{missed}"


Tallies = dict[tuple[str, Target], Tally]


class Run:
    """All kills of one run. After a violation the next kill gets a new server."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._opened = ExitStack()
        self.tallies: Tallies = {}
        self.violations = 0

    def steps(self) -> None:
        """Kills at every step of one large settlement."""
        crash_run: CrashRun | None = None
        for step in STEPS:
            for target in EMBEDDED_TARGETS:
                if crash_run is None:
                    crash_run = self._opened.enter_context(open_crash_run(SEED, thorough=True))
                run, crash_run = crash_run, None
                if self._tried(f"large settlement: {step.phase}", step.id, target, lambda: run.crash(step, target)):  # noqa: B023 - called at once
                    crash_run = run
        if crash_run is not None:
            crash_run.settle_without_dispute()
        self._opened.close()

    def moments(self, kinds: Sequence[type[Kind]], layout: str) -> None:
        """Kills at every moment of these kinds of requests."""
        anywhere: Anywhere | None = None
        for kind in kinds:
            number = 0
            while True:
                if anywhere is None:
                    server = self._opened.enter_context(_running(layout))
                    anywhere = self._opened.enter_context(open_anywhere(server, thorough=False))
                watched = anywhere.watch(kind)
                cells = [(moment, target) for moment in watched.moments for target in LAYOUTS[layout]]
                if number >= len(cells):
                    break
                moment, target = cells[number]
                number += 1
                now, anywhere = anywhere, None
                if self._tried(
                    f"{kind.name}, {layout}",
                    str(moment),
                    target,
                    lambda: now.crash(watched, moment, target),  # noqa: B023 - called at once
                ):
                    anywhere = now
        if anywhere is not None:
            anywhere.server.check()
        self._opened.close()

    def rounds(self, rounds: int, layout: str) -> None:
        """Kills at random moments under load."""
        loaded: LoadedServer | None = None
        for number in range(rounds):
            target = LAYOUTS[layout][number % len(LAYOUTS[layout])]
            if loaded is None:
                server = self._opened.enter_context(_running(layout))
                loaded = self._opened.enter_context(open_loaded_server(server, SEED + number))
            now, loaded = loaded, None
            thorough = number % _THOROUGH_EVERY == 0
            if self._tried(
                f"random moments, {layout}",
                f"round {number + 1} of {rounds}",
                target,
                lambda: now.round(target, thorough=thorough),  # noqa: B023 - called at once
            ):
                loaded = now
        if loaded is not None:
            loaded.server.check()
        self._opened.close()

    def table(self) -> Table:
        table = Table(title="kills, and their mean duration")
        for title in ("at", *Target):
            table.add_column(title)
        for name in dict.fromkeys(name for name, _ in self.tallies):
            table.add_row(name, *(str(self.tallies.get((name, target), "")) for target in Target))
        return table

    def total(self) -> Tally:
        tallies = self.tallies.values()
        counts: Counter[str] = Counter()
        for tally in tallies:
            counts += tally.counts
        return Tally(
            sum(tally.survived for tally in tallies),
            sum(tally.violated for tally in tallies),
            sum(tally.missed for tally in tallies),
            sum(tally.seconds for tally in tallies),
            counts,
        )

    def _tried(self, row: str, where: str, target: Target, kill: Callable[[], Counter[str] | None]) -> bool:
        """Kills once and counts the outcome. Returns whether the server may be used again."""
        tally = self.tallies.setdefault((row, target), Tally())
        started_at = time.monotonic()
        try:
            tally.counts += kill() or Counter()
        except NotReachedError as error:
            # What the worker does in how many steps depends on the moment.
            tally.missed += 1
            self._console.print(f"  {row}: {where}, {target}: {error}", highlight=False)
            self._opened.close()
            return False
        except Exception:  # noqa: BLE001 - every error is an outcome
            tally.violated += 1
            self.violations += 1
            tally.seconds += time.monotonic() - started_at
            self._console.print(f"[red]violated[/] {row}: {where}, {target}")
            self._console.print(traceback.format_exc(), markup=False, highlight=False)
            self._opened.close()
            return False
        tally.survived += 1
        tally.seconds += time.monotonic() - started_at
        self._console.print(f"  {row}: {where}, {target}: {tally}", highlight=False)
        return True


@contextmanager
def _running(layout: str) -> Iterator[AnyServer]:
    with running_server() if layout == "embedded" else running_apart() as server:
        yield server


def main(
    *,
    rounds: Annotated[
        int, typer.Option(min=0, help="Kills at random moments under load, half in each layout.")
    ] = 50,
    only: Annotated[list[str] | None, typer.Option(help="How the name of a kind of request begins.")] = None,
    layout: Annotated[
        list[str] | None, typer.Option(help="`embedded` or `apart`. Both, if it is not given.")
    ] = None,
    large: Annotated[bool, typer.Option(help="Also at every step of one large settlement.")] = True,
) -> None:
    """Kill with SIGKILL at every step of every kind of request, and at random moments. Exit 1 on any violation."""
    layouts = layout or list(LAYOUTS)
    if unknown := set(layouts) - LAYOUTS.keys():
        raise typer.BadParameter(f"{', '.join(unknown)}: embedded or apart", param_hint="--layout")
    kinds = [kind for kind in KINDS if only is None or kind.name.startswith(tuple(only))]
    console = Console()
    if not console.is_terminal:
        console.width = _WIDTH
    run = Run(console)
    if large and only is None:
        console.rule("every step of a large settlement")
        run.steps()
    for each in layouts:
        console.rule(f"every moment of every kind of request, {each}")
        run.moments(kinds, each)
        console.rule(f"random moments under load, {each}")
        run.rounds(rounds // len(layouts), each)
    total = run.total()
    console.print(run.table())
    console.print(
        f"{total.survived + total.violated} kills in {total.seconds:.0f} s. Under load {dict(total.counts)}."
    )
    console.print(f"{run.violations} violations" if run.violations else "No violation.")
    if run.violations:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
