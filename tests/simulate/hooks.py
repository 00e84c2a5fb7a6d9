"""What each enterprise is told about settlements by webhooks, beside what the model says. Protocol §9."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from tests.support.networks import EnterpriseHandle, ok
from tests.support.receivers import Receiver

TOLD: Final = ("initiated", "finalizing", "completed", "failed", "rejected", "withdrawn")
"""The steps of a settlement with a dispute window, without the word ``settlement`` before them."""

Steps = Mapping[str, list[str]]
"""The steps of each settlement, in order."""


class Hooks:
    """An endpoint of each enterprise. Messages come at least once: the same one again counts for nothing."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._seen: set[tuple[str, str]] = set()
        self._told: defaultdict[str, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))

    def register(self, enterprise: EnterpriseHandle) -> None:
        types = [f"settlement.{step}" for step in TOLD]
        body = {"url": f"{self._receiver.url}/{enterprise.id}", "eventTypes": types}
        ok(enterprise.api.post("/webhook-endpoints", body))

    def told(self, enterprise_id: str) -> Steps:
        """Returns what an enterprise was told until now."""
        while self._receiver.received:
            message = self._receiver.received.pop(0)
            to = message.path.rsplit("/", 1)[-1]
            if (to, message.id) in self._seen:
                continue
            self._seen.add((to, message.id))
            said = message.json
            self._told[to][said["data"]["settlementId"]].append(str(said["type"]).removeprefix("settlement."))
        return self._told[enterprise_id]
