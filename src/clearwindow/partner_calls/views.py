"""Calls and endpoints, for the operator."""

from __future__ import annotations

from datetime import datetime

from clearwindow.partner_calls import store
from clearwindow.partner_calls.models import CallFilter, ListedCall, Standing
from clearwindow.postgres.paging import Listing, Slice
from clearwindow.runtime import Runtime


def standings(runtime: Runtime, part: Slice) -> tuple[Listing[Standing], datetime]:
    """Returns a page of standings, and the moment at which they are what they are."""
    with runtime.transaction() as tx:
        return store.list_standings(tx, part), tx.now()


def calls(runtime: Runtime, wanted: CallFilter, part: Slice) -> Listing[ListedCall]:
    with runtime.transaction() as tx:
        return store.list_calls(tx, wanted, part)
