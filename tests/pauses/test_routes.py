"""Operators pause, resume and read pauses over HTTP. Protocol §10."""

from __future__ import annotations

from uuid import UUID

import psycopg
import pytest

from clearwindow.identity.models import Operator
from clearwindow.pauses import service
from tests.pauses.conftest import World
from tests.support.databases import as_superuser
from tests.support.http import loopback_client
from tests.support.networks import ok
from tests.support.operators import OperatorClient
from tests.support.pauses import pause, resume, standing, try_pause, try_resume
from tests.support.refusals import nothing_written

NOBODY = "7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39"


@pytest.mark.usefixtures("two_needed")
def test_pause_and_its_end_are_shown_and_audited(world: World) -> None:
    made = pause(world.operator, "partner", world.exchange.id, "their key was stolen")
    assert (made["kind"], made["partnerId"], made["status"]) == ("partner", world.exchange.id, "paused")
    assert made["reason"] == "their key was stolen"
    asked = try_resume(world.operator, made["id"], "a new key is in place").json()["pause"]
    assert asked["status"] == "paused"
    assert asked["resumeRequest"]["expiresAt"] == "2026-01-12T12:00:00.000Z"
    ended = ok(try_resume(world.second, made["id"]))["pause"]
    assert (ended["status"], ended["resumedAt"]) == ("resumed", "2026-01-05T12:00:00.000Z")
    assert ended["resumedBy"] != ended["resumeRequest"]["requestedBy"]
    assert ok(world.operator.get(f"/pauses/{made['id']}"))["pause"] == ended
    actions = [record["action"] for record in world.operator.audit_log(subjectId=made["id"])]
    assert actions == ["pause.ended", "pause.resume_requested", "pause.started"]


@pytest.mark.usefixtures("two_needed")
def test_what_is_paused_already_stays_so_and_a_request_to_resume_falls(world: World) -> None:
    made = pause(world.operator, "network")
    assert try_resume(world.operator, made["id"]).status_code == 202
    world.testbed.clock.advance(minutes=1)
    again = try_pause(world.second, "network", reason="not yet")
    assert ok(again)["pause"] == made
    assert again.headers["Idempotent-Replayed"] == "true"
    assert try_resume(world.second, made["id"]).status_code == 202
    assert [one["id"] for one in standing(world.operator)] == [made["id"]]


def test_list_has_filters_and_pages(world: World) -> None:
    first = pause(world.operator, "network")
    resume(world.operator, world.second, first["id"])
    world.testbed.clock.advance(minutes=1)
    second = pause(world.operator, "currency", "ofceth")
    listed = world.operator.get("/pauses")
    assert [one["id"] for one in ok(listed)["pauses"]] == [second["id"], first["id"]]
    assert listed.headers["X-Total-Count"] == "2"
    assert [one["id"] for one in ok(world.operator.get("/pauses", standing="false"))["pauses"]] == [first["id"]]
    assert [one["id"] for one in ok(world.operator.get("/pauses", kinds="currency"))["pauses"]] == [second["id"]]
    assert ok(world.operator.get("/pauses", pageSize=1, pageNumber=2))["pauses"] == []


@pytest.mark.parametrize(
    ("body", "status", "name"),
    [
        ({"kind": "network", "id": "x", "reason": "r"}, 400, "pause_subject_unclear"),
        ({"kind": "partner", "reason": "r"}, 400, "pause_subject_unclear"),
        ({"kind": "partner", "id": NOBODY, "reason": "r"}, 404, "pause_subject_unknown"),
        ({"kind": "client", "id": "no id at all", "reason": "r"}, 404, "pause_subject_unknown"),
        ({"kind": "currency", "id": "ofcnone", "reason": "r"}, 404, "pause_subject_unknown"),
        ({"kind": "account", "id": "0" * 32, "reason": "r"}, 404, "pause_subject_unknown"),
        ({"kind": "account", "id": NOBODY, "reason": "r"}, 404, "pause_subject_unknown"),
        ({"kind": "planet", "reason": "r"}, 400, "request_invalid"),
        ({"kind": "network"}, 400, "request_invalid"),
        ({"kind": "network", "reason": ""}, 400, "request_invalid"),
        ({"kind": "network", "reason": "r" * 10_001}, 400, "request_invalid"),
        ({"kind": "network", "reason": "r", "id": None}, 400, "request_invalid"),
        ({"kind": "network", "reason": "r", "more": 1}, 400, "request_invalid"),
    ],
)
def test_wrong_request_pauses_nothing(world: World, body: dict[str, object], status: int, name: str) -> None:
    with nothing_written(world.testbed.runtime):
        answer = world.operator.post("/pauses", body)
    assert (answer.status_code, answer.json()["name"]) == (status, name)


def test_pause_that_is_unknown_or_ended_cannot_be_resumed(world: World) -> None:
    for pause_id in (NOBODY, "x"):
        assert try_resume(world.operator, pause_id).json()["name"] == "pause_unknown"
        assert world.operator.get(f"/pauses/{pause_id}").json()["name"] == "pause_unknown"
    made = pause(world.operator, "network")
    resume(world.operator, world.second, made["id"])
    refused = try_resume(world.operator, made["id"])
    assert (refused.status_code, refused.json()["name"]) == (409, "pause_ended")


def test_everybody_concerned_gets_an_event_and_nobody_else(world: World) -> None:
    network = world.testbed.network
    network.client("stranger")
    account = world.connection.client.enterprise.account
    told = {
        ("network", None): {"trader", "exchange", "desk", "stranger"},
        ("partner", world.exchange.id): {"trader", "exchange"},
        ("client", world.connection.client.id): {"trader", "exchange", "desk"},
        ("currency", "ofceth"): {"trader", "exchange", "desk"},
        ("account", account.id): {"trader", "exchange", "desk"},
        ("account", world.exchange.enterprise.account.id): {"trader", "exchange"},
    }
    for (kind, subject), expected in told.items():
        made = pause(world.operator, kind, subject)
        resume(world.operator, world.second, made["id"])
        events = world.operator.events(subjectId=made["id"])
        for event_type in ("pause.started", "pause.ended"):
            seen = {event["enterpriseId"]: event["payload"] for event in events if event["type"] == event_type}
            assert seen.keys() == expected, (kind, event_type)
            # Only its owner learns which account it is.
            knowing = {name for name, payload in seen.items() if "goAccountId" in payload}
            owner = {"trader"} if subject == account.id else {"exchange"}
            assert knowing == (owner if kind == "account" else set())


def test_metrics_count_what_is_paused(world: World, base_url: str) -> None:
    pause(world.operator, "client", world.connection.client.id)
    pause(world.operator, "currency", "ofcbtc")
    with loopback_client() as http:
        shown = http.get(f"{base_url}/metrics").text
        assert http.get(f"{base_url}/readyz").status_code == 200
    assert 'clearwindow_pauses{kind="client"} 1.0' in shown
    assert 'clearwindow_pauses{kind="network"} 0.0' in shown


def test_where_no_second_operator_is_needed_one_resumes(world: World) -> None:
    made = pause(world.operator, "network")
    with world.testbed.runtime.transaction() as tx:
        alone = Operator(UUID(made["pausedBy"]), "the only one", "a-request")
        ended = service.resume(tx, alone, UUID(made["id"]), None, confirmations=0)
    assert (ended.stands, ended.resumed_alone) == (False, True)


ANOTHER = (
    "INSERT INTO pause (id, kind, reason, paused_by, paused_at)"
    " SELECT gen_random_uuid(), {kind}, reason, paused_by, paused_at FROM pause"
)


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("UPDATE pause SET resumed_by = resume_asked_by, resumed_at = now()", "pause_resume_four_eyes"),
        ("UPDATE pause SET resumed_by = paused_by", "pause_resumed_whole"),
        ("UPDATE pause SET reason = 'another'", "pause_kept"),
        ("DELETE FROM pause", "pause_kept"),
        ("UPDATE pause SET resume_asked_at = NULL", "pause_resume_asked_whole"),
        (ANOTHER.format(kind="kind"), "pause_one_standing"),
        (ANOTHER.format(kind="'client'"), "pause_names_its_subject"),
    ],
)
@pytest.mark.usefixtures("two_needed")
def test_database_holds_the_rules(world: World, statement: str, constraint: str) -> None:
    made = pause(world.operator, "network")
    try_resume(world.operator, made["id"])
    with psycopg.connect(as_superuser(world.testbed.runtime.database.dsn)) as connection:
        with pytest.raises(psycopg.IntegrityError) as refused:
            connection.execute(statement)
        assert refused.value.diag.constraint_name == constraint


def test_members_token_pauses_nothing(world: World, base_url: str) -> None:
    token = world.operator.user_token("trader")
    with OperatorClient(base_url, token) as member:
        assert try_pause(member, "network").status_code == 401
    assert standing(world.operator) == []
