"""Pauses of operators, for tests."""

from __future__ import annotations

import httpx2

from tests.support.networks import Json, ok
from tests.support.operators import OperatorClient


def try_pause(
    operator: OperatorClient, kind: str, subject: str | None = None, reason: str = "a key was stolen"
) -> httpx2.Response:
    named = {} if subject is None else {"id": subject}
    return operator.post("/pauses", {"kind": kind, **named, "reason": reason})


def pause(
    operator: OperatorClient, kind: str, subject: str | None = None, reason: str = "a key was stolen"
) -> Json:
    """Pauses, which must succeed."""
    made: Json = ok(try_pause(operator, kind, subject, reason))["pause"]
    return made


def try_resume(operator: OperatorClient, pause_id: str, reason: str | None = None) -> httpx2.Response:
    return operator.post(f"/pauses/{pause_id}/resume", {} if reason is None else {"reason": reason})


def resume(first: OperatorClient, second: OperatorClient, pause_id: str) -> Json:
    """Resumes, by two operators if the network needs two."""
    asked = try_resume(first, pause_id)
    ended: Json = ok(try_resume(second, pause_id) if asked.status_code == 202 else asked)["pause"]
    return ended


def standing(operator: OperatorClient) -> list[Json]:
    found: list[Json] = ok(operator.get("/pauses", standing="true", pageSize=500))["pauses"]
    return found
