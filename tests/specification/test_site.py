"""The documentation as a site: whole, without a dead link, and without anything from elsewhere."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import pytest

from tools.site import PAGES, ROOT, laid_out, menu

LOADING: Final = {"script": "src", "link": "href", "img": "src", "iframe": "src"}


class Page(HTMLParser):
    """What a page links to, what it loads, and its anchors."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loaded: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.anchors.update(value for name in ("id", "name") if (value := given.get(name)))
        if tag == "a" and (target := given.get("href")):
            self.links.add(target)
        if tag in LOADING and given.get("rel") != "canonical" and (source := given.get(LOADING[tag])):
            self.loaded.add(source)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    made = subprocess.run(  # noqa: S603 - the environment's own
        [sys.executable, "-m", "mkdocs", "--quiet", "build", "--site-dir", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={"NO_MKDOCS_2_WARNING": "1", "PATH": "/usr/bin:/bin"},
    )
    assert made.returncode == 0, made.stdout + made.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path.read_text()) for path in site.rglob("*.html") if path.name != "404.html"}


def test_each_page_of_the_documentation_is_in_the_site(site: Path) -> None:
    for path in sorted((ROOT / "docs").rglob("*.md")):
        name = "index.html" if path.name == "README.md" else f"{path.stem}.html"
        assert (site / path.parent.relative_to(ROOT) / name).is_file(), path


def _leads_somewhere(pages: dict[Path, Page], path: Path, link: str) -> bool:
    parts = urlsplit(unescape(link))
    if parts.scheme or parts.netloc:
        return True
    file = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if parts.fragment and file in pages:
        return unquote(parts.fragment) in pages[file].anchors
    return file.is_file()


def test_no_link_is_dead(site: Path, pages: dict[Path, Page]) -> None:
    dead = [
        (str(path.relative_to(site)), link)
        for path, page in pages.items()
        for link in page.links
        if not _leads_somewhere(pages, path, link)
    ]
    assert dead == []
    assert sum(len(page.links) for page in pages.values()) > 1_000


def test_nothing_is_loaded_from_elsewhere(pages: dict[Path, Page]) -> None:
    loaded = {source for page in pages.values() for source in page.loaded}
    assert loaded
    assert [source for source in loaded if urlsplit(source).netloc] == []


def test_search_finds_what_pages_say(site: Path) -> None:
    text = (site / "search" / "search_index.json").read_text()
    found = json.loads(text)["docs"]
    assert any("liabilities_exceed_balance" in one["text"] for one in found)
    assert any(one["location"].startswith("docs/how-to/") for one in found)


def test_steps_of_a_list_keep_their_numbers(site: Path) -> None:
    page = (site / "docs" / "how-to" / "put-it-behind-caddy.html").read_text()
    steps = re.search(r"<ol>.*?</ol>", page, re.DOTALL)
    assert steps is not None
    assert "<pre" in steps[0]
    assert len(re.findall(r"<li>", steps[0])) == 4


def test_page_in_no_section_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.site._pages", lambda: iter(["docs/how-to/new.md"]))
    with pytest.raises(ValueError, match=r"lists docs/how-to/new\.md in no section"):
        menu()


def test_link_to_a_folder_is_refused() -> None:
    with pytest.raises(ValueError, match=r"docs/x\.md links to \.\./deploy: link to a file"):
        laid_out("[all](../deploy)", ROOT / "docs" / "x.md")
    assert PAGES.is_relative_to(ROOT / "dist")
