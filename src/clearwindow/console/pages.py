"""Makes pages of templates: HTML with its headers, and what every page shows at its head."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final

from fastapi import Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from clearwindow.console import texts
from clearwindow.console.assets import assets
from clearwindow.console.rules import PREFIX

HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    # With no-referrer, browsers would not say which page a form comes from.
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


@cache
def environment() -> Environment:
    """Returns the templates. What they write is escaped, and a name that is missing is a defect."""
    made = Environment(
        loader=PackageLoader("clearwindow.console", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(assets={name: asset.path for name, asset in assets().items()}, prefix=PREFIX)
    made.filters.update(
        age=texts.duration, moment=texts.moment, short=texts.short, utc=texts.utc, words=texts.words
    )
    return made


def page(template: str, values: Mapping[str, object], status: int = 200) -> Response:
    """Returns the page that a template makes of these values."""
    html = environment().get_template(template).render(values)
    return Response(html, status, HEADERS, "text/html")
