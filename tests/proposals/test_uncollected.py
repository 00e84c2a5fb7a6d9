"""A token that its proposer does not collect in time is destroyed and revoked. Protocol §12."""

from __future__ import annotations

from clearwindow.proposals.jobs import ProposalWork
from clearwindow.proposals.models import COLLECT_WITHIN
from clearwindow.runtime import Runtime
from tests.proposals.conftest import Desk
from tests.support.networks import Json, ok
from tests.support.operators import READ
from tests.support.staff import proposed

MINUTES = int(COLLECT_WITHIN.total_seconds() // 60)


def made_token(desk: Desk, label: str) -> Json:
    body = {"userId": f"user-of-{desk.enterprise.id}", "scopes": [READ], "label": label}
    proposal = proposed(desk.ada.post(f"/enterprises/{desk.enterprise.id}/tokens", body))
    done: Json = ok(desk.ben.decide(proposal["id"], "approve"))["proposal"]
    return done


def sealed_values(runtime: Runtime) -> int:
    with runtime.transaction() as tx:
        return tx.scalars(int, "SELECT count(*) FROM proposal WHERE sealed_value IS NOT NULL")[0]


def run_due(runtime: Runtime) -> int:
    work = ProposalWork()
    return sum(work.perform(runtime, job) for job in work.due(runtime, 10))


def test_token_that_nobody_collects_is_destroyed_and_revoked(desk: Desk, runtime: Runtime) -> None:
    made = made_token(desk, "forgotten")
    assert made["collectableUntil"] == "2026-01-06T12:00:00.000Z"
    desk.clock.advance(minutes=MINUTES - 1)
    assert run_due(runtime) == 0
    desk.clock.advance(minutes=1)
    # Also before the worker comes.
    late = desk.ada.decide(made["id"], "collect")
    assert (late.status_code, late.json()["name"]) == (409, "nothing_to_collect")

    assert run_due(runtime) == 1

    assert sealed_values(runtime) == 0
    shown = desk.ada.proposal(made["id"])
    assert shown["status"] == "carried_out"
    assert not {"collectable", "collectableUntil", "collectedAt"} & shown.keys()
    token = made["result"]["token"]["id"]
    assert "revokedAt" in ok(desk.ada.get(f"/tokens/{token}"))["token"]
    assert desk.events("token.revoked") == [
        {"tokenId": token, "userId": f"user-of-{desk.enterprise.id}", "by": "operator"}
    ]
    assert desk.ada.audit_log(action="proposal.value_destroyed")[0]["subjectId"] == made["id"]
    assert run_due(runtime) == 0


def test_token_that_was_collected_stays(desk: Desk, runtime: Runtime) -> None:
    made = made_token(desk, "used")
    ok(desk.ada.decide(made["id"], "collect"))
    desk.clock.advance(minutes=MINUTES + 1)
    assert run_due(runtime) == 0
    token = ok(desk.ada.get(f"/tokens/{made['result']['token']['id']}"))["token"]
    assert "revokedAt" not in token
