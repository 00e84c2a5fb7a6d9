"""What every use case is handed: the database, time, ids, limits and the vault. Wired once, in ``bootstrap``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from clearwindow.clock import Clock, SystemClock
from clearwindow.database.pool import Database, Transaction
from clearwindow.ids import Ids
from clearwindow.outgoing.client import Outgoing
from clearwindow.vault import Vault

_OTHER_ENTRIES: Final = 10_000


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one request may carry. Every limit is a setting."""

    body_bytes: int = 32 * 1024 * 1024
    connections_per_settlement: int = 10_000
    amounts_per_settlement: int = 100_000
    page_size: int = 500
    body_seconds: float = 60

    @property
    def body_entries(self) -> int:
        """How many members and elements a body may have in all: the largest settlement, and all else small."""
        # An amount between two connections is two entries: its destination and itself.
        return self.connections_per_settlement + 2 * self.amounts_per_settlement + _OTHER_ENTRIES


@dataclass(frozen=True, slots=True)
class CallTerms:
    """How endpoints of partners and enterprises are called. Each of these is a setting."""

    signature_header: str = "X-BitGo-Signature"
    issuer: str = "clearwindow"
    inline_attempts: int = 3
    webhook_timeout_seconds: float = 15
    wall: Clock = field(default_factory=SystemClock)
    """The time in a call's signature is the world's, however a sandbox moves its own."""


@dataclass(frozen=True, slots=True)
class Runtime:
    database: Database
    clock: Clock
    ids: Ids
    limits: Limits
    vault: Vault
    operator_token_sha256: bytes | None = None
    outgoing: Outgoing = field(default_factory=Outgoing)
    calls: CallTerms = field(default_factory=CallTerms)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """The one transaction of a use case: commits when the block ends, rolls back when it raises."""
        with self.database.transaction() as transaction:
            yield transaction
