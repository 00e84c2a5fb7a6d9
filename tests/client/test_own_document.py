"""The SDK has a method for every own route, and sends only requests that our document describes."""

from __future__ import annotations

from typing import Final

import httpx2
import pytest

from clearwindow.client import KeySigner
from tests.client.contract import ContractServer, own
from tests.client.operations import CLIENT, PARTNER
from tests.client.own_operations import EXCHANGE, MEMBER, OPERATOR
from tests.client.shapes import Shapes
from tests.support.operators import make_key

URL = "http://server.test"

NOT_IN_THE_SDK: Final = {
    # For those who monitor the server, not for members or operators of the network.
    "healthz",
    "readyz",
    "metrics",
    # Read by partners' libraries for JSON Web Tokens, which cache it themselves.
    "partnerCallKeySet",
    # The published JavaScript SDK reads these before it signs; our SDK signs with its own key.
    "v1ClientConstantsGetRoute",
    "v2OfcWalletGetRoute",
    "v2OfcKeyGetRoute",
    "v2OfcWalletTxSignPostRoute",
}


@pytest.fixture
def server() -> ContractServer:
    return ContractServer(own())


def test_every_own_route_is_a_method() -> None:
    in_the_sdk = CLIENT.keys() | PARTNER.keys() | MEMBER.keys() | EXCHANGE.keys() | OPERATOR.keys()
    assert own().operation_ids() - in_the_sdk == NOT_IN_THE_SDK


def test_member_operations_conform_to_own_document(shapes: Shapes, server: ContractServer) -> None:
    signer = KeySigner(make_key().xprv)
    member = shapes.client(URL, "t", "aster", signer=signer, transport=httpx2.MockTransport(server))
    for operation_id, (_, call) in MEMBER.items():
        call(member)
        assert server.asked == [operation_id]
        server.asked.clear()


def test_operations_of_partners_conform_to_own_document(shapes: Shapes, server: ContractServer) -> None:
    signer = KeySigner(make_key().xprv)
    partner = shapes.partner(URL, "t", "aster", signer=signer, transport=httpx2.MockTransport(server))
    for operation_id, (_, call) in EXCHANGE.items():
        call(partner)
        assert server.asked == [operation_id]
        server.asked.clear()


def test_operator_operations_conform_to_own_document(shapes: Shapes, server: ContractServer) -> None:
    operator = shapes.operator(URL, "t", transport=httpx2.MockTransport(server))
    for operation_id, (_, call) in OPERATOR.items():
        call(operator)
        assert set(server.asked) == {operation_id}
        server.asked.clear()
