"""The console in a real browser: main paths, several tabs, no script, a phone, keys alone, and what axe finds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, FilePayload, Page, expect

from clearwindow.signing.message import sign_message
from tests.conftest import OPERATOR_TOKEN
from tests.console.browser import PHONE, BrowserMissingError, chromium, context_of, overflow, sign_in, violations
from tests.console.exchange import HOSTILE, exchange_of, pages_of_exchange
from tests.console.members import token_of
from tests.console.scenes import Scene, scene_of
from tests.support.long import long
from tests.support.networks import ok
from tests.support.operators import OperatorClient
from tests.support.settlements import Testbed, stage


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def person(browser: Browser, base_url: str) -> Iterator[BrowserContext]:
    with context_of(browser, base_url) as context:
        yield context


@pytest.fixture
def scene(testbed: Testbed) -> Scene:
    return scene_of(testbed)


def pages_of(scene: Scene) -> list[str]:
    return [
        "/console",
        "/console/session",
        "/console/link?value=x",
        "/console/settlements",
        f"/console/settlements/{scene.disputed_id}",
        f"/console/settlements/{scene.disputed_id}/transfers",
        "/console/disputes",
        f"/console/disputes/{scene.dispute_id}",
        "/console/proposals",
        "/console/enterprises",
        f"/console/enterprises/{scene.aster.client.enterprise.id}",
        f"/console/accounts/{scene.aster.client.enterprise.account.id}",
        "/console/nowhere",
    ]


def pages_of_trader(scene: Scene) -> list[str]:
    """Opens a settlement with a dispute, and an endpoint, so that no page is empty."""
    opened = stage(scene.partner, {scene.aster.id: {"USD": "-40"}}, externalId="day-3")["id"]
    api, account = scene.aster.client.api, scene.aster.client.enterprise.account.id
    endpoint = ok(api.post("/webhook-endpoints", {"url": "https://hooks.example"}))["webhookEndpoint"]["id"]
    allocation = ok(api.get("/clients/allocations"))["allocations"][0]["id"]
    return [
        "/console",
        "/console/trader/money",
        "/console/trader/settlements",
        f"/console/trader/settlements/{opened}",
        f"/console/trader/settlements/{scene.disputed_id}",
        "/console/trader/disputes",
        f"/console/trader/disputes/{scene.dispute_id}",
        "/console/trader/connections",
        f"/console/trader/connections/{scene.aster.id}",
        "/console/trader/allocations",
        f"/console/trader/allocations/{allocation}",
        "/console/trader/approvals",
        "/console/webhooks",
        f"/console/webhooks/{endpoint}",
        "/console/tokens",
        f"/console/statements/{account}",
    ]


def test_missing_browser_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BrowserMissingError, match="chromium"), chromium():
        pass


def test_operator_goes_from_the_first_page_to_a_closed_dispute(person: BrowserContext, scene: Scene) -> None:
    page = person.new_page()
    sign_in(page, OPERATOR_TOKEN)
    page.get_by_role("region", name="Disputes to close").get_by_role("link").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("aster disputes meridian")
    page.get_by_label("ofcbtc").fill("-0.0000002")
    page.get_by_label("Notes").fill("as claimed")
    page.get_by_role("button", name="Close it for review").click()

    expect(page.get_by_role("status")).to_contain_text("another operator reviews it now")
    closures = ok(scene.testbed.operator.get("/dispute-closures", disputeIds=scene.dispute_id))["disputeClosures"]
    assert [each["status"] for each in closures] == ["pending_review"]


def test_double_click_and_the_back_button_send_a_form_once(person: BrowserContext, scene: Scene) -> None:
    page = person.new_page()
    sign_in(page, OPERATOR_TOKEN, f"/console/disputes/{scene.dispute_id}")
    page.get_by_label("ofcbtc").fill("-0.0000002")
    page.get_by_label("Notes").fill("as claimed")
    page.get_by_role("button", name="Close it for review").dblclick(no_wait_after=True)
    expect(page.get_by_role("status")).to_contain_text("another operator reviews it now")
    page.go_back()
    button = page.get_by_role("button", name="Close it for review")
    if button.count():
        expect(button).to_be_enabled()

    closures = ok(scene.testbed.operator.get("/dispute-closures", disputeIds=scene.dispute_id))["disputeClosures"]
    assert len(closures) == 1


def test_two_tabs_have_one_session_and_end_together(person: BrowserContext, scene: Scene) -> None:
    del scene
    first = person.new_page()
    sign_in(first, OPERATOR_TOKEN)
    other = person.new_page()
    other.goto("/console/settlements")
    expect(other.get_by_role("heading", level=1)).to_have_text("Settlements")
    first.get_by_role("button", name="Sign out").click()
    expect(first.get_by_role("status")).to_contain_text("You are signed out")
    other.get_by_role("button", name="Show").click()
    expect(other.get_by_label("Your token")).to_be_visible()


def test_expired_session_says_so_and_leads_back(
    person: BrowserContext, scene: Scene, operator: OperatorClient
) -> None:
    made = operator.operator("Ada")
    token = operator.operator_token(made["id"])
    page = person.new_page()
    sign_in(page, token, f"/console/disputes/{scene.dispute_id}")
    page.get_by_label("Notes").fill("as claimed")
    person.clear_cookies()
    page.get_by_role("button", name="Close it for review").click()
    expect(page.get_by_role("status")).to_contain_text("the form was not sent")
    page.get_by_label("Your token").fill(token)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("What needs you now")
    closures = ok(operator.get("/dispute-closures", disputeIds=scene.dispute_id))["disputeClosures"]
    assert closures == []


def test_times_are_local_and_deadlines_count_down(person: BrowserContext, scene: Scene) -> None:
    page = person.new_page()
    sign_in(page, OPERATOR_TOKEN, f"/console/settlements/{scene.open_id}")
    staged = page.locator("dl time").first
    # The clock of the network stands at 12:11 UTC, which is 21:11 in Tokyo.
    expect(staged).to_contain_text("9:11")
    assert staged.get_attribute("title") == "2026-01-05 12:11:00 UTC"
    counting = page.locator("time[data-until]").first
    before = counting.text_content()
    expect(counting).not_to_have_text(before or "", timeout=5_000)


def test_parts_of_a_page_come_up_to_date_by_themselves(person: BrowserContext, scene: Scene) -> None:
    page = person.new_page()
    sign_in(page, OPERATOR_TOKEN)
    expect(page.locator("#disputes")).to_be_visible()
    fields = {"adjustedTransfers": {"ofcbtc": "-20"}, "notes": "as claimed"}
    ok(scene.testbed.operator.post(f"/disputes/{scene.dispute_id}/close", fields))
    page.evaluate("refresh()")
    expect(page.locator("#tiles")).to_contain_text("0 disputes to close", use_inner_text=True)


def test_everything_works_without_javascript(browser: Browser, base_url: str, scene: Scene) -> None:
    with context_of(browser, base_url, java_script_enabled=False) as person:
        page = person.new_page()
        sign_in(page, OPERATOR_TOKEN)
        page.get_by_role("region", name="Disputes to close").get_by_role("link").first.click()
        page.get_by_label("ofcbtc").fill("-0.0000002")
        page.get_by_label("Notes").fill("as claimed")
        page.get_by_role("button", name="Close it for review").click()
        expect(page.get_by_role("status")).to_contain_text("another operator reviews it now")
        page.goto(f"/console/settlements/{scene.open_id}")
        expect(page.locator("dl time").first).to_contain_text("5 Jan 2026 12:11:00")
        assert page.locator("button.copy:visible").count() == 0
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("status")).to_contain_text("You are signed out")


def test_keyboard_alone_is_enough(person: BrowserContext, scene: Scene) -> None:
    del scene
    page = person.new_page()
    page.goto("/console")
    page.keyboard.type(OPERATOR_TOKEN)
    page.keyboard.press("Enter")
    page.wait_for_url("**/console")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the page")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("g")
    page.keyboard.press("s")
    page.wait_for_url("**/console/settlements")
    page.keyboard.press("/")
    page.keyboard.type("day-2")
    page.keyboard.press("Enter")
    page.wait_for_url("**externalIds=day-2*")
    expect(page.get_by_role("region", name="Settlements").get_by_role("row")).to_have_count(2)


@pytest.mark.parametrize("script", [True, False], ids=["with a script", "without"])
def test_trader_signs_a_dispute_on_another_machine(
    browser: Browser, base_url: str, scene: Scene, *, script: bool
) -> None:
    opened = stage(scene.partner, {scene.aster.id: {"USD": "-40"}}, externalId="day-3")["id"]
    with context_of(browser, base_url, java_script_enabled=script) as person:
        page = person.new_page()
        sign_in(page, token_of(scene.testbed, scene.aster.client.enterprise.id))
        page.get_by_role("link", name="day-3").first.click()
        page.get_by_label("ofcusd what you expect").fill("-0.25")
        page.get_by_label("Reason").fill("we sold less")
        page.get_by_role("button", name="Go on to sign").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Dispute a settlement")
        text = page.locator("#text").text_content() or ""
        page.get_by_label("Signature").fill(sign_message(scene.aster.client.enterprise.account.key, text))
        page.get_by_role("button", name="Send it").click()
        expect(page.get_by_role("status")).to_contain_text("The dispute is raised")
    found = ok(scene.aster.client.api.get("/clients/settlement/disputes", settlementIds=opened))["disputes"]
    assert [each["expectedTransfers"] for each in found] == [{"ofcusd": "-25"}]


def test_pages_of_a_trader_suit_axe_and_a_phone(browser: Browser, base_url: str, scene: Scene) -> None:
    paths, token = pages_of_trader(scene), token_of(scene.testbed, scene.aster.client.enterprise.id)
    with context_of(browser, base_url) as person, context_of(browser, base_url, viewport=PHONE) as phone:
        wide, narrow = person.new_page(), phone.new_page()
        sign_in(wide, token)
        sign_in(narrow, token)
        found = {}
        for path in paths:
            wide.goto(path)
            found[path] = violations(wide)
            narrow.goto(path)
            assert overflow(narrow) <= 0, path
        wide.goto(paths[3])
        wide.get_by_label("Nothing should move").check()
        wide.get_by_role("button", name="Go on to sign").click()
        found["sign"] = violations(wide)
        assert {path: each for path, each in found.items() if each} == {}


@pytest.mark.parametrize("script", [True, False], ids=["with a script", "without"])
def test_exchange_stages_a_settlement_of_a_file_once(
    browser: Browser, base_url: str, scene: Scene, *, script: bool
) -> None:
    lines = f"connection,currency,amount\n{scene.aster.id},USD,-0.4\n"
    chosen: FilePayload = {"name": "day-3.csv", "mimeType": "text/csv", "buffer": lines.encode()}
    with context_of(browser, base_url, java_script_enabled=script) as person:
        page = person.new_page()
        sign_in(page, token_of(scene.testbed, scene.partner.enterprise.id))
        page.get_by_role("navigation").get_by_role("link", name="New settlement").click()
        page.get_by_label("Your id of it").fill("day-3")
        page.get_by_label("File").set_input_files(chosen)
        page.get_by_role("button", name="See what it would do").click()
        expect(page.get_by_text("can be staged")).to_be_visible()
        page.get_by_role("button", name="Go on to sign").click()
        text = page.locator("#text").text_content() or ""
        page.get_by_label("Signature").fill(sign_message(scene.partner.enterprise.account.key, text))
        page.get_by_role("button", name="Send it").dblclick(no_wait_after=True)
        expect(page.get_by_role("status")).to_contain_text("The settlement is staged")
        expect(page.get_by_role("heading", level=1)).to_have_text("day-3")
    found = ok(scene.partner.api.get("/partners/settlements", externalIds="day-3"))["settlements"]
    assert [each["stage"] for each in found] == ["dispute_window"]


@long
def test_pages_of_an_exchange_suit_axe_and_a_phone(browser: Browser, base_url: str, scene: Scene) -> None:
    exchange = exchange_of(scene.testbed, scene, notes=HOSTILE)
    token = token_of(scene.testbed, scene.partner.enterprise.id)
    with context_of(browser, base_url) as person, context_of(browser, base_url, viewport=PHONE) as phone:
        wide, narrow = person.new_page(), phone.new_page()
        sign_in(wide, token)
        sign_in(narrow, token)
        found = {}
        for path in pages_of_exchange(exchange):
            wide.goto(path)
            found[path] = violations(wide)
            assert wide.locator("img[src=x]").count() == 0, path
            narrow.goto(path)
            assert overflow(narrow) <= 0, path
        assert {path: each for path, each in found.items() if each} == {}


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=long)])
def test_axe_finds_nothing(browser: Browser, base_url: str, scene: Scene, scheme: str) -> None:
    with context_of(browser, base_url, color_scheme=scheme) as person:
        page = person.new_page()
        page.goto("/console/sign-in")
        assert violations(page) == []
        sign_in(page, OPERATOR_TOKEN)
        found = {}
        for path in pages_of(scene):
            page.goto(path)
            found[path] = violations(page)
        assert {path: each for path, each in found.items() if each} == {}


def test_phone_scrolls_in_one_direction(browser: Browser, base_url: str, scene: Scene) -> None:
    with context_of(browser, base_url, viewport=PHONE, is_mobile=True, has_touch=True) as person:
        page = person.new_page()
        sign_in(page, OPERATOR_TOKEN)
        for path in pages_of(scene):
            page.goto(path)
            assert overflow(page) <= 0, path


def test_hostile_text_runs_nowhere(person: BrowserContext, testbed: Testbed) -> None:
    hostile = "\"'><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"
    scene = scene_of(testbed, reason=hostile, external_id=hostile[:90])
    page: Page = person.new_page()
    sign_in(page, OPERATOR_TOKEN)
    for path in pages_of(scene):
        page.goto(path)
        page.evaluate("typeof refresh === 'function' && refresh()")
        assert page.title() != "taken", path
        assert page.locator("img[src=x]").count() == 0, path
