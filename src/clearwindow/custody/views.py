"""Reads of Go Accounts and their keys, for operators."""

from __future__ import annotations

from clearwindow.custody import store
from clearwindow.custody.go_accounts import require_go_account
from clearwindow.custody.models import GoAccount, GoAccountFilter, KeyFilter, ListedKey
from clearwindow.postgres.paging import Listing, Slice
from clearwindow.runtime import Runtime


def list_go_accounts(runtime: Runtime, wanted: GoAccountFilter, part: Slice) -> Listing[GoAccount]:
    with runtime.transaction() as tx:
        return store.list_go_accounts(tx, wanted, part)


def get_go_account(runtime: Runtime, go_account_id: str) -> GoAccount:
    with runtime.transaction() as tx:
        return require_go_account(tx, go_account_id)


def list_keys(runtime: Runtime, wanted: KeyFilter, part: Slice) -> Listing[ListedKey]:
    with runtime.transaction() as tx:
        return store.list_go_account_keys(tx, wanted, part)
