"""Random pauses against a plain-Python model: nothing moves that must not, and everything completes afterwards."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field

from fastapi import FastAPI
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.settlements.test_model import isolated_testbed
from tests.support.databases import TestCluster
from tests.support.networks import ConnectionHandle, ok
from tests.support.pauses import pause, resume
from tests.support.settlements import STEPS_PER_PROOF, try_stage

WINDOW_MINUTES = 10
ALLOCATED = 100_000
CURRENCIES = {"BTC": "ofcbtc", "ETH": "ofceth"}
WHO = st.integers(0, 1)
TARGETS = (
    "network",
    "partner",
    "partner's account",
    *(f"{what} {who}" for what in ("client", "account") for who in range(2)),
    *CURRENCIES.values(),
)


@dataclass
class Staged:
    """One settlement: what it changes on each balance, what it touches, and when its windows end."""

    id: str
    change: dict[tuple[int, str], int]
    touched: frozenset[str]
    staged_at: float
    state: str = "dispute_window"


@dataclass
class World:
    """What the model knows. ``funds`` are what the connections have, with what is held."""

    now: float = 0
    standing: dict[str, str] = field(default_factory=dict)
    settlements: list[Staged] = field(default_factory=list)
    funds: dict[tuple[int, str], int] = field(default_factory=dict)

    def stops(self, touched: frozenset[str]) -> bool:
        return not touched.isdisjoint(self.standing)

    def run(self) -> None:
        for one in self.settlements:
            if one.state == "dispute_window" and self.now >= one.staged_at + WINDOW_MINUTES:
                one.state = "top_up_window"
            if one.state == "top_up_window" and self.now >= one.staged_at + 2 * WINDOW_MINUTES:
                if self.stops(one.touched):
                    continue
                one.state = "completed"
                for key, quantity in one.change.items():
                    self.funds[key] += quantity


class PauseMachine(RuleBasedStateMachine):
    """Pauses, resumptions, settlements, allocations, deallocations and times."""

    environment: tuple[TestCluster, FastAPI, str]
    steps = 0

    @initialize()
    def build(self) -> None:
        self.stack = ExitStack()
        self.testbed, self.second = self.stack.enter_context(isolated_testbed(*self.environment))
        self.model = World()
        network = self.testbed.network
        deposits = dict.fromkeys(CURRENCIES.values(), 10 * ALLOCATED)
        self.partner = network.partner(
            dispute_window=WINDOW_MINUTES, top_up_window=WINDOW_MINUTES, currencies=CURRENCIES, deposits=deposits
        )
        self.connections: list[ConnectionHandle] = []
        for who, name in enumerate(("ann", "bob")):
            connection = network.connect(network.client(name, deposits=deposits), self.partner)
            for currency in CURRENCIES.values():
                ok(connection.allocate(currency, ALLOCATED))
                self.model.funds[who, currency] = ALLOCATED
            self.connections.append(connection)

    def teardown(self) -> None:
        if not hasattr(self, "stack"):
            return
        with self.stack:
            for target in list(self.model.standing):
                self._resume(target)
            self._pass(2 * WINDOW_MINUTES)
            assert {one.state for one in self.model.settlements} <= {"completed"}
            self.everything_agrees()
            self.testbed.assert_proven()

    def _subject(self, target: str) -> tuple[str, str | None]:
        if target in CURRENCIES.values():
            return "currency", target
        kind, _, who = target.partition(" ")
        if who.isdigit():
            client = self.connections[int(who)].client
            return kind, client.id if kind == "client" else client.enterprise.account.id
        account = self.partner.enterprise.account.id
        return {"network": ("network", None), "partner": ("partner", self.partner.id)}.get(
            target, ("account", account)
        )

    @rule(of=st.sampled_from(TARGETS))
    def pause(self, of: str) -> None:
        made = pause(self.testbed.operator, *self._subject(of))
        assert self.model.standing.setdefault(of, made["id"]) == made["id"]

    @rule(data=st.data())
    def resume(self, data: st.DataObject) -> None:
        if self.model.standing:
            self._resume(data.draw(st.sampled_from(sorted(self.model.standing))))

    def _resume(self, target: str) -> None:
        resume(self.testbed.operator, self.second, self.model.standing.pop(target))
        self._pass(0)

    @rule(
        amounts=st.dictionaries(
            WHO,
            st.dictionaries(
                st.sampled_from(sorted(CURRENCIES)), st.integers(-9, 9).filter(lambda each: each != 0), min_size=1
            ),
            min_size=1,
        )
    )
    def stage(self, amounts: dict[int, dict[str, int]]) -> None:
        change = {(who, CURRENCIES[name]): each for who, given in amounts.items() for name, each in given.items()}
        touched = {"network", "partner", "partner's account", *(currency for _, currency in change)}
        touched |= {f"{what} {who}" for who in amounts for what in ("client", "account")}
        wire = {
            self.connections[who].id: {name: str(each) for name, each in given.items()}
            for who, given in amounts.items()
        }
        answer = try_stage(self.partner, wire)
        if self.model.stops(frozenset(touched)):
            assert (answer.status_code, answer.json()["name"]) == (422, "paused"), answer.text
            return
        staged = ok(answer)["settlement"]["id"]
        self.model.settlements.append(Staged(staged, change, frozenset(touched), self.model.now))

    @rule(who=WHO, currency=st.sampled_from(sorted(CURRENCIES.values())), back=st.booleans())
    def move(self, who: int, currency: str, back: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        connection = self.connections[who]
        touched = {"network", f"client {who}", f"account {who}", currency} | (set() if back else {"partner"})
        answer = (connection.deallocate if back else connection.allocate)(currency, 7)
        if self.model.stops(frozenset(touched)):
            assert (answer.status_code, answer.json()["name"]) == (422, "paused"), answer.text
            return
        ok(answer)
        self.model.funds[who, currency] += -7 if back else 7

    @rule(minutes=st.sampled_from([1, 10, 25]))
    def pass_time(self, minutes: int) -> None:
        self._pass(minutes)

    def _pass(self, minutes: float) -> None:
        self.testbed.pass_minutes(minutes)
        self.testbed.run_due()
        self.model.now += minutes
        self.model.run()

    @invariant()
    def everything_agrees(self) -> None:
        if not hasattr(self, "model"):
            return
        self.steps += 1
        if self.steps % STEPS_PER_PROOF == 0:
            self.testbed.assert_proven()
        for one in self.model.settlements:
            assert self.testbed.state(one.id) == one.state
        for who, connection in enumerate(self.connections):
            actual = {currency: sum(both) for currency, both in connection.balances().items()}
            assert actual == {currency: self.model.funds[who, currency] for currency in CURRENCIES.values()}


def test_network_with_random_pauses_agrees_with_the_model(
    cluster: TestCluster, served_app: tuple[FastAPI, str]
) -> None:
    PauseMachine.environment = (cluster, *served_app)
    run_state_machine_as_test(
        PauseMachine,
        settings=settings(
            max_examples=4,
            stateful_step_count=14,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
