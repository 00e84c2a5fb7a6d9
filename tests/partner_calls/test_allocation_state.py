"""An answer that was lost: the partner is asked for the state of the allocation, if it has a path for that. §8."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.networks import ConnectionHandle, ok
from tests.support.partners import FakePartner, Reaction, Seen, agreeing
from tests.support.settlements import Testbed

BOTH = pytest.mark.parametrize("what", ["allocation", "deallocation"])
PATHS = {"allocationState": "/their/allocation/{id}/state", "deallocationState": "/their/deallocation/{id}/state"}


@pytest.fixture
def connection(testbed: Testbed, partner_server: FakePartner) -> ConnectionHandle:
    partner = testbed.network.partner(callbackUrl=partner_server.url, callbackPaths=PATHS)
    connection = testbed.network.connect(testbed.network.client(deposits={"ofcbtc": 150}), partner)
    ok(connection.allocate("ofcbtc", 50))
    testbed.run_due()
    partner_server.seen.clear()
    return connection


def knowing(kept: dict[str, Any], **changes: object) -> Any:  # noqa: ANN401 - a behaviour
    """A partner that carries out each question and loses its answer, and knows the state when it is asked."""

    def behave(seen: Seen) -> Reaction:
        if seen.method == "GET":
            id_ = seen.path.split("/")[-2]
            return Reaction(body={**kept[id_], **changes}) if id_ in kept else Reaction(404)
        if seen.method == "POST":
            answer = agreeing(seen).body
            assert isinstance(answer, dict)
            kept[seen.body.get("allocationId") or seen.body["deallocationId"]] = answer
            return Reaction(502)
        return agreeing(seen)

    return behave


@BOTH
def test_lost_answer_is_resolved_by_the_state(
    testbed: Testbed, connection: ConnectionHandle, partner_server: FakePartner, what: str
) -> None:
    partner_server.behave = knowing({})
    body = connection.client.enterprise.sign(connection.allocation_fields("ofcbtc", 30))
    done = ok(connection.client.api.post(f"{connection.path}/{what}s", body))[what]
    assert (done["status"], done["partnerExternalId"]) == ("cleared", f"their-{done['id']}")
    assert [call.method for call in partner_server.seen] == ["POST", "GET"]
    assert partner_server.seen[1].path == f"/their/{what}/{done['id']}/state"
    assert partner_server.complaints == []
    testbed.assert_proven()


def test_refusal_that_was_lost_is_resolved_too(
    testbed: Testbed, connection: ConnectionHandle, partner_server: FakePartner
) -> None:
    partner_server.behave = knowing({}, rejectionReason="over the limit")
    refused = connection.allocate("ofcbtc", 30)
    record = refused.json()["allocation"]
    assert (refused.status_code, record["status"], record["reason"]) == (422, "released", "over the limit")
    testbed.assert_proven()


@pytest.mark.parametrize(
    "state",
    [
        Reaction(404),
        Reaction(403),
        Reaction(500),
        Reaction(body=b"<html>"),
        Reaction(body={}),
        Reaction(body={"partnersAllocationId": "x"}),
        Reaction(body={"partnersAllocationId": "x", "allocationId": "another"}),
    ],
    ids=lambda reaction: f"{reaction.status}-{reaction.body!s:.30}",
)
def test_state_that_decides_nothing_leaves_the_question_open(
    testbed: Testbed, connection: ConnectionHandle, partner_server: FakePartner, state: Reaction
) -> None:
    partner_server.behave = lambda seen: state if seen.method == "GET" else Reaction(502)
    left = connection.allocate("ofcbtc", 30)
    assert (left.status_code, left.json()["allocation"]["status"]) == (502, "reserved")
    partner_server.behave = lambda seen: state if seen.method == "GET" else agreeing(seen)
    testbed.pass_minutes(5)
    done = ok(connection.client.api.get(f"/clients/allocations/{left.json()['allocation']['id']}"))["allocation"]
    assert done["status"] == "cleared"
    testbed.assert_proven()


def test_first_question_and_partners_without_the_path_are_asked_no_state(
    testbed: Testbed, connection: ConnectionHandle, partner_server: FakePartner
) -> None:
    ok(connection.allocate("ofcbtc", 1))
    testbed.network.configure("exchange", callbackUrl=partner_server.url)
    partner_server.behave = lambda _: Reaction(502)
    assert connection.allocate("ofcbtc", 1).status_code == 502
    assert "GET" not in {call.method for call in partner_server.seen}
    for wrong in ("/no/id", "/a/{id}?b"):
        body = {"currencies": {"BTC": "ofcbtc"}, "amountUnit": "base", "callbackPaths": {"allocationState": wrong}}
        refused = testbed.operator.put("/enterprises/exchange/partner-configuration", body)
        assert (refused.status_code, refused.json()["name"]) == (400, "callback_path_malformed")
