"""The tutorial of each role, word for word, on one network: the pages say that they may share one."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Final

import pytest

from tests.cli.people.persons import Persons
from tests.cli.people.shell import typed

TUTORIALS: Final = Path(__file__).parents[3] / "docs" / "tutorials"
_BLOCK: Final = re.compile(r"```(bash|text)\n(.*?)```", re.DOTALL)


def blocks(page: str) -> list[tuple[str, str]]:
    """Returns the blocks of a page: what is typed (``bash``), and what is printed (``text``)."""
    return _BLOCK.findall((TUTORIALS / f"{page}.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", ["a-day-at-an-exchange", "a-day-of-a-trader", "a-day-of-an-operator"])
def test_every_step_works_and_prints_what_the_page_shows(page: str, persons: Persons, tmp_path: Path) -> None:
    (_, start), *others = blocks(page)
    # tests/cli/test_command_line_tutorial.py types this start, with a server of its own.
    assert ("bash", start) in blocks("settle-from-the-command-line")
    reader = Persons(tmp_path, persons.url)
    shutil.copy(persons.folder / "ada.token", tmp_path)
    reader.done("profile", "add", "ada", "--url", persons.url, "--token-file", "ada.token")
    steps = "".join(text for kind, text in others if kind == "bash")
    shown = "".join(text for kind, text in others if kind == "text").splitlines()
    assert len(shown) > 5
    printed = iter(typed(reader, steps.replace("http://127.0.0.1:8080", persons.url)).splitlines())
    for line in shown:
        assert line.rstrip() in map(str.rstrip, printed), f"not printed after what stands before it: {line}"
