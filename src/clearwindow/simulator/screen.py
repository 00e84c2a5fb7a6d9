"""What the demo prints: readable on a terminal of 100 columns, and as plain text where it is piped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

WIDTH: Final = 100
_INDENT: Final = 3
_BAR_WIDTH: Final = 40
_LABEL_WIDTH: Final = 17


class Waiting:
    """A bar that runs to a deadline; nothing at all where nobody watches."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def show(self, label: str, elapsed_seconds: float, total_seconds: float) -> None:
        left = max(0.0, total_seconds - elapsed_seconds)
        total = max(total_seconds, 0.001)
        completed = min(elapsed_seconds, total)
        self._progress.update(self._task, description=label, total=total, completed=completed, left=f"{left:.1f} s")


class Screen:
    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._console.width = min(self._console.width, WIDTH) if self._console.is_terminal else WIDTH
        self._act = 0

    def title(self, text: str) -> None:
        self._console.print()
        self._console.print(Text(text, style="bold cyan"))

    def act(self, title: str) -> None:
        """A new part of the story."""
        self._act += 1
        self._console.print()
        self._console.print(Rule(f"[bold]{self._act}  {title}", align="left", style="cyan"))

    def say(self, text: str) -> None:
        """What happens next, and why."""
        self._console.print()
        self._put(Text(text))

    def call(self, who: str, what: str, outcome: str, *, good: bool = True) -> None:
        """One request and how it was answered: ``good`` where it is what the caller wanted."""
        line = Text.assemble((f"{who:<{_LABEL_WIDTH}}", "cyan"), f"{what}  ", ("→ ", "dim"))
        line.append(outcome, style="green" if good else "bold yellow")
        self._put(line)

    def event(self, when_seconds: float, what: str, *, good: bool = True) -> None:
        """Something that the server did by itself."""
        line = Text.assemble((f"{f'after {when_seconds:4.1f} s':<{_LABEL_WIDTH}}", "magenta"))
        self._put(line.append(what, style="" if good else "bold yellow"))

    def gap(self) -> None:
        self._console.print()

    def quote(self, text: str) -> None:
        """The server's own words."""
        self._put(Text(f"“{text}”", style="italic yellow"), extra=_LABEL_WIDTH)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]], *, texts: int = 1) -> None:
        """The first ``texts`` columns are words, the others numbers."""
        table = Table(header_style="bold", pad_edge=False, box=None, padding=(0, 3, 0, 0))
        for number, name in enumerate(columns):
            table.add_column(name, justify="left" if number < texts else "right", no_wrap=True)
        for row in rows:
            table.add_row(*(Text(cell, style=_style_of(cell)) for cell in row))
        self._console.print()
        self._put(table)

    @contextmanager
    def waiting(self) -> Iterator[Waiting]:
        progress = Progress(
            TextColumn(" " * (_INDENT - 1) + "{task.description:<22}"),
            BarColumn(bar_width=_BAR_WIDTH),
            TextColumn("{task.fields[left]}"),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        with progress:
            yield Waiting(progress, progress.add_task("", total=1.0, left=""))

    def verdict(self, text: str, *, good: bool) -> None:
        self._console.print()
        self._console.print(Rule(f"[bold]{text}", align="left", style="green" if good else "red"))

    def failure(self, text: str) -> None:
        """An answer that should not have come, as it came."""
        self.verdict("The demo stopped: something did not go as it must", good=False)
        self._put(Text(text))

    def _put(self, what: Text | Table, extra: int = 0) -> None:
        self._console.print(Padding(what, (0, 0, 0, _INDENT + extra), expand=False))


def _style_of(cell: str) -> str:
    return "red" if cell.startswith("-") else "green" if cell.startswith("+") else ""
