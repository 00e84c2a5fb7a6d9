"""The report of a run: text for people, one JSON object for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from clearwindow.simulator.partner_check.models import Call, Outcome, Result
from clearwindow.simulator.partner_check.run import failure_text, is_conformant

_WIDTH: Final = 110
_INDENT: Final = 4
_MAX_BODY_CHARACTERS: Final = 2_000
_STYLES: Final = {
    Outcome.PASSED: "green",
    Outcome.FAILED: "bold red",
    Outcome.WARNED: "yellow",
    Outcome.NOT_RUN: "dim",
}
_FINDINGS: Final = (Outcome.FAILED, Outcome.WARNED)


def as_document(url: str, results: Sequence[Result]) -> dict[str, Any]:
    return {
        "url": url,
        "passed": is_conformant(results),
        "counts": {str(outcome): count for outcome, count in _counts(results).items()},
        "checks": [_entry(result) for result in results],
    }


def console() -> Console:
    """Returns a console with a fixed width if the output is not a terminal."""
    made = Console(highlight=False)
    made.width = min(made.width, _WIDTH) if made.is_terminal else _WIDTH
    return made


@contextmanager
def progress_bar(screen: Console, total: int, *, quiet: bool) -> Iterator[Callable[[Result], object]]:
    """Shows a progress bar until the block ends; shows nothing if the output is not a terminal."""
    progress = Progress(
        TextColumn("{task.description:<36}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        console=screen,
        transient=True,
        disable=quiet or not screen.is_terminal,
    )
    with progress:
        task = progress.add_task("", total=total)
        yield lambda result: progress.update(task, description=result.check.id, advance=1)


def show(screen: Console, url: str, results: Sequence[Result]) -> None:
    """Prints a table of the checks, and then the details of each that did not pass."""
    table = Table(header_style="bold", pad_edge=False, box=None, padding=(0, 2, 0, 0))
    table.add_column("", no_wrap=True)
    table.add_column("check", no_wrap=True)
    table.add_column("requirement")
    for result in results:
        if result.blocked_by:
            continue
        table.add_row(
            Text(result.outcome, style=_STYLES[result.outcome]),
            Text(result.check.id),
            Text(result.check.title + _remark(result)),
        )
    screen.print(table)
    by_id = {result.check.id: result for result in results}
    for name, count in Counter(result.blocked_by for result in results if result.blocked_by).items():
        why = f"need {name}, which {failure_text(by_id.get(name))}"
        screen.print(Text(f"not run: {count} checks that {why}", style="dim"))
    for result in results:
        if result.outcome in _FINDINGS:
            _show_finding(screen, result)
    counts = ", ".join(f"{count} {outcome}" for outcome, count in _counts(results).items())
    conclusion = "conforms" if is_conformant(results) else "does not conform"
    screen.print()
    screen.print(
        Text(f"{url} {conclusion}: {counts}.", style="bold green" if is_conformant(results) else "bold red")
    )


def _show_finding(screen: Console, result: Result) -> None:
    check = result.check
    screen.print()
    screen.print(Text(f"{result.outcome}: {check.id}, {check.title}", style=_STYLES[result.outcome]))
    lines = [
        ("why", result.why),
        ("expected", result.expected),
        ("to do", check.advice),
        ("protocol", check.section),
    ]
    if result.call is not None:
        lines[1:1] = [("sent", _sent(result.call)), ("received", _received(result.call))]
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in lines:
        table.add_row(name, Text(text))
    screen.print(Padding(table, (0, 0, 0, _INDENT)))


def _remark(result: Result) -> str:
    return f" ({result.why})" if result.outcome is Outcome.NOT_RUN else ""


def _entry(result: Result) -> dict[str, Any]:
    check = result.check
    entry: dict[str, Any] = {
        "id": check.id,
        "title": check.title,
        "level": str(check.level),
        "section": check.section,
        "outcome": str(result.outcome),
    }
    if result.why:
        entry["why"] = result.why
    if result.outcome in _FINDINGS:
        entry |= {"expected": result.expected, "toDo": check.advice}
    if result.call is not None:
        entry["call"] = _described(result.call)
    return entry


def _described(call: Call) -> dict[str, Any]:
    sent = {"method": call.method, "path": call.path, "body": _shown(call.body), "seconds": round(call.seconds, 3)}
    if call.status is None:
        return {**sent, "silence": call.silence}
    return {**sent, "status": call.status, "contentType": call.content_type, "answer": _shown(call.answer)}


def _sent(call: Call) -> str:
    return f"{call.method} {call.path} {_shown(call.body)}"


def _received(call: Call) -> str:
    if call.status is None:
        return f"no valid answer after {call.seconds:.1f} s: {call.silence}"
    return f"HTTP {call.status} after {call.seconds:.1f} s: {_shown(call.answer) or 'an empty body'}"


def _shown(body: bytes) -> str:
    """Returns the body as text of limited length, without control characters."""
    text = body[: 4 * _MAX_BODY_CHARACTERS].decode(errors="replace")
    plain = "".join(character if character.isprintable() else " " for character in text)
    return plain if len(plain) <= _MAX_BODY_CHARACTERS else f"{plain[:_MAX_BODY_CHARACTERS]}…"


def _counts(results: Sequence[Result]) -> dict[Outcome, int]:
    counted = Counter(result.outcome for result in results)
    return {outcome: counted[outcome] for outcome in Outcome if counted[outcome]}
