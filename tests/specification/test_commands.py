"""Each block of shell commands is run by a test, or ``commands.toml`` says why not. No command is unknown."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.deploy.test_operating_pages import unknown

ROOT: Final = Path(__file__).parents[2]
LISTED: Final[Mapping[str, Mapping[str, str]]] = tomllib.loads(
    Path(__file__).with_name("commands.toml").read_text(encoding="utf-8")
)
PAGES: Final = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
}
_BLOCK: Final = re.compile(r"^( *)```(?:sh|bash|shell|console)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_OURS: Final = re.compile(r"(?<![\w.\[-])clearwindow +((?!clearwindow)[a-z][^\n|<>;()#&]*)")
_TEST: Final = re.compile(r"(tests/\S+\.py)(?:: (\S+))?")
_REASON_WORDS: Final = 5


def blocks(text: str) -> list[str]:
    """Returns the blocks of shell commands of a page."""
    return [found[2].replace(f"\n{found[1]}", "\n").removeprefix(found[1]) for found in _BLOCK.finditer(text)]


def faults_of_list(pages: Mapping[str, str], listed: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Returns blocks that are not listed, entries without a block, and tests that do not read their page."""
    faults = [f"{page}: there is no such page, or no block" for page in listed if not blocks(pages.get(page, ""))]
    for page, text in pages.items():
        entries = dict(listed.get(page, {}))
        firsts = [block.splitlines()[0] for block in blocks(text)]
        faults += [f"{page}: no block begins with {key}" for key in entries if key not in {*firsts, "*"}]
        others = [first for first in firsts if first not in entries]
        if "*" in entries and not others:
            faults.append(f"{page}: * is no block")
        faults += [f"{page}: nobody runs {first}" for first in others if "*" not in entries]
        faults += [f"{page}: {fault}" for value in entries.values() for fault in _faults_of_entry(page, value)]
    return faults


def _faults_of_entry(page: str, value: str) -> Iterator[str]:
    named = _TEST.fullmatch(value)
    if named is None:
        if len(value.split()) < _REASON_WORDS:
            yield f"{value!r} is no reason"
        paths = re.findall(r"tests/[\w/]+(?:\.py)?", value)
        yield from (f"there is no {path}" for path in paths if not (ROOT / path).exists())
        return
    file, word = ROOT / named[1], named[2] or Path(page).name.removesuffix(".md")
    if not file.exists() or word not in file.read_text(encoding="utf-8"):
        yield f"{named[1]} does not read it"


def commands_of_ours(block: str) -> Iterator[tuple[str, ...]]:
    """Yields the words of each ``clearwindow …`` in a block."""
    for found in _OURS.findall(block.replace("\\\n", " ")):
        yield tuple(shlex.split(found.replace("'", "").replace('"', "")))


def unknown_targets(text: str, makefile: str) -> list[str]:
    """Returns the targets of ``make …`` that the Makefile does not have."""
    named = re.findall(r"(?:^\$? ?|`)make ([a-z][a-z-]*)", text, re.MULTILINE)
    return [each for each in named if not re.search(rf"^{each}:", makefile, re.MULTILINE)]


def test_every_block_is_run_or_has_a_reason() -> None:
    assert faults_of_list(PAGES, LISTED) == []


@pytest.mark.parametrize(
    ("entries", "faults"),
    [
        ({"*": "tests/specification/test_commands.py: faults_of_list"}, []),
        ({"*": "It needs a machine that nobody has."}, []),
        ({}, ["docs/a-b.md: nobody runs make serve", "docs/a-b.md: nobody runs clearwindow check"]),
        ({"make serve": "It runs until somebody stops it."}, ["docs/a-b.md: nobody runs clearwindow check"]),
        ({"*": "No."}, ["docs/a-b.md: 'No.' is no reason"]),
        ({"*": "tests/cli/test_readme.py"}, ["docs/a-b.md: tests/cli/test_readme.py does not read it"]),
        ({"*": "So tests/cli/test_gone.py runs it too."}, ["docs/a-b.md: there is no tests/cli/test_gone.py"]),
        ({"*": "It needs what is gone.", "ls": "It needs what is gone."}, ["docs/a-b.md: no block begins with ls"]),
    ],
)  # fmt: skip
def test_fault_of_the_list_is_found(entries: dict[str, str], faults: list[str]) -> None:
    page = "# A\n```sh\nmake serve\n```\n1. Then\n   ```bash\n   clearwindow check\n   ```\n"
    assert faults_of_list({"docs/a-b.md": page}, {"docs/a-b.md": entries}) == faults


def test_list_of_a_page_that_is_gone_is_found() -> None:
    assert faults_of_list({}, {"docs/a-b.md": {"*": "It needs what is not here."}}) == [
        "docs/a-b.md: there is no such page, or no block"
    ]


def run_by_nobody() -> Iterator[tuple[str, str]]:
    """Yields the page and the text of each block that has a reason instead of a test."""
    for page, text in PAGES.items():
        entries = LISTED.get(page, {})
        for block in blocks(text):
            if not _TEST.fullmatch(entries.get(block.splitlines()[0]) or entries["*"]):
                yield page, block


def test_every_command_that_no_test_runs_exists_with_its_options() -> None:
    shown = {words: page for page, block in run_by_nobody() for words in commands_of_ours(block)}
    assert len(shown) > 15
    assert {(page, found) for words, page in shown.items() if (found := unknown(list(words)))} == set()


def test_every_target_of_make_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    pages = {**PAGES, "CONTRIBUTING.md": (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")}
    assert {page: found for page, text in pages.items() if (found := unknown_targets(text, makefile))} == {}
    assert unknown_targets("`make demo`, `make gone`\n$ make away", makefile) == ["gone", "away"]


def test_commands_are_found_in_what_a_shell_makes_of_them() -> None:
    block = "X=$(clearwindow forecast day --csv | sed p)\n$ A=b clearwindow \\\n  check --data ./d  # why\n"
    assert list(commands_of_ours(block)) == [("forecast", "day", "--csv"), ("check", "--data", "./d")]
