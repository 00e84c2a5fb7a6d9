"""/docs/errors: every error of the API with its cause and its cure, made from the registry, without scripts."""

from __future__ import annotations

from html import escape
from typing import Final

from fastapi import APIRouter, Request, Response

from clearwindow.core.error_registry import DOCUMENTATION_PATH, ErrorCode, error_codes
from clearwindow.web.notices import notice_of

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
_HEAD: Final = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Clearwindow: errors</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
section { border-top: 1px solid #8886; padding: .5rem 0; }
section:target { background: #ffd54f33; }
h2 { font: 600 1rem ui-monospace, monospace; margin: .5rem 0 0; }
dt { float: left; clear: left; width: 5rem; opacity: .7; }
dd { margin: 0 0 0 5.5rem; }
</style>
</head>
<body>
<h1>Errors</h1>
<p>Programs read <code>name</code>; people read <code>error</code>. Nothing is written by a request that is answered
with an error, except where the text says so.</p>
"""
_BODY: Final = "<body>\n"
_FOOT: Final = "</body>\n</html>\n"

router: Final = APIRouter(include_in_schema=False)


@router.get(DOCUMENTATION_PATH)
async def errors_page(request: Request) -> Response:
    sections = "".join(map(_section, error_codes().values()))
    headers = {"Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer"}
    head = _HEAD.replace(_BODY, _BODY + await notice_of(request), 1)
    return Response(head + sections + _FOOT, media_type="text/html", headers=headers)


def _section(code: ErrorCode) -> str:
    rows = {"Status": ", ".join(map(str, code.statuses)), "Cause": code.cause, "Cure": code.cure}
    if code.alias_of is not None:
        rows["Same as"] = code.alias_of
    listed = "".join(f"<dt>{escape(term)}</dt><dd>{escape(text)}</dd>\n" for term, text in rows.items())
    return (
        f'<section id="{escape(code.name)}">\n<h2>{escape(code.name)}</h2>\n<p>{escape(code.meaning)}</p>\n'
        f"<dl>\n{listed}</dl>\n</section>\n"
    )
