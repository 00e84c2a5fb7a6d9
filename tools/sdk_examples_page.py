"""docs/reference/python-sdk-examples.md: a call of each method of the Python SDK, as the tests make it.

The tests send each call, and compare it with the contract or with our document.
``python -m tools.sdk_examples_page`` writes the page.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Final

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "reference" / "python-sdk-examples.md"
_TABLES: Final = ("operations.py", "own_operations.py")
_DESKS: Final = {
    "client": ("Traders", "`client` is a `Client`"),
    "partner": ("Exchanges", "`partner` is a `Partner`"),
    "member": ("Both", "`member` is a `Client` or a `Partner`"),
    "operator": ("Operators", "`operator` is an `Operator`"),
}
"""The heading of each kind of desk, and what its examples begin with."""
_HEAD: Final = """\
# Examples of the Python SDK

A call of each method of `clearwindow.client`. The tests send every one of them, and compare it with the API's
document. This page is made from these calls by `python -m tools.sdk_examples_page`.
[Use the Python SDK](../how-to/use-the-python-sdk.md) has whole programs, and the [reference](python-sdk.md) the
errors, retries and time limits.

- `ID` stands for an id, as `UUID` or text; `AT` for a `datetime` with its zone; `XPUB` for a public key; `TRADE`
  for a `Trade`; `AMOUNTS` for amounts per connection and currency, `{str(ID): {"BTC": Decimal("-1.5"), "USD": 7}}`.
- A list is read page by page while you iterate over it; `.page()` reads one page.
- With the asynchronous desks, put `await` before a call, and iterate over a list with `async for`.
"""


def page() -> str:
    """Returns the text of the page."""
    sections: dict[str, dict[str, list[str]]] = {desk: {} for desk in _DESKS}
    for method, call in _calls():
        desk, _, name = method.partition(".")
        group = sections[desk].setdefault(name.rpartition(".")[0], [])
        if call not in group:
            group.append(call)
    return _tidy(_HEAD + "".join(_section(desk, groups) for desk, groups in sections.items()))


def _section(desk: str, groups: dict[str, list[str]]) -> str:
    title, told = _DESKS[desk]
    parts = [f"\n## {title}\n\n{told}.\n"]
    for name in sorted(groups):
        heading = f"\n### {desk}.{name}\n" if name else ""
        calls = "\n".join(groups[name])
        parts.append(f"{heading}\n```python\n{calls}\n```\n")
    return "".join(parts)


def _calls() -> Iterator[tuple[str, str]]:
    """Yields each method with the text of its call, in the order of the tables."""
    for name in _TABLES:
        text = (ROOT / "tests" / "client" / name).read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Tuple) and len(node.elts) == 2:  # noqa: PLR2004 - a method and its call
                method, call = node.elts
                if isinstance(method, ast.Constant) and isinstance(call, ast.Lambda):
                    calls = call.body.elts if isinstance(call.body, ast.Tuple) else [call.body]
                    yield from ((str(method.value), _text(text, one)) for one in calls)


def _tidy(text: str) -> str:
    """Returns the page as our formatter writes it, which knows the code in pages."""
    command = [sys.executable, "-m", "ruff", "format", "--quiet", f"--stdin-filename={PAGE}", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True, cwd=ROOT)  # noqa: S603 - our own
    return done.stdout


def _text(text: str, body: ast.expr) -> str:
    """Returns the source of an expression, as if it began at the left edge."""
    segment = ast.get_source_segment(text, body, padded=True)
    if segment is None:
        raise ValueError("a parsed expression has a source")
    first, *rest = segment.splitlines()
    return "\n".join([first.strip(), *dedent("\n".join(rest)).splitlines()]) if rest else first.strip()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
