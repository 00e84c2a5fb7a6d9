"""All routes of the console."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from clearwindow.console import front, own
from clearwindow.console.members import today
from clearwindow.console.operators import accounts, disputes, enterprises, now, proposals, settlements

PARTS: Final = (
    own.pages,
    today.pages,
    now.pages,
    settlements.pages,
    disputes.pages,
    proposals.pages,
    enterprises.pages,
    accounts.pages,
)


def console_router() -> APIRouter:
    """Returns the routes. The last one answers every address that no page has."""
    router = APIRouter(include_in_schema=False)
    router.include_router(front.router)
    for part in PARTS:
        router.include_router(part.router)
    front.add_rest(router)
    return router
