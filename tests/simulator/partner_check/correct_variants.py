"""Partners that are right, each in a way of its own that the protocol leaves open."""

from __future__ import annotations

from fractions import Fraction

from tests.conformance.exemplary import Exemplary, Held, Refusal
from tests.support.partners import Json, Reaction


class OtherSpelling(Exemplary):
    def answer(self, place: list[str], body: Json) -> Json:
        return {name.replace("partners", "partner"): value for name, value in super().answer(place, body).items()}


class NeverStaged(Exemplary):
    def finalize(self, settlement_id: str) -> Json:
        raise Refusal(404, f"no settlement {settlement_id}")


class OwnLimits(Exemplary):
    """Keeps eight decimals and no more than a million, and says so."""

    def quantity(self, text: str) -> Fraction:
        if len(text.partition(".")[2]) > 8 or Fraction(text) > 1_000_000:
            raise Refusal(422, "an amount that is not kept here")
        return super().quantity(text)


class Busy(Exemplary):
    """The second of two equal questions at the same moment is told to come again."""

    def react(self, method: str, path: str, signature: str | None, raw: bytes) -> Reaction:
        if not self.lock.acquire(blocking=False):
            return Reaction(503)
        self.lock.release()
        return super().react(method, path, signature, raw)


class OneConnection(Exemplary):
    """Takes a client once."""

    def connect(self, body: Json) -> Json:
        if self.connections and body["connectionId"] not in self.connections:
            raise Refusal(422, "connected already")
        return super().connect(body)


class OneAccount(Exemplary):
    """All connections of a client are one account here."""

    def grant(self, kind: str, body: Json) -> Held:
        if body["connectionId"] not in self.connections:
            raise Refusal(422, "there is no such connection")
        first = next(iter(self.connections))
        held = super().grant(kind, {**body, "connectionId": first})
        held.answer["connectionId"] = body["connectionId"]
        return held
