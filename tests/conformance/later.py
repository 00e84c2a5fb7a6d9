"""Partners that answer later: what they are asked they only acknowledge. ``finds`` as in the others."""

from __future__ import annotations

from tests.conformance.exemplary import Exemplary, Held, Refusal
from tests.support.partners import Json


class AnswersLater(Exemplary):
    """Serves no more than it is called for, and says nothing of its own at first."""

    def ask(self, kind: str, body: Json) -> Json:
        self.held.setdefault(body[f"{kind}Id"], self.grant(kind, body))
        return {}

    def known(self, subject_id: str) -> Held:
        raise Refusal(404, f"no such page as {subject_id}")


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
