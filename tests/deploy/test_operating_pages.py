"""The commands that the pages for operators show exist, with their options."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Final

import pytest
from typer.testing import CliRunner

from clearwindow.cli.main import app

PAGES: Final = Path(__file__).parents[2] / "docs" / "how-to"
NAMES: Final = (
    "handle-incidents",
    "monitor",
    "deploy-on-one-machine",
    "deploy-on-several-machines",
    "keep-the-keys",
    "upgrade",
)
_COMMAND: Final = re.compile(r"(?:^ *|`|bin/)clearwindow ([a-z][\w-]*[^`\n>)]*)", re.MULTILINE)


def commands(text: str) -> Iterator[list[str]]:
    """Yields the words of each command of ours that a page shows, without the program."""
    yield from (shlex.split(found) for found in _COMMAND.findall(text))


def unknown(words: list[str]) -> str | None:
    """Returns the words that are no command, or the first option that the command does not have."""
    called = list(takewhile(lambda word: not word.startswith("-"), words))
    shown = CliRunner().invoke(app, [*called, "--help"], env={"COLUMNS": "200"})
    if shown.exit_code != 0:
        return " ".join(called)
    return next((word for word in words if word.startswith("--") and word not in shown.output.split()), None)


@pytest.mark.parametrize("name", NAMES)
def test_commands_of_a_page_exist(name: str) -> None:
    shown = list(commands((PAGES / f"{name}.md").read_text(encoding="utf-8")))
    assert shown
    assert [words for words in shown if unknown(words)] == []


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        ("operator settlements list --statuses failed", None),
        ("operator settlements list --states failed", "--states"),
        ("operator settlements lists", "operator settlements lists"),
        ("check --signature", "--signature"),
    ],
)
def test_wrong_command_is_found(words: str, wrong: str | None) -> None:
    assert unknown(words.split()) == wrong
