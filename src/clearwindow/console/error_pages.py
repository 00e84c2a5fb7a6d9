"""Errors as pages: what was wrong, why that happens and what to do, from the registry of errors."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from fastapi import Response

from clearwindow.console import pages
from clearwindow.core.error_registry import documentation_of, error_codes
from clearwindow.core.errors import RequestError

_KEPT: Final = ("Retry-After", "X-Request-Id", "Connection", "Accept-Encoding")
_SERVER_ERROR: Final = 500


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as a page shows it. ``cure`` is empty if the registry has none."""

    name: str
    message: str
    cause: str
    cure: str
    documentation: str


def shown(error: RequestError) -> Problem:
    return _problem(error.name, error.message)


def page_of(answer: Response) -> Response:
    """Returns the page that says what the API's answer to an error says."""
    told = json.loads(bytes(answer.body))
    values = {
        "problem": _problem(str(told["name"]), str(told["error"])),
        "request_id": str(told["requestId"]),
        "ours": answer.status_code >= _SERVER_ERROR,
        "status": answer.status_code,
    }
    made = pages.page("error.html", values, answer.status_code)
    for name in _KEPT:
        if name in answer.headers:
            made.headers[name] = answer.headers[name]
    return made


def _problem(name: str, message: str) -> Problem:
    known = error_codes().get(name)
    return Problem(name, message, known.cause if known else "", known.cure if known else "", documentation_of(name))
