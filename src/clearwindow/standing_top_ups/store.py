"""Reads and writes of standing top-ups. Whoever writes or uses them holds the partner's lock."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Final
from uuid import UUID

from clearwindow.postgres.paging import NEWEST_FIRST, Listing, Slice, keyset_page
from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.queries import Queries
from clearwindow.standing_top_ups.models import StandingTopUp, StandingTopUpFilter, TopUp

sql: Final = Queries("clearwindow.standing_top_ups")


def insert(tx: Transaction, standing: StandingTopUp) -> None:
    given = asdict(standing)
    del given["revoked_by"], given["revoked_at"]
    tx.run(sql["insert_standing_top_up"], **given | {"per_settlement": Decimal(standing.per_settlement)})


def find(tx: Transaction, partner_id: UUID, standing_id: UUID) -> StandingTopUp | None:
    return tx.first(StandingTopUp, sql["find_standing_top_up"], id=standing_id, partner_id=partner_id)


def active_of(tx: Transaction, partner_id: UUID, currencies: Collection[str]) -> list[StandingTopUp]:
    """Returns the partner's instructions for these currencies: at most one for each."""
    values = {"partner_id": partner_id, "currencies": list(currencies)}
    return tx.all(StandingTopUp, sql["active_of_partner"], **values)


def all_active_of(tx: Transaction, partner_id: UUID) -> list[StandingTopUp]:
    return tx.all(StandingTopUp, sql["all_active_of_partner"], partner_id=partner_id)


def revoke(tx: Transaction, standing: StandingTopUp) -> None:
    values = {"id": standing.id, "revoked_by": standing.revoked_by, "revoked_at": standing.revoked_at}
    if tx.run(sql["revoke_standing_top_up"], **values) != 1:
        raise AssertionError("a standing top-up is revoked once, under its partner's lock")


def list_of(tx: Transaction, partner_id: UUID, wanted: StandingTopUpFilter, part: Slice) -> Listing[StandingTopUp]:
    values = {"partner_id": partner_id, **asdict(wanted)}
    return keyset_page(tx, StandingTopUp, sql["list_standing_top_ups"], values, NEWEST_FIRST, part)


def partners_drawing_on(tx: Transaction, go_account_id: UUID) -> list[UUID]:
    """Returns the partners whose accounts are topped up from this Go Account."""
    return tx.scalars(UUID, sql["partners_drawing_on"], go_account_id=go_account_id)


def insert_top_ups(tx: Transaction, settlement_id: UUID, made: Sequence[TopUp]) -> None:
    tx.run(
        sql["insert_top_ups"],
        settlement_id=settlement_id,
        standing_top_up_ids=[one.standing.id for one in made],
        quantities=[Decimal(one.quantity) for one in made],
        created_at=tx.now(),
    )
