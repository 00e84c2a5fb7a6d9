"""Reads the lists of the directory. The statements are those of identity."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Final

from clearwindow.identity.directory.models import (
    EnterpriseFilter,
    Membership,
    MembershipFilter,
    OperatorFilter,
    TokenFilter,
    UserFilter,
)
from clearwindow.identity.models import Enterprise, OperatorRecord, Token, User
from clearwindow.identity.store import sql
from clearwindow.postgres.paging import (
    NEWEST_FIRST,
    NEWEST_FIRST_BY_NAMED_ID,
    Listing,
    Order,
    Slice,
    keyset_page,
)
from clearwindow.postgres.pool import Transaction

_NEWEST_MEMBERSHIP_FIRST: Final = Order({"created_at": datetime, "enterprise_id": str, "user_id": str})


def list_enterprises(tx: Transaction, wanted: EnterpriseFilter, part: Slice) -> Listing[Enterprise]:
    return keyset_page(tx, Enterprise, sql["list_enterprises"], asdict(wanted), NEWEST_FIRST_BY_NAMED_ID, part)


def list_users(tx: Transaction, wanted: UserFilter, part: Slice) -> Listing[User]:
    return keyset_page(tx, User, sql["list_users"], asdict(wanted), NEWEST_FIRST_BY_NAMED_ID, part)


def list_memberships(tx: Transaction, wanted: MembershipFilter, part: Slice) -> Listing[Membership]:
    return keyset_page(tx, Membership, sql["list_memberships"], asdict(wanted), _NEWEST_MEMBERSHIP_FIRST, part)


def list_operators(tx: Transaction, wanted: OperatorFilter, part: Slice) -> Listing[OperatorRecord]:
    return keyset_page(tx, OperatorRecord, sql["list_operators"], asdict(wanted), NEWEST_FIRST, part)


def list_tokens(tx: Transaction, wanted: TokenFilter, part: Slice) -> Listing[Token]:
    values = {**asdict(wanted), "now": tx.now()}
    return keyset_page(tx, Token, sql["list_tokens"], values, NEWEST_FIRST, part)
