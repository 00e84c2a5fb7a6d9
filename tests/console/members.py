"""What members do in the console, without JavaScript: they sign texts on a machine of their own."""

from __future__ import annotations

import html
import re

from clearwindow.signing.keys import PrivateKey
from clearwindow.signing.message import sign_message
from tests.console.browsing import Page, Visitor
from tests.support.operators import READ, WRITE
from tests.support.settlements import Testbed


def token_of(testbed: Testbed, enterprise_id: str, user: str = "bea", role: str | None = None) -> str:
    terms = {} if role is None else {"role": role}
    return testbed.operator.user_token(enterprise_id, user, scopes=(READ, WRITE), **terms)


def text_on(page: Page) -> str:
    """Returns the text to sign that a page shows, byte for byte."""
    found = re.search(r'<pre class="pre" id="text" tabindex="0">(.*?)</pre>', page.html, re.DOTALL)
    assert found, page.text
    return html.unescape(found[1])


def command_on(page: Page) -> str:
    found = re.search(r'<pre class="pre" id="command" tabindex="0">(.*?)</pre>', page.html, re.DOTALL)
    assert found, page.text
    return html.unescape(found[1])


def sign_and_send(visitor: Visitor, page: Page, key: PrivateKey) -> Page:
    """Signs the text of a page with a key that the console never gets, and sends the signature."""
    form = next(each for each in page.forms if "signature" in each.fields)
    return visitor.post(form.action, form.fields | {"signature": sign_message(key, text_on(page))})
