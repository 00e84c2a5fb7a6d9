"""People who want to hear, over HTTP, and a pump that runs on request."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import httpx2

from clearwindow.notifications.pump import NotificationPump
from clearwindow.runtime import MailTerms, MailTls, NotificationTerms, Runtime
from tests.support.mail import MailServer, mail_server
from tests.support.networks import Json, NetworkClient, ok
from tests.support.operators import OperatorClient

SENDER = "network@clearwindow.example"
PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Person:
    """Somebody's requests about what they are told."""

    api: NetworkClient | OperatorClient
    path: str = "/notifications"

    def put(self, **settings: object) -> httpx2.Response:
        return self.api.put(self.path, settings)

    def show(self) -> Json:
        shown: Json = ok(self.api.get(self.path))["notifications"]
        return shown

    def channel(self, kind: str = "email") -> Json:
        return next(channel for channel in self.show()["channels"] if channel["kind"] == kind)

    def verify(self, code: str) -> httpx2.Response:
        return self.api.post(f"{self.path}/verify", {"code": code})

    def test(self) -> httpx2.Response:
        return self.api.post(f"{self.path}/test")

    def stop(self) -> httpx2.Response:
        return self.api.delete(self.path)

    def deliveries(self, **params: object) -> list[Json]:
        found: list[Json] = ok(self.api.get(f"{self.path}/deliveries", **params))["notifications"]
        return found


@dataclass(frozen=True)
class Post:
    """A mail server, and a pump that sends to it."""

    server: MailServer
    runtime: Runtime

    def deliver(self) -> int:
        """Sends until nothing more can be sent now, or until it times out."""
        pump = NotificationPump(self.runtime, poll_seconds=0.05)
        watchdog = threading.Timer(PATIENCE_SECONDS, pump.stop)
        watchdog.start()
        try:
            return pump.run_due()
        finally:
            watchdog.cancel()

    def code_for(self, address: str) -> str:
        self.deliver()
        found = re.search(r"Code: ([0-9]{8})", self.server.to(address)[-1].body())
        assert found is not None
        return found[1]

    def confirmed(self, person: Person, address: str, **settings: object) -> Person:
        """Sets the person's e-mail address and confirms it."""
        ok(person.put(email=address, **settings))
        ok(person.verify(self.code_for(address)))
        self.server.received.clear()
        return person


@contextmanager
def posting(runtime: Runtime, *, per_hour: int = 30) -> Iterator[tuple[Runtime, MailServer]]:
    """Runs a mail server, and returns the runtime that knows it."""
    with mail_server() as server:
        mail = MailTerms("127.0.0.1", SENDER, server.port, MailTls.NONE)
        yield replace(runtime, notifications=NotificationTerms(mail, per_hour)), server
