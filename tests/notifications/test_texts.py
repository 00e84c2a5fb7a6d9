"""The forms of a message: names and notes of others are escaped, and never become a header, a link or a mention."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email import message_from_bytes, policy
from uuid import UUID

import pytest

from clearwindow.events.models import EventType
from clearwindow.notifications import texts
from clearwindow.notifications.forms import chat_body, email_of
from clearwindow.notifications.models import ChatForm, Message, NotificationKind, Owed, Recipient, Total, Unit

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
ID = UUID("7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39")
HOSTILE = "x\r\nBcc: all@victim.example\r\n\r\n<script>&<!channel> @all [a](https://evil.example) *b*"
UNITS = {"ofcbtc": Unit("ofcbtc", "btc", 8), "ofcusd": Unit("ofcusd", "usd", 2)}


def recipient(zone: str = "UTC") -> Recipient:
    return Recipient(ID, "fund", "user", None, (), zone, None, None, NOW, NOW)


def told(event_type: str, payload: dict[str, object], *, position: int = 1, as_client: bool = True) -> Owed:
    kind = NotificationKind.EVENT
    return Owed(ID, position, kind, None, event_type, ID, payload, as_client, NOW, "Exchange")


def composed(*parts: Owed, totals: list[Total] | None = None, zone: str = "UTC") -> Message:
    by_owner = {(ID, "fund", True): totals or [], (ID, "fund", False): totals or []}
    return texts.compose(ID, parts, recipient(zone), texts.Facts(by_owner, UNITS))


def hostile() -> Message:
    return composed(told("settlement.initiated", {"externalId": HOSTILE, "reason": HOSTILE}))


def test_no_header_comes_from_a_name() -> None:
    mail = message_from_bytes(email_of(hostile(), "a@b.example", "c@d.example").as_bytes(), policy=policy.default)
    assert mail["Bcc"] is None
    assert set(mail.keys()) == {
        *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type")
    }
    assert mail["Message-ID"] == f"<{ID}@b.example>"


def test_html_escapes_names() -> None:
    html = email_of(hostile(), "a@b.example", "c@d.example").get_body(("html",))
    assert html is not None
    assert "<script" not in html.get_content()
    assert "&lt;script&gt;" in html.get_content()


@pytest.mark.parametrize("form", [ChatForm.SLACK, ChatForm.MATTERMOST, ChatForm.TEAMS])
def test_chats_get_no_mention_and_no_link_from_a_name(form: ChatForm) -> None:
    text = json.dumps(json.loads(chat_body(hostile(), form)), ensure_ascii=False)
    assert "<!channel>" not in text
    assert "<script" not in text.replace("\\\\<", "")
    assert "https://" not in text
    assert form is ChatForm.SLACK or "@all" not in text


def test_generic_chat_gets_the_parts_of_a_message() -> None:
    body = json.loads(chat_body(composed(told("dispute.created", {"disputeId": str(ID)})), ChatForm.GENERIC))
    assert (body["id"], body["types"]) == (str(ID), ["dispute.created"])
    assert body["sections"][0]["title"] == "A settlement was disputed"
    assert f"Dispute: {ID}" in body["sections"][0]["lines"]


def test_amounts_are_coins_with_the_unit() -> None:
    totals = [Total(ID, "fund", "ofcbtc", 150_000_000, 0), Total(ID, "fund", "ofcusd", 0, 1_234)]
    message = composed(told("settlement.initiated", {"externalId": "day-1"}), totals=totals)
    assert message.subject == "Settlement day-1 takes 1.5 BTC"
    assert {"Takes: 1.5 BTC", "Gives: 12.34 USD"} <= set(message.sections[0].lines)
    partner = composed(told("settlement.initiated", {"externalId": "day-1"}, as_client=False), totals=totals)
    assert partner.subject == "Settlement day-1: you pay 1.5 BTC"
    short: dict[str, object] = {
        "shortfalls": [{"currency": "ofcbtc", "needed": "5", "available": "2", "shortfall": "3"}]
    }
    assert "Missing: 0.00000003 BTC" in composed(told("settlement.top_up_required", short)).sections[0].lines


def test_times_are_local_and_universal() -> None:
    assert texts.moment(NOW, "Europe/Berlin") == "2026-01-05 13:00:00 Europe/Berlin (12:00:00 UTC)"
    assert texts.moment(NOW, "Pacific/Auckland") == "2026-01-06 01:00:00 Pacific/Auckland (2026-01-05 12:00:00 UTC)"
    assert texts.moment(NOW, "UTC") == "2026-01-05 12:00:00 UTC"


@pytest.mark.parametrize("event_type", list(EventType))
def test_every_event_can_be_told(event_type: EventType) -> None:
    message = composed(told(event_type, {}))
    assert message.subject
    assert message.sections[0].lines


def test_digest_tells_how_many_events_it_leaves_out() -> None:
    parts = [told("dispute.created", {}, position=number) for number in range(texts.SECTIONS_OF_A_DIGEST + 7)]
    message = composed(*parts)
    assert message.subject.startswith("57 events: ")
    assert message.sections[-1].lines == ("7 more events are not shown. Clearwindow has them all.",)
    assert len(message.positions) == 57
