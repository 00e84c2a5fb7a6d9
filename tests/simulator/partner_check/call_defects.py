"""Partners with one defect in their balances or answers. ``finds`` names the checks that find it."""

from __future__ import annotations

from fractions import Fraction

from tests.simulator.partner_check.correct_partner import JSON, CorrectPartner, Held, Refusal
from tests.support.partners import Json, Reaction

OUTCOME_PARTS = 3
"""The path parts of a reported outcome: kind, id, outcome."""


class WrongEcho(CorrectPartner):
    finds = ("connections.echo",)

    def connect(self, body: Json) -> Json:
        return {**super().connect(body), "connectionId": body["clientId"]}


class NoOwnIds(CorrectPartner):
    finds = ("connections.own-ids",)

    def connect(self, body: Json) -> Json:
        return {name: value for name, value in super().connect(body).items() if name != "partnersClientId"}


class NewConnectionIdsOnRepeat(CorrectPartner):
    finds = ("connections.repeated",)

    def connect(self, body: Json) -> Json:
        return {**super().connect(body), "partnersClientId": f"client-{len(self.jtis)}"}


class OmitsOwnId(CorrectPartner):
    finds = ("allocations.accepted",)

    def ask(self, kind: str, body: Json) -> Json:
        return {name: value for name, value in super().ask(kind, body).items() if name != "partnersAllocationId"}


class NewIdOnRepeatedRequest(CorrectPartner):
    finds = ("allocations.repeated", "deallocations.repeated")

    def ask(self, kind: str, body: Json) -> Json:
        return {**super().ask(kind, body), f"partners{kind.capitalize()}Id": f"their-{len(self.jtis)}"}


class RefusesRepeat(CorrectPartner):
    finds = (
        "allocations.repeated",
        "allocations.counted-once",
        "allocations.at-once",
        "deallocations.repeated",
        "deallocations.at-once",
    )

    def ask(self, kind: str, body: Json) -> Json:
        if body[f"{kind}Id"] in self.held:
            raise Refusal(409, "known already")
        return super().ask(kind, body)


class CountsRepeatTwice(CorrectPartner):
    finds = ("allocations.counted-once", "allocations.at-once", "deallocations.repeated", "deallocations.at-once")

    def ask(self, kind: str, body: Json) -> Json:
        known = self.held.get(body[f"{kind}Id"])
        answer = super().ask(kind, body)
        if known is not None:
            change = known.quantity if kind == "allocation" else -known.quantity
            self.free[known.connection_id] += change
        return answer


class CountsRepeatedClear(CorrectPartner):
    finds = ("allocations.counted-once", "deallocations.cleared-once")

    def clear(self, kind: str, subject_id: str) -> Json:
        held = self.held.get(subject_id)
        if held is not None and held.state == "cleared":
            self.free[held.connection_id] += held.quantity if kind == "allocation" else -held.quantity
        return super().clear(kind, subject_id)


class RefusesRepeatedClear(CorrectPartner):
    finds = ("allocations.clear-repeated", "deallocations.cleared-once")

    def clear(self, kind: str, subject_id: str) -> Json:
        if self.known(subject_id).state == "cleared":
            raise Refusal(409, "cleared already")
        return super().clear(kind, subject_id)


class RefusesClears(CorrectPartner):
    finds = ("allocations.cleared",)

    def clear(self, kind: str, subject_id: str) -> Json:
        raise Refusal(404, f"no {kind} {subject_id}")


class RefusesDeallocations(CorrectPartner):
    finds = ("deallocations.accepted",)

    def grant(self, kind: str, body: Json) -> Held:
        if kind == "deallocation":
            raise Refusal(422, "not today")
        return super().grant(kind, body)


class CountsReleasedAllocations(CorrectPartner):
    finds = ("allocations.released", "order.clear-after-release")

    def release(self, kind: str, subject_id: str) -> Json:
        if kind == "allocation" and self.known(subject_id).state == "reserved":
            self.clear(kind, subject_id)
            return {}
        return super().release(kind, subject_id)


class LosesReleasedDeallocations(CorrectPartner):
    finds = ("deallocations.released",)

    def release(self, kind: str, subject_id: str) -> Json:
        held = self.known(subject_id)
        if kind == "deallocation" and held.state == "reserved":
            held.state = "released"
            return {}
        return super().release(kind, subject_id)


class ReleasesAfterClear(CorrectPartner):
    finds = ("order.release-after-clear",)

    def release(self, kind: str, subject_id: str) -> Json:
        held = self.known(subject_id)
        if kind == "allocation" and held.state == "cleared":
            self.free[held.connection_id] -= held.quantity
            return {}
        return super().release(kind, subject_id)


class ClearsAfterRelease(CorrectPartner):
    finds = ("order.clear-after-release",)

    def clear(self, kind: str, subject_id: str) -> Json:
        held = self.known(subject_id)
        if held.state == "released":
            held.state = "reserved"
        return super().clear(kind, subject_id)


class GrantsEverything(CorrectPartner):
    finds = (
        "allocations.released",
        "allocations.counted-once",
        "allocations.at-once",
        "deallocations.beyond",
        "deallocations.held",
        "order.clear-first",
        "order.release-after-clear",
        "order.clear-after-release",
        "robustness.large",
        "robustness.fine",
    )

    def grant(self, kind: str, body: Json) -> Held:
        self.free[body["connectionId"]] = self.free.get(body["connectionId"], Fraction(0)) + 10**30
        return super().grant(kind, body)


class DoesNotHoldDeallocations(CorrectPartner):
    """Deducts a deallocation when it is cleared, not when it is accepted."""

    finds = ("deallocations.held",)

    def grant(self, kind: str, body: Json) -> Held:
        held = super().grant(kind, body)
        if kind == "deallocation":
            self.free[held.connection_id] += held.quantity
        return held

    def clear(self, kind: str, subject_id: str) -> Json:
        held = self.known(subject_id)
        if kind == "deallocation" and held.state == "reserved":
            self.free[held.connection_id] -= held.quantity
        return super().clear(kind, subject_id)

    def release(self, kind: str, subject_id: str) -> Json:
        held = self.known(subject_id)
        if kind == "deallocation" and held.state == "reserved":
            self.free[held.connection_id] -= held.quantity
        return super().release(kind, subject_id)


class ParsesFloats(CorrectPartner):
    finds = ("robustness.large", "robustness.fine")

    def quantity(self, text: str) -> Fraction:
        return Fraction(float(text))


class RoundsLargeAmounts(CorrectPartner):
    """Rounds large amounts down. The rounded rest stays allocated, and other checks must not report it again."""

    finds = ("robustness.large",)

    def grant(self, kind: str, body: Json) -> Held:
        held = super().grant(kind, body)
        if kind == "allocation" and held.quantity > 10**9:
            held.quantity = Fraction(held.quantity // 1000 * 1000)
        return held


class AnswersWithFloats(CorrectPartner):
    finds = ("robustness.large", "robustness.fine")

    def grant(self, kind: str, body: Json) -> Held:
        held = super().grant(kind, body)
        held.answer["amount"] = {**body["amount"], "quantity": float(held.quantity)}
        return held


class AcceptsNegativeAmounts(CorrectPartner):
    finds = ("robustness.negative",)

    def quantity(self, text: str) -> Fraction:
        return abs(Fraction(text))


class AcceptsUnknownConnection(CorrectPartner):
    finds = ("allocations.unknown-connection",)

    def grant(self, kind: str, body: Json) -> Held:
        self.connections.setdefault(body["connectionId"], body)
        return super().grant(kind, body)


class FailsOnUnknownIds(CorrectPartner):
    finds = (
        "allocations.clear-unknown",
        "allocations.release-unknown",
        "deallocations.clear-unknown",
        "deallocations.release-unknown",
        "deallocations.refused-release",
        "order.clear-first",
        "finalize.unknown",
        "finalize.acknowledged",
    )

    def known(self, subject_id: str) -> Held:
        if subject_id not in self.held:
            raise Refusal(500, "it broke")
        return super().known(subject_id)

    def finalize(self, settlement_id: str) -> Json:
        raise Refusal(500, f"it broke at {settlement_id}")


class AcknowledgesUnknownClear(CorrectPartner):
    finds = ("allocations.clear-unknown", "deallocations.clear-unknown")

    def clear(self, kind: str, subject_id: str) -> Json:
        return super().clear(kind, subject_id) if subject_id in self.held else {}


class CountsUnknownClear(CorrectPartner):
    """Counts an early clear, and then the allocation too."""

    finds = ("allocations.clear-unknown", "deallocations.clear-unknown", "order.clear-first")

    def clear(self, kind: str, subject_id: str) -> Json:
        if subject_id not in self.held and kind == "allocation":
            for connection_id in self.free:
                self.free[connection_id] += Fraction(1, 2)
        return super().clear(kind, subject_id) if subject_id in self.held else {}


class GrantsAllAfterUnknownClear(CorrectPartner):
    """Accepts every deallocation of a connection after an unknown clear on it."""

    finds = ("allocations.clear-unknown", "deallocations.clear-unknown", "order.clear-first")

    def answer(self, place: list[str], body: Json) -> Json:
        if len(place) == OUTCOME_PARTS and place[2] == "clear" and place[1] not in self.held:
            self.free[body["connectionId"]] = Fraction(10**30)
            return {}
        return super().answer(place, body)


class FinalizesOnce(CorrectPartner):
    finds = ("finalize.repeated",)

    def finalize(self, settlement_id: str) -> Json:
        if settlement_id in self.held:
            raise Refusal(409, "ended already")
        self.held[settlement_id] = Held("", Fraction(0), {})
        return {}


class RefusesWithoutReason(CorrectPartner):
    finds = ("deallocations.reason",)

    def refused(self, refusal: Refusal) -> Reaction:
        return Reaction(422 if refusal.status == 200 else refusal.status, {}, JSON)


class RejectsUnknownFields(CorrectPartner):
    finds = ("robustness.unknown-fields",)

    def grant(self, kind: str, body: Json) -> Held:
        if "addedLater" in body:
            raise Refusal(400, "what is addedLater?")
        return super().grant(kind, body)


class FailsOnInvalidJson(CorrectPartner):
    finds = ("robustness.malformed",)

    def read(self, raw: bytes) -> Json:
        try:
            return super().read(raw)
        except Refusal:
            raise Refusal(500, "it broke") from None


class WrongContentType(CorrectPartner):
    finds = ("form.content-type",)

    def react(self, method: str, path: str, signature: str | None, raw: bytes) -> Reaction:
        reaction = super().react(method, path, signature, raw)
        return Reaction(reaction.status, reaction.body, (("Content-Type", "text/html"),))
