"""Encrypts every stored secret anew, with the key that encrypts now.

Each batch is a transaction of its own. A value that is already encrypted with that key is left as it is, so that a
rotation that was killed is simply run again. Servers may run meanwhile: they decrypt with both keys, and a value
that one of them changes at the same time is left to the next pass.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, LiteralString

from cryptography.exceptions import InvalidTag
from psycopg.sql import SQL, Identifier

from clearwindow.core.vault import Vault
from clearwindow.postgres.embedded.home import sync_folder
from clearwindow.postgres.pool import Database
from clearwindow.secret_key import FILE_NAME, FORMER_NAME, NEXT_NAME, FolderKeys, make_key

BATCH_ROWS: Final = 500


class RotationError(RuntimeError):
    """The rotation cannot go on; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A column of encrypted values. The context of a value is the prefix, a colon and the row's id."""

    table: LiteralString
    column: LiteralString
    context: str
    id_type: LiteralString = "uuid"


SEALED: Final = (
    Sealed("access_token", "sealed_secret", "access_token"),
    Sealed("connection", "encrypted_key", "connection-key"),
    Sealed("go_account_key", "sealed_prv", "go_account_key"),
    Sealed("notification_channel", "sealed_code", "notification-code"),
    Sealed("notification_channel", "sealed_url", "notification-url"),
    Sealed("partner_call", "sealed_body", "partner-call"),
    Sealed("partner_call_key", "sealed_private", "partner-call-key", id_type="text"),
    Sealed("second_factor", "sealed_secret", "second-factor"),
    Sealed("proposal", "sealed_value", "proposal"),
    Sealed("sealed_payload", "ciphertext", "signed-request"),
    Sealed("webhook_secret", "encrypted_keys", "webhook-secret"),
)
"""Every column that the vault encrypts. A test compares the list with the schema."""

_READ: Final = """
SELECT id, {column} FROM {table}
WHERE {column} IS NOT NULL AND (%(after)s::{type} IS NULL OR id > %(after)s::{type})
ORDER BY id LIMIT %(rows)s
"""
WRITE: Final = """
UPDATE {table} SET {column} = given.renewed
FROM unnest(%(ids)s::{type}[], %(before)s::bytea[], %(renewed)s::bytea[]) AS given (id, before, renewed)
WHERE {table}.id = given.id AND {table}.{column} = given.before
"""
# A transaction may encrypt something before its first statement, so a little later counts as before.
_BEGAN_BEFORE: Final = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
  AND xact_start < to_timestamp(%(moment)s) + interval '1 minute'
"""

Progress = Callable[[str, int, int], object]
"""Called after each batch with the table, the number of values read in it, and how many were encrypted anew."""


def renew_all(database: Database, vault: Vault, progress: Progress) -> int:
    """Encrypts every value anew that is under another key. Returns how many those were.

    Raises:
        RotationError: a value cannot be decrypted with any of the keys. What was done before it stays.
    """
    return sum(_renew(database, vault, sealed, progress) for sealed in SEALED)


def _renew(database: Database, vault: Vault, sealed: Sealed, progress: Progress) -> int:
    names = {name: Identifier(getattr(sealed, name)) for name in ("table", "column")}
    read, write = (SQL(text).format(**names, type=SQL(sealed.id_type)) for text in (_READ, WRITE))
    after: object = None
    seen = changed = 0
    while True:
        with database.transaction() as tx:
            rows = tx.connection.execute(read, {"after": after, "rows": BATCH_ROWS}).fetchall()
            renewed = [(key, before, _renewed(vault, sealed, key, before)) for key, before in rows]
            fresh = [(key, before, text) for key, before, text in renewed if text is not None]
            if fresh:
                ids, before_all, texts = map(list, zip(*fresh, strict=True))
                values = {"ids": ids, "before": before_all, "renewed": texts}
                changed += tx.connection.execute(write, values).rowcount
        seen += len(rows)
        progress(sealed.table, seen, changed)
        if len(rows) < BATCH_ROWS:
            return changed
        after = rows[-1][0]


def _renewed(vault: Vault, sealed: Sealed, key: object, before: bytes) -> bytes | None:
    try:
        return vault.renewed(before, context=f"{sealed.context}:{key}")
    except (InvalidTag, ValueError):
        raise RotationError(
            f"{sealed.table} {key}: {sealed.column} cannot be decrypted with any of the keys. Give the key that it"
            " was encrypted with as CLEARWINDOW_OTHER_SECRET_KEY, and run the same command again."
        ) from None


def rotate_folder(database: Database, data_dir: Path, progress: Progress) -> int:
    """Makes another key in the data folder, encrypts everything with it, and keeps the former one beside it.

    Raises:
        RotationError: the last rotation is not finished, or as for ``renew_all``.
    """
    upcoming, current, former = (data_dir / name for name in (NEXT_NAME, FILE_NAME, FORMER_NAME))
    if former.exists() and not upcoming.exists():
        raise RotationError(
            f"The last rotation is not finished: {former} is there. Run clearwindow secret rotate --finish first."
        )
    make_key(data_dir, NEXT_NAME)
    vault = Vault(FolderKeys(data_dir, upcoming_first=True))
    changed = renew_all(database, vault, progress)
    # Whoever reads at any moment between these steps finds both keys.
    if not former.exists():
        os.link(current, former)
        sync_folder(data_dir)
    # The time of the switch, to know which transactions began before it.
    os.utime(former)
    upcoming.rename(current)
    sync_folder(data_dir)
    return changed + renew_all(database, vault, progress)


def finish_folder(database: Database, data_dir: Path, progress: Progress) -> int:
    """Encrypts what was still written with the former key, and removes that key.

    Raises:
        RotationError: there is none, or a transaction may still write with it.
    """
    former = data_dir / FORMER_NAME
    if (data_dir / NEXT_NAME).exists() or not former.exists():
        raise RotationError("There is no rotation to finish: run clearwindow secret rotate first.")
    with database.transaction() as tx:
        (under_way,) = tx.scalars(int, _BEGAN_BEFORE, moment=former.stat().st_mtime)
    if under_way:
        raise RotationError(f"{under_way} transactions from before the rotation are not over: run it again later.")
    changed = renew_all(database, Vault(FolderKeys(data_dir)), progress)
    former.unlink()
    sync_folder(data_dir)
    return changed
