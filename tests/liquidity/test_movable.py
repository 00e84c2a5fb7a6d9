"""What can be moved now: the amount that is said is accepted, and one base unit more is refused. Protocol §4."""

from __future__ import annotations

import pytest

from clearwindow.ledger.models import Balance
from clearwindow.liquidity.movable.rules import movable
from tests.support.networks import ConnectionHandle, Json, ok
from tests.support.settlements import Testbed, dispute, stage

UNKNOWN = "3f0b6c1e-1f7a-4c52-9a35-2f1f0c8e7d11"


class Scenario:
    """A client with 1000 in its Go Account and 500 at the partner, of which a settlement and a dispute hold 120."""

    def __init__(self, testbed: Testbed) -> None:
        self.testbed = testbed
        self.partner = testbed.network.partner()
        client = testbed.network.client(deposits={"ofcbtc": 1500})
        self.connection: ConnectionHandle = testbed.network.connect(client, self.partner)
        ok(self.connection.allocate("ofcbtc", 500))
        self.disputed = stage(self.partner, {self.connection.id: {"BTC": "-100"}})
        self.dispute: Json = ok(dispute(self.connection, self.disputed["id"]))["dispute"]
        testbed.pass_minutes(10)
        self.pending = stage(self.partner, {self.connection.id: {"BTC": "-20"}})

    @property
    def account_path(self) -> str:
        return f"/go-accounts/{self.connection.client.enterprise.account.id}/movable-funds"

    def of_connection(self, currency: str = "ofcbtc") -> Json:
        answer = ok(self.connection.client.api.get(f"{self.connection.path}/movable-funds"))
        (found,) = [one for one in answer["movableFunds"] if one["currency"] == currency]
        return dict(found)

    def of_account(self) -> Json:
        (found,) = ok(self.connection.client.api.get(self.account_path))["movableFunds"]
        return dict(found)

    def withdraw(self, quantity: int, reference: str) -> int:
        body = {"currency": "ofcbtc", "quantity": str(quantity), "reference": reference}
        account = self.connection.client.enterprise.account.id
        return self.testbed.operator.post(f"/go-accounts/{account}/withdrawals", body).status_code


@pytest.fixture
def scenario(testbed: Testbed) -> Scenario:
    return Scenario(testbed)


def test_holds_say_why_not_more_can_be_taken_back(scenario: Scenario) -> None:
    found = scenario.of_connection()
    assert found["deallocation"] == {"largest": "380", "reasons": []}
    assert found["networkAccount"] == {
        "available": "380",
        "held": "120",
        "holds": [
            {"kind": "dispute", "id": scenario.dispute["id"], "quantity": "100"},
            {"kind": "settlement", "id": scenario.pending["id"], "quantity": "20"},
        ],
        "holdCount": 2,
    }


def test_largest_deallocation_is_accepted_and_one_more_is_refused(scenario: Scenario) -> None:
    largest = int(scenario.of_connection()["deallocation"]["largest"])
    assert scenario.connection.deallocate("ofcbtc", largest + 1).status_code == 422
    ok(scenario.connection.deallocate("ofcbtc", largest))
    assert scenario.of_connection()["deallocation"] == {
        "largest": "0",
        "reasons": [{"name": "insufficient_funds"}],
    }


def test_largest_allocation_is_accepted_and_one_more_is_refused(scenario: Scenario) -> None:
    largest = int(scenario.of_connection()["allocation"]["largest"])
    assert scenario.connection.allocate("ofcbtc", largest + 1).status_code == 422
    ok(scenario.connection.allocate("ofcbtc", largest))
    assert scenario.of_connection()["allocation"]["largest"] == "0"


def test_largest_withdrawal_is_accepted_and_one_more_is_refused(scenario: Scenario) -> None:
    largest = int(scenario.of_account()["withdrawal"]["largest"])
    assert scenario.withdraw(largest + 1, "one more") == 422
    assert scenario.withdraw(largest, "all") == 200
    assert scenario.of_account()["withdrawal"]["reasons"] == [{"name": "insufficient_funds"}]


def test_inactive_connection_takes_no_allocations_and_gives_back(scenario: Scenario) -> None:
    ok(scenario.connection.client.api.put(scenario.connection.path, {"active": False}))
    found = scenario.of_connection()
    assert found["allocation"] == {"largest": "0", "reasons": [{"name": "connection_inactive"}]}
    assert scenario.connection.allocate("ofcbtc", 1).status_code == 422
    assert found["deallocation"]["largest"] == "380"


def test_currency_that_the_partner_dropped_can_only_be_taken_back(scenario: Scenario) -> None:
    scenario.testbed.network.configure("exchange", currencies={"USD": "ofcusd"})
    found = scenario.of_connection()
    assert found["allocation"]["reasons"] == [{"name": "currency_not_supported"}]
    assert scenario.connection.allocate("ofcbtc", 1).status_code == 400
    assert found["deallocation"]["largest"] == "380"


@pytest.mark.parametrize(
    ("kind", "stops"),
    [
        ("network", {"allocation", "deallocation", "withdrawal"}),
        ("partner", {"allocation"}),
        ("client", {"allocation", "deallocation", "withdrawal"}),
        ("currency", {"allocation", "deallocation", "withdrawal"}),
        ("account", {"allocation", "deallocation", "withdrawal"}),
    ],
)
def test_pause_says_what_is_off(scenario: Scenario, kind: str, stops: set[str]) -> None:
    subject = {
        "network": {},
        "partner": {"id": scenario.partner.id},
        "client": {"id": scenario.connection.client.id},
        "currency": {"id": "ofcbtc"},
        "account": {"id": scenario.connection.client.enterprise.account.id},
    }[kind]
    ok(scenario.testbed.operator.post("/pauses", {"kind": kind, "reason": "a drill", **subject}))
    found = scenario.of_connection() | scenario.of_account()
    for name in ("allocation", "deallocation", "withdrawal"):
        reasons = [(one["name"], one["pause"]["kind"]) for one in found[name]["reasons"]]
        assert reasons == ([("paused", kind)] if name in stops else []), name
    submitted = {
        "allocation": scenario.connection.allocate("ofcbtc", 1).status_code,
        "deallocation": scenario.connection.deallocate("ofcbtc", 1).status_code,
        "withdrawal": scenario.withdraw(1, "one"),
    }
    assert submitted == {name: 422 if name in stops else 200 for name in submitted}


def test_funds_of_another_are_as_if_they_did_not_exist(scenario: Scenario) -> None:
    stranger = scenario.testbed.network.client("stranger").api
    for known, unknown in (
        (f"{scenario.connection.path}/movable-funds", f"/clients/connections/{UNKNOWN}/movable-funds"),
        (scenario.account_path, f"/go-accounts/{UNKNOWN.replace('-', '')}/movable-funds"),
    ):
        answers = [stranger.get(path) for path in (known, unknown)]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].json()["error"] == answers[1].json()["error"]


def test_nothing_available_is_a_reason() -> None:
    assert movable(Balance(0, 5), []).reasons[0].name == "insufficient_funds"
    assert movable(Balance(5, 0), []).largest == 5
