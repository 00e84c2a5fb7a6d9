"""Correct partners that use freedoms of the protocol."""

from __future__ import annotations

from fractions import Fraction

from tests.simulator.partner_check.correct_partner import CorrectPartner, Held, Refusal
from tests.support.partners import Json, Reaction


class OtherSpelling(CorrectPartner):
    def answer(self, place: list[str], body: Json) -> Json:
        return {name.replace("partners", "partner"): value for name, value in super().answer(place, body).items()}


class NeverStaged(CorrectPartner):
    def finalize(self, settlement_id: str) -> Json:
        raise Refusal(404, f"no settlement {settlement_id}")


class OwnLimits(CorrectPartner):
    """Stores eight decimals and at most a million, and refuses other amounts."""

    def quantity(self, text: str) -> Fraction:
        if len(text.partition(".")[2]) > 8 or Fraction(text) > 1_000_000:
            raise Refusal(422, "an amount that is not kept here")
        return super().quantity(text)


class Busy(CorrectPartner):
    """Answers 503 to the second of two equal requests at the same moment."""

    def react(self, method: str, path: str, signature: str | None, raw: bytes) -> Reaction:
        if not self.lock.acquire(blocking=False):
            return Reaction(503)
        self.lock.release()
        return super().react(method, path, signature, raw)


class OneConnection(CorrectPartner):
    """Accepts one connection only."""

    def connect(self, body: Json) -> Json:
        if self.connections and body["connectionId"] not in self.connections:
            raise Refusal(422, "connected already")
        return super().connect(body)


class OneAccount(CorrectPartner):
    """Keeps one account for all connections of a client."""

    def grant(self, kind: str, body: Json) -> Held:
        if body["connectionId"] not in self.connections:
            raise Refusal(422, "there is no such connection")
        first = next(iter(self.connections))
        held = super().grant(kind, {**body, "connectionId": first})
        held.answer["connectionId"] = body["connectionId"]
        return held
