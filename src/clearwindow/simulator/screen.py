"""Output for people: at most 100 columns wide, and plain text if it goes to a pipe or a file."""

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
    """A progress bar that runs to a deadline. Shows nothing if the output is not a terminal."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def show(self, label: str, elapsed_seconds: float, total_seconds: float) -> None:
        left = max(0.0, total_seconds - elapsed_seconds)
        total = max(total_seconds, 0.001)
        completed = min(elapsed_seconds, total)
        self._progress.update(self._task, description=label, total=total, completed=completed, left=f"{left:.1f} s")


class Screen:
    """Prints titles, requests, events and tables."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._console.width = min(self._console.width, WIDTH) if self._console.is_terminal else WIDTH
        self._section = 0

    def title(self, text: str) -> None:
        """Prints the title of the whole output."""
        self._console.print()
        self._console.print(Text(text, style="bold cyan"))

    def section(self, title: str) -> None:
        """Prints the numbered heading of a new section."""
        self._section += 1
        self._console.print()
        self._console.print(Rule(f"[bold]{self._section}  {title}", align="left", style="cyan"))

    def say(self, text: str) -> None:
        """Prints a paragraph that explains what happens next."""
        self._console.print()
        self._put(Text(text))

    def call(self, who: str, what: str, outcome: str, *, good: bool = True) -> None:
        """Prints a request and its answer; ``good`` if the answer is what the caller wanted."""
        line = Text.assemble((f"{who:<{_LABEL_WIDTH}}", "cyan"), f"{what}  ", ("→ ", "dim"))
        line.append(outcome, style="green" if good else "bold yellow")
        self._put(line)

    def event(self, when_seconds: float, what: str, *, good: bool = True) -> None:
        """Prints something that the server did without a request."""
        line = Text.assemble((f"{f'after {when_seconds:4.1f} s':<{_LABEL_WIDTH}}", "magenta"))
        self._put(line.append(what, style="" if good else "bold yellow"))

    def blank_line(self) -> None:
        """Prints an empty line."""
        self._console.print()

    def quote(self, text: str) -> None:
        """Prints text that the server sent."""
        self._put(Text(f"“{text}”", style="italic yellow"), extra=_LABEL_WIDTH)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]], *, texts: int = 1) -> None:
        """Prints a table. The first ``texts`` columns are text, the others are numbers."""
        table = Table(header_style="bold", pad_edge=False, box=None, padding=(0, 3, 0, 0))
        for number, name in enumerate(columns):
            table.add_column(name, justify="left" if number < texts else "right", no_wrap=True)
        for row in rows:
            table.add_row(*(Text(cell, style=_style_of(cell)) for cell in row))
        self._console.print()
        self._put(table)

    @contextmanager
    def waiting(self) -> Iterator[Waiting]:
        """Shows a progress bar until the block ends."""
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

    def conclusion(self, text: str, *, good: bool) -> None:
        """Prints the last line of the output: the result."""
        self._console.print()
        self._console.print(Rule(f"[bold]{text}", align="left", style="green" if good else "red"))

    def failure(self, text: str) -> None:
        """Prints that the demo stopped, and the unexpected answer."""
        self.conclusion("The demo stopped because of an error", good=False)
        self._put(Text(text))

    def _put(self, what: Text | Table, extra: int = 0) -> None:
        self._console.print(Padding(what, (0, 0, 0, _INDENT + extra), expand=False))


def _style_of(cell: str) -> str:
    return "red" if cell.startswith("-") else "green" if cell.startswith("+") else ""
