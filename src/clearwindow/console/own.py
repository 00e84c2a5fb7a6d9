"""The visitor's own session, and links for other browsers."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from fastapi import Response

from clearwindow.console import links
from clearwindow.console.members.today import today
from clearwindow.console.operators.now import now
from clearwindow.console.routing import Pages, Visit, link_address

pages: Final = Pages()


@pages.shows("/session")
def session(visit: Visit) -> Response:
    return _session(visit, None)


@pages.does("/session/link", session)
def make_link(visit: Visit) -> Response:
    """Shows the link in this answer alone."""
    return _session(visit, link_address(visit.request, links.make(visit.runtime, visit.visitor)))


@pages.shows("")
def home(visit: Visit) -> Response:
    """The first page of each kind of visitor."""
    return now(visit) if visit.visitor.operator is not None else today(visit)


def _session(visit: Visit, link: str | None) -> Response:
    terms = visit.runtime.console
    return visit.show(
        "session.html",
        ends_at=visit.visitor.session.created_at + terms.longest,
        idle_minutes=round(terms.idle / timedelta(minutes=1)),
        link=link,
    )
