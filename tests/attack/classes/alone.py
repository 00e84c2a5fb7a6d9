"""One operator who wants to take everything, alone: each thing must need a second person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from tests.attack.signed import EXPIRES_AT
from tests.attack.stage import WINDOW_MINUTES, Stage
from tests.attack.tally import AttackClass, Tally
from tests.signing.intent.scenes import require_intent
from tests.support.networks import CURRENCIES, NetworkClient, ok, sign_body
from tests.support.operators import READ, WRITE, OperatorClient, make_key
from tests.support.settlements import dispute
from tests.support.settlements import stage as staged
from tests.support.staff import WATCHED

_REFUSALS: Final = frozenset({202, 401, 403, 409, 422})
"""202 is a proposal, which does nothing by itself."""

_KEY: Final = make_key(666)
_FOR_DEPOSITS: Final = {"program": True, "depositsOnly": True}
_SHELL: Final = "shell"


@dataclass(frozen=True, slots=True)
class Act:
    name: str
    method: str
    path: str
    body: Mapping[str, Any]


def attack(stage: Stage, tally: Tally) -> None:
    with stage.testbed.operator.another("mallory") as mallory, _program_of(mallory) as feed, _in_earnest(stage):
        _reviews_what_it_closed(stage, tally, mallory)
        _reviews_as_two(stage, tally, mallory)
        _closes_as_the_client(stage, tally, mallory)
        _rejects_what_is_disputed(stage, tally, mallory)
        _approves_as_who_can_act_for_the_client(stage, tally, mallory)
        _resumes(tally, mallory)
        _deposits_by_a_program(stage, tally, mallory, feed)
        ok(require_intent(stage.stranger.enterprise, expiresAt=EXPIRES_AT))
        ok(mallory.post("/enterprises", {"id": _SHELL, "name": _SHELL, "licensed": False}))
        # Last, because they change what the others need.
        for act in _acts(stage):
            tally.judge(act.name, _send(mallory, act), _REFUSALS)
        intent = mallory.delete(f"/go-accounts/{stage.stranger.enterprise.account.id}/require-intent")
        tally.judge("lets a client's account sign texts that say nothing", intent, _REFUSALS)
    tally.control("an operator reads", stage.testbed.operator.get("/settlements"))


@contextmanager
def _program_of(operator: OperatorClient) -> Iterator[OperatorClient]:
    """Yields a program with a token for deposits alone, which is made before anybody has to approve it."""
    me = ok(operator.get("/whoami"))["operator"]["id"]
    with OperatorClient(operator.base_url, operator.operator_token(me, **_FOR_DEPOSITS)) as program:
        yield program


@contextmanager
def _in_earnest(stage: Stage) -> Iterator[None]:
    """Has the acts of operators proposed, as every network in earnest does. The runtime of tests does not."""
    runtime, usual = stage.testbed.runtime, stage.testbed.runtime.oversight
    object.__setattr__(runtime, "oversight", WATCHED)
    try:
        yield
    finally:
        object.__setattr__(runtime, "oversight", usual)


def _acts(stage: Stage) -> list[Act]:
    victim, exchange = stage.victim.enterprise, stage.exchange
    account, configuration = f"/go-accounts/{victim.account.id}", f"/enterprises/{exchange.enterprise.id}"
    money = {"currency": "ofcbtc", "quantity": "5000", "reference": "mallory"}
    terms = {"currencies": CURRENCIES, "amountUnit": "base", "onchainEnabled": True}
    token = {"userId": f"user-of-{victim.id}", "scopes": [READ, WRITE]}
    callback = {**terms, "callbackUrl": "http://127.0.0.1:9/mine"}
    return [
        Act("withdraws a client's money", "POST", f"{account}/withdrawals", money),
        Act("deposits money that never came", "POST", f"{account}/deposits", {**money, "reference": "minted"}),
        Act("adds a key to a client's account", "POST", f"{account}/keys", {"pub": _KEY.xpub}),
        Act("makes a token as a client's user", "POST", f"/enterprises/{victim.id}/tokens", token),
        Act("makes another user of a client", "POST", f"/enterprises/{victim.id}/users", {"name": "mallory's own"}),
        Act("counts a partner's amounts in another unit", "PUT", f"{configuration}/partner-configuration",
            {**terms, "amountUnit": "decimal"}),
        Act("has a partner's calls sent elsewhere", "PUT", f"{configuration}/partner-configuration", callback),
        Act("renames a partner's currency", "PUT", f"{configuration}/partner-configuration",
            {**terms, "currencies": {**CURRENCIES, "BTC": "ofcusd"}}),
        Act("shortens a partner's windows", "PATCH", f"/partners/{exchange.id}", {"clientDisputeWindowMinutes": 0}),
        Act("licenses an enterprise of its own making", "PATCH", f"/enterprises/{_SHELL}", {"licensed": True}),
        Act("makes another operator", "POST", "/operators", {"name": "mallory's second"}),
    ]  # fmt: skip


def _send(operator: OperatorClient, act: Act) -> Any:  # noqa: ANN401 - an answer
    send = {"POST": operator.post, "PUT": operator.put, "PATCH": operator.patch}[act.method]
    return send(act.path, act.body)


def _reviews_what_it_closed(stage: Stage, tally: Tally, mallory: OperatorClient) -> None:
    closure = _closed_by(stage, mallory)
    review = {"decision": "approved", "notes": "I agree with myself"}
    reviewed = mallory.post(f"/dispute-closures/{closure}/review", review)
    tally.judge("reviews the closure that it made", reviewed, _REFUSALS)


def _reviews_as_two(stage: Stage, tally: Tally, mallory: OperatorClient) -> None:
    """A second operator of its own making, whose token it holds."""
    made = mallory.post("/operators", {"name": "mallory's second"})
    second = made.json().get("operator", {}).get("id", stage.ids["operatorId"])
    token = mallory.post(f"/operators/{second}/tokens", {})
    value = token.json().get("token", {}).get("value", "none")
    closure = _closed_by(stage, mallory)
    with OperatorClient(stage.base_url, value) as other:
        reviewed = other.post(f"/dispute-closures/{closure}/review", {"decision": "approved", "notes": "fine"})
    tally.judge("reviews as a second operator of its own making", reviewed, _REFUSALS)


def _closes_as_the_client(stage: Stage, tally: Tally, mallory: OperatorClient) -> None:
    """Its own key on the client's account and its own token of the client's user; then it reviews as operator."""
    victim = stage.victim.enterprise
    disputed = _disputed(stage)
    mallory.post(f"/go-accounts/{victim.account.id}/keys", {"pub": _KEY.xpub})
    token = mallory.post(
        f"/enterprises/{victim.id}/tokens", {"userId": f"user-of-{victim.id}", "scopes": [READ, WRITE]}
    )
    value = token.json().get("token", {}).get("value", "none")
    api = NetworkClient(stage.base_url, value, victim.id)
    body = sign_body({"nonce": disputed, "notes": "we were wrong"}, _KEY)
    closed = api.post(f"/clients/settlements/disputes/{disputed}/close", body)
    api.close()
    tally.judge("closes a dispute as the client", closed, _REFUSALS)
    closure = closed.json().get("disputeClosure", {}).get("id")
    held = closure is None
    if closure is not None:
        review = mallory.post(f"/dispute-closures/{closure}/review", {"decision": "approved", "notes": "fine"})
        held = review.status_code in _REFUSALS
    tally.require("approves what it closed as the client", held=held, seen=closure)


def _rejects_what_is_disputed(stage: Stage, tally: Tally, mallory: OperatorClient) -> None:
    """Asking again is no second person."""
    settlement = staged(stage.exchange, {stage.at_exchange.id: {"BTC": "-1"}})["id"]
    ok(dispute(stage.at_exchange, settlement))
    for time in ("once", "twice"):
        rejected = mallory.post(f"/settlements/{settlement}/reject", {"reason": "mine"})
        tally.judge(f"rejects a disputed settlement, asking {time}", rejected, _REFUSALS)


def _approves_as_who_can_act_for_the_client(stage: Stage, tally: Tally, mallory: OperatorClient) -> None:
    """The stage's operator has made the tokens of all members, and may have kept them."""
    money = {"currency": "ofcbtc", "quantity": "5", "reference": "asked for by myself"}
    proposed = mallory.post(f"/go-accounts/{stage.victim.enterprise.account.id}/withdrawals", money)
    tally.judge("proposes a withdrawal", proposed, {202})
    waiting = proposed.json().get("proposal", {}).get("id", stage.ids["operatorId"])
    for decision in ("approve", "reject"):
        answer = stage.testbed.operator.post(f"/proposals/{waiting}/{decision}")
        tally.judge(f"decides with a token of the client in hand: {decision}", answer, {403})


def _resumes(tally: Tally, mallory: OperatorClient) -> None:
    """Pausing needs one operator, resuming two. Asking again is no second person."""
    paused = ok(mallory.post("/pauses", {"kind": "currency", "id": "ofcusd", "reason": "mine"}))["pause"]
    for _ in range(2):
        mallory.post(f"/pauses/{paused['id']}/resume", {"reason": "mine"})
    status = ok(mallory.get(f"/pauses/{paused['id']}"))["pause"]["status"]
    tally.require("resumes what it paused, asking twice", held=status == "paused", seen=status)


def _deposits_by_a_program(stage: Stage, tally: Tally, mallory: OperatorClient, feed: OperatorClient) -> None:
    """With a token from before others had to approve, and with a new one."""
    me = ok(mallory.get("/whoami"))["operator"]["id"]
    asked = mallory.post(f"/operators/{me}/tokens", _FOR_DEPOSITS)
    tally.judge("makes a program's token for deposits", asked, _REFUSALS)
    path = f"/go-accounts/{stage.victim.enterprise.account.id}"
    money = {"currency": "ofcbtc", "quantity": "5000", "reference": "minted by a program"}
    tally.judge("deposits with a program's token that nobody approved", feed.post(f"{path}/deposits", money), {202})
    tally.judge("withdraws with a token for deposits", feed.post(f"{path}/withdrawals", money), {403})


def _disputed(stage: Stage) -> str:
    """Returns a dispute whose window has ended, so that it may be closed."""
    settlement = staged(stage.exchange, {stage.at_exchange.id: {"BTC": "-1"}})["id"]
    disputed = str(ok(dispute(stage.at_exchange, settlement))["dispute"]["id"])
    stage.testbed.pass_minutes(WINDOW_MINUTES + 1)
    return disputed


def _closed_by(stage: Stage, operator: OperatorClient) -> str:
    disputed = _disputed(stage)
    body = {"adjustedTransfers": {}, "notes": "the client was wrong"}
    return str(ok(operator.post(f"/disputes/{disputed}/close", body))["disputeClosure"]["id"])


CLASS: Final = AttackClass("alone", "what one operator could take, alone or as several of its own making", attack)
