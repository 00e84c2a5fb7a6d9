"""Standard input, output and error: on every terminal, on none, and if nobody reads them any more."""

from __future__ import annotations

import codecs
import io
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import typer

_STANDARD_DESCRIPTORS: Final = (0, 1, 2)
_SIZES: Final = ("COLUMNS", "LINES")
_REPLACEMENTS: Final = "clearwindow-replacements"
_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]")
_IN_ASCII: Final = {
    "…": "...",
    "→": "->",
    "“": '"',
    "”": '"',
    "\N{LEFT SINGLE QUOTATION MARK}": "'",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{EN DASH}": "-",
    "—": "-",
    "─": "-",
    "━": "-",
    "·": "-",
    "✓": "ok",
    "✗": "x",
    "❱": ">",
}


def prepare() -> None:
    """Makes all three streams usable. What was closed leads nowhere; what cannot be shown is replaced."""
    _open_closed_descriptors()
    for size in _SIZES:
        # In no columns, rich prints nothing.
        if not os.environ.get(size, "1").isdecimal() or not int(os.environ.get(size, "1")):
            del os.environ[size]
    codecs.register_error(_REPLACEMENTS, _replacement)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_REPLACEMENTS)


def finish() -> str | None:
    """Writes what is still buffered. Returns why standard output cannot be written, None if it was."""
    problem = None
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError) as error:
            # The interpreter would try again at its end, and complain.
            _lead_nowhere(stream)
            if stream is sys.stdout and isinstance(error, OSError):
                problem = error.strerror
    return problem


def echo_json(document: str) -> None:
    """Prints a JSON document, with all other characters than ASCII escaped: so it is JSON in every encoding."""
    typer.echo(_NOT_ASCII.sub(lambda found: json.dumps(found[0])[1:-1], document))


def echo_bytes(text: str) -> None:
    """Prints a secret or a signed text in UTF-8, byte for byte, whatever the terminal can show."""
    typer.echo(f"{text}\n".encode(), nl=False)


def stopping_if_closed(write: Callable[[str], None]) -> Callable[[str], None]:
    """Returns a function that writes a line, and asks this process to stop in order if nobody reads its output."""

    def guarded(line: str) -> None:
        with stop_if_closed():
            write(line)

    return guarded


@contextmanager
def stop_if_closed() -> Iterator[None]:
    """Sends SIGTERM to this process if what is written in the block cannot be written."""
    try:
        yield
    except (OSError, SystemExit):
        # rich raises SystemExit for a closed pipe, which a task of the event loop must not see.
        _lead_nowhere(sys.stdout)
        os.kill(os.getpid(), signal.SIGTERM)


def _open_closed_descriptors() -> None:
    for descriptor in _STANDARD_DESCRIPTORS:
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free number, which is this one. Otherwise a socket or a file would get it, and with it
            # everything that is printed.
            os.open(os.devnull, os.O_RDWR)
    # Python leaves the stream of a closed descriptor out.
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115, PTH123 - as long as the process
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123


def _lead_nowhere(stream: object) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        if isinstance(stream, io.TextIOWrapper):
            os.dup2(nowhere, stream.fileno())
    except (OSError, ValueError):
        return
    finally:
        os.close(nowhere)


def _replacement(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    escaped = "".join(
        _IN_ASCII.get(character) or character.encode("ascii", "backslashreplace").decode("ascii")
        for character in error.object[error.start : error.end]
    )
    return escaped, error.end
