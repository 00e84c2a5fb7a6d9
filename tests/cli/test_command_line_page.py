"""The page of the command line has what the parsers have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from clearwindow.cli.main import app

SHARED = {"--help", "--json", "--csv", "--limit"}
PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "command-line.md").read_text("utf-8")


def leaves(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:  # noqa: ANN401 - of typer
    """Yields each command with its words. Those of operators are made from the SDK, whose page has them."""
    for name in group.list_commands(None):
        found = group.get_command(None, name)
        if (*path, name) == ("operator",):
            continue
        if hasattr(found, "list_commands"):
            yield from leaves(found, (*path, name))
        else:
            yield (*path, name), found


def own_options(command: Any) -> Iterator[list[str]]:  # noqa: ANN401 - of typer
    """Yields the names of each option that only this command has, or few others."""
    for parameter in command.params:
        names = [each for each in (*parameter.opts, *parameter.secondary_opts) if each.startswith("--")]
        if names and parameter.rich_help_panel is None and not parameter.hidden and not SHARED & set(names):
            yield names


def test_page_has_every_command_with_its_options_and_no_others() -> None:
    blocks = re.split(r"\n(?=\| `|## )", PAGE)
    missing: list[object] = []
    real = {"--code", "--install-completion"} | SHARED
    for words, command in leaves(get_command(app)):
        named = re.compile(rf"[`·,] ?`?(clearwindow )?{' '.join(words[:-1])} ?.*\b{words[-1]}\b")
        written = [block for block in blocks if named.search(block)]
        if not written:
            missing.append(words)
        unsaid = (
            names for names in own_options(command) if not any(each in block for each in names for block in written)
        )
        missing += [(words, names) for names in unsaid]
        real.update(each for option in command.params for each in (*option.opts, *option.secondary_opts))
    assert missing == []
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", PAGE)) - real == set()
