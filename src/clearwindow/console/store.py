"""The SQL of the console's sessions."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from clearwindow.console.models import Link, Session
from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.queries import Queries

sql: Final = Queries("clearwindow.console")


@dataclass(frozen=True, slots=True)
class KnownSession:
    """Whose a session is. Both are None for the token of the settings."""

    value_sha256: bytes
    enterprise_id: str | None
    operator_id: UUID | None


def insert(tx: Transaction, session: Session, value_sha256: bytes) -> None:
    tx.run(
        sql["insert_session"],
        id=session.id,
        value_sha256=value_sha256,
        token_id=session.token_id,
        settings_proof=session.settings_proof,
        waits_for_code=session.waits_for_code,
        created_at=session.created_at,
        seen_at=session.seen_at,
    )


def find(tx: Transaction, value_sha256: bytes) -> Session | None:
    return tx.first(Session, sql["find_session"], value_sha256=value_sha256)


def known(
    tx: Transaction, hashes: Collection[bytes], *, seen_after: datetime, created_after: datetime
) -> dict[bytes, KnownSession]:
    """Returns whose sessions these are, by their hashes."""
    rows = tx.all(
        KnownSession,
        sql["known_sessions"],
        hashes=list(hashes),
        seen_after=seen_after,
        created_after=created_after,
    )
    return {row.value_sha256: row for row in rows}


def note_seen(tx: Transaction, session_id: UUID, seen_at: datetime) -> None:
    tx.run(sql["note_seen"], id=session_id, seen_at=seen_at)


def note_code(tx: Transaction, session_id: UUID) -> bool:
    """Returns False if the code was noted before, or the session is gone."""
    return tx.run(sql["note_code"], id=session_id) == 1


def delete(tx: Transaction, session_id: UUID) -> bool:
    """Returns whether there was one."""
    return tx.run(sql["delete_session"], id=session_id) == 1


def delete_over(tx: Transaction, seen_before: datetime) -> None:
    tx.run(sql["delete_over"], seen_before=seen_before)


def insert_link(tx: Transaction, link: Link, value_sha256: bytes) -> None:
    tx.run(
        sql["insert_link"],
        id=link.id,
        value_sha256=value_sha256,
        token_id=link.token_id,
        settings_proof=link.settings_proof,
        begins_at=link.begins_at,
        ends_at=link.ends_at,
    )


def take_link(tx: Transaction, value_sha256: bytes) -> Link | None:
    """Returns the link and removes it, so that nobody else finds it."""
    return tx.first(Link, sql["take_link"], value_sha256=value_sha256)


def delete_links_over(tx: Transaction, now: datetime) -> None:
    tx.run(sql["delete_links_over"], now=now)
