"""The forms of a message: an e-mail, and the JSON of each kind of chat. Every text is escaped for its form."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import Final, TypeAlias

from clearwindow.core.clock import wire_time
from clearwindow.notifications.models import ChatForm, Message, Section

_Escape: TypeAlias = Callable[[str], str]

_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]()#+.!|~<>-])")
_LONGEST_CHAT_CHARACTERS: Final = 12_000


def email_of(message: Message, sender: str, to: str) -> EmailMessage:
    """Returns the e-mail: plain text, and the same as HTML. Its Message-ID is the same for every attempt.

    Raises:
        ValueError: an address is malformed.
    """
    mail = EmailMessage(policy=SMTP)
    from_address = Address("Clearwindow", addr_spec=sender)
    mail["From"] = from_address
    mail["To"] = Address(addr_spec=to)
    mail["Subject"] = message.subject
    mail["Date"] = message.created_at
    mail["Message-ID"] = f"<{message.id}@{from_address.domain}>"
    # So that no out-of-office reply comes back.
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(plain_text(message))
    mail.add_alternative(_html(message), subtype="html")
    return mail


def chat_body(message: Message, form: ChatForm) -> bytes:
    """Returns the JSON for a chat. No text of others mentions anybody or becomes a link."""
    if form is ChatForm.GENERIC:
        body: object = {
            "id": str(message.id),
            "types": list(message.types),
            "createdAt": wire_time(message.created_at),
            "subject": message.subject,
            "sections": [{"title": part.title, "lines": list(part.lines)} for part in message.sections],
        }
    elif form is ChatForm.SLACK:
        body = {"text": _chat_text(message, _slack, "*"), "unfurl_links": False, "unfurl_media": False}
    elif form is ChatForm.MATTERMOST:
        body = {"text": _chat_text(message, _markdown, "**")}
    else:
        blocks = [_teams_block(text, bold=bold) for part in message.sections for text, bold in _texts_of(part)]
        card = {"type": "AdaptiveCard", "version": "1.2", "body": blocks}
        kind = "application/vnd.microsoft.card.adaptive"
        body = {"type": "message", "attachments": [{"contentType": kind, "content": card}]}
    return json.dumps(body, ensure_ascii=False).encode()


def plain_text(message: Message) -> str:
    parts = ["\n".join((part.title, *part.lines)) for part in message.sections]
    return "\n\n".join((*parts, message.footer)) + "\n"


def _html(message: Message) -> str:
    parts = [
        f"<h2>{html.escape(part.title)}</h2><p>{'<br>'.join(map(html.escape, part.lines))}</p>"
        for part in message.sections
    ]
    footer = f"<p><small>{html.escape(message.footer)}</small></p>"
    return f"<!doctype html><html><body>{''.join(parts)}{footer}</body></html>"


def _chat_text(message: Message, escape: _Escape, bold: str) -> str:
    parts: list[str] = []
    length = 0
    for part in message.sections:
        text = "\n".join((f"{bold}{escape(part.title)}{bold}", *map(escape, part.lines)))
        length += len(text)
        if parts and length > _LONGEST_CHAT_CHARACTERS:
            parts.append("More events are not shown. Clearwindow has them all.")
            break
        parts.append(text)
    return "\n\n".join(parts)


def _texts_of(section: Section) -> list[tuple[str, bool]]:
    return [(section.title, True), *((line, False) for line in section.lines)]


def _teams_block(text: str, *, bold: bool) -> dict[str, object]:
    weight = {"weight": "Bolder"} if bold else {}
    return {"type": "TextBlock", "text": _markdown(text), "wrap": True, **weight}


def _slack(text: str) -> str:
    # Slack's own three: without < there is no mention. The mark of bold text is taken from names.
    escaped = _unlinked(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("*", "\N{ASTERISK OPERATOR}")


def _unlinked(text: str) -> str:
    return text.replace("://", ":\N{ZERO WIDTH SPACE}//")


def _markdown(text: str) -> str:
    # A zero-width space keeps @all and @channel from calling anybody.
    broken = _unlinked(text).replace("@", "@\N{ZERO WIDTH SPACE}")
    return _MARKDOWN.sub(r"\\\1", broken)
