"""The lines at the end of a test run: how many exchanges were checked, summed over all workers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from clearwindow.web import openapi
from tests.support.exchanges import RECORDER, examples

_KEY: Final = "clearwindow_exchanges"
_EXAMPLES: Final = Path(openapi.__file__).parent / openapi.EXAMPLES_FILE
LINES: Final[list[str]] = []
"""Further lines that tests add."""

_lines: Final[list[str]] = []
_totals: Final = {"contract": 0, "own": 0, "mismatches": 0}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--record-examples",
        action="store_true",
        help="use the exchanges of this run as examples in /openapi.json",
    )


def pytest_sessionfinish(session: pytest.Session) -> None:
    tally = RECORDER.tally
    counted: dict[str, Any] = {
        "contract": tally.by_contract,
        "own": tally.by_own,
        "mismatches": len(tally.mismatches),
    }
    counted["lines"] = LINES
    workeroutput: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if workeroutput is not None:
        workeroutput[_KEY] = counted
    else:
        _add(counted)
    if session.config.getoption("--record-examples"):
        known: dict[str, Any] = json.loads(_EXAMPLES.read_text(encoding="utf-8"))
        text = json.dumps(dict(sorted((known | examples()).items())), indent=1, ensure_ascii=False)
        _EXAMPLES.write_text(text + "\n", encoding="utf-8")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:  # noqa: ANN401 - a class of pytest-xdist's own
    _add(getattr(node, "workeroutput", {}).get(_KEY, {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in sorted(_lines):
        terminalreporter.write_line(line)
    terminalreporter.write_line(
        f"exchanges: {_totals['contract']} validated against the contract, {_totals['own']} against our own "
        f"document, {_totals['mismatches']} mismatches"
    )


def _add(counted: dict[str, Any]) -> None:
    _lines.extend(counted.get("lines", []))
    for name in _totals:
        _totals[name] += counted.get(name, 0)
