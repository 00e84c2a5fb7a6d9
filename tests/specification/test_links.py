"""Every relative link, anchor and file name in a page points at something that exists."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
SKIPPED: Final = {
    ".venv",
    ".venv-release",
    ".venv-newest",
    ".mutmut",
    "mutants",
    ".uv",
    ".sdk",
    ".git",
    "dist",
    "node_modules",
}
PAGES: Final = sorted(path for path in ROOT.rglob("*.md") if not SKIPPED.intersection(path.relative_to(ROOT).parts))
CODE: Final = re.compile(r"^```.*?^```$|`[^`\n]*`", re.DOTALL | re.MULTILINE)
LINK: Final = re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)|^\[[^\]]+\]:\s+(\S+)", re.MULTILINE)
OUTSIDE: Final = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
HEADING: Final = re.compile(r"^#{1,6}\s+(.*?)\s*#*$", re.MULTILINE)
ID: Final = re.compile(r"<a (?:id|name)=\"([^\"]+)\">")


def links(text: str) -> list[str]:
    """The targets of all links outside of code, without those to other sites."""
    targets = (first or second for first, second in LINK.findall(_without_code(text)))
    return [target for target in targets if not OUTSIDE.match(target)]


def anchors(text: str) -> set[str]:
    """The anchors of a page as GitHub makes them: headings in lower case, and the ids that the page sets."""
    found = set(ID.findall(text))
    seen: dict[str, int] = {}
    # Only whole blocks of code go: the text of code inside a heading is part of its anchor.
    for heading in HEADING.findall(re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        times = seen.get(anchor, 0)
        seen[anchor] = times + 1
        found.add(f"{anchor}-{times}" if times else anchor)
    return found


def dead(page: Path, text: str) -> list[str]:
    """The links of a page that point at nothing."""
    return [target for target in links(text) if not _exists(page, text, target)]


def _exists(page: Path, text: str, target: str) -> bool:
    path, _, anchor = target.partition("#")
    file = (page.parent / path).resolve() if path else page
    if not file.is_relative_to(ROOT) or not file.exists():
        return False
    if not anchor:
        return True
    if file.suffix != ".md":
        return False
    return anchor in (anchors(text) if file == page else _anchors_of(file))


@cache
def _anchors_of(file: Path) -> set[str]:
    return anchors(file.read_text(encoding="utf-8"))


def _without_code(text: str) -> str:
    return CODE.sub("", text)


def missing_files(text: str) -> list[str]:
    """Returns the files that a page names in backticks and that do not exist."""
    named = {
        name.partition("::")[0]
        for name in re.findall(r"`([\w.-]+(?:/[\w.-]+)+\.(?:py|sql|toml)(?:::[^`]*)?)`", text)
    }
    roots = (ROOT, ROOT / "src" / "clearwindow", ROOT / "src" / "clearwindow" / "simulator")
    return sorted(name for name in named if not any((root / name).is_file() for root in roots))


def test_pages_are_found() -> None:
    names = {str(page.relative_to(ROOT)) for page in PAGES}
    assert {"README.md", "CONTRIBUTING.md", "docs/README.md", "docs/reference/protocol.md"} <= names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_points_at_something(page: Path) -> None:
    assert dead(page, page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    assert missing_files(page.read_text(encoding="utf-8")) == []


def test_a_missing_file_is_found() -> None:
    page = "`src/clearwindow/settings.py`, `web/app.py`, `tests/conftest.py::x`, `settings.py`, `web/nothing.py`"
    assert missing_files(page) == ["web/nothing.py"]


@pytest.mark.parametrize("folder", ["tutorials", "how-to", "reference", "explanation", "decisions"])
def test_every_page_of_the_documentation_is_in_an_index(folder: str) -> None:
    index = ROOT / "docs" / ("decisions/README.md" if folder == "decisions" else "README.md")
    linked = {(index.parent / target.partition("#")[0]).resolve() for target in links(index.read_text("utf-8"))}
    pages = {page for page in (ROOT / "docs" / folder).glob("*.md") if page != index}
    assert pages
    assert pages - linked == set()


@pytest.mark.parametrize(
    ("link", "found"),
    [
        ("[a](README.md)", []),
        ("[a](docs/reference/protocol.md#s5.4)", []),
        ("[a](#a-heading-of-code-1)", []),
        ("[a](https://example.com/nothing)", []),
        ("`[a](nothing.md)`", []),
        ("```\n[a](nothing.md)\n```", []),
        ("[a](docs)", []),
        ("[a](nothing.md)", ["nothing.md"]),
        ("[a](#nothing)", ["#nothing"]),
        ("[a](docs/reference/protocol.md#s99)", ["docs/reference/protocol.md#s99"]),
        ("[a](Makefile#install)", ["Makefile#install"]),
        ("[a](../outside.md)", ["../outside.md"]),
        ("[a]: nothing.md", ["nothing.md"]),
    ],
)
def test_a_dead_link_is_found(link: str, found: list[str]) -> None:
    page = f"# A heading of `code`\n\n# A heading of `code`\n\n{link}\n"
    assert dead(ROOT / "README.md", page) == found
