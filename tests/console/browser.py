"""Debian's chromium, driven by Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PHONE: Final = {"width": 390, "height": 844}
WIDE: Final = {"width": 1360, "height": 900}


class BrowserMissingError(RuntimeError):
    """There is no chromium. ``.ci/run`` installs it."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Starts a browser, which ends with the block."""
    program = shutil.which("chromium")
    if program is None:
        raise BrowserMissingError("chromium is missing: install Debian's package chromium, as .ci/run does")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def context_of(browser: Browser, base_url: str, **options: Any) -> Iterator[BrowserContext]:  # noqa: ANN401 - Playwright's
    """A browser of one person. An error of a script on any page fails the test."""
    problems: list[str] = []
    context = browser.new_context(base_url=base_url, **{"viewport": WIDE, "timezone_id": "Asia/Tokyo", **options})
    context.set_default_timeout(20_000)

    def watch(page: Page) -> None:
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "console",
            lambda message: problems.append(message.text) if "Content Security Policy" in message.text else None,
        )

    context.on("page", watch)
    try:
        yield context
    finally:
        context.close()
    assert not problems, problems


def violations(page: Page) -> list[str]:
    """Returns what axe finds on the page that keeps people from using it."""
    found = Axe().run(page).response["violations"]
    return [f"{each['id']}: {each['help']}: {[node['target'] for node in each['nodes']][:3]}" for each in found]


def sign_in(page: Page, token: str, path: str = "/console") -> None:
    page.goto(path)
    page.get_by_label("Your token").fill(token)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"**{path}*")


def overflow(page: Page) -> int:
    """Returns by how many pixels the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))
