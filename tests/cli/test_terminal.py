"""What is printed, whatever the terminal can show, and whether anybody reads it."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
from collections.abc import Iterator

import pytest

from clearwindow.cli import terminal


@pytest.fixture(autouse=True)
def _streams() -> Iterator[None]:
    before = sys.stdout, sys.stderr
    yield
    sys.stdout, sys.stderr = before


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_characters_that_cannot_be_shown_are_replaced(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
    terminal.prepare()
    print("“a” → b… \udcff €")  # noqa: T201 - what is tested
    assert terminal.finish() is None
    shown = written.getvalue().decode(encoding)
    assert shown == ("“a” → b… \\udcff €\n" if encoding == "utf-8" else '"a" -> b... \\udcff \\u20ac\n')


def test_json_is_ascii_and_means_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    given = {"é": "…€😀\udcff\n"}
    terminal.echo_json(json.dumps(given, ensure_ascii=False))
    said = capsys.readouterr().out
    assert said.isascii()
    assert json.loads(said) == given


@pytest.mark.parametrize("columns", ["0", "x", "-1", ""])
def test_terminal_without_a_size_is_as_wide_as_usual(monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    terminal.prepare()
    assert "COLUMNS" not in os.environ


@pytest.mark.parametrize("error", [BrokenPipeError(), OSError(28, "No space left on device"), SystemExit(1)])
def test_program_that_nobody_reads_asks_itself_to_stop(
    monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    # Its descriptor is led nowhere, which must not be that of pytest's own capture.
    monkeypatch.setattr(sys, "stdout", io.StringIO())

    def write(_line: str) -> None:
        raise error

    received: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: received.append(number))
    try:
        terminal.stopping_if_closed(write)("a line")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert received == [signal.SIGTERM]


def test_output_that_cannot_be_written_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123 - a device
        monkeypatch.setattr(sys, "stdout", full)
        full.write("a")
        assert terminal.finish() == "No space left on device"
        assert terminal.finish() is None
