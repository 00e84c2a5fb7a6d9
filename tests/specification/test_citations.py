"""Code, tests and documentation cite sections of the protocol and numbered choices that exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from clearwindow.simulator.partner_check.catalogue import all_checks
from clearwindow.simulator.partner_check.models import Check

ROOT: Final = Path(__file__).parents[2]
PROTOCOL: Final = (ROOT / "docs" / "reference" / "protocol.md").read_text(encoding="utf-8")
CHOICES: Final = (ROOT / "docs" / "decisions" / "0008-choices.md").read_text(encoding="utf-8")
SECTIONS: Final = set(re.findall(r'<a id="s([0-9.]+)"></a>', PROTOCOL))
NUMBERED: Final = set(re.findall(r'<a id="c([0-9]+)"></a>', CHOICES))
SECTION: Final = re.compile(r"§(\d+(?:\.\d+)*)")
CHOICE: Final = re.compile(r"\b[Cc]hoices?\s+((?:C\d+(?:,\s+|\s+and\s+)?)+)")
UNNUMBERED: Final = re.compile(r"\(\*?choice\*?[:)]")


def pages() -> Iterator[Path]:
    yield ROOT / "README.md"
    for folder in ("src", "tests", "bench", "tools", "docs"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in {".py", ".md", ".sql", ".toml"} and path != Path(__file__):
                yield path


def lines() -> Iterator[tuple[str, str]]:
    """Yields each line with its file and number."""
    for path in pages():
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            yield f"{path.relative_to(ROOT)}:{number}", line


def test_every_cited_section_exists() -> None:
    missing = [
        f"{place}: §{section}"
        for place, line in lines()
        for section in SECTION.findall(line)
        if section not in SECTIONS
    ]
    assert missing == []


def test_every_cited_choice_exists() -> None:
    # Whole pages, because a line may end between "choice" and its number.
    missing = [
        f"{path.relative_to(ROOT)}: C{number}"
        for path in pages()
        for cited in CHOICE.findall(path.read_text(encoding="utf-8"))
        for number in re.findall(r"\d+", cited)
        if number not in NUMBERED
    ]
    assert missing == []


def test_every_mentioned_choice_has_its_number() -> None:
    assert [f"{place}: {line.strip()}" for place, line in lines() if UNNUMBERED.search(line)] == []


def test_choices_are_numbered_without_gaps_or_repeats() -> None:
    given = re.findall(r"^\| <a id=\"c(\d+)\"></a>C(\d+) \|", CHOICES, re.MULTILINE)
    assert [one for one, _ in given] == [another for _, another in given]
    assert [int(one) for one, _ in given] == list(range(1, len(given) + 1))


@pytest.mark.parametrize("check", all_checks(), ids=lambda check: check.id)
def test_every_partner_check_cites_a_section(check: Check) -> None:
    cited = SECTION.findall(check.section)
    assert cited
    assert set(cited) <= SECTIONS
