"""The SDK's synchronous modules, made from the asynchronous ones: ``python -m tools.sync_twin`` writes them.

Only names and two keywords differ, so that a change of tokens is the whole translation. What differs in meaning
is in ``waiting.py``, which both packages have by hand.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tokenize
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
SOURCE: Final = ROOT / "src" / "clearwindow" / "client" / "aio"
TWIN: Final = SOURCE.parent / "sync"
BY_HAND: Final = {"__init__.py", "waiting.py"}

_NAMES: Final = {
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "aclose": "close",
    "aio": "sync",
    "aiter_bytes": "iter_bytes",
}
_DROPPED: Final = {"async", "await"}
_ASYNC: Final = re.compile(r"\bAsync(?=[A-Z])")
NOTE: Final = "# Made from ../aio by `make sdk`: change it there.\n"


def modules() -> list[str]:
    return sorted(path.name for path in SOURCE.glob("*.py") if path.name not in BY_HAND)


def twin(name: str) -> str:
    """Returns the synchronous module of this file name as the asynchronous one defines it."""
    return _tidy(NOTE + _translated((SOURCE / name).read_text(encoding="utf-8")), name)


def _translated(source: str) -> str:
    lines = source.splitlines(keepends=True)
    # From the end, so that earlier positions stay valid.
    for token in reversed(list(tokenize.generate_tokens(io.StringIO(source).readline))):
        (row, start), (end_row, end) = token.start, token.end
        if token.type == tokenize.NAME and token.string in _DROPPED:
            lines[row - 1] = lines[row - 1][:start] + lines[row - 1][end:].removeprefix(" ")
        elif token.type == tokenize.NAME:
            name = _ASYNC.sub("", _NAMES.get(token.string, token.string))
            lines[row - 1] = lines[row - 1][:start] + name + lines[row - 1][end:]
        elif token.type == tokenize.STRING:
            for index in range(row - 1, end_row):
                lines[index] = _ASYNC.sub("", lines[index])
    return "".join(lines)


def _tidy(source: str, name: str) -> str:
    ruff = [sys.executable, "-m", "ruff"]
    path = f"--stdin-filename={TWIN / name}"
    for command in (["check", "--quiet", "--select=I", "--fix-only", path, "-"], ["format", "--quiet", path, "-"]):
        done = subprocess.run(  # noqa: S603 - our own linter over our own source
            [*ruff, *command], input=source, capture_output=True, text=True, check=True, cwd=ROOT
        )
        source = done.stdout
    return source


if __name__ == "__main__":
    for found in modules():
        (TWIN / found).write_text(twin(found), encoding="utf-8")
    for path in TWIN.glob("*.py"):
        if path.name not in BY_HAND and path.name not in modules():
            path.unlink()
