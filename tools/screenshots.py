"""Records the pages of the console into docs/images, from the demo's network: ``make screenshots``.

Each page is recorded light, dark and as on a phone. Needs Debian's package chromium.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, BrowserContext, FilePayload

from clearwindow.console.rules import PREFIX
from clearwindow.simulator.demo import scenario
from clearwindow.simulator.demo.calls import Caller, request
from clearwindow.simulator.demo.participants import Participants
from clearwindow.simulator.demo.settlements import Staged, await_stage
from clearwindow.simulator.screen import Screen
from clearwindow.simulator.server import serving, temporary_folder
from tests.console.browser import chromium, context_of, sign_in

IMAGES: Final = Path(__file__).parents[1] / "docs" / "images"
OPERATOR_API: Final = "/api/operator/v1"
LONG_WINDOWS: Final = {"clientDisputeWindowMinutes": 90, "topUpWindowMinutes": 60}
PREVIEW: Final = "exchange-preview"
"""The page with a preview comes after a file was chosen."""
RETRACT: Final = "trader-sign"
"""The page with a text to sign comes after the form of another page."""
FOURTH_DAY: Final = {
    scenario.ASTER: {"BTC": "0.25", "USDC": "-13000"},
    scenario.BOREALIS: {"USDC": "13000"},
}
FIFTH_DAY: Final = {
    scenario.ASTER: {"BTC": "-0.125", "USDC": "8200"},
    scenario.BOREALIS: {"USDC": "-1500"},
}
SHAPES: Final[Mapping[str, Mapping[str, Any]]] = {
    "light": {"viewport": {"width": 1280, "height": 820}},
    "dark": {"viewport": {"width": 1280, "height": 820}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True},
}


def main() -> None:
    token = secrets.token_urlsafe()
    with temporary_folder("screenshots") as folder, serving(folder, token) as base_url:
        starter = Caller(base_url, token)
        participants = scenario.set_up(Screen(), starter, base_url)
        pages = _stage(participants)
        of_trader, token_of_trader = _of_trader(participants)
        IMAGES.mkdir(exist_ok=True)
        with chromium() as browser:
            of_exchange, token_of_exchange, file = _of_exchange(participants)
            for shape, options in SHAPES.items():
                _record(browser, base_url, participants.ben.token, shape, options, pages)
                _record(browser, base_url, token_of_trader, shape, options, of_trader)
                _record(browser, base_url, token_of_exchange, shape, options, of_exchange, file)
        participants.close()
        starter.close()


def _stage(participants: Participants) -> dict[str, str]:
    """Plays the demo until something waits in each list, and returns the addresses of the pages by their names."""
    screen, ada = Screen(), participants.ada
    scenario.allocate_funds(screen, participants)
    staged, again, answer = scenario.reject_uncovered_settlement(screen, participants)
    scenario.repeat_request_and_show_holds(screen, participants, again, answer)
    dispute_id = scenario.dispute(screen, participants, staged)
    scenario.settle_undisputed_part(screen, participants, staged)
    ada.send(request("PATCH", f"{OPERATOR_API}/partners/{participants.partner_id}", scenario.SHORTER_WINDOWS))
    failing = _settle(participants, "day-2", scenario.THIRD_DAY)
    await_stage(ada, Staged(failing, "day-2"), "failed")
    ada.send(request("PATCH", f"{OPERATOR_API}/partners/{participants.partner_id}", LONG_WINDOWS))
    opened = _settle(participants, "day-3", FOURTH_DAY)
    scenario.dispute(screen, participants, Staged(opened, "day-3"))
    proposed = ada.post(
        f"{OPERATOR_API}/settlements/{opened}/reject", {"reason": "the exchange sent the wrong day"}, expect=202
    )
    trader = participants.traders[scenario.ASTER]
    return {
        "sign-in": f"{PREFIX}/sign-in",
        "now": PREFIX,
        "settlements": f"{PREFIX}/settlements",
        "settlement": f"{PREFIX}/settlements/{staged.id}",
        "transfers": f"{PREFIX}/settlements/{staged.id}/transfers",
        "disputes": f"{PREFIX}/disputes",
        "dispute": f"{PREFIX}/disputes/{dispute_id}",
        "proposals": f"{PREFIX}/proposals",
        "proposal": f"{PREFIX}/proposals/{proposed.body['proposal']['id']}",
        "enterprises": f"{PREFIX}/enterprises",
        "enterprise": f"{PREFIX}/enterprises/{trader.enterprise_id}",
        "account": f"{PREFIX}/accounts/{trader.go_account_id}",
        "session": f"{PREFIX}/session",
        "error": f"{PREFIX}/nowhere",
    }


def _of_trader(participants: Participants) -> tuple[dict[str, str], str]:
    """Returns the addresses of a trader's pages, and its token."""
    trader = participants.traders[scenario.BOREALIS]
    caller, path = trader.caller, trader.path
    settlements = caller.get(path("/clients/settlements"))["settlements"]
    opened = next(each["id"] for each in settlements if each["externalId"] == "day-3")
    disputes = caller.get(path(f"/clients/settlement/disputes?settlementIds={opened}"))["disputes"]
    allocations = caller.get(path("/clients/allocations"))["allocations"]
    made = caller.post(path("/webhook-endpoints"), {"url": "https://hooks.borealis.example/clearwindow"})
    endpoint = made.body["webhookEndpoint"]["id"]
    caller.post(path(f"/webhook-endpoints/{endpoint}/test"), {})
    return {
        "trader-today": PREFIX,
        "trader-money": f"{PREFIX}/trader/money",
        "trader-settlements": f"{PREFIX}/trader/settlements",
        "trader-settlement": f"{PREFIX}/trader/settlements/{opened}",
        "trader-dispute": f"{PREFIX}/trader/disputes/{disputes[0]['id']}",
        "trader-connection": f"{PREFIX}/trader/connections/{trader.connection_id}",
        "trader-allocation": f"{PREFIX}/trader/allocations/{allocations[0]['id']}",
        "trader-webhook": f"{PREFIX}/webhooks/{endpoint}",
        "trader-tokens": f"{PREFIX}/tokens",
        "trader-statement": f"{PREFIX}/statements/{trader.go_account_id}",
        RETRACT: f"{PREFIX}/trader/disputes/{disputes[0]['id']}",
    }, caller.token


def _of_exchange(participants: Participants) -> tuple[dict[str, str], str, str]:
    """Returns the addresses of an exchange's pages, its token, and a file with a new settlement."""
    exchange = participants.exchange
    settlements = exchange.caller.get(exchange.path("/partners/settlements"))["settlements"]
    ids = {each["externalId"]: each["id"] for each in settlements}
    disputes = exchange.caller.get(exchange.path(f"/partners/settlement/disputes?settlementIds={ids['day-3']}"))
    allocations = exchange.caller.get(exchange.path("/partners/allocations"))["allocations"]
    lines = [
        f"{participants.traders[name].connection_id},{currency},{amount}"
        for name, amounts in FIFTH_DAY.items()
        for currency, amount in amounts.items()
    ]
    return (
        {
            "exchange-today": PREFIX,
            "exchange-settlements": f"{PREFIX}/exchange/settlements",
            "exchange-settlement": f"{PREFIX}/exchange/settlements/{ids['day-3']}",
            PREVIEW: f"{PREFIX}/exchange/new",
            "exchange-new": f"{PREFIX}/exchange/new",
            "exchange-disputes": f"{PREFIX}/exchange/disputes",
            "exchange-dispute": f"{PREFIX}/exchange/disputes/{disputes['disputes'][0]['id']}",
            "exchange-connections": f"{PREFIX}/exchange/connections",
            "exchange-allocations": f"{PREFIX}/exchange/allocations?statuses=",
            "exchange-allocation": f"{PREFIX}/exchange/allocations/{allocations[0]['id']}",
            "exchange-endpoint": f"{PREFIX}/exchange/endpoint",
        },
        exchange.caller.token,
        "\n".join(["connection,currency,amount", *lines]),
    )


def _settle(participants: Participants, name: str, amounts: scenario.Amounts) -> str:
    sent = participants.exchange.caller.send(scenario.settlement_request(participants, name, amounts))
    return str(sent.body["settlement"]["id"])


def _record(
    browser: Browser,
    base_url: str,
    token: str,
    shape: str,
    options: Mapping[str, Any],
    pages: Mapping[str, str],
    file: str = "",
) -> None:
    context: BrowserContext
    with context_of(browser, base_url, **{**options, "locale": "en-GB", "timezone_id": "Europe/Berlin"}) as context:
        page = context.new_page()
        for name, path in pages.items():
            if path == PREFIX:
                sign_in(page, token)
            else:
                page.goto(path)
            if name == RETRACT:
                page.get_by_role("button", name="Go on to sign").click()
                page.wait_for_selector("#text")
            if name == PREVIEW:
                page.get_by_label("Your id of it").fill("day-4")
                chosen: FilePayload = {"name": "day-4.csv", "mimeType": "text/csv", "buffer": file.encode()}
                page.get_by_label("File").set_input_files(chosen)
                page.get_by_role("button", name="See what it would do").click()
                page.get_by_role("heading", name="day-4").wait_for()
            page.screenshot(path=IMAGES / f"console-{name}-{shape}.png")
            sys.stdout.write(f"docs/images/console-{name}-{shape}.png\n")


if __name__ == "__main__":
    main()
