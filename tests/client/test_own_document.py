"""The SDK has a method for every route of ours, and asks for none that we do not describe."""

from __future__ import annotations

from typing import Final

import httpx2
import pytest

from tests.client.contract import ContractServer, own
from tests.client.operations import CLIENT, PARTNER
from tests.client.own_operations import MEMBER, OPERATOR
from tests.client.shapes import Shapes

URL = "http://server.test"

NOT_IN_THE_SDK: Final = {
    # Not for members or operators of the network, but for whoever watches over the server.
    "healthz",
    "readyz",
    "metrics",
    # Read by partners' libraries for JSON Web Tokens, which have their own way of caching it.
    "partnerCallKeySet",
    # What the field's JavaScript SDK asks about a wallet before it signs; this one signs with a key at hand.
    "v1ClientConstantsGetRoute",
    "v2OfcWalletGetRoute",
    "v2OfcKeyGetRoute",
    "v2OfcWalletTxSignPostRoute",
}


@pytest.fixture
def server() -> ContractServer:
    return ContractServer(own())


def test_every_route_of_ours_is_a_method() -> None:
    in_the_sdk = CLIENT.keys() | PARTNER.keys() | MEMBER.keys() | OPERATOR.keys()
    assert own().operation_ids() - in_the_sdk == NOT_IN_THE_SDK


def test_a_members_operations_are_as_we_describe_them(shapes: Shapes, server: ContractServer) -> None:
    member = shapes.client(URL, "t", "aster", transport=httpx2.MockTransport(server))
    for operation_id, (_, call) in MEMBER.items():
        call(member)
        assert server.asked == [operation_id]
        server.asked.clear()


def test_an_operators_operations_are_as_we_describe_them(shapes: Shapes, server: ContractServer) -> None:
    operator = shapes.operator(URL, "t", transport=httpx2.MockTransport(server))
    for operation_id, (_, call) in OPERATOR.items():
        call(operator)
        assert set(server.asked) == {operation_id}
        server.asked.clear()
