"""Calls and endpoints, for the operator."""

from __future__ import annotations

from datetime import datetime

from clearwindow.partner_calls import store
from clearwindow.partner_calls.models import CallFilter, ListedCall, Standing
from clearwindow.postgres.paging import Listing
from clearwindow.runtime import Runtime


def standings(runtime: Runtime, *, limit: int, offset: int) -> tuple[Listing[Standing], datetime]:
    """Returns a page of standings, and the moment at which they are what they are."""
    with runtime.transaction() as tx:
        return store.list_standings(tx, limit=limit, offset=offset), tx.now()


def calls(runtime: Runtime, wanted: CallFilter, *, limit: int, offset: int) -> Listing[ListedCall]:
    with runtime.transaction() as tx:
        return store.list_calls(tx, wanted, limit=limit, offset=offset)
