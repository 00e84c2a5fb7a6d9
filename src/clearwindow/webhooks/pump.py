"""The pump makes the deliveries of new events, and delivers messages to many endpoints at the same time.

The messages of one endpoint stay in order.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing
from typing import TYPE_CHECKING, Final

import structlog
from prometheus_client import Counter

from clearwindow.core import tracing
from clearwindow.runtime import Runtime
from clearwindow.webhooks import deliveries, fan_out
from clearwindow.webhooks.jobs import WebhookBacklog
from clearwindow.webhooks.models import Answer, Claim, OwedMessage

if TYPE_CHECKING:
    from clearwindow.webhooks.post import Poster
    from clearwindow.webhooks.signatures import Signer

log = structlog.get_logger(__name__)

ENDPOINTS_AT_ONCE: Final = 64
CLAIMED_AT_ONCE: Final = 16
"""The most endpoints that one transaction claims: posting to the first starts while others are still claimed."""
CHARACTERS_AT_ONCE: Final = 32 * 1024 * 1024
"""Nothing more is claimed while the claimed messages are longer than this."""
_POSTING_SHARE: Final = 0.5

attempts_total = Counter("clearwindow_webhook_attempts_total", "Webhook messages posted.", ["outcome"])
_outcome: Final = {True: attempts_total.labels("delivered"), False: attempts_total.labels("failed")}


class DeliveryPump:
    """Delivers until it is stopped. Any number of pumps may run against one database."""

    name = WebhookBacklog.name

    def __init__(self, runtime: Runtime, *, poll_seconds: float = 0.2) -> None:
        self._runtime = runtime
        self._poll_seconds = poll_seconds
        self._stopping = threading.Event()

    def run(self) -> None:
        """Delivers messages as they become due, until ``stop``."""
        while not self._stopping.is_set():
            try:
                asyncio.run(self._work(forever=True))
            except Exception as error:
                # Whatever failed, the messages must still be delivered.
                if not self._runtime.database.tell(error, "deliveries of webhooks"):
                    log.exception("webhook_pump_interrupted")
                self._stopping.wait(self._poll_seconds)

    def run_due(self) -> int:
        """Delivers until nothing more can be delivered now. Returns the number of messages that were accepted."""
        return asyncio.run(self._work(forever=False))

    def stop(self) -> None:
        """Ends the run after the messages that are being posted."""
        self._stopping.set()

    async def _work(self, *, forever: bool) -> int:
        serving: dict[asyncio.Task[int], int] = {}
        delivered = 0
        async with AsyncExitStack() as stack:
            poster: Poster | None = None
            while not self._stopping.is_set():
                claims = await self._claim(_room(serving))
                for claimed in claims:
                    if poster is None:
                        poster = await stack.enter_async_context(self._poster())
                    task = asyncio.create_task(self._serve(poster, claimed))
                    serving[task] = claimed.payload_characters
                if len(claims) == CLAIMED_AT_ONCE:
                    continue
                if not serving and not forever:
                    break
                if serving:
                    done, _ = await asyncio.wait(
                        serving, timeout=self._poll_seconds, return_when=asyncio.FIRST_COMPLETED
                    )
                    for task in done:
                        del serving[task]
                        delivered += task.result()
                else:
                    await asyncio.to_thread(self._stopping.wait, self._poll_seconds)
            for rest in await asyncio.gather(*serving):
                delivered += rest
        return delivered

    def _poster(self) -> AbstractAsyncContextManager[Poster]:
        # The HTTP library is slow to load. A network without endpoints does not need it.
        from clearwindow.webhooks.post import Poster  # noqa: PLC0415

        runtime = self._runtime
        poster = Poster(
            runtime.clock,
            runtime.calls.wall,
            allow_private=runtime.outgoing.allow_private,
            timeout_seconds=runtime.calls.webhook_timeout_seconds,
        )
        return aclosing(poster)

    async def _claim(self, limit: int) -> list[Claim]:
        if limit <= 0:
            return []
        try:
            return await asyncio.to_thread(self._claim_now, limit)
        except Exception as error:
            # The database may be unavailable for a while. The pump must outlast that.
            if not self._runtime.database.tell(error, "deliveries of webhooks"):
                log.exception("webhook_claim_failed")
            return []

    def _claim_now(self, limit: int) -> list[Claim]:
        fan_out.fan_out(self._runtime)
        return deliveries.claim(self._runtime, limit)

    async def _serve(self, poster: Poster, claimed: Claim) -> int:
        """Posts the messages of one endpoint until one fails. Returns the number that were accepted."""
        answers: list[Answer] = []
        try:
            signer = deliveries.signer(self._runtime, claimed)
            loop = asyncio.get_running_loop()
            # The lease must outlast the messages that are being posted and the record of their results.
            last_start = loop.time() + _POSTING_SHARE * deliveries.lease(self._runtime).total_seconds()
            for message in claimed.messages:
                if self._stopping.is_set() or loop.time() > last_start:
                    break
                answers.append(await self._post(poster, claimed, signer, message))
                _outcome[answers[-1].succeeded].inc()
                if not answers[-1].succeeded:
                    break
            chance = random.random()  # noqa: S311 - it only spreads retries
            await asyncio.to_thread(deliveries.finish, self._runtime, claimed, answers, chance)
        except Exception as error:
            # The lease expires by itself, and messages without a recorded result are delivered again.
            if not self._runtime.database.tell(error, "deliveries of webhooks"):
                log.exception("webhook_delivery_interrupted", endpoint=str(claimed.endpoint.id))
        return sum(answer.succeeded for answer in answers)

    async def _post(self, poster: Poster, claimed: Claim, signer: Signer, message: OwedMessage) -> Answer:
        text = deliveries.body(message)
        with tracing.span("webhook", tracing.Kind.CLIENT, parent=message.traceparent) as span:
            span.tell({"event_type": message.type, "endpoint_id": str(claimed.endpoint.id)})
            headers = signer.headers(str(message.event_id), self._runtime.calls.wall.now(), text)
            answer = await poster.post(claimed.endpoint.url, {**headers, **tracing.headers_for_others()}, text)
            if answer.status_code is not None:
                span.tell({"http.response.status_code": answer.status_code})
            if not answer.succeeded:
                span.fail("not accepted")
        return answer


def _room(serving: Mapping[asyncio.Task[int], int]) -> int:
    """Returns how many more endpoints may be claimed, given the characters of the claimed messages by task."""
    if sum(serving.values()) >= CHARACTERS_AT_ONCE:
        return 0
    return min(CLAIMED_AT_ONCE, ENDPOINTS_AT_ONCE - len(serving))
