"""Settings of how much may be done at once, for whom, and how long the rest waits. Decision 12."""

from __future__ import annotations

from typing import Final

from pydantic import Field
from pydantic_settings import BaseSettings

from clearwindow.core.places import share_of
from clearwindow.core.work import CapacityTerms, Work
from clearwindow.outbound.waits import WaitTerms
from clearwindow.postgres.address import CONNECTION_WAIT_SECONDS
from clearwindow.postgres.budget import (
    BACKGROUND_LOCK_WAIT_SECONDS,
    LOCK_WAIT_SECONDS,
    MIN_CONNECTIONS,
    SHARE,
    Budget,
    LockWaits,
    divided,
)

ENV_PREFIX: Final = "CLEARWINDOW_"
LONGEST_SECONDS: Final = 86_400
_CAPACITY: Final = CapacityTerms()
_WAITS: Final = WaitTerms()


class CapacitySettings(BaseSettings):
    """A part of ``Settings``."""

    database_connections: int = Field(
        default=20,
        ge=2,
        le=500,
        description="How many connections one process opens to the database at most. A server needs "
        f"{MIN_CONNECTIONS}, and opens one more, to look at waits for locks. A quarter is for due work, a tenth "
        "for `/readyz` and `/metrics`.",
    )
    database_connection_wait_seconds: float = Field(
        default=CONNECTION_WAIT_SECONDS,
        gt=0,
        le=60,
        description="How long a request waits for a free connection to the database, in seconds. After that, the "
        "answer is `unavailable`, and the same request may be sent again.",
    )
    database_connections_writing: int | None = Field(
        default=None,
        ge=1,
        le=500,
        description="How many of them may be used at the same time by requests that may change something. What "
        "these and due work leave is always there to read. Without it, one less than half.",
    )
    database_lock_waits: int | None = Field(
        default=None,
        ge=1,
        le=500,
        description="How many requests may wait for locks at the same time, each for more than 0.7 seconds. "
        "Further ones are `unavailable` at once. Without it, a quarter of the connections.",
    )
    lock_wait_seconds: float = Field(
        default=LOCK_WAIT_SECONDS,
        gt=0,
        le=100,
        description="How long a request waits for a lock in the database, in seconds. After that, the answer is "
        "`unavailable`.",
    )
    worker_lock_wait_seconds: float = Field(
        default=BACKGROUND_LOCK_WAIT_SECONDS,
        gt=0,
        le=100,
        description="How long a worker or a command waits for a lock, in seconds. Then the work stays due.",
    )
    capacity_share: float = Field(
        default=SHARE,
        gt=0,
        le=1,
        description="What part of each capacity one enterprise, one operator, or one address without a known token "
        "may use: 0.25 is a quarter. It is at least one place.",
    )
    capacity_wait_seconds: float = Field(
        default=_CAPACITY.wait_seconds,
        gt=0,
        le=60,
        description="How long a request waits while others use all of a capacity, in seconds. After that, the "
        "answer is `unavailable`.",
    )
    capacity_line_seconds: float = Field(
        default=_CAPACITY.line_seconds,
        gt=0,
        le=60,
        description="A request that would wait longer than this for a thread, behind requests of others, is "
        "`unavailable` at once, in seconds. It is reckoned from how many wait and how long their work takes.",
    )
    threads_reading: int = Field(
        default=_CAPACITY.threads[Work.ORDINARY],
        ge=2,
        le=1000,
        description="How many threads a process has for guards, reads and small bodies.",
    )
    threads_writing: int = Field(
        default=_CAPACITY.threads[Work.WRITING],
        ge=1,
        le=1000,
        description="How many threads a process has for requests that may change something.",
    )
    threads_settlements: int = Field(
        default=_CAPACITY.threads[Work.SETTLEMENT],
        ge=1,
        le=1000,
        description="How many threads a process has for settlements with a body of at most 256 KiB, and for the "
        "texts to sign for them.",
    )
    threads_large_bodies: int = Field(
        default=_CAPACITY.threads[Work.LARGE_BODY],
        ge=1,
        le=1000,
        description="How many threads a process has for bodies over 256 KiB.",
    )
    large_bodies_at_once: int = Field(
        default=_CAPACITY.large_bodies,
        ge=1,
        le=1000,
        description="How many bodies over 256 KiB a process has in memory at once, each from its reading to "
        "the answer. One needs up to 200 MB while it is read.",
    )
    concurrent_requests_limit: int | None = Field(
        default=None,
        ge=1,
        le=100_000,
        description="How many requests a process works on at the same time for one enterprise, one operator, or "
        "one address without a known token. Further requests wait. Without it, the share "
        f"`{ENV_PREFIX}CAPACITY_SHARE` of `{ENV_PREFIX}DATABASE_CONNECTIONS`.",
    )
    concurrent_requests_wait_seconds: float = Field(
        default=_CAPACITY.own_wait_seconds,
        gt=0,
        le=LONGEST_SECONDS,
        description="How long a request waits while its own enterprise uses all that it may, in seconds. After "
        "that, the answer is 429.",
    )
    partner_waits_at_once: int = Field(
        default=_WAITS.at_once,
        ge=2,
        le=1000,
        description="How many requests of clients wait for partners at the same time. A process has twice as many "
        "threads for them.",
    )
    partner_waits_silent_share: float = Field(
        default=_WAITS.silent_share,
        gt=0,
        le=1,
        description="What part of these waits, and of the calls of each kind of due work, may last for more than a "
        "second, and may go to partners whose last call did. Further ones end after a second, or are not begun, "
        "and count as not answered.",
    )

    def capacity(self) -> CapacityTerms:
        return CapacityTerms(
            threads={
                Work.ORDINARY: self.threads_reading,
                Work.WRITING: self.threads_writing,
                # Twice as many: they also work before and after they wait.
                Work.WAITS_FOR_PARTNER: 2 * self.partner_waits_at_once,
                Work.SETTLEMENT: self.threads_settlements,
                Work.LARGE_BODY: self.threads_large_bodies,
            },
            large_bodies=self.large_bodies_at_once,
            share=self.capacity_share,
            wait_seconds=self.capacity_wait_seconds,
            line_seconds=self.capacity_line_seconds,
            requests_at_once=self.concurrent_requests_limit
            or share_of(self.database_connections, self.capacity_share),
            own_wait_seconds=self.concurrent_requests_wait_seconds,
        )

    def waits(self) -> WaitTerms:
        return WaitTerms(self.partner_waits_at_once, self.capacity_share, self.partner_waits_silent_share)

    def lock_waits(self) -> LockWaits:
        return LockWaits(self.lock_wait_seconds, self.worker_lock_wait_seconds)

    def budget(self) -> Budget:
        """Returns how a server divides the connections.

        Raises:
            ValueError: the settings contradict each other.
        """
        try:
            return divided(
                self.database_connections,
                writing=self.database_connections_writing,
                lock_waits=self.database_lock_waits,
                share=self.capacity_share,
            )
        except ValueError as error:
            raise ValueError(
                f"{ENV_PREFIX}DATABASE_CONNECTIONS, {ENV_PREFIX}DATABASE_CONNECTIONS_WRITING and"
                f" {ENV_PREFIX}DATABASE_LOCK_WAITS contradict each other: {error}"
            ) from None
