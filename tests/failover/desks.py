"""Settlement desks that send the same bytes again until they are accepted, and a bare client beside them."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final
from uuid import uuid4

import httpx2
import psycopg

from tests.support.http import loopback_client
from tests.support.networks import ConnectionHandle, PartnerHandle

_PATIENCE_SECONDS: Final = 15
_PAUSE_SECONDS: Final = 0.1
_BARE_SECONDS: Final = 2
_CUTOFF: Final = "2026-01-05T11:59:00.000Z"
# As large as a page, so that the disk must have room for one more, as for a settlement.
_WRITE: Final = (
    "INSERT INTO written (filling) SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 250)"
)
NO_ANSWER: Final = "no answer"


@dataclass(slots=True)
class Seen:
    """What somebody who writes has seen."""

    accepted_at: list[float] = field(default_factory=list)
    external_ids: list[str] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)


class Desk:
    """One partner's desk. It sends a settlement to one API, and if that fails the same bytes to the other."""

    def __init__(
        self, urls: Sequence[str], partner: PartnerHandle, connection: ConnectionHandle, token: str
    ) -> None:
        self._urls = urls
        self._partner = partner
        self._connection = connection
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self.seen = Seen()

    def run(self, stop: threading.Event) -> None:
        path = f"/api/network/v2/enterprises/{self._partner.enterprise.id}/partners/settlements"
        with loopback_client(timeout=_PATIENCE_SECONDS, headers=self._headers) as http:
            while not stop.is_set():
                external_id = uuid4().hex
                content = self._request(external_id)
                turn = 0
                while not stop.is_set() and not self._accepted(http, self._urls[turn % 2] + path, content):
                    turn += 1
                    stop.wait(_PAUSE_SECONDS)
                if not stop.is_set():
                    self.seen.accepted_at.append(time.monotonic())
                    self.seen.external_ids.append(external_id)
                stop.wait(_PAUSE_SECONDS)

    def _request(self, external_id: str) -> bytes:
        amounts = {self._connection.id: {"BTC": "-1", "USD": "1"}}
        fields = {"externalId": external_id, "cutoffAt": _CUTOFF, "settlementAmounts": amounts}
        return json.dumps(self._partner.enterprise.sign(fields)).encode()

    def _accepted(self, http: httpx2.Client, url: str, content: bytes) -> bool:
        try:
            answer = http.post(url, content=content)
        except httpx2.HTTPError:
            self.seen.answers[NO_ANSWER] += 1
            return False
        name = "" if answer.status_code == 200 else f" {answer.json().get('name')}"
        self.seen.answers[f"{answer.status_code}{name}"] += 1
        return answer.status_code == 200


class Bare:
    """A client that opens a connection, inserts a row, commits and closes, and gives each try two seconds."""

    def __init__(self, address: str) -> None:
        self._address = f"{address}&target_session_attrs=read-write&connect_timeout={_BARE_SECONDS}"
        self.seen = Seen()

    def run(self, stop: threading.Event) -> None:
        asyncio.run(self._run(stop))

    async def _run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                await asyncio.wait_for(self._write(), _BARE_SECONDS * 3)
            except (psycopg.Error, TimeoutError) as error:
                self.seen.answers[type(error).__name__] += 1
            else:
                self.seen.accepted_at.append(time.monotonic())
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _write(self) -> None:
        connection = await psycopg.AsyncConnection.connect(self._address)
        try:
            async with asyncio.timeout(_BARE_SECONDS):
                await connection.execute(_WRITE)
                await connection.commit()
        finally:
            await connection.close()


@dataclass(frozen=True, slots=True)
class Gap:
    """A time in which nothing was accepted, in seconds after the scene began."""

    began: float
    ended: float

    @property
    def seconds(self) -> float:
        return self.ended - self.began

    def __str__(self) -> str:
        return f"{self.seconds:.1f} ({self.began:.1f} to {self.ended:.1f})"


def longest_gap(accepted_at: Sequence[float], since: float, until: float) -> Gap:
    """Returns the longest time within the two moments in which nothing was accepted."""
    moments = [since, *sorted(moment for moment in accepted_at if since < moment < until), until]
    gaps = [Gap(earlier - since, later - since) for earlier, later in pairwise(moments)]
    return max(gaps, key=lambda gap: gap.seconds)
