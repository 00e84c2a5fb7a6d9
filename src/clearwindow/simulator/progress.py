"""Progress: a bar on a terminal, otherwise a plain line from time to time.

It is written to standard error, so that the output of a command can be piped.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

_BAR_WIDTH: Final = 40
_LABEL_WIDTH: Final = 12
_LINES_AT_MOST: Final = 10


class Steps:
    """A known number of steps."""

    def __init__(self, console: Console, label: str, total: int, bar: tuple[Progress, TaskID] | None) -> None:
        self._console = console
        self._label = label
        self._total = total
        self._bar = bar
        self._done = 0

    def done(self, said: str = "") -> None:
        """Counts one more step as done; ``said`` describes it."""
        self._done += 1
        if self._bar is not None:
            progress, task = self._bar
            progress.update(task, advance=1, said=said)
        elif said or self._is_worth_a_line():
            line = f"{self._label:<{_LABEL_WIDTH}}{self._done} of {self._total}"
            self._console.print(f"{line}  {said}".rstrip(), markup=False, highlight=False)

    def _is_worth_a_line(self) -> bool:
        tenth = max(1, self._total // _LINES_AT_MOST)
        return self._done % tenth == 0 or self._done == self._total


class Meter:
    """Shows the progress of each part of a task, one part at a time."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)

    @contextmanager
    def steps(self, label: str, total: int) -> Iterator[Steps]:
        """Shows the progress of a part with ``total`` steps; the bar disappears at its end."""
        if not self._console.is_terminal:
            yield Steps(self._console, label, total, None)
            return
        progress = Progress(
            TextColumn("{task.description:<" + str(_LABEL_WIDTH) + "}"),
            BarColumn(bar_width=_BAR_WIDTH),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[said]}"),
            console=self._console,
            transient=True,
        )
        with progress:
            yield Steps(self._console, label, total, (progress, progress.add_task(label, total=total, said="")))
