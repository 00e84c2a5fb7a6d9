"""No enterprise sees or moves anything of another. Protocol §10.8."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import uuid4

import httpx2
import pytest

from tests.support.networks import ConnectionHandle, NetworkClient, PartnerHandle, new_nonce, ok
from tests.support.refusing import nothing_written
from tests.support.settling import Floor, change_dispute, close_dispute, dispute, stage

NAMES = ("anna", "berta", "clara")
ALLOCATED = {"anna": 7_100_033, "berta": 7_200_066, "clara": 7_300_099}
Answer = tuple[int, str, str]


@dataclass(frozen=True)
class Scene:
    """Three clients in one settlement of a partner, all three disputing it, and a rival of the partner."""

    floor: Floor
    partner: PartnerHandle
    rival: PartnerHandle
    connections: Mapping[str, ConnectionHandle]
    settlement_id: str
    later_id: str
    disputes: Mapping[str, str]

    def secrets(self, *names: str) -> set[str]:
        """What only these clients, their partner and the operator may know."""
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
        """The ids of the network account, the transfers and the closures of a client."""
        with self.floor.runtime.transaction() as tx:
            rows = tx.records(
                "SELECT network_account_id, settlement_transfer.id, dispute_closure_id"
                " FROM settlement_transfer WHERE connection_id = %(id)s",
                id=self.connections[name].id,
            )
        return {str(value) for row in rows for value in row.values() if value is not None}


def connect(floor: Floor, partner: PartnerHandle, name: str) -> ConnectionHandle:
    client = floor.network.client(f"enterprise-{name}", deposits={"ofcbtc": ALLOCATED[name]})
    connection = floor.network.connect(client, partner, f"the book of {name}")
    ok(connection.allocate("ofcbtc", ALLOCATED[name]))
    return connection


@pytest.fixture
def scene(floor: Floor) -> Scene:
    partner = floor.network.partner(autoApproveClientClosures=True)
    rival = floor.network.partner("rival")
    connections = {name: connect(floor, partner, name) for name in NAMES}
    settlement = stage(partner, {connection.id: {"BTC": "-1000"} for connection in connections.values()})
    disputes = {
        name: ok(dispute(connection, settlement["id"], {"ofcbtc": "-500"}, reason=f"objection of {name}"))[
            "dispute"
        ]
        for name, connection in connections.items()
    }
    ids = {name: raised["id"] for name, raised in disputes.items()}
    ok(change_dispute(connections["clara"], ids["clara"], retracted=True))
    floor.pass_minutes(10)
    ok(close_dispute(connections["berta"], ids["berta"]))
    later = stage(partner, {connection.id: {"BTC": "-1"} for connection in connections.values()})
    floor.pass_minutes(20)
    floor.assert_proven()
    return Scene(floor, partner, rival, connections, settlement["id"], later["id"], ids)


def client_views(scene: Scene, name: str) -> dict[str, httpx2.Response]:
    api = scene.connections[name].client.api
    others = [scene.connections[other].id for other in NAMES if other != name]
    return {
        "settlements": api.get("/clients/settlements"),
        "disputed settlements": api.get("/clients/settlements", onlyShowDisputed="true"),
        "settlement": api.get(f"/clients/settlements/{scene.settlement_id}"),
        "later settlement": api.get(f"/clients/settlements/{scene.later_id}"),
        "disputes": api.get("/clients/settlement/disputes"),
        "disputes of the settlement": api.get("/clients/settlement/disputes", settlementIds=scene.settlement_id),
        "disputes settled": api.get("/clients/settlement/disputes", settledInSettlementIds=scene.later_id),
        "disputes of others": api.get("/clients/settlement/disputes", connectionIds=others),
        "connections": api.get("/clients/connections"),
        "allocations": api.get("/clients/allocations"),
        "balances": api.get("/clients/balances"),
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_client_sees_nothing_of_the_other_clients(scene: Scene, name: str) -> None:
    others = scene.secrets(*(other for other in NAMES if other != name))
    assert len(others) > 20
    for view, response in client_views(scene, name).items():
        assert response.status_code == 200, (view, response.text)
        found = {secret for secret in others if secret in response.text}
        assert not found, (view, found)
    events = scene.floor.operator.events(enterpriseId=f"enterprise-{name}", pageSize=500)
    assert events
    assert not {secret for secret in others if secret in str(events)}


def test_a_client_sees_its_own(scene: Scene) -> None:
    anna = scene.connections["anna"]
    views = client_views(scene, "anna")
    assert [found["id"] for found in views["disputes"].json()["disputes"]] == [scene.disputes["anna"]]
    transfers = views["settlement"].json()["settlementTransfers"]
    assert [transfer["destinationConnectionName"] for transfer in transfers] == ["the book of anna"]
    assert views["settlement"].json()["settlementDisputes"][0]["id"] == scene.disputes["anna"]
    assert len(views["settlements"].json()["settlements"]) == 2
    assert anna.id in views["disputes"].text


def test_a_client_sees_no_settlement_that_it_is_not_in(scene: Scene) -> None:
    anna, berta = scene.connections["anna"], scene.connections["berta"]
    without_anna = stage(scene.partner, {berta.id: {"BTC": "-1"}})["id"]
    ok(dispute(berta, without_anna))
    everything = {view: response.text for view, response in client_views(scene, "anna").items()}
    assert not [view for view, text in everything.items() if without_anna in text]
    assert anna.client.api.get(f"/clients/settlements/{without_anna}").status_code == 404
    assert without_anna in client_views(scene, "berta")["settlements"].text


def test_a_retracted_dispute_of_one_client_makes_no_settlement_disputed_for_another(scene: Scene) -> None:
    for name, disputed in (("anna", True), ("berta", True), ("clara", False)):
        view = client_views(scene, name)["settlement"].json()["settlement"]
        assert view["disputed"] is disputed, name


def test_a_rival_partner_sees_nothing_of_the_settlements_of_a_partner(scene: Scene) -> None:
    secrets = scene.secrets(*NAMES) | {scene.settlement_id, scene.later_id, scene.partner.id}
    api = scene.rival.api
    for response in (
        api.get("/partners/settlements"),
        api.get("/partners/settlements", partnerIds=scene.partner.id),
        api.get("/partners/settlements", settlementIds=[scene.settlement_id, scene.later_id]),
        api.get("/partners/settlements", partyConnectionIds=scene.connections["anna"].id),
        api.get("/partners/settlement/disputes", showRetracted="true"),
        api.get("/partners/settlement/disputes", partnerIds=scene.partner.id, showRetracted="true"),
        api.get("/partners/settlement/disputes", disputeIds=list(scene.disputes.values())),
        api.get("/partners/connections"),
        api.get("/partners/allocations"),
        api.get("/partners/balances"),
    ):
        assert response.status_code == 200, response.text
        assert not {secret for secret in secrets if secret in response.text}, response.text


def told(response: httpx2.Response, *asked: str) -> Answer:
    """Status, name and error text, with the ids that were asked for made alike."""
    problem = response.json()
    text = f"{problem['error']} {problem.get('details')}"
    for identifier in asked:
        text = text.replace(identifier, "the id")
    return response.status_code, problem["name"], text


def assert_alike(ask: Callable[[str], httpx2.Response], foreign: str, status: int) -> None:
    """Asking for what is another's is answered as asking for what does not exist."""
    unknown = str(uuid4())
    there, nowhere = told(ask(foreign), foreign), told(ask(unknown), unknown)
    assert there == nowhere
    assert there[0] == status


def test_what_is_anothers_answers_as_what_does_not_exist(scene: Scene) -> None:
    outsider = scene.floor.network.funded(scene.rival, {"ofcbtc": 10}, name="outsider")
    theirs, api = scene.connections["anna"], outsider.client.api
    own_settlement = stage(scene.rival, {outsider.id: {"BTC": "-1"}})["id"]
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
        return scene.rival.api.post("/partners/settlements", scene.rival.enterprise.sign(fields), version=2)

    anna_dispute = scene.disputes["anna"]
    with nothing_written(scene.floor.runtime):
        assert_alike(lambda found: api.get(f"/clients/settlements/{found}"), scene.settlement_id, 404)
        assert_alike(lambda found: scene.rival.api.get(f"/partners/settlements/{found}"), scene.settlement_id, 404)
        assert_alike(lambda found: raise_on(found, outsider.id), scene.settlement_id, 404)
        assert_alike(lambda found: raise_on(found, theirs.id), scene.settlement_id, 404)
        assert_alike(lambda found: raise_on(own_settlement, found), theirs.id, 404)
        assert_alike(lambda found: change(found, outsider.id), anna_dispute, 404)
        assert_alike(lambda found: change(found, theirs.id), anna_dispute, 404)
        assert_alike(close, anna_dispute, 404)
        assert_alike(stage_on, theirs.id, 400)
    scene.floor.assert_proven()


def test_one_client_of_a_settlement_cannot_object_for_another(scene: Scene) -> None:
    anna, berta = scene.connections["anna"], scene.connections["berta"]
    settlement = stage(scene.partner, {anna.id: {"BTC": "-1"}, berta.id: {"BTC": "-1"}})["id"]
    with nothing_written(scene.floor.runtime):
        for connection_id in (berta.id, str(uuid4())):
            body = anna.client.enterprise.sign({"connectionId": connection_id, "expectedTransfers": {}})
            refused = anna.client.api.post(f"/clients/settlements/{settlement}/disputes", body)
            assert (refused.status_code, refused.json()["name"]) == (404, "settlement_not_found")
        body = berta.client.enterprise.sign({"connectionId": anna.id, "expectedTransfers": {}})
        refused = anna.client.api.post(f"/clients/settlements/{settlement}/disputes", body)
        assert (refused.status_code, refused.json()["name"]) == (401, "signature_invalid")


def test_a_filter_tells_nothing_of_what_is_anothers(scene: Scene) -> None:
    anna, berta = scene.connections["anna"].client.api, scene.connections["berta"]

    def same(api: NetworkClient, path: str, foreign: str, field: str) -> None:
        there, nowhere = (api.get(path, **{field: asked}) for asked in (foreign, str(uuid4())))
        assert (there.status_code, there.content) == (nowhere.status_code, nowhere.content), (path, field)
        assert there.headers["X-Total-Count"] == nowhere.headers["X-Total-Count"] == "0", (path, field)

    for field in ("partyConnectionIds", "counterpartyConnectionIds"):
        same(anna, "/clients/settlements", berta.id, field)
        same(scene.rival.api, "/partners/settlements", berta.id, field)
    berta_dispute = scene.disputes["berta"]
    closure = scene.floor.operator.get("/dispute-closures").json()["disputeClosures"][0]["id"]
    for field, foreign in (
        ("connectionIds", berta.id),
        ("disputeIds", berta_dispute),
        ("disputeClosureIds", closure),
    ):
        same(anna, "/clients/settlement/disputes", foreign, field)
        same(scene.rival.api, "/partners/settlement/disputes", foreign, field)
    for field in ("settlementIds", "settledInSettlementIds"):
        same(scene.rival.api, "/partners/settlement/disputes", scene.settlement_id, field)
    same(scene.rival.api, "/partners/settlement/disputes", berta.client.id, "clientIds")
    same(scene.rival.api, "/partners/settlements", scene.settlement_id, "settlementIds")


def test_the_wrong_side_is_told_that_it_is(scene: Scene) -> None:
    client, partner = scene.connections["anna"].client, scene.partner
    fields = {
        "externalId": "x",
        "settlementAmounts": {scene.connections["anna"].id: {"BTC": "1"}},
        "cutoffAt": "2026-01-05T11:59:00.000Z",
    }
    with nothing_written(scene.floor.runtime):
        staging = client.api.post("/partners/settlements", client.enterprise.sign(fields), version=2)
        for refused in (
            staging,
            client.api.get("/partners/settlements"),
            client.api.get(f"/partners/settlements/{scene.settlement_id}"),
            client.api.get("/partners/settlement/disputes"),
        ):
            assert (refused.status_code, refused.json()["name"]) == (403, "not_a_partner")
        assert_alike(lambda found: partner.api.get(f"/clients/settlements/{found}"), scene.settlement_id, 404)
        assert ok(partner.api.get("/clients/settlements"))["settlements"] == []
        assert ok(partner.api.get("/clients/settlement/disputes"))["disputes"] == []


def test_a_token_opens_its_own_enterprise_only(scene: Scene) -> None:
    anna, base_url = scene.connections["anna"], scene.floor.operator.base_url
    token = scene.floor.operator.user_token("enterprise-anna")
    with nothing_written(scene.floor.runtime):
        for enterprise in ("enterprise-berta", scene.partner.enterprise.id, "nobody"):
            with NetworkClient(base_url, token, enterprise) as intruder:
                answers = [
                    intruder.get("/clients/settlements"),
                    intruder.get(f"/clients/settlements/{scene.settlement_id}"),
                    intruder.get("/partners/settlements"),
                    intruder.get("/clients/settlement/disputes"),
                    intruder.post(f"/clients/settlements/{scene.settlement_id}/disputes", {}),
                    intruder.put(f"/clients/settlements/disputes/{scene.disputes['anna']}", {}),
                    intruder.post(f"/clients/settlements/disputes/{scene.disputes['anna']}/close", {}),
                    intruder.post("/partners/settlements", {}, version=2),
                    intruder.get("/partners/settlements-signing", body={}),
                    intruder.post("/partners/settlements-signing", {}),
                ]
            assert {(answer.status_code, answer.json()["name"]) for answer in answers} == {(401, "not_a_member")}
    assert anna.client.api.get("/clients/settlements").status_code == 200
