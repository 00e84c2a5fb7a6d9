"""A forecast against what happens when the clock moves, with random events. Protocol §5, §6, §10."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import invariant, precondition, rule, run_state_machine_as_test

from tests.settlements.test_model import CURRENCIES, BrokerMachine, NetworkMachine
from tests.support.databases import TestCluster
from tests.support.networks import Json, ok

MOVING = {"completes", "closures_run"}


class ForecastMachine(NetworkMachine):
    """The events of the network's model. Forecasts are followed to their end between events, and always at last."""

    def teardown(self) -> None:
        try:
            if hasattr(self, "model"):
                self._follow()
                super().balances_and_states_agree()
        finally:
            super().teardown()

    def _forecasts(self) -> dict[str, Json]:
        """Returns the forecast of every open settlement, with disputes as they stand."""
        found = {}
        for settlement in self.model.settlements:
            answer = ok(self.partner.api.get(f"/partners/settlements/{settlement.id}/forecast"))
            assert answer["stage"] == settlement.state
            if settlement.is_open:
                found[settlement.id] = next(one for one in answer["forecasts"] if one["disputes"] == "standing")
            else:
                assert answer["forecasts"] == []
        return found

    def _balances(self) -> dict[tuple[str, str], tuple[int, int]]:
        return {
            (connection.id, currency): amounts
            for connection in self.connections
            for currency, amounts in connection.balances().items()
        }

    def _account(self) -> dict[str, int]:
        balances = ok(self.partner.api.get("/partners/balances"))["balances"]
        return {CURRENCIES[name]: int(amount["available"]) for name, amount in balances.items()}

    @precondition(lambda self: any(one.is_open for one in self.model.settlements))
    @rule()
    def what_was_forecast_happens(self) -> None:
        self._follow()

    def _follow(self) -> None:
        """Reads what is forecast, moves the clock to each step, and compares."""
        forecasts = self._forecasts()
        steps = sorted(
            (datetime.fromisoformat(step["at"]), settlement_id, number)
            for settlement_id, forecast in forecasts.items()
            for number, step in enumerate(forecast["steps"])
        )
        before, account = self._balances(), self._account()
        available: defaultdict[tuple[str, str], int] = defaultdict(int)
        for moment in sorted({at for at, _, _ in steps}):
            # A little later, because the model counts minutes as fractions. No money moves in between.
            self._pass(max(0, (moment - self.testbed.clock.now()).total_seconds() / 60) + 0.001)
            for at, settlement_id, number in steps:
                if at == moment:
                    self._assert_moved(forecasts[settlement_id], number, available, account)
            last = {each: number for at, each, number in steps if at <= moment}
            for settlement_id, number in last.items():
                assert self.testbed.state(settlement_id) == forecasts[settlement_id]["steps"][number]["stage"]
            after = self._balances()
            for key in before | after:
                was = before.get(key, (0, 0))[0]
                assert after.get(key, (0, 0))[0] == was + available[key], key
            assert {name: left for name, left in account.items() if left} == {
                name: left for name, left in self._account().items() if left
            }
        self._assert_held(forecasts)

    def _assert_moved(
        self,
        forecast: Json,
        number: int,
        available: defaultdict[tuple[str, str], int],
        account: dict[str, int],
    ) -> None:
        """Adds what the step does to balances."""
        step = forecast["steps"][number]
        assert (step["outcome"] in MOVING) == all(
            after["afterSteps"][number]["moves"] == after["quantity"] for after in forecast["networkAccounts"]
        ) or all(after["quantity"] == "0" for after in forecast["networkAccounts"])
        for one in forecast["networkAccounts"]:
            available[one["connectionId"], one["currency"]] += int(one["afterSteps"][number]["availableChange"])
        if step["outcome"] in MOVING:
            for funds in step["partnerAccount"]:
                currency = funds["currency"]
                assert funds["shortfall"] == "0"
                account[currency] = account.get(currency, 0) + int(funds["change"]) + int(funds["topUp"])

    def _assert_held(self, forecasts: dict[str, Json]) -> None:
        """Compares what is held after the last step with what the model says of the same settlement."""
        for settlement in self.model.settlements:
            forecast = forecasts.get(settlement.id)
            if forecast is None:
                continue
            for one in forecast["networkAccounts"]:
                key = (one["connectionId"], one["currency"])
                after = one["afterSteps"][-1] if one["afterSteps"] else one
                disputes = sum(dispute.held[key] for dispute in settlement.disputes.values())
                assert int(after["heldForDisputes"]) == disputes, key
                assert int(after["held"]) == settlement.held[key] + disputes, key

    @invariant()
    def balances_and_states_agree(self) -> None:
        """Only at the end: the network's own model has it after each event."""

    @invariant()
    def each_owner_sees_each_step_once(self) -> None:
        """Not here: the network's own model has it."""


class BrokerForecastMachine(ForecastMachine, BrokerMachine):
    """The same with a broker that settles between its connections."""


@pytest.mark.parametrize("machine", [ForecastMachine, BrokerForecastMachine])
def test_forecast_is_what_happens(
    cluster: TestCluster, served_app: tuple[FastAPI, str], machine: type[ForecastMachine]
) -> None:
    class Machine(machine):  # type: ignore[misc, valid-type]  # one of two classes
        environment = (cluster, *served_app)

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=3,
            stateful_step_count=10,
            deadline=None,
            # To make a failure shorter would take minutes: each example has a database of its own.
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            database=None,
            print_blob=True,
        ),
    )
