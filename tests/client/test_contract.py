"""The SDK sends only requests of the contract, and has a method for every operation of it."""

from __future__ import annotations

import json

import httpx2
import pytest

from clearwindow.client import Client, KeySigner, Partner
from clearwindow.core.strict_json import parse_json
from clearwindow.signing.intent import path_ids_of
from clearwindow.signing.message import verify_message
from clearwindow.signing.models import Operation
from clearwindow.signing.payload import match_payload
from tests.client.contract import ContractServer, contract
from tests.client.operations import CLIENT, PARTNER
from tests.client.shapes import Shapes
from tests.support.operators import make_key

URL = "http://server.test"


@pytest.fixture
def server() -> ContractServer:
    return ContractServer()


@pytest.fixture
def client(shapes: Shapes, server: ContractServer) -> Client:
    return shapes.client(
        URL, "t", "aster", signer=KeySigner(make_key().xprv), transport=httpx2.MockTransport(server)
    )


@pytest.fixture
def partner(shapes: Shapes, server: ContractServer) -> Partner:
    signer = KeySigner(make_key().xprv)
    return shapes.partner(URL, "t", "meridian", signer=signer, transport=httpx2.MockTransport(server))


def test_every_operation_of_the_contract_is_a_method() -> None:
    assert CLIENT.keys() | PARTNER.keys() == contract().operation_ids()


@pytest.mark.parametrize("operation_id", CLIENT)
def test_client_operation_conforms_to_contract(operation_id: str, client: Client, server: ContractServer) -> None:
    CLIENT[operation_id][1](client)
    assert set(server.asked) == {operation_id}
    assert_signed_as_the_server_checks_it(server.requests)


@pytest.mark.parametrize("operation_id", PARTNER)
def test_partner_operation_conforms_to_contract(
    operation_id: str, partner: Partner, server: ContractServer
) -> None:
    PARTNER[operation_id][1](partner)
    assert set(server.asked) == {operation_id}
    assert_signed_as_the_server_checks_it(server.requests)


def test_all_transfers_of_settlement_are_read(partner: Partner, server: ContractServer) -> None:
    server.total = 3
    assert len(list(partner.settlements.transfers("s", currencies=["ofcbtc"]))) == 3
    assert [request.url.params["pageNumber"] for request in server.requests] == ["0", "1", "2"]
    assert {request.url.params["currencies"] for request in server.requests} == {"ofcbtc"}


def test_list_is_read_only_as_far_as_it_is_iterated(
    shapes: Shapes, partner: Partner, server: ContractServer
) -> None:
    server.total = 3
    entries = partner.connections.list(page_size=1)
    assert server.requests == []
    assert len(list(entries)) == 3
    assert [request.url.params["pageNumber"] for request in server.requests] == ["0", "1", "2"]
    if not shapes.is_async:
        next(iter(entries))
        assert len(server.requests) == 4


def test_empty_page_ends_list_without_total(shapes: Shapes, server: ContractServer) -> None:
    names = iter([["a", "b"], ["c"], []])

    def answer(request: httpx2.Request) -> httpx2.Response:
        least = server(request).json()["connections"][0]
        return httpx2.Response(200, json={"connections": [least | {"name": name} for name in next(names)]})

    partner = shapes.partner(URL, "t", "meridian", transport=httpx2.MockTransport(answer))
    assert [connection.name for connection in partner.connections.list()] == ["a", "b", "c"]


def assert_signed_as_the_server_checks_it(requests: list[httpx2.Request]) -> None:
    for request in requests:
        body = parse_json(request.content) if request.content else None
        if not isinstance(body, dict) or "signature" not in body:
            continue
        payload, signature = body["payload"], body["signature"]
        assert isinstance(payload, str)
        assert isinstance(signature, str)
        said = json.loads(payload)
        path = request.url.path
        ids = {name: said[name] for name in path_ids_of(Operation(said["operation"]))}
        assert all(given in path for given in ids.values())
        intent = match_payload(payload, body, {"enterpriseId": path.split("/")[5], **ids})
        assert {"operation", "expiresAt"} <= intent.members.keys()
        assert intent.named == ids.keys()
        assert verify_message([make_key().public_key], payload, signature) == make_key().public_key
        assert json.loads(request.content)["payload"] == payload
