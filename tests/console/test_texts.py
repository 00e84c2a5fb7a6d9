"""How pages write what the API says in base units."""

from __future__ import annotations

import html
import re

import pytest

from clearwindow.console.texts import amounts_of
from clearwindow.settlements import funding, rules
from clearwindow.settlements.models import FundingGap

AMOUNTS = amounts_of([("ofcbtc", "btc", 8), ("ofcusd", "usd", 2)])


def plain(text: str) -> str:
    spaced = re.sub(r"<span[^>]*>", " ", AMOUNTS.in_text(text))
    return html.unescape(re.sub(r"<[^>]+>", "", spaced))


def test_shortfalls_of_a_settlement_are_written_as_coins() -> None:
    gaps = [FundingGap("ofcbtc", needed=7, available=5), FundingGap("ofcusd", needed=12_345, available=0)]
    assert plain(rules.failure_reason(gaps)) == (
        "the partner's account is short of ofcbtc by 0.00000002 BTC (needs 0.00000007 BTC, has 0.00000005 BTC),"
        " ofcusd by 123.45 USD (needs 123.45 USD, has 0 USD)"
    )
    listed = [{"connectionId": "c", "currency": "ofcusd", "shortfall": "250"}] * 2
    assert plain(funding.in_words(listed)) == "connection c is short of 2.5 USD and 1 more"


@pytest.mark.parametrize(
    "text",
    ["", "the partner asked for it", "unknown by 3 (needs 3, has 0)", "3 base units of unknown", "ofcbtc by 3"],
)
def test_other_reasons_stay_as_they_are(text: str) -> None:
    assert AMOUNTS.in_text(text) == text


def test_hostile_reason_is_text() -> None:
    shown = AMOUNTS.in_text("<b>ofcusd by 1 (needs 1, has 0)</b>")
    assert shown.startswith("&lt;b&gt;ofcusd by <data")
    assert shown.endswith(")&lt;/b&gt;")
