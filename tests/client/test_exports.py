"""Lists as CSV and JSON lines through the SDK, in both shapes."""

from __future__ import annotations

import csv
import io
import json
import socket
from collections.abc import Callable

import pytest

from clearwindow.client import InvalidRequestError, NoAnswerError, Operator
from clearwindow.client.options import HttpOptions
from tests.client.networks import SdkNetwork, build
from tests.client.shapes import Shapes
from tests.conftest import OPERATOR_TOKEN
from tests.support.faults import cut, misbehaving

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def sdk_network(shapes: Shapes, base_url: str) -> SdkNetwork:
    return build(shapes, base_url, OPERATOR_TOKEN)


@pytest.fixture
def operator(shapes: Shapes, base_url: str) -> Operator:
    return shapes.operator(base_url, OPERATOR_TOKEN)


def test_a_list_is_exported_with_its_filters(sdk_network: SdkNetwork, operator: Operator) -> None:
    shown = [str(one.id) for one in sdk_network.client.connections.list()]
    exported = "".join(sdk_network.client.connections.list(page_size=1).export("jsonl"))
    assert [json.loads(line)["id"] for line in exported.splitlines()] == shown
    ids = [str(one.id) for one in operator.enterprises.list(licensed=True)]
    text = "".join(operator.enterprises.list(licensed=True).export("csv"))
    assert [row["id"] for row in csv.DictReader(io.StringIO(text))] == ids
    assert "".join(operator.enterprises.list(names=["nobody"]).export("jsonl")) == ""
    assert "".join(operator.enterprises.list().export("csv", byte_order_mark=True)).startswith("\ufeffid,")


def test_a_refused_export_raises_the_refusal(operator: Operator) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        list(operator.enterprises.list().export("xlsx"))  # type: ignore[arg-type]  # what a caller may still send
    assert refused.value.name == "request_invalid"


def sending(*pieces: bytes) -> Callable[[socket.socket], None]:
    def act(connection: socket.socket) -> None:
        connection.sendall(HEAD + b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces))

    return act


@pytest.mark.parametrize("act", [cut, sending(), sending(b"id\r\n", b"1\r\n")])
def test_an_export_that_is_cut_off_raises(shapes: Shapes, act: Callable[[socket.socket], None]) -> None:
    with misbehaving([act]) as server:
        operator = shapes.operator(server.url, "the-token", options=HttpOptions(trust_env=False))
        with pytest.raises(NoAnswerError) as lost:
            list(operator.enterprises.list().export("csv"))
    assert lost.value.attempts == 1


def test_a_letter_may_come_in_two_pieces(shapes: Shapes) -> None:
    whole = "né\r\n".encode()
    with misbehaving([sending(whole[:2], whole[2:], b"")]) as server:
        operator = shapes.operator(server.url, "the-token", options=HttpOptions(trust_env=False))
        assert "".join(operator.enterprises.list().export("csv")) == "né\r\n"
