"""A Go Account: its balances, what holds them, its keys and its journal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fastapi import Response

from clearwindow.console.operators import names
from clearwindow.console.routing import Pages, Visit
from clearwindow.core.clock import wire_time
from clearwindow.custody.operator_routes import balances, get_go_account, list_go_account_keys
from clearwindow.ledger.operator_routes import entries
from clearwindow.ledger.schemas import EntryView
from clearwindow.statements.operator_routes import read_statement

pages: Final = Pages(for_operators=True)


@dataclass(frozen=True, slots=True)
class Posted:
    """What one entry of the journal changed of the account."""

    entry: EntryView
    currency: str
    available: int
    held: int


@pages.shows("/accounts/{go_account_id}")
def account(visit: Visit) -> Response:
    desk, account_id = visit.desk, visit.path_ids["go_account_id"]
    found = desk.read(get_go_account, go_account_id=account_id).go_account
    # From now on: what is held stands in it, and no entry of the past is read.
    held = desk.read_with(
        read_statement, {"createdOnOrAfter": wire_time(visit.now())}, account_id=found.id
    ).statement
    journal = desk.listed(entries, {"accountId": found.id, **visit.filters()})
    owner = names.enterprises(desk, [found.enterprise_id]).get(found.enterprise_id, found.enterprise_id)
    return visit.show(
        "operators/account.html",
        account=found,
        owner=owner,
        balances=desk.read(balances, go_account_id=found.id).balances,
        held=held.held or [],
        held_total=held.held_total or 0,
        keys=desk.listed(list_go_account_keys, {"goAccountIds": found.id}).body.keys,
        journal=journal,
        posted=posted_of(journal.body.entries, found.id),
    )


def posted_of(found: Sequence[EntryView], account_id: str) -> list[Posted]:
    """Returns what the entries changed of the account, one line for each currency of an entry."""
    lines: list[Posted] = []
    for entry in found:
        changes: dict[str, dict[str, int]] = {}
        for posting in entry.postings:
            if posting.account_id is not None and posting.account_id.replace("-", "") == account_id:
                buckets = changes.setdefault(posting.currency, {})
                buckets[posting.bucket] = buckets.get(posting.bucket, 0) + int(posting.quantity)
        lines += [
            Posted(entry, currency, buckets.get("available", 0), buckets.get("held", 0))
            for currency, buckets in changes.items()
        ]
    return lines
