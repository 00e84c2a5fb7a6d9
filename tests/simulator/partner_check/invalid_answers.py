"""Partners with invalid answers. ``finds`` names the checks that find it."""

from __future__ import annotations

from typing import ClassVar

from tests.simulator.partner_check.correct_partner import CorrectPartner
from tests.support.partners import Reaction

TIMEOUT_SECONDS = 0.6


class Hangs(CorrectPartner):
    """Does not answer the final amounts in time."""

    finds = ("finalize.unknown", "finalize.acknowledged", "form.in-time")

    def react(self, method: str, path: str, signature: str | None, raw: bytes) -> Reaction:
        delay_seconds = 2 * TIMEOUT_SECONDS if path.endswith("finalize") and signature is not None else 0
        reaction = super().react(method, path, signature, raw)
        return Reaction(reaction.status, reaction.body, reaction.headers, delay_seconds=delay_seconds)


class InvalidAnswer(CorrectPartner):
    """Gives the same invalid answer to every call."""

    finds: ClassVar[tuple[str, ...]] = ("connections.accepted", "form.in-time")
    reaction = Reaction()

    def react(self, method: str, path: str, signature: str | None, raw: bytes) -> Reaction:
        assert method, path
        assert raw, signature
        return self.reaction


class Redirects(InvalidAnswer):
    reaction = Reaction(307, {}, (("Location", "/elsewhere"),))


class AnswersEndlessly(InvalidAnswer):
    reaction = Reaction(endless=True)


class CutsAnswer(InvalidAnswer):
    reaction = Reaction(body={"partnersClientId": "c"}, cut=True)


class AnswersTooLate(InvalidAnswer):
    reaction = Reaction(delay_seconds=2 * TIMEOUT_SECONDS)


class AnswersWithPage(InvalidAnswer):
    finds = ("connections.accepted",)
    reaction = Reaction(body=b"<!doctype html><title>Welcome</title>", headers=(("Content-Type", "text/html"),))


class AnswersEmpty(InvalidAnswer):
    finds = ("connections.accepted",)
    reaction = Reaction(204, b"")


class AnswersUnavailable(InvalidAnswer):
    finds = ("connections.accepted",)
    reaction = Reaction(503)
