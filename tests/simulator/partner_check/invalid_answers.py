"""Partners whose answers are none; ``finds`` says which checks find it."""

from __future__ import annotations

from typing import ClassVar

from tests.conformance.exemplary import Exemplary
from tests.support.partners import Reaction

TIMEOUT_SECONDS = 0.6


class Hangs(Exemplary):
    """Never answers to the end of a dispute window."""

    finds = ("finalize.unknown", "finalize.acknowledged", "form.in-time")

    def react(self, method: str, path: str, signature: str | None, raw: bytes) -> Reaction:
        delay_seconds = 2 * TIMEOUT_SECONDS if path.endswith("finalize") and signature is not None else 0
        reaction = super().react(method, path, signature, raw)
        return Reaction(reaction.status, reaction.body, reaction.headers, delay_seconds=delay_seconds)


class Hostile(Exemplary):
    """Answers a new connection as nobody should; all else stands on it."""

    finds: ClassVar[tuple[str, ...]] = ("connections.accepted", "form.in-time")
    reaction = Reaction()

    def react(self, method: str, path: str, signature: str | None, raw: bytes) -> Reaction:
        assert method, path
        assert raw, signature
        return self.reaction


class Redirects(Hostile):
    reaction = Reaction(307, {}, (("Location", "/elsewhere"),))


class Endless(Hostile):
    reaction = Reaction(endless=True)


class Cuts(Hostile):
    reaction = Reaction(body={"partnersClientId": "c"}, cut=True)


class Late(Hostile):
    reaction = Reaction(delay_seconds=2 * TIMEOUT_SECONDS)


class Page(Hostile):
    finds = ("connections.accepted",)
    reaction = Reaction(body=b"<!doctype html><title>Welcome</title>", headers=(("Content-Type", "text/html"),))


class Empty(Hostile):
    finds = ("connections.accepted",)
    reaction = Reaction(204, b"")


class Unavailable(Hostile):
    finds = ("connections.accepted",)
    reaction = Reaction(503)
