"""All filters of the two lists of disputes, in the query and in the body. Protocol §6."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.networks import ConnectionHandle, NetworkClient, ok
from tests.support.settlements import Testbed, change_dispute, close_dispute, dispute, stage

CLIENTS, PARTNERS = "/clients/settlement/disputes", "/partners/settlement/disputes"
UNKNOWN = "3f0b6c1e-1f7a-4c52-9a35-2f1f0c8e7d11"


class Scenario:
    """Ann's disputes at two exchanges are settled, closed, open and retracted. Bob's one dispute is open."""

    def __init__(self, testbed: Testbed) -> None:
        self.testbed = testbed
        network = testbed.network
        self.one = network.partner("one", autoApproveClientClosures=True)
        self.two = network.partner("two")
        self.ann = network.funded(self.one, {"ofcbtc": 100}, name="ann")
        self.bob = network.funded(self.one, {"ofcbtc": 100}, name="bob")
        self.ann_two = network.connect(self.ann.client, self.two, "elsewhere")
        self.ids: dict[str, str] = {UNKNOWN: UNKNOWN}
        self._settled()
        self.ids["S-open"] = stage(
            self.one, {self.ann.id: {"BTC": "-1"}, self.bob.id: {"BTC": "-2"}}, externalId="number open"
        )["id"]
        self._raise("closed-not-settled", self.ann, self.ids["S-open"])
        self._raise("of bob", self.bob, self.ids["S-open"])
        self.ids["S-two"] = stage(self.two, {self.ann_two.id: {"BTC": "1"}}, externalId="number two")["id"]
        self._raise("open", self.ann_two, self.ids["S-two"])
        self.ids["S-later"] = stage(self.one, {self.ann.id: {"BTC": "1"}}, externalId="number later")["id"]
        self._raise("retracted", self.ann, self.ids["S-later"])
        ok(change_dispute(self.ann, self.ids["retracted"], retracted=True))
        testbed.pass_minutes(10)
        self._close("closed-not-settled")

    def _settled(self) -> None:
        self.ids["S-first"] = stage(self.one, {self.ann.id: {"BTC": "-5"}}, externalId="number first")["id"]
        self._raise("settled", self.ann, self.ids["S-first"])
        self.testbed.pass_minutes(20)
        self._close("settled")
        taking = stage(self.one, {self.ann.id: {"BTC": "-1"}}, externalId="number taking")
        assert len(taking["settlingDisputes"]) == 1
        self.ids["S-taking"] = taking["id"]
        self.testbed.pass_minutes(20)

    def _raise(self, name: str, connection: ConnectionHandle, settlement_id: str) -> None:
        self.ids[name] = ok(dispute(connection, settlement_id))["dispute"]["id"]
        self.testbed.clock.advance(minutes=0.1)

    def _close(self, name: str) -> None:
        closed = ok(close_dispute(self.ann, self.ids[name]))["disputeClosure"]
        self.ids[f"closure of {name}"] = closed["id"]

    def named(self, api: NetworkClient, path: str, filters: dict[str, Any]) -> list[str]:
        """Returns the names of the listed disputes, the same by query and by body."""
        places = {
            "ann": self.ann.id,
            "bob": self.bob.id,
            "elsewhere": self.ann_two.id,
            "one": self.one.id,
            "two": self.two.id,
            "client ann": self.ann.client.id,
            "client bob": self.bob.client.id,
            **self.ids,
        }
        asked = {name: self._filled(value, places) for name, value in filters.items()}
        answer = api.get(path, **asked)
        listed = ok(answer)["disputes"]
        assert ok(api.get(path, body=asked))["disputes"] == listed
        assert "pageSize" in filters or answer.headers["X-Total-Count"] == str(len(listed))
        names = {dispute_id: name for name, dispute_id in self.ids.items()}
        return [names[one["id"]] for one in listed]

    @staticmethod
    def _filled(value: object, places: dict[str, str]) -> object:
        if isinstance(value, list):
            return [places.get(one, one) for one in value]
        return places.get(value, value) if isinstance(value, str) else value


def test_filters_of_the_clients_list(testbed: Testbed) -> None:
    scenario = Scenario(testbed)
    everything = ["retracted", "open", "closed-not-settled", "settled"]
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({}, everything),
        ({"settlementIds": "S-open"}, ["closed-not-settled"]),
        ({"settlementIds": ["S-open", "S-two", UNKNOWN]}, ["open", "closed-not-settled"]),
        ({"settledInSettlementIds": "S-taking"}, ["settled"]),
        ({"settledInSettlementIds": "S-first"}, []),
        ({"connectionIds": "elsewhere"}, ["open"]),
        ({"connectionIds": ["ann", "bob"]}, ["retracted", "closed-not-settled", "settled"]),
        ({"connectionIds": "bob"}, []),
        ({"partnerIds": "two"}, ["open"]),
        ({"partnerIds": ["one", "two"]}, everything),
        ({"partnerIds": UNKNOWN}, []),
        ({"closed": "true"}, ["closed-not-settled", "settled"]),
        ({"closed": "false"}, ["retracted", "open"]),
        ({"disputeIds": ["settled", "of bob"]}, ["settled"]),
        ({"disputeClosureIds": "closure of settled"}, ["settled"]),
        ({"disputeClosureIds": UNKNOWN}, []),
        ({"pageSize": "2"}, everything[:2]),
        ({"pageSize": "2", "pageNumber": "1"}, everything[2:]),
        ({"closed": "true", "partnerIds": "one", "settlementIds": "S-open"}, ["closed-not-settled"]),
    ]
    for filters, expected in cases:
        assert scenario.named(scenario.ann.client.api, CLIENTS, filters) == expected, filters


def test_filters_of_the_partners_list(testbed: Testbed) -> None:
    scenario = Scenario(testbed)
    standing = ["of bob", "closed-not-settled", "settled"]
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({}, standing),
        ({"showRetracted": "true"}, ["retracted", *standing]),
        ({"showRetracted": "false"}, standing),
        ({"settlementIds": "S-open"}, ["of bob", "closed-not-settled"]),
        ({"settlementIds": "S-two"}, []),
        ({"settledInSettlementIds": ["S-taking", UNKNOWN]}, ["settled"]),
        ({"connectionIds": "bob"}, ["of bob"]),
        ({"connectionIds": "elsewhere"}, []),
        ({"partnerIds": "one"}, standing),
        ({"partnerIds": "two"}, []),
        ({"closed": "true"}, ["closed-not-settled", "settled"]),
        ({"closed": "false"}, ["of bob"]),
        ({"disputeIds": "of bob"}, ["of bob"]),
        ({"disputeIds": "open"}, []),
        ({"disputeClosureIds": ["closure of closed-not-settled"]}, ["closed-not-settled"]),
        ({"settlementExternalIds": "number first"}, ["settled"]),
        ({"settlementExternalIds": ["number open", "number two"]}, ["of bob", "closed-not-settled"]),
        ({"settledInSettlementExternalIds": "number taking"}, ["settled"]),
        ({"settledInSettlementExternalIds": "number first"}, []),
        ({"clientIds": "client bob"}, ["of bob"]),
        ({"clientIds": ["client ann", "client bob"]}, standing),
        ({"pageSize": "2"}, standing[:2]),
        ({"pageSize": "2", "pageNumber": "1"}, standing[2:]),
        ({"showRetracted": True, "clientIds": "client ann", "closed": False}, ["retracted"]),
    ]
    for filters, expected in cases:
        assert scenario.named(scenario.one.api, PARTNERS, filters) == expected, filters
    assert scenario.named(scenario.two.api, PARTNERS, {}) == ["open"]


@pytest.mark.parametrize(
    "filters",
    [
        {"closed": "maybe"},
        {"settlementIds": "nonsense"},
        {"disputeClosureIds": "nonsense"},
        {"pageSize": "0"},
        {"color": "red"},
    ],
)
def test_invalid_filters_are_refused(testbed: Testbed, filters: dict[str, str]) -> None:
    partner, client = testbed.network.partner(), testbed.network.client()
    for api, path in ((partner.api, PARTNERS), (client.api, CLIENTS)):
        for answer in (api.get(path, **filters), api.get(path, body=filters)):
            assert (answer.status_code, answer.json()["name"]) == (400, "request_invalid"), answer.text
    for name in ("showRetracted", "settlementExternalIds", "clientIds"):
        assert client.api.get(CLIENTS, **{name: "true"}).status_code == 400, "these are the partner's"
