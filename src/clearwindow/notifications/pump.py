"""The pump makes the notifications of new events, and sends messages to many channels at the same time.

The messages of one channel stay in order.
"""

from __future__ import annotations

import asyncio
import random
import threading
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

import structlog
from prometheus_client import Counter

from clearwindow.notifications import telling
from clearwindow.notifications.jobs import NotificationBacklog
from clearwindow.notifications.models import Claim, Result
from clearwindow.runtime import Runtime

if TYPE_CHECKING:
    from clearwindow.notifications.senders import Mailbox, Senders

log = structlog.get_logger(__name__)

CHANNELS_AT_ONCE: Final = 16
"""How many channels a process sends to at the same time, and connections to the mail server it opens at most."""
_SENDING_SHARE: Final = 0.5
_DURING: Final = "notifications"

attempts_total = Counter("clearwindow_notification_attempts_total", "Notifications sent.", ["kind", "outcome"])


class NotificationPump:
    """Sends until it is stopped. Any number of pumps may run against one database."""

    name = NotificationBacklog.name

    def __init__(self, runtime: Runtime, *, poll_seconds: float = 0.2) -> None:
        self._runtime = runtime
        self._poll_seconds = poll_seconds
        self._stopping = threading.Event()

    def run(self) -> None:
        """Sends messages as they become due, until ``stop``."""
        while not self._stopping.is_set():
            try:
                asyncio.run(self._work(forever=True))
            except Exception as error:
                # Whatever failed, the messages must still be sent.
                if not self._runtime.database.tell(error, _DURING):
                    log.exception("notification_pump_interrupted")
                self._stopping.wait(self._poll_seconds)

    def run_due(self) -> int:
        """Sends until nothing more can be sent now. Returns the number of messages that were accepted."""
        return asyncio.run(self._work(forever=False))

    def stop(self) -> None:
        """Ends the run after the messages that are being sent."""
        self._stopping.set()

    async def _work(self, *, forever: bool) -> int:
        serving: set[asyncio.Task[int]] = set()
        sent = 0
        async with AsyncExitStack() as stack:
            senders: Senders | None = None
            while not self._stopping.is_set():
                for claimed in await self._claim(CHANNELS_AT_ONCE - len(serving)):
                    if senders is None:
                        senders = await stack.enter_async_context(self._senders())
                    serving.add(asyncio.create_task(self._serve(senders, claimed)))
                if not serving and not forever:
                    break
                if serving:
                    pause = self._poll_seconds
                    done, serving = await asyncio.wait(serving, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
                    sent += sum(task.result() for task in done)
                else:
                    await asyncio.to_thread(self._stopping.wait, self._poll_seconds)
            sent += sum(await asyncio.gather(*serving))
        return sent

    def _senders(self) -> Senders:
        # The libraries are slow to load. A network in which nobody wants to hear does not need them.
        from clearwindow.notifications.senders import Senders  # noqa: PLC0415

        return Senders(self._runtime)

    async def _claim(self, limit: int) -> list[Claim]:
        if limit <= 0:
            return []
        try:
            return await asyncio.to_thread(self._claim_now, limit)
        except Exception as error:
            # The database may be unavailable for a while. The pump must outlast that.
            if not self._runtime.database.tell(error, _DURING):
                log.exception("notification_claim_failed")
            return []

    def _claim_now(self, limit: int) -> list[Claim]:
        telling.tell_all(self._runtime)
        return telling.claim(self._runtime, limit)

    async def _serve(self, senders: Senders, claimed: Claim) -> int:
        """Sends the messages of one channel until one fails. Returns the number that were accepted."""
        results: list[Result] = []
        try:
            mailbox = senders.mailbox(claimed) if claimed.messages else None
            try:
                await self._send_all(senders, claimed, mailbox, results)
            finally:
                if mailbox is not None:
                    await mailbox.aclose()
            chance = random.random()  # noqa: S311 - it only spreads retries
            await asyncio.to_thread(telling.finish, self._runtime, claimed, results, chance)
        except Exception as error:
            # The lease expires by itself, and messages without a recorded result are sent again.
            if not self._runtime.database.tell(error, _DURING):
                log.exception("notification_interrupted", channel=str(claimed.channel.id))
        return sum(result.problem is None for result in results)

    async def _send_all(
        self, senders: Senders, claimed: Claim, mailbox: Mailbox | None, results: list[Result]
    ) -> None:
        loop = asyncio.get_running_loop()
        # The lease must outlast the message that is being sent and the record of its result.
        last_start = loop.time() + _SENDING_SHARE * telling.lease(self._runtime).total_seconds()
        for message in claimed.messages:
            if self._stopping.is_set() or loop.time() > last_start:
                return
            result = await senders.send(claimed, message, mailbox)
            results.append(result)
            outcome = "sent" if result.problem is None else "refused" if result.refused else "failed"
            attempts_total.labels(claimed.channel.kind, outcome).inc()
            if result.gone or (result.problem is not None and not result.refused):
                return
