"""Random runs with a failing chain, dying workers and operators, against plain sums. Protocol §10."""

from __future__ import annotations

from collections import Counter
from uuid import uuid4

from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.settlements.test_model import isolated_testbed
from tests.support.chains import ChainDesk, chain_desk, unsteady_worker
from tests.support.databases import TestCluster
from tests.support.networks import Json, ok

NAMES = {"BTC": "ofcbtc", "ETH": "ofceth"}
START = 1_000
WHO = ("ann", "bob")
QUANTITIES = st.integers(-700, 400).filter(bool)
AMOUNTS = st.dictionaries(
    st.sampled_from(WHO), st.dictionaries(st.sampled_from(sorted(NAMES)), QUANTITIES, min_size=1), min_size=1
)
CHOICE = st.integers(0, 11)
STEPS = st.one_of(
    st.tuples(st.just("initiate"), AMOUNTS),
    st.tuples(st.just("pass"), st.sampled_from([10, 30, 300])),
    st.tuples(st.sampled_from(["fail", "fail", "withhold", "confirm", "reject", "retry", "fund"]), CHOICE),
    st.tuples(st.just("die"), st.sampled_from(["before paying", "after paying", "after reporting"])),
)


class RandomRun:
    """A network and the settlements that it has accepted."""

    def __init__(self, desk: ChainDesk) -> None:
        self.desk = desk
        self.connections = {"ann": desk.ann, "bob": desk.bob}
        self.accepted: dict[str, tuple[str, dict[str, dict[str, int]]]] = {}
        self.sent: Counter[str] = Counter()

    def do(self, what: str, given: object) -> None:
        getattr(self, what if what != "pass" else "pass_seconds")(given)
        self.desk.testbed.assert_proven()

    def initiate(self, amounts: dict[str, dict[str, int]]) -> None:
        wire = {
            self.connections[who].id: {name: str(quantity) for name, quantity in own.items()}
            for who, own in amounts.items()
        }
        available = {who: self.connections[who].balances() for who in amounts}
        covered = all(
            available[who].get(NAMES[name], (0, 0))[0] + quantity >= 0
            for who, own in amounts.items()
            for name, quantity in own.items()
        )
        answer = self.desk.try_initiate(wire)
        assert answer.status_code == (202 if covered else 400), answer.text
        if covered:
            settlement = answer.json()["settlement"]
            self.accepted[settlement["id"]] = (settlement["externalId"], amounts)

    def pass_seconds(self, seconds: int) -> None:
        self.desk.testbed.pass_minutes(seconds / 60)

    def fail(self, choice: int) -> None:
        self._decide(choice, "fail")

    def withhold(self, choice: int) -> None:
        self._decide(choice, "withhold")

    def confirm(self, choice: int) -> None:
        self._decide(choice, "confirm")

    def reject(self, choice: int) -> None:
        self._act(choice, "reject")

    def retry(self, choice: int) -> None:
        self._act(choice, "retry")

    def fund(self, choice: int) -> None:
        if not self.accepted:
            return
        external_id, _ = list(self.accepted.values())[choice % len(self.accepted)]
        name = sorted(NAMES)[choice % 2]
        tx_id = uuid4().hex
        if self.desk.try_deposit(external_id, (name, tx_id)).status_code == 201:
            self._send(name, tx_id, 50 * (choice + 1))

    def die(self, where: str) -> None:
        worker, chain = unsteady_worker(self.desk.testbed)
        chain.breaks.add(where)
        worker.run_due()

    def finish(self) -> None:
        """Funds, confirms and retries everything, so that every settlement ends."""
        for settlement_id, (external_id, amounts) in self.accepted.items():
            for name in NAMES:
                gained = sum(max(0, own.get(name, 0)) for own in amounts.values())
                tx_id = uuid4().hex
                ended = self.desk.status(settlement_id) in ("completed", "rejected")
                if gained and not ended:
                    self.desk.deposit(external_id, (name, tx_id))
                    self._send(name, tx_id, gained)
        for _ in range(6):
            for transaction in self.desk.transactions(states="pending", pageSize=500):
                self.desk.tell(transaction, "confirm")
            for settlement_id in self.accepted:
                self.desk.testbed.operator.post(f"/settlements/{settlement_id}/retry")
            self.desk.testbed.pass_minutes(11)
        self.desk.testbed.assert_proven()

    def assert_sums(self) -> None:
        """Asserts that completed settlements have moved everything and rejected ones nothing."""
        left = {(who, currency): START for who in WHO for currency in NAMES.values()}
        partner_sums: Counter[str] = Counter(self.sent)
        for settlement_id, (_, amounts) in self.accepted.items():
            status = self.desk.status(settlement_id)
            assert status in ("completed", "rejected")
            for who, own in amounts.items():
                for name, quantity in own.items():
                    if status == "completed":
                        left[who, NAMES[name]] += quantity
                        partner_sums[NAMES[name]] -= max(0, quantity)
        for (who, currency), quantity in left.items():
            assert self.connections[who].balances()[currency] == (quantity, 0)
        actual = self.desk.partner_balances()
        assert {name: actual.get(name, (0, 0)) for name in partner_sums} == {
            name: (quantity, 0) for name, quantity in partner_sums.items()
        }

    def _send(self, name: str, tx_id: str, quantity: int) -> None:
        self.desk.send(NAMES[name], tx_id, quantity)
        self.sent[NAMES[name]] += quantity

    def _decide(self, choice: int, action: str) -> None:
        pending = self.desk.pending()
        if pending:
            chosen: Json = pending[choice % len(pending)]
            answer = self.desk.testbed.operator.post(f"/chain/transactions/{chosen['id']}/{action}")
            # The chain may have confirmed it in the meantime.
            assert answer.status_code in (200, 409), answer.text

    def _act(self, choice: int, what: str) -> None:
        if self.accepted:
            settlement_id = list(self.accepted)[choice % len(self.accepted)]
            answer = self.desk.testbed.operator.post(f"/settlements/{settlement_id}/{what}")
            assert answer.status_code in (200, 409), answer.text
            if what == "reject" and answer.status_code == 200:
                assert ok(answer)["settlement"]["status"] == "rejected"


def test_each_transfer_is_paid_at_most_once_in_random_runs(
    cluster: TestCluster, served_app: tuple[FastAPI, str]
) -> None:
    @settings(
        max_examples=2, deadline=None, suppress_health_check=list(HealthCheck), database=None, print_blob=True
    )
    @given(first=AMOUNTS, steps=st.lists(STEPS, min_size=8, max_size=24))
    def run(first: dict[str, dict[str, int]], steps: list[tuple[str, object]]) -> None:
        with isolated_testbed(cluster, *served_app) as (testbed, _):
            random_run = RandomRun(chain_desk(testbed))
            random_run.do("initiate", first)
            for what, given_ in steps:
                random_run.do(what, given_)
            random_run.finish()
            random_run.assert_sums()

    run()
