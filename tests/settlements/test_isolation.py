"""No enterprise sees or moves anything of another one. Protocol §10.8."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import uuid4

import httpx2
import pytest

from tests.support.networks import ConnectionHandle, NetworkClient, PartnerHandle, new_nonce, ok
from tests.support.refusals import nothing_written
from tests.support.settlements import Testbed, change_dispute, close_dispute, dispute, stage

NAMES = ("anna", "berta", "clara")
ALLOCATED = {"anna": 7_100_033, "berta": 7_200_066, "clara": 7_300_099}
Answer = tuple[int, str, str]


@dataclass(frozen=True)
class Scenario:
    """Three clients that dispute one settlement of a partner, and a second partner."""

    testbed: Testbed
    partner: PartnerHandle
    rival: PartnerHandle
    connections: Mapping[str, ConnectionHandle]
    settlement_id: str
    later_id: str
    disputes: Mapping[str, str]

    def secrets(self, *names: str) -> set[str]:
        """Returns texts that only these clients, their partner and the operator may see."""
        found = set()
        for name in names:
            connection = self.connections[name]
            found |= {connection.id, connection.client.id, connection.client.enterprise.account.id}
            found |= {
                f"enterprise-{name}",
                f"user-of-enterprise-{name}",
                f"the book of {name}",
                f"objection of {name}",
            }
            found |= {
                self.disputes[name],
                str(ALLOCATED[name]),
                str(ALLOCATED[name] - 1_000),
                *self._made_for(name),
            }
        return found

    def _made_for(self, name: str) -> set[str]:
        """Returns the ids of a client's network account, transfers and closures."""
        with self.testbed.runtime.transaction() as tx:
            rows = tx.records(
                "SELECT network_account_id, settlement_transfer.id, dispute_closure_id"
                " FROM settlement_transfer WHERE connection_id = %(id)s",
                id=self.connections[name].id,
            )
        return {str(value) for row in rows for value in row.values() if value is not None}


def connect(testbed: Testbed, partner: PartnerHandle, name: str) -> ConnectionHandle:
    client = testbed.network.client(f"enterprise-{name}", deposits={"ofcbtc": ALLOCATED[name]})
    connection = testbed.network.connect(client, partner, f"the book of {name}")
    ok(connection.allocate("ofcbtc", ALLOCATED[name]))
    return connection


@pytest.fixture
def scenario(testbed: Testbed) -> Scenario:
    partner = testbed.network.partner(autoApproveClientClosures=True)
    rival = testbed.network.partner("rival")
    connections = {name: connect(testbed, partner, name) for name in NAMES}
    settlement = stage(partner, {connection.id: {"BTC": "-1000"} for connection in connections.values()})
    disputes = {
        name: ok(dispute(connection, settlement["id"], {"ofcbtc": "-500"}, reason=f"objection of {name}"))[
            "dispute"
        ]
        for name, connection in connections.items()
    }
    ids = {name: raised["id"] for name, raised in disputes.items()}
    ok(change_dispute(connections["clara"], ids["clara"], retracted=True))
    testbed.pass_minutes(10)
    ok(close_dispute(connections["berta"], ids["berta"]))
    later = stage(partner, {connection.id: {"BTC": "-1"} for connection in connections.values()})
    testbed.pass_minutes(20)
    testbed.assert_proven()
    return Scenario(testbed, partner, rival, connections, settlement["id"], later["id"], ids)


def client_views(scenario: Scenario, name: str) -> dict[str, httpx2.Response]:
    api = scenario.connections[name].client.api
    others = [scenario.connections[other].id for other in NAMES if other != name]
    return {
        "settlements": api.get("/clients/settlements"),
        "disputed settlements": api.get("/clients/settlements", onlyShowDisputed="true"),
        "settlement": api.get(f"/clients/settlements/{scenario.settlement_id}"),
        "later settlement": api.get(f"/clients/settlements/{scenario.later_id}"),
        "disputes": api.get("/clients/settlement/disputes"),
        "disputes of the settlement": api.get("/clients/settlement/disputes", settlementIds=scenario.settlement_id),
        "disputes settled": api.get("/clients/settlement/disputes", settledInSettlementIds=scenario.later_id),
        "disputes of others": api.get("/clients/settlement/disputes", connectionIds=others),
        "connections": api.get("/clients/connections"),
        "allocations": api.get("/clients/allocations"),
        "balances": api.get("/clients/balances"),
    }


@pytest.mark.parametrize("name", NAMES)
def test_client_sees_nothing_of_other_clients(scenario: Scenario, name: str) -> None:
    others = scenario.secrets(*(other for other in NAMES if other != name))
    assert len(others) > 20
    for view, response in client_views(scenario, name).items():
        assert response.status_code == 200, (view, response.text)
        found = {secret for secret in others if secret in response.text}
        assert not found, (view, found)
    events = scenario.testbed.operator.events(enterpriseId=f"enterprise-{name}", pageSize=500)
    assert events
    assert not {secret for secret in others if secret in str(events)}


def test_client_sees_its_own_settlements_and_disputes(scenario: Scenario) -> None:
    anna = scenario.connections["anna"]
    views = client_views(scenario, "anna")
    assert [found["id"] for found in views["disputes"].json()["disputes"]] == [scenario.disputes["anna"]]
    transfers = views["settlement"].json()["settlementTransfers"]
    assert [transfer["destinationConnectionName"] for transfer in transfers] == ["the book of anna"]
    assert views["settlement"].json()["settlementDisputes"][0]["id"] == scenario.disputes["anna"]
    assert len(views["settlements"].json()["settlements"]) == 2
    assert anna.id in views["disputes"].text


def test_client_does_not_see_settlements_of_others(scenario: Scenario) -> None:
    anna, berta = scenario.connections["anna"], scenario.connections["berta"]
    without_anna = stage(scenario.partner, {berta.id: {"BTC": "-1"}})["id"]
    ok(dispute(berta, without_anna))
    everything = {view: response.text for view, response in client_views(scenario, "anna").items()}
    assert not [view for view, text in everything.items() if without_anna in text]
    assert anna.client.api.get(f"/clients/settlements/{without_anna}").status_code == 404
    assert without_anna in client_views(scenario, "berta")["settlements"].text


def test_settlement_is_disputed_only_for_the_client_that_disputes(scenario: Scenario) -> None:
    for name, disputed in (("anna", True), ("berta", True), ("clara", False)):
        view = client_views(scenario, name)["settlement"].json()["settlement"]
        assert view["disputed"] is disputed, name


def test_partner_sees_nothing_of_another_partners_settlements(scenario: Scenario) -> None:
    secrets = scenario.secrets(*NAMES) | {scenario.settlement_id, scenario.later_id, scenario.partner.id}
    api = scenario.rival.api
    for response in (
        api.get("/partners/settlements"),
        api.get("/partners/settlements", partnerIds=scenario.partner.id),
        api.get("/partners/settlements", settlementIds=[scenario.settlement_id, scenario.later_id]),
        api.get("/partners/settlements", partyConnectionIds=scenario.connections["anna"].id),
        api.get("/partners/settlement/disputes", showRetracted="true"),
        api.get("/partners/settlement/disputes", partnerIds=scenario.partner.id, showRetracted="true"),
        api.get("/partners/settlement/disputes", disputeIds=list(scenario.disputes.values())),
        api.get("/partners/connections"),
        api.get("/partners/allocations"),
        api.get("/partners/balances"),
    ):
        assert response.status_code == 200, response.text
        assert not {secret for secret in secrets if secret in response.text}, response.text


def error_of(response: httpx2.Response, *asked: str) -> Answer:
    """Returns status, name and text of an error. The requested ids are replaced by one text."""
    problem = response.json()
    text = f"{problem['error']} {problem.get('details')}"
    for identifier in asked:
        text = text.replace(identifier, "the id")
    return response.status_code, problem["name"], text


def assert_alike(ask: Callable[[str], httpx2.Response], foreign: str, status: int) -> None:
    """Asserts that an id of another enterprise gets the same error as an unknown id."""
    unknown = str(uuid4())
    there, nowhere = error_of(ask(foreign), foreign), error_of(ask(unknown), unknown)
    assert there == nowhere
    assert there[0] == status


def test_ids_of_others_get_the_error_of_unknown_ids(scenario: Scenario) -> None:
    outsider = scenario.testbed.network.funded(scenario.rival, {"ofcbtc": 10}, name="outsider")
    theirs, api = scenario.connections["anna"], outsider.client.api
    own_settlement = stage(scenario.rival, {outsider.id: {"BTC": "-1"}})["id"]
    sign = outsider.client.enterprise.sign

    def raise_on(settlement_id: str, connection_id: str) -> httpx2.Response:
        body = sign({"connectionId": connection_id, "expectedTransfers": {}})
        return api.post(f"/clients/settlements/{settlement_id}/disputes", body)

    def change(dispute_id: str, connection_id: str) -> httpx2.Response:
        body = sign({"connectionId": connection_id, "retracted": True})
        return api.put(f"/clients/settlements/disputes/{dispute_id}", body)

    def close(dispute_id: str) -> httpx2.Response:
        return api.post(f"/clients/settlements/disputes/{dispute_id}/close", sign({"notes": "yes"}))

    def stage_on(connection_id: str) -> httpx2.Response:
        fields = {
            "externalId": new_nonce(),
            "settlementAmounts": {connection_id: {"BTC": "1"}},
            "cutoffAt": "2026-01-05T11:59:00.000Z",
        }
        return scenario.rival.api.post("/partners/settlements", scenario.rival.enterprise.sign(fields), version=2)

    anna_dispute = scenario.disputes["anna"]
    with nothing_written(scenario.testbed.runtime):
        assert_alike(lambda found: api.get(f"/clients/settlements/{found}"), scenario.settlement_id, 404)
        assert_alike(
            lambda found: scenario.rival.api.get(f"/partners/settlements/{found}"), scenario.settlement_id, 404
        )
        assert_alike(lambda found: raise_on(found, outsider.id), scenario.settlement_id, 404)
        assert_alike(lambda found: raise_on(found, theirs.id), scenario.settlement_id, 404)
        assert_alike(lambda found: raise_on(own_settlement, found), theirs.id, 404)
        assert_alike(lambda found: change(found, outsider.id), anna_dispute, 404)
        assert_alike(lambda found: change(found, theirs.id), anna_dispute, 404)
        assert_alike(close, anna_dispute, 404)
        assert_alike(stage_on, theirs.id, 400)
    scenario.testbed.assert_proven()


def test_client_cannot_dispute_for_another_client_of_the_settlement(scenario: Scenario) -> None:
    anna, berta = scenario.connections["anna"], scenario.connections["berta"]
    settlement = stage(scenario.partner, {anna.id: {"BTC": "-1"}, berta.id: {"BTC": "-1"}})["id"]
    with nothing_written(scenario.testbed.runtime):
        for connection_id in (berta.id, str(uuid4())):
            body = anna.client.enterprise.sign({"connectionId": connection_id, "expectedTransfers": {}})
            refused = anna.client.api.post(f"/clients/settlements/{settlement}/disputes", body)
            assert (refused.status_code, refused.json()["name"]) == (404, "settlement_not_found")
        body = berta.client.enterprise.sign({"connectionId": anna.id, "expectedTransfers": {}})
        refused = anna.client.api.post(f"/clients/settlements/{settlement}/disputes", body)
        assert (refused.status_code, refused.json()["name"]) == (401, "signature_invalid")


def test_filter_by_ids_of_others_finds_nothing(scenario: Scenario) -> None:
    anna, berta = scenario.connections["anna"].client.api, scenario.connections["berta"]

    def same(api: NetworkClient, path: str, foreign: str, field: str) -> None:
        there, nowhere = (api.get(path, **{field: asked}) for asked in (foreign, str(uuid4())))
        assert (there.status_code, there.content) == (nowhere.status_code, nowhere.content), (path, field)
        assert there.headers["X-Total-Count"] == nowhere.headers["X-Total-Count"] == "0", (path, field)

    for field in ("partyConnectionIds", "counterpartyConnectionIds"):
        same(anna, "/clients/settlements", berta.id, field)
        same(scenario.rival.api, "/partners/settlements", berta.id, field)
    berta_dispute = scenario.disputes["berta"]
    closure = scenario.testbed.operator.get("/dispute-closures").json()["disputeClosures"][0]["id"]
    for field, foreign in (
        ("connectionIds", berta.id),
        ("disputeIds", berta_dispute),
        ("disputeClosureIds", closure),
    ):
        same(anna, "/clients/settlement/disputes", foreign, field)
        same(scenario.rival.api, "/partners/settlement/disputes", foreign, field)
    for field in ("settlementIds", "settledInSettlementIds"):
        same(scenario.rival.api, "/partners/settlement/disputes", scenario.settlement_id, field)
    same(scenario.rival.api, "/partners/settlement/disputes", berta.client.id, "clientIds")
    same(scenario.rival.api, "/partners/settlements", scenario.settlement_id, "settlementIds")


def test_client_and_partner_operations_refuse_the_other_role(scenario: Scenario) -> None:
    client, partner = scenario.connections["anna"].client, scenario.partner
    fields = {
        "externalId": "x",
        "settlementAmounts": {scenario.connections["anna"].id: {"BTC": "1"}},
        "cutoffAt": "2026-01-05T11:59:00.000Z",
    }
    with nothing_written(scenario.testbed.runtime):
        staging = client.api.post("/partners/settlements", client.enterprise.sign(fields), version=2)
        for refused in (
            staging,
            client.api.get("/partners/settlements"),
            client.api.get(f"/partners/settlements/{scenario.settlement_id}"),
            client.api.get("/partners/settlement/disputes"),
        ):
            assert (refused.status_code, refused.json()["name"]) == (403, "not_a_partner")
        assert_alike(lambda found: partner.api.get(f"/clients/settlements/{found}"), scenario.settlement_id, 404)
        assert ok(partner.api.get("/clients/settlements"))["settlements"] == []
        assert ok(partner.api.get("/clients/settlement/disputes"))["disputes"] == []


def test_token_is_refused_for_another_enterprise(scenario: Scenario) -> None:
    anna, base_url = scenario.connections["anna"], scenario.testbed.operator.base_url
    token = scenario.testbed.operator.user_token("enterprise-anna")
    with nothing_written(scenario.testbed.runtime):
        for enterprise in ("enterprise-berta", scenario.partner.enterprise.id, "nobody"):
            with NetworkClient(base_url, token, enterprise) as intruder:
                answers = [
                    intruder.get("/clients/settlements"),
                    intruder.get(f"/clients/settlements/{scenario.settlement_id}"),
                    intruder.get("/partners/settlements"),
                    intruder.get("/clients/settlement/disputes"),
                    intruder.post(f"/clients/settlements/{scenario.settlement_id}/disputes", {}),
                    intruder.put(f"/clients/settlements/disputes/{scenario.disputes['anna']}", {}),
                    intruder.post(f"/clients/settlements/disputes/{scenario.disputes['anna']}/close", {}),
                    intruder.post("/partners/settlements", {}, version=2),
                    intruder.get("/partners/settlements-signing", body={}),
                    intruder.post("/partners/settlements-signing", {}),
                ]
            assert {(answer.status_code, answer.json()["name"]) for answer in answers} == {(401, "not_a_member")}
    assert anna.client.api.get("/clients/settlements").status_code == 200
