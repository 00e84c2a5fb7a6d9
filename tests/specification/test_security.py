"""The page about security names tests that exist, and what is known to be open."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from tests.attack.known_open import KNOWN_OPEN
from tests.attack.run import CLASSES

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
TEST: Final = re.compile(r"`(tests/[^`:]+\.py)(?:::([a-z0-9_]+)(?:\[([a-z]+)\])?)?`")
TABLES: Final = ("After the OWASP API security top ten (2023)", "After a custodian's duties")


def rows(title: str) -> list[str]:
    section = PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("| ")][2:]


def missing(text: str) -> list[str]:
    """Returns the tests that a text names and that do not exist."""
    return [name[0] for name in TEST.finditer(text) if not _exists(*name.groups())]


def _exists(path: str, function: str | None, parameter: str | None) -> bool:
    file = ROOT / path
    if not file.is_file():
        return False
    defined = function is None or re.search(
        rf"^(async )?def {function}\(", file.read_text(encoding="utf-8"), re.MULTILINE
    )
    return bool(defined) and (parameter is None or parameter in {attacks.name for attacks in CLASSES})


@pytest.mark.parametrize("title", TABLES)
def test_each_row_names_tests_that_exist(title: str) -> None:
    found = rows(title)
    assert len(found) >= 10
    for row in found:
        assert TEST.search(row), row
        assert missing(row) == [], row


def test_a_test_that_does_not_exist_is_found() -> None:
    path = "tests/specification/test_security.py"
    assert missing(f"`{path}::test_a_test_that_does_not_exist_is_found`, `{path}`") == []
    assert missing(f"`{path}::test_nothing`") == [f"`{path}::test_nothing`"]
    assert missing("`tests/nothing.py`") == ["`tests/nothing.py`"]
    assert missing("`tests/attack/test_attack.py::test_no_attack_succeeds[nothing]`") != []


def test_the_page_says_what_is_open_and_names_each_class() -> None:
    text = " ".join(PAGE.split())
    assert [reason for entries in KNOWN_OPEN.values() for reason in entries.values() if reason not in text] == []
    assert [attacks.name for attacks in CLASSES if f"| `{attacks.name}` |" not in PAGE] == []
