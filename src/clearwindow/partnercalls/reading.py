"""Calls and endpoints as the operator looks at them."""

from __future__ import annotations

from clearwindow.database.listing import Listing
from clearwindow.partnercalls import store
from clearwindow.partnercalls.values import ListedCall, Standing
from clearwindow.partnercalls.wire import CallFilters
from clearwindow.runtime import Runtime


def standings(runtime: Runtime, *, limit: int, offset: int) -> Listing[Standing]:
    with runtime.transaction() as tx:
        return store.list_standings(tx, limit=limit, offset=offset)


def calls(runtime: Runtime, filters: CallFilters) -> Listing[ListedCall]:
    with runtime.transaction() as tx:
        return store.list_calls(
            tx,
            partner_ids=filters.partner_ids,
            subject_ids=filters.subject_ids,
            owed=filters.owed,
            limit=filters.limit,
            offset=filters.offset,
        )
