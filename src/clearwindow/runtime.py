"""What use cases need: the database, the clock, ids, limits and the vault. ``bootstrap`` builds it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Protocol
from uuid import UUID

from clearwindow.core.clock import Clock, SystemClock
from clearwindow.core.ids import Ids
from clearwindow.core.vault import Vault
from clearwindow.outbound.client import Outgoing
from clearwindow.postgres.pool import Database, Transaction

_OTHER_ENTRIES: Final = 10_000


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """The limits of one body: its bytes, those of its ``payload``, and the members and elements of each of both."""

    size: int
    payload_size: int
    entries: int


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one request. Every limit is a setting."""

    body_bytes: int = 256 * 1024
    payload_bytes: int = 64 * 1024
    settlement_body_bytes: int = 32 * 1024 * 1024
    connections_per_settlement: int = 10_000
    amounts_per_settlement: int = 100_000
    page_size: int = 500
    body_seconds: float = 30

    @property
    def settlement_body(self) -> BodyLimits:
        """The limits of a body with a settlement: as many entries as the largest has, and some more."""
        # An amount between two connections has two entries: the destination and the amount.
        entries = self.connections_per_settlement + 2 * self.amounts_per_settlement + _OTHER_ENTRIES
        return BodyLimits(self.settlement_body_bytes, self.settlement_body_bytes, entries)

    @property
    def other_body(self) -> BodyLimits:
        return BodyLimits(self.body_bytes, self.payload_bytes, _OTHER_ENTRIES)


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """The limits of a connection and of what the server reads before a route runs. Every limit is a setting."""

    request_line_bytes: int = 16 * 1024
    head_bytes: int = 32 * 1024
    headers: int = 100
    head_seconds: float = 10
    idle_seconds: float = 20
    answer_seconds: float = 30
    unread_body_bytes: int = 256 * 1024
    chunks_per_body: int = 50_000
    connections: int = 1_000
    connections_per_address: int = 100
    requests_at_once: int = 500
    tls_handshake_seconds: float = 10


@dataclass(frozen=True, slots=True)
class CallTerms:
    """How endpoints of partners and enterprises are called. All but ``wall`` are settings."""

    signature_header: str = "X-BitGo-Signature"
    issuer: str = "clearwindow"
    inline_attempts: int = 3
    webhook_timeout_seconds: float = 15
    wall: Clock = field(default_factory=SystemClock)
    """The clock for the time in a call's signature: real time, in a sandbox too."""


class MailTls(StrEnum):
    """How the connection to the mail server is encrypted."""

    STARTTLS = "starttls"
    IMPLICIT = "tls"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class MailTerms:
    """The mail server that notifications are sent by. Every term is a setting."""

    host: str
    sender: str
    port: int = 587
    tls: MailTls = MailTls.STARTTLS
    ca_file: Path | None = None
    user: str | None = None
    password_file: Path | None = None

    def password(self) -> str | None:
        """Reads the password anew, so that a changed one needs no restart."""
        return None if self.password_file is None else self.password_file.read_text(encoding="utf-8").strip()


@dataclass(frozen=True, slots=True)
class NotificationTerms:
    """How people are told of events. Every term is a setting. Without ``mail``, the network sends no e-mail."""

    mail: MailTerms | None = None
    per_hour: int = 30
    timeout_seconds: float = 15


@dataclass(frozen=True, slots=True)
class SecondFactorTerms:
    """Operators' second factors. ``required`` is a setting: approvals and reviews need one."""

    required: bool = False
    wall: Clock = field(default_factory=SystemClock)
    """The clock for codes and lock-outs: authenticators show real time, in a sandbox too."""


@dataclass(frozen=True, slots=True)
class ConsoleTerms:
    """How long a session of the console lasts. All but ``wall`` are settings."""

    idle: timedelta = timedelta(minutes=30)
    longest: timedelta = timedelta(hours=12)
    wall: Clock = field(default_factory=SystemClock)
    """The clock for sessions: people sit before a sandbox in real time, wherever its clock is."""


@dataclass(frozen=True, slots=True)
class Oversight:
    """How operators watch over one another. Every term is a setting."""

    approvals_needed: int = 1
    """How many others must approve what is at stake. 0 in a sandbox: there an operator acts alone."""
    proposal_lifetime: timedelta = timedelta(days=7)
    key_cool_off: timedelta = timedelta(hours=24)
    """How long a further key of a Go Account waits before it verifies signatures."""


class Proposing(Protocol):
    """Acts of operators that wait for others. ``proposals.service`` implements it, above the rooms that ask."""

    def act_named(self, name: str) -> Any:  # noqa: ANN401 - ``identity.acts`` has the types
        """Returns one of all acts."""
        ...

    def propose(self, scene: Any, act: Any, asked: Any, stake: Any) -> Any:  # noqa: ANN401 - ``identity.acts`` has the types
        """Returns the proposal, or what the act returns if this request was the approval that it waited for."""
        ...


class Funding(Protocol):
    """Settlements that wait for money on a Go Account. ``settlements.funding`` implements it.

    What moves money onto a Go Account stands below settlements and does not import them.
    """

    def lock_partners_of(self, tx: Transaction, go_account_id: UUID) -> Sequence[UUID]:
        """Locks the partners that money on a Go Account can help, before any balance, and returns their ids.

        They settle over it, or have a standing top-up from it.
        """
        ...

    def settles_over(self, tx: Transaction, go_account_id: UUID) -> bool:
        """Returns whether a partner settles over a Go Account."""
        ...

    def wake_waiting(self, tx: Transaction, partner_ids: Sequence[UUID]) -> None:
        """Makes settlements of these locked partners that wait for money due at once, the oldest first."""
        ...


@dataclass(frozen=True, slots=True)
class Runtime:
    """What use cases get. ``transaction`` opens the one transaction of a use case."""

    database: Database
    clock: Clock
    ids: Ids
    limits: Limits
    vault: Vault
    funding: Funding
    proposing: Proposing
    operator_token_sha256: bytes | None = None
    outgoing: Outgoing = field(default_factory=Outgoing)
    calls: CallTerms = field(default_factory=CallTerms)
    oversight: Oversight = field(default_factory=Oversight)
    second_factor: SecondFactorTerms = field(default_factory=SecondFactorTerms)
    notifications: NotificationTerms = field(default_factory=NotificationTerms)
    console: ConsoleTerms = field(default_factory=ConsoleTerms)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Opens a transaction. It commits when the block ends and rolls back when the block raises."""
        call_seconds = self.outgoing.timeout_seconds
        with self.database.transaction(ids=self.ids, vault=self.vault, call_seconds=call_seconds) as transaction:
            yield transaction
