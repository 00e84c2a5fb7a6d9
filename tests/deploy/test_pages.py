"""The pages show the files of ``deploy/`` whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.proxies import DEPLOY, KINDS

PAGES = Path(__file__).parents[2] / "docs" / "how-to"


@pytest.mark.parametrize("name", KINDS)
def test_page_shows_the_whole_file(name: str) -> None:
    page = (PAGES / f"put-it-behind-{name}.md").read_text(encoding="utf-8")
    text = KINDS[name].file.read_text(encoding="utf-8")
    assert f"\n{text}```\n" in page
    assert f"\n{KINDS[name].client_certificates}```\n" in page


def test_page_of_tls_shows_the_whole_settings() -> None:
    page = (PAGES / "serve-tls-yourself.md").read_text(encoding="utf-8")
    assert f"\n{(DEPLOY / 'tls' / 'clearwindow.env').read_text(encoding='utf-8')}```\n" in page
