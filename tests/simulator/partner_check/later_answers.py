"""Partners that answer later, so they only acknowledge requests. ``finds`` names the checks that find a defect."""

from __future__ import annotations

from tests.simulator.partner_check.correct_partner import CorrectPartner, Refusal
from tests.support.partners import Json, Reaction


class AnswersLater(CorrectPartner):
    """Acknowledges requests without an own id, and serves no outcomes, because it gets none."""

    def react(self, method: str, path: str, signature: str | None, raw: bytes) -> Reaction:
        if method == "PUT":
            return Reaction(404)
        return super().react(method, path, signature, raw)

    def ask(self, kind: str, body: Json) -> Json:
        self.held.setdefault(body[f"{kind}Id"], self.grant(kind, body))
        return {}


class AcceptsReplay(AnswersLater):
    finds = ("authentication.replayed",)

    def remember(self, jti: str) -> None:
        """Remembers nothing."""


class RefusesRepeat(AnswersLater):
    finds = ("allocations.repeated",)

    def ask(self, kind: str, body: Json) -> Json:
        if body[f"{kind}Id"] in self.held:
            raise Refusal(409, "known already")
        return super().ask(kind, body)


class NewIdOnRepeat(AnswersLater):
    finds = ("allocations.repeated",)

    def ask(self, kind: str, body: Json) -> Json:
        super().ask(kind, body)
        return {f"partners{kind.capitalize()}Id": f"their-{len(self.jtis)}"}
