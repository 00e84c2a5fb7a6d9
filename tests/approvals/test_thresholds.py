"""A lower threshold takes effect at once, a higher one needs a second user of the same enterprise."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial

import pytest

from clearwindow.runtime import Runtime
from tests.support.approvals import (
    APPROVALS,
    THRESHOLDS,
    decide,
    refusal,
    set_thresholds,
    thresholds_of,
    user,
    waiting,
)
from tests.support.networks import Network, NetworkClient, ok
from tests.support.operators import READ
from tests.support.races import Gate, in_background
from tests.support.snapshots import snapshot

NOBODY = "7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39"


def test_lower_threshold_takes_effect_at_once(network: Network, anna: NetworkClient) -> None:
    assert thresholds_of(anna) == {}
    answer = ok(set_thresholds(anna, {"btc": 100, "ofceth": 0}))
    assert answer == {"thresholds": {"ofcbtc": "100", "ofceth": "0"}, "pendingApprovals": []}
    ok(set_thresholds(anna, {"ofcbtc": 99}))
    assert thresholds_of(anna) == {"ofcbtc": 99, "ofceth": 0}
    ok(set_thresholds(anna, {"ofcbtc": 99, "ofcusd": None}))
    changes = network.operator.audit_log(action="approval_thresholds.changed")
    assert [one["details"]["thresholds"] for one in changes] == [
        {"ofcbtc": "99"},
        {"ofcbtc": "100", "ofceth": "0"},
    ]


@pytest.mark.parametrize("wanted", [10**77, None])
def test_higher_threshold_waits_for_another_user(
    network: Network, anna: NetworkClient, berta: NetworkClient, wanted: int | None
) -> None:
    ok(set_thresholds(anna, {"ofcbtc": 100}))
    answer = ok(set_thresholds(anna, {"ofcbtc": wanted, "ofceth": 5}))
    assert answer["thresholds"] == {"ofcbtc": "100", "ofceth": "5"}
    [pending] = answer["pendingApprovals"]
    assert pending == {
        "id": pending["id"],
        "type": "threshold",
        "status": "pending",
        "currency": "ofcbtc",
        "quantity": None if wanted is None else str(wanted),
        "threshold": "100",
        "initiatedBy": "anna",
        "createdAt": "2026-01-05T12:00:00.000Z",
        "updatedAt": "2026-01-05T12:00:00.000Z",
    }
    assert ok(set_thresholds(berta, {"ofcbtc": wanted}))["pendingApprovals"] == [pending]
    assert refusal(decide(anna, pending["id"], "approved")) == (403, "own_approval")
    assert thresholds_of(berta) == {"ofcbtc": 100, "ofceth": 5}
    decided = ok(decide(berta, pending["id"], "approved", "agreed by telephone"))["pendingApproval"]
    assert (decided["status"], decided["decidedBy"], decided["notes"]) == (
        "approved",
        "berta",
        "agreed by telephone",
    )
    assert ok(anna.get(f"{APPROVALS}/{pending['id']}"))["pendingApproval"] == decided
    assert thresholds_of(anna) == ({"ofceth": 5} if wanted is None else {"ofcbtc": wanted, "ofceth": 5})
    types = [event["type"] for event in network.operator.events(subjectId=pending["id"])]
    assert types == ["approval.approved", "approval.requested"]
    actions = [one["action"] for one in network.operator.audit_log(subjectId=pending["id"])]
    assert actions == ["approval.approved", "approval.requested"]


def test_rejected_change_leaves_the_threshold(anna: NetworkClient, berta: NetworkClient) -> None:
    ok(set_thresholds(anna, {"ofcbtc": 100}))
    for decider in (berta, anna):
        [pending] = ok(set_thresholds(anna, {"ofcbtc": 200}))["pendingApprovals"]
        ok(decide(decider, pending["id"], "rejected"))
        assert (thresholds_of(anna), waiting(anna)) == ({"ofcbtc": 100}, [])


def test_decision_is_final_and_its_maker_may_repeat_it(anna: NetworkClient, berta: NetworkClient) -> None:
    ok(set_thresholds(anna, {"ofcbtc": 100}))
    [pending] = ok(set_thresholds(anna, {"ofcbtc": 200}))["pendingApprovals"]
    first = decide(berta, pending["id"], "approved", "fine")
    again = decide(berta, pending["id"], "approved", "fine")
    assert ok(again) == ok(first)
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert refusal(decide(berta, pending["id"], "approved", "other words")) == (409, "approval_decided")
    assert refusal(decide(berta, pending["id"], "rejected", "fine")) == (409, "approval_decided")
    assert refusal(decide(anna, pending["id"], "rejected")) == (409, "approval_decided")
    ok(set_thresholds(anna, {"ofcbtc": 150}))
    ok(decide(berta, pending["id"], "approved", "fine"))
    assert thresholds_of(anna) == {"ofcbtc": 150}


def test_second_pending_change_of_a_threshold_is_refused(anna: NetworkClient, berta: NetworkClient) -> None:
    ok(set_thresholds(anna, {"ofcbtc": 100}))
    [pending] = ok(set_thresholds(anna, {"ofcbtc": 200}))["pendingApprovals"]
    refused = set_thresholds(berta, {"ofcbtc": 300, "ofceth": 1})
    assert refusal(refused) == (409, "threshold_change_waiting")
    assert refused.json()["details"] == {"pendingApprovalId": pending["id"]}
    assert thresholds_of(anna) == {"ofcbtc": 100}


def test_change_requested_from_an_older_threshold_cannot_be_approved(
    anna: NetworkClient, berta: NetworkClient
) -> None:
    ok(set_thresholds(anna, {"ofcbtc": 100}))
    [pending] = ok(set_thresholds(anna, {"ofcbtc": 200}))["pendingApprovals"]
    ok(set_thresholds(berta, {"ofcbtc": 50}))
    assert refusal(decide(berta, pending["id"], "approved")) == (409, "threshold_changed")
    assert refusal(set_thresholds(anna, {"ofcbtc": 200})) == (409, "threshold_change_waiting")
    ok(decide(berta, pending["id"], "rejected"))
    [renewed] = ok(set_thresholds(anna, {"ofcbtc": 200}))["pendingApprovals"]
    ok(decide(berta, renewed["id"], "approved"))
    assert thresholds_of(anna) == {"ofcbtc": 200}


def test_concurrent_changes_are_serialized(anna: NetworkClient, berta: NetworkClient, runtime: Runtime) -> None:
    """The second change sees the first one, so it needs an approval."""
    gate = Gate(runtime)
    with ExitStack() as threads, gate.closed("audit_record"):
        first = threads.enter_context(in_background(partial(set_thresholds, anna, {"ofcbtc": 5})))
        gate.wait_for(1)
        second = threads.enter_context(in_background(partial(set_thresholds, berta, {"ofcbtc": 10})))
        gate.wait_for(2)
    assert ok(first.result())["pendingApprovals"] == []
    assert len(ok(second.result())["pendingApprovals"]) == 1
    assert thresholds_of(anna) == {"ofcbtc": 5}


WRONG: list[object] = [
    {},
    {"thresholds": {}},
    {"thresholds": {"ofcbtc": "-1"}},
    {"thresholds": {"ofcbtc": "01"}},
    {"thresholds": {"ofcbtc": "1.0"}},
    {"thresholds": {"ofcbtc": 1}},
    {"thresholds": {"ofcbtc": "1" * 79}},
    {"thresholds": {"": "1"}},
    {"thresholds": {"ofcnone": "1"}},
    {"thresholds": {"ofcbtc": "1", "btc": "2"}},
    {"thresholds": ["ofcbtc"]},
    {"thresholds": {"ofcbtc": "1"}, "ofcbtc": "1"},
    {"ofcbtc": "1"},
]


def test_invalid_request_changes_nothing(anna: NetworkClient, runtime: Runtime, subtests: pytest.Subtests) -> None:
    before = snapshot(runtime.database.dsn)
    for body in WRONG:
        with subtests.test(body=repr(body)):
            assert anna.put(THRESHOLDS, body).status_code == 400
    for body in ({}, {"decision": "pending"}, {"decision": "approved", "notes": ""}, {"decision": None}):
        assert anna.put(f"{APPROVALS}/{NOBODY}", body).status_code == 400
    for filters in ({"statuses": "open"}, {"types": "x"}, {"pendingApprovalIds": "x"}, {"unknown": "1"}):
        assert anna.get(APPROVALS, **filters).status_code == 400
    assert snapshot(runtime.database.dsn) == before


def test_only_members_with_write_scope_change_and_decide(
    network: Network, anna: NetworkClient, runtime: Runtime
) -> None:
    ok(set_thresholds(anna, {"ofcbtc": 100}))
    [pending] = ok(set_thresholds(anna, {"ofcbtc": 200}))["pendingApprovals"]
    reader = user(network, "trader", "reader", scopes=[READ])
    network.client("other")
    stranger = user(network, "other", "stranger")
    bystander = network.enterprise("bystander").api
    before = snapshot(runtime.database.dsn)
    assert refusal(set_thresholds(reader, {"ofcbtc": 1})) == (403, "scope_missing")
    assert refusal(decide(reader, pending["id"], "approved")) == (403, "scope_missing")
    assert thresholds_of(reader) == {"ofcbtc": 100}
    assert refusal(set_thresholds(bystander, {"ofcbtc": 1})) == (403, "not_a_client")
    for path in (THRESHOLDS, APPROVALS, f"{APPROVALS}/{pending['id']}"):
        assert refusal(bystander.get(path)) == (403, "not_a_client")
    for approval_id in (pending["id"], NOBODY, "nonsense"):
        assert refusal(stranger.get(f"{APPROVALS}/{approval_id}")) == (404, "approval_unknown")
        assert refusal(decide(stranger, approval_id, "approved")) == (404, "approval_unknown")
    assert (thresholds_of(stranger), waiting(stranger)) == ({}, [])
    assert waiting(stranger, pendingApprovalIds=pending["id"]) == []
    assert snapshot(runtime.database.dsn) == before


def test_user_of_two_enterprises_decides_for_each_separately(network: Network, anna: NetworkClient) -> None:
    network.client("other")
    elsewhere = user(network, "other", "anna")
    colleague = user(network, "other", "colleague")
    for api in (anna, elsewhere):
        ok(set_thresholds(api, {"ofcbtc": 100}))
    [pending] = ok(set_thresholds(colleague, {"ofcbtc": 200}))["pendingApprovals"]
    assert refusal(decide(anna, pending["id"], "approved")) == (404, "approval_unknown")
    ok(decide(elsewhere, pending["id"], "approved"))
    assert (thresholds_of(anna), thresholds_of(elsewhere)) == ({"ofcbtc": 100}, {"ofcbtc": 200})
