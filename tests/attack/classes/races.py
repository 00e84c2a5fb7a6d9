"""The same thing many times at the same instant, or two things of which only one may be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

import httpx2

from clearwindow.signing.models import Operation
from tests.attack.signed import PREPARE
from tests.attack.stage import DEPOSIT, Stage
from tests.attack.tally import AttackClass, Tally
from tests.support.approvals import decide, user
from tests.support.networks import new_nonce
from tests.support.operators import OperatorClient
from tests.support.races import at_once

_TIMES: Final = 12
Call = Callable[[], httpx2.Response]


def attack(stage: Stage, tally: Tally) -> None:
    for operation in (Operation.SETTLEMENT_STAGE, Operation.SETTLEMENT_IMMEDIATE, Operation.ALLOCATION):
        _same_request(stage, tally, operation)
    if stage.thorough:
        for operation in (Operation.DISPUTE_CLOSE, Operation.DISPUTE_RAISE, Operation.CONNECTION_CREATE):
            _same_request(stage, tally, operation)
    _one_balance(stage, tally)
    _one_nonce(stage, tally)
    _two_reviewers(stage, tally)
    _one_approval(stage, tally)
    _one_withdrawal(stage, tally)


def _race(tally: Tally, name: str, calls: Sequence[Call], allowed: int, done: Callable[[], int]) -> None:
    """Runs the calls at once; at most ``allowed`` of them may have had an effect, which ``done`` counts."""
    before = done()
    answers = at_once(calls)
    effects = done() - before
    codes = Counter(answer.status_code for answer in answers)
    tally.require(f"{name}: effects", held=effects <= allowed, seen=(effects, codes))
    for answer in answers:
        tally.judge(f"{name}: answer", answer, {*range(200, 500)} | {503})


def _same_request(stage: Stage, tally: Tally, operation: Operation) -> None:
    prepared = PREPARE[operation](stage)
    body = prepared.signed()
    count = partial(_rows, stage, _TABLES[operation])
    calls = [partial(prepared.send, body)] * stage.few(_TIMES, 4)
    _race(tally, f"{operation} sent many times", calls, 1, count)


_TABLES: Final[Mapping[Operation, str]] = {
    Operation.SETTLEMENT_STAGE: "settlement",
    Operation.SETTLEMENT_IMMEDIATE: "settlement",
    Operation.ALLOCATION: "allocation",
    Operation.DISPUTE_CLOSE: "dispute_closure",
    Operation.DISPUTE_RAISE: "dispute",
    Operation.CONNECTION_CREATE: "connection",
}


def _one_balance(stage: Stage, tally: Tally) -> None:
    """Allocations that the account could pay one by one, and not together."""
    connection, times = stage.at_spot, stage.few(_TIMES, 4)
    available = connection.go_balances()["ofceth"][0]
    each = available // 2 + 1
    before = connection.balances().get("ofceth", (0, 0))[0]
    calls = [partial(connection.allocate, "ofceth", each)] * times
    _race(tally, "one balance spent twice", calls, each, lambda: connection.balances().get("ofceth", (0, 0))[0])
    gone = connection.balances().get("ofceth", (0, 0))[0] - before
    tally.require("one balance spent twice: total", held=gone <= available <= DEPOSIT, seen=gone)


def _one_nonce(stage: Stage, tally: Tally) -> None:
    """One nonce in several allocations."""
    connection, nonce = stage.at_exchange, new_nonce()
    bodies = [
        connection.client.enterprise.sign({**connection.allocation_fields("ofcbtc", 1), "nonce": nonce})
        for _ in range(stage.few(_TIMES, 4))
    ]
    calls = [partial(connection.client.api.post, f"{connection.path}/allocations", body) for body in bodies]
    _race(tally, "one nonce in many requests", calls, 1, partial(_rows, stage, "allocation"))


def _two_reviewers(stage: Stage, tally: Tally) -> None:
    """One approves and the other rejects: one decision stands, and it was answered to one of them."""
    path = f"/dispute-closures/{stage.ids['closureId']}/review"
    with stage.testbed.operator.another("reviewer") as other:
        calls = [
            partial(_review, stage.testbed.operator, path, "approved"),
            partial(_review, other, path, "rejected"),
        ] * stage.few(4, 2)
        answers = at_once(calls)
    decided = {answer.json()["disputeClosure"]["status"] for answer in answers if answer.status_code == 200}
    tally.require("two reviewers decide one closure", held=len(decided) == 1, seen=decided)


def _review(operator: OperatorClient, path: str, decision: str) -> httpx2.Response:
    return operator.post(path, {"decision": decision, "notes": "at the same instant"})


def _one_approval(stage: Stage, tally: Tally) -> None:
    """Two users decide one approval in both ways: the allocation is cleared or released, once."""
    victim, approval = stage.victim.enterprise.id, stage.ids["approvalId"]
    users = [user(stage.testbed.network, victim, name) for name in ("anna", "berta")]
    held = stage.at_exchange.go_balances()["ofceth"]
    answers = at_once([partial(decide, api, approval, said) for api in users for said in ("approved", "rejected")])
    decided = {answer.json()["pendingApproval"]["status"] for answer in answers if answer.status_code == 200}
    left = stage.at_exchange.go_balances()["ofceth"]
    tally.require(
        "two users decide one approval", held=len(decided) == 1 and left[1] == 0, seen=(decided, held, left)
    )


def _one_withdrawal(stage: Stage, tally: Tally) -> None:
    """One reference many times, and withdrawals that exceed the balance together."""
    operator, account = stage.testbed.operator, stage.victim.enterprise.account.id
    available = operator.balances(account)["ofcbtc"][0]

    def gone() -> int:
        return available - operator.balances(account)["ofcbtc"][0]

    times = stage.few(_TIMES, 4)
    same = [partial(operator.move, "withdrawals", account, "ofcbtc", 10, "once")] * times
    _race(tally, "one withdrawal sent many times", same, 10, gone)
    each = available // 2
    many = [
        partial(operator.move, "withdrawals", account, "ofcbtc", each, f"w-{number}") for number in range(times)
    ]
    _race(tally, "one balance withdrawn many times", many, available, gone)


def _rows(stage: Stage, table: str) -> int:
    with stage.testbed.runtime.transaction() as tx:
        (count,) = tx.scalars(int, f"SELECT count(*) FROM {table}")  # noqa: S608 - a name of ours
    return count


CLASS: Final = AttackClass(
    "races", "one thing many times at the same instant, and two things that exclude each other", attack
)
