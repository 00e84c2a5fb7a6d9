"""Partners that answer later: what they are asked they only acknowledge. ``finds`` as in the others."""

from __future__ import annotations

from tests.conformance.exemplary import Exemplary, Refusal
from tests.support.partners import Json, Reaction


class AnswersLater(Exemplary):
    """Serves no outcomes, which it is never told, and says nothing of its own at first."""

    def react(self, method: str, path: str, signature: str | None, raw: bytes) -> Reaction:
        if method == "PUT":
            return Reaction(404)
        return super().react(method, path, signature, raw)

    def ask(self, kind: str, body: Json) -> Json:
        self.held.setdefault(body[f"{kind}Id"], self.grant(kind, body))
        return {}


class TakesAReplay(AnswersLater):
    finds = ("authentication.replayed",)

    def remember(self, jti: str) -> None:
        """Remembers nothing."""


class RefusesARepeat(AnswersLater):
    finds = ("allocations.repeated",)

    def ask(self, kind: str, body: Json) -> Json:
        if body[f"{kind}Id"] in self.held:
            raise Refusal(409, "known already")
        return super().ask(kind, body)


class NamesItOtherwiseTheSecondTime(AnswersLater):
    finds = ("allocations.repeated",)

    def ask(self, kind: str, body: Json) -> Json:
        super().ask(kind, body)
        return {f"partners{kind.capitalize()}Id": f"their-{len(self.jtis)}"}
