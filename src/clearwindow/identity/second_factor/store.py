"""Reads and writes of second factors."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final
from uuid import UUID

from clearwindow.identity.second_factor.models import SecondFactor
from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.queries import Queries

sql: Final = Queries("clearwindow.identity.second_factor")


def find(tx: Transaction, operator_id: UUID) -> SecondFactor | None:
    return tx.first(SecondFactor, sql["find"], operator_id=operator_id)


def lock(tx: Transaction, operator_id: UUID) -> SecondFactor | None:
    """Returns the operator's second factor, locked: of two requests with one code only one sees it unused."""
    return tx.first(SecondFactor, sql["lock"], operator_id=operator_id)


def enrol(tx: Transaction, factor: SecondFactor) -> bool:
    """Stores it in place of one that is not confirmed. Returns False if the operator has a confirmed one."""
    return tx.run(sql["enrol"], **asdict(factor)) == 1


def update(tx: Transaction, factor: SecondFactor) -> None:
    tx.run(sql["update"], **asdict(factor))


def delete(tx: Transaction, operator_id: UUID) -> bool:
    """Returns whether there was one."""
    return tx.run(sql["delete"], operator_id=operator_id) == 1
