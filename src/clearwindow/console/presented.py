"""What a request to the console shows of its visitor, for the limits."""

from __future__ import annotations

from starlette.requests import Request

from clearwindow.api.lookups import Presented
from clearwindow.api.request import address_of
from clearwindow.console import rules


def is_of_console(path: str) -> bool:
    return path == rules.PREFIX or path.startswith(f"{rules.PREFIX}/")


def session_in(request: Request) -> Presented | None:
    """Returns the session that the cookie shows, in force or not; None if it shows none."""
    value = rules.possible_value(request.cookies.get(rules.cookie_name(request.url.scheme)))
    if value is None:
        return None
    return Presented(rules.value_sha256(value), signed=False, address=address_of(request), of_console=True)
