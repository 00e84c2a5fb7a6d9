"""Statements as they are read: by members for their accounts, by operators for all."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from clearwindow.core.errors import NotFoundError
from clearwindow.identity.models import Member
from clearwindow.ledger import store as ledger
from clearwindow.postgres.paging import Listing
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime
from clearwindow.statements import rules, store
from clearwindow.statements.models import (
    EntryPage,
    EntrySearch,
    HeldAmount,
    Period,
    StatedAccount,
    Statement,
)

MOST_HELD: Final = 1_000
"""How many held amounts a statement names, with the largest of each currency first."""


def read_statement(runtime: Runtime, member: Member | None, account_id: UUID | None, period: Period) -> Statement:
    """Returns the balances of an account at both ends of a period, and what it holds.

    Args:
        runtime: the server's.
        member: who reads; None: an operator, who may read every account.
        account_id: a Go Account or a network account.
        period: the period.

    Raises:
        NotFoundError: there is no such account, or it is none of the member's.
    """
    with runtime.transaction() as tx:
        # The balances, what has changed since, and the holds must be of one moment.
        tx.read_one_snapshot()
        account = _readable(tx, member, account_id)
        now = ledger.balances_of(tx, [account.id])[account.id]
        balances = rules.balances_over(now, store.moved_since(tx, account, period), period)
        read_at = tx.now()
        held = None
        if period.before is None or period.before > read_at:
            held = store.list_held(tx, account, MOST_HELD)
        return Statement(
            account,
            period,
            read_at,
            balances,
            held=held.items if held else None,
            held_total=held.total if held else 0,
            causes=store.causes_of(tx, _causes(held)),
        )


def list_entries(
    runtime: Runtime, member: Member | None, account_id: UUID | None, wanted: EntrySearch
) -> EntryPage:
    """Returns a page of what entries changed of an account, oldest first, with their causes.

    Raises:
        NotFoundError: there is no such account, or it is none of the member's.
    """
    with runtime.transaction() as tx:
        page = store.list_entries(tx, _readable(tx, member, account_id), wanted)
        return EntryPage(page, store.causes_of(tx, [entry.cause_id for entry in page.items]))


def _readable(tx: Transaction, member: Member | None, account_id: UUID | None) -> StatedAccount:
    found = store.find_account(tx, account_id) if account_id else None
    if found is None or (member is not None and not found.is_readable_by(member.enterprise_id)):
        raise NotFoundError(
            "account_unknown",
            "accountId: there is no such account: give the id of a Go Account, or the networkAccountId of a"
            " connection",
        )
    return found


def _causes(held: Listing[HeldAmount] | None) -> list[UUID]:
    return [] if held is None else [one.cause_id for one in held.items]
