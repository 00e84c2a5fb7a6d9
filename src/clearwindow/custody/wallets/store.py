"""Reads and writes of what custodian keys have signed.

The limit is one of the thresholds that ``approvals`` keeps above this room: here it is only read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final
from uuid import UUID

from clearwindow.custody.wallets.models import DaySum, PartnerCurrency
from clearwindow.identity.models import Member
from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.queries import Queries

sql: Final = Queries("clearwindow.custody.wallets")


def insert_signature(
    tx: Transaction, member: Member, key_id: UUID, payload_sha256: bytes, operations: Sequence[str]
) -> bool:
    """Returns False if the key has signed this text before."""
    values = {"key_id": key_id, "payload_sha256": payload_sha256, "operations": list(operations)}
    holder = {"enterprise_id": member.enterprise_id, "user_id": member.user_id}
    return tx.run(sql["insert_signature"], **values, **holder, now=tx.now()) == 1


def partner_currencies(tx: Transaction, enterprise_id: str) -> dict[str, PartnerCurrency]:
    """Returns the enterprise's own names of currencies as a partner; none if it is not configured as one."""
    found = tx.all(PartnerCurrency, sql["list_partner_currencies"], enterprise_id=enterprise_id)
    return {each.partner_name: each for each in found}


def add_to_day(tx: Transaction, enterprise_id: str, day: date, quantities: Mapping[str, int]) -> list[DaySum]:
    """Adds to what was signed on the day and returns the new sums, which stay locked, with the limits."""
    values = {"enterprise_id": enterprise_id, "day": day, "currencies": list(quantities)}
    tx.run(sql["add_to_day"], **values, quantities=list(quantities.values()))
    return tx.all(DaySum, sql["list_day"], **values)
