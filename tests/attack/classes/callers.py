"""Each operation, by callers who must not reach it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import httpx2

from clearwindow.core.clock import wire_time
from clearwindow.web.openapi import operations
from tests.attack.stage import Stage
from tests.attack.tally import AttackClass, Tally
from tests.support.descriptions import own_document
from tests.support.operators import READ, WRITE, OperatorClient
from tests.support.refusals import nothing_written

OPEN: Final = frozenset({"/healthz", "/readyz", "/metrics", "/.well-known/jwks.json", "/api/v1/client/constants"})
"""What anybody may read. Everything else needs a token."""

SHOWS_ITS_HOLDER: Final = "GET /api/network/v1/whoami"
"""Needs a token that is in force and no scope (choice C197): it may answer, but only whose this very token is."""

_FOR_OPERATORS: Final = "/api/operator/"
_OF_DEPOSITS: Final = frozenset(
    {("GET", "/api/operator/v1/whoami"), ("POST", "/api/operator/v1/go-accounts/{goAccountId}/deposits")}
)
_UNAUTHENTICATED: Final = frozenset({401})
_NOT_ALLOWED: Final = frozenset({403})
_NOT_THEIRS: Final = frozenset({401, 404})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, with which headers, and how it must be refused; only its writes, if it may read.

    ``of`` is the enterprise of a token that is in force, and so may be told whose it is. ``good_for``: what the
    token is for.
    """

    name: str
    headers: Mapping[str, str]
    refusals: frozenset[int] = _UNAUTHENTICATED
    only_writes: bool = False
    of: str | None = None
    good_for: frozenset[tuple[str, str]] = frozenset()


def guarded() -> Iterator[tuple[str, str]]:
    """Yields the method and path of every operation that needs a token, as our document lists them."""
    for method, path, _ in operations(own_document()):
        if path not in OPEN:
            yield method.upper(), path


def attack(stage: Stage, tally: Tally) -> None:
    of_members, of_operators = list(_members(stage)), list(_operators(stage))
    with stage.http() as http, nothing_written(stage.testbed.runtime):
        for number, (method, template) in enumerate(guarded()):
            callers = of_operators if template.startswith(_FOR_OPERATORS) else of_members
            for caller in stage.some(callers, number):
                if (caller.only_writes and method == "GET") or (method, template) in caller.good_for:
                    continue
                answered = _call(http, method, stage.path(template), caller)
                name = f"{caller.name}: {method} {template}"
                if caller.of and f"{method} {template}" == SHOWS_ITS_HOLDER:
                    _judge_whose(tally, name, answered, caller.of)
                else:
                    tally.judge(name, answered, caller.refusals)
    _controls(stage, tally)


def _call(http: httpx2.Client, method: str, path: str, caller: Caller) -> httpx2.Response:
    body: Any = None if method in {"GET", "DELETE"} else {"payload": "{}"}
    return http.request(method, path, json=body, headers=dict(caller.headers))


def _judge_whose(tally: Tally, name: str, answered: httpx2.Response, enterprise_id: str) -> None:
    tally.judge(name, answered, {200})
    told = answered.json().get("enterprise", {}).get("id")
    tally.require(f"{name}, of its own enterprise", held=told == enterprise_id, seen=told)


def _controls(stage: Stage, tally: Tally) -> None:
    tally.control("the member itself", stage.victim.api.get("/clients/balances"))
    tally.control("the operator itself", stage.testbed.operator.get("/settlements"))


def _nobody() -> Iterator[Caller]:
    """Yields callers without any token, or with one that was never made."""
    yield Caller("no token", {})
    yield Caller("no scheme", {"Authorization": "cwt_" + "A" * 43})
    yield Caller("unknown token", _bearer("cwt_" + "A" * 43))
    yield Caller("another scheme", {"Authorization": "Basic b3BlcmF0b3I6b3BlcmF0b3I="})
    yield Caller("token in another header", {"X-Api-Key": "cwt_" + "A" * 43})
    yield Caller("token's hash", _bearer(hashlib.sha256(b"the-token-in-the-settings-of-the-tests").hexdigest()))
    yield Caller("text of SQL", _bearer("' OR '1'='1"))


def _members(stage: Stage) -> Iterator[Caller]:
    yield from _nobody()
    operator = stage.testbed.operator
    sides = {
        side: _member_tokens(stage, side) for side in (stage.victim.enterprise.id, stage.exchange.enterprise.id)
    }
    for side, tokens in sides.items():
        for name, token in tokens.items():
            yield Caller(f"{name} of {side}", _bearer(token))
        # It may read what is its own; the other side's paths are closed to it.
        only = operator.user_token(side, scopes=[WRITE])
        yield Caller(
            f"write-only token of {side}",
            _bearer(only),
            _UNAUTHENTICATED | _NOT_ALLOWED | _NOT_THEIRS,
            of=side,
        )
        reader = operator.user_token(side, scopes=[READ])
        yield Caller(
            f"read-only token of {side}", _bearer(reader), _UNAUTHENTICATED | _NOT_ALLOWED, only_writes=True
        )
    for stranger in (stage.stranger.enterprise.id, stage.rival.enterprise.id):
        yield Caller(f"token of {stranger}", _bearer(operator.user_token(stranger)), _NOT_THEIRS, of=stranger)
    made = operator.operator_token(operator.operator("third")["id"])
    yield Caller("operator's token", _bearer(made))


def _operators(stage: Stage) -> Iterator[Caller]:
    yield from _nobody()
    operator = stage.testbed.operator
    for side in (stage.victim, stage.exchange):
        yield Caller("member's token", _bearer(operator.user_token(side.enterprise.id)))
    third = operator.operator("third")["id"]
    yield Caller("revoked token", _bearer(_revoked(operator, f"/operators/{third}/tokens", {})))
    yield Caller("expired token", _bearer(_expired(stage, f"/operators/{third}/tokens", {})))
    deposits = operator.operator_token(third, program=True, depositsOnly=True)
    yield Caller("token for deposits alone", _bearer(deposits), _NOT_ALLOWED, good_for=_OF_DEPOSITS)


def _member_tokens(stage: Stage, enterprise_id: str) -> dict[str, str]:
    """Returns tokens of a member that are no longer, or not here, or not so to be used."""
    operator, user = stage.testbed.operator, f"user-of-{enterprise_id}"
    path, body = f"/enterprises/{enterprise_id}/tokens", {"userId": user, "scopes": [READ, WRITE]}
    shown = operator.user_token(enterprise_id, kind="v2x")
    return {
        "revoked token": _revoked(operator, path, body),
        "expired token": _expired(stage, path, body),
        "token of another address": operator.user_token(enterprise_id, ipAllowList=["192.0.2.0/24"]),
        "v2x token that was shown": shown,
        "v2x token's hash without an HMAC": hashlib.sha256(shown.encode()).hexdigest(),
    }


def _revoked(operator: OperatorClient, path: str, body: Mapping[str, object]) -> str:
    token = operator.post(path, body).json()["token"]
    gone = operator.delete(f"/tokens/{token['id']}")
    if gone.status_code != 204:
        raise AssertionError(gone.text)
    return str(token["value"])


def _expired(stage: Stage, path: str, body: Mapping[str, object]) -> str:
    ends = stage.testbed.clock.now() + timedelta(minutes=1)
    token = stage.testbed.operator.post(path, {**body, "expiresAt": wire_time(ends)}).json()["token"]
    stage.testbed.clock.advance(minutes=2)
    return str(token["value"])


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


CLASS: Final = AttackClass("callers", "each operation, by each kind of caller who must not reach it", attack)
