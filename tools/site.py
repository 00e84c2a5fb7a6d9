"""What ``mkdocs.yml`` needs to make a site of the repository's pages: a hook of MkDocs.

The pages stay where they are, and their links point at files of the repository. Here they are laid out so that
MkDocs finds them: a copy of the tree, with the files of ours that they link to. The menu is the list in
``docs/README.md``.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from mkdocs.config.defaults import MkDocsConfig

ROOT: Final = Path(__file__).parent.parent
PAGES: Final = ROOT / "dist" / "site-pages"
OF_THE_PROJECT: Final = ("CHANGELOG.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "README.md", "SECURITY.md")
_LINK: Final = re.compile(r"\]\(([^)\s#]+)(#[^)\s]*)?\)")
_SECTION: Final = re.compile(r"^## (.+)$", re.MULTILINE)
_LISTED: Final = re.compile(r"\[([^\]]+)\]\(([^)#\s]+\.md)\)")
_TITLE: Final = re.compile(r"^# (.+)$", re.MULTILINE)
_OUTSIDE: Final = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_IN_A_LIST: Final = re.compile(r"^ {3}(?=\S| )", re.MULTILINE)


def anchor(heading: str, separator: str) -> str:
    """Returns the anchor of a heading, as code hosts make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", separator)


def laid_out(text: str, page: Path) -> str:
    """Returns a page for the site. ``page`` is where it stands in the repository.

    A link to a file that is no page leads to a copy of it, as text. What belongs to a numbered list is indented by
    three blanks in the repository, and by four for MkDocs.
    """

    def of_link(found: re.Match[str]) -> str:
        target, part = found[1], found[2] or ""
        file = (page.parent / target).resolve()
        if _OUTSIDE.match(target) or file.suffix == ".md":
            return found[0]
        if not file.is_file():
            raise ValueError(f"{page.relative_to(ROOT)} links to {target}: link to a file")
        copied = PAGES / file.relative_to(ROOT)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copied)
        return f"]({target}{part})"

    return _IN_A_LIST.sub("    ", _LINK.sub(of_link, text))


def menu() -> list[dict[str, Any]]:
    """Returns the menu: each section of the first page with the pages that it lists, in its order.

    Raises:
        ValueError: a page of the documentation is in no section.
    """
    first = ROOT / "docs" / "README.md"
    parts = _SECTION.split(first.read_text())[1:]
    listed: dict[str, list[str]] = {}
    seen = {"docs/README.md"}
    for name, text in zip(parts[::2], parts[1::2], strict=True):
        for _, target in _LISTED.findall(text):
            path = (first.parent / target).resolve().relative_to(ROOT).as_posix()
            if path not in seen:
                seen.add(path)
                listed.setdefault(name, []).append(path)
    project = [*OF_THE_PROJECT, "docs/development.md"]
    decisions = [path for path in _pages() if path.startswith("docs/decisions/")]
    lost = sorted(set(_pages()) - seen - {*project, *decisions})
    if lost:
        raise ValueError(f"docs/README.md lists {', '.join(lost)} in no section")
    return [
        {"Home": "README.md"},
        {"All pages": "docs/README.md"},
        *({name: [{_title(path): path} for path in paths]} for name, paths in listed.items()),
        {"Decisions": [{_title(path): path} for path in decisions]},
        {"Project": [{_title(path): path} for path in project if path != "README.md"]},
    ]


def _pages() -> Iterator[str]:
    for path in sorted((ROOT / "docs").rglob("*.md")):
        yield path.relative_to(ROOT).as_posix()


def _title(path: str) -> str:
    found = _TITLE.search((ROOT / path).read_text())
    return found[1].replace("`", "") if found else path


def write_pages() -> None:
    """Lays the pages out in ``PAGES``, with what they link to."""
    shutil.rmtree(PAGES, ignore_errors=True)
    found = [*sorted((ROOT / "docs").rglob("*")), *(ROOT / name for name in (*OF_THE_PROJECT, "LICENSE"))]
    for path in found:
        written = PAGES / path.relative_to(ROOT)
        if path.is_dir():
            continue
        written.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".md":
            written.write_text(laid_out(path.read_text(), path))
        else:
            shutil.copyfile(path, written)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """MkDocs calls this before it reads a page."""
    write_pages()
    config.docs_dir = str(PAGES)
    config.nav = menu()
    config.copyright = f"Clearwindow {version('clearwindow')}"
    return config
