"""A visitor of the console without JavaScript: follows links, fills forms in, and reads the text of pages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, Self
from urllib.parse import urljoin

import httpx2

from tests.support.http import loopback_client

TIMEOUT_SECONDS = 60
_SILENT = {"script", "style"}


@dataclass
class Form:
    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.links: list[str] = []
        self.forms: list[Form] = []
        self.names: set[str] = set()
        self._open: Form | None = None
        self._area: str | None = None
        self._choice: str | None = None
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.names.add(tag)
        if tag in _SILENT:
            self._silent += 1
        if tag == "a":
            self.links.append(given.get("href", ""))
        if tag == "form":
            self._open = Form(given.get("action", ""), given.get("method", "get"))
            self.forms.append(self._open)
        if tag == "option" and self._choice is not None:
            self._offer(self._choice, given)
        if self._open is not None and "name" in given:
            if tag == "input" and given.get("type") not in {"checkbox", "radio", "file"}:
                self._open.fields[given["name"]] = given.get("value", "")
            if tag == "select":
                self._choice = given["name"]
            if tag == "textarea":
                self._open.fields[given["name"]] = ""
                self._area = given["name"]

    def _offer(self, name: str, given: Mapping[str, str]) -> None:
        """Chooses as a browser does: the first option, unless another one is selected."""
        fields = {} if self._open is None else self._open.fields
        if "value" in given and ("selected" in given or name not in fields):
            fields[name] = given["value"]

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent -= 1
        if tag == "form":
            self._open = None
        if tag == "textarea":
            self._area = None
        if tag == "select":
            self._choice = None

    def handle_data(self, data: str) -> None:
        if self._area is not None and self._open is not None:
            self._open.fields[self._area] += data
        if not self._silent:
            self.texts.append(data)


class Page:
    """An answer, read as a person reads it."""

    def __init__(self, answer: httpx2.Response) -> None:
        self.answer = answer
        self.status = answer.status_code
        self.html = answer.text
        reader = _Reader()
        reader.feed(self.html)
        self.text = re.sub(r"\s+", " ", " ".join(reader.texts))
        self.links = reader.links
        self.forms = reader.forms
        self.tags = reader.names
        self.path = answer.url.raw_path.decode()

    def form(self, action: str) -> Form:
        """Returns the form whose address ends like this."""
        return next(form for form in self.forms if form.action.endswith(action))

    def has_form(self, action: str) -> bool:
        return any(form.action.endswith(action) for form in self.forms)


class Visitor:
    """Keeps cookies and sends the headers of a browser."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.http = loopback_client(base_url=base_url, timeout=TIMEOUT_SECONDS)
        self.origin = base_url

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def get(self, path: str = "/console", **headers: str) -> Page:
        return Page(self.http.get(path, headers=headers, follow_redirects=True))

    def post(
        self, path: str, fields: Mapping[str, str], files: Mapping[str, bytes] | None = None, **headers: str
    ) -> Page:
        sent = {"Origin": self.origin, "Sec-Fetch-Site": "same-origin"} | headers
        given = {name: (f"{name}.txt", content) for name, content in (files or {}).items()}
        answer = self.http.post(path, data=dict(fields), files=given or None, headers=sent)
        if answer.status_code == httpx2.codes.SEE_OTHER:
            return self.get(urljoin(path, answer.headers["location"]))
        return Page(answer)

    def send(self, page: Page, action: str, **fields: str) -> Page:
        """Fills a form of a page in, and sends it."""
        form = page.form(action)
        return self.post(form.action, form.fields | fields)

    def sign_in(self, token: str, **more: Any) -> Page:  # noqa: ANN401 - fields of the form
        return self.send(self.get("/console/sign-in"), "/sign-in", token=token, **more)
