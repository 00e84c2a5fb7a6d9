"""Pages that clients and exchanges share: webhooks, tokens, statements."""

from __future__ import annotations

import csv
import io

import pytest

from tests.console.browsing import Visitor
from tests.console.members import token_of
from tests.console.scenes import Scene, scene_of
from tests.support.networks import ok
from tests.support.settlements import Testbed


@pytest.fixture
def scene(testbed: Testbed) -> Scene:
    return scene_of(testbed)


def test_endpoint_is_added_tested_replayed_and_deleted(visitor: Visitor, scene: Scene) -> None:
    api = scene.aster.client.api
    visitor.sign_in(token_of(scene.testbed, scene.aster.client.enterprise.id))

    made = visitor.send(visitor.get("/console/webhooks"), "/webhooks", url="https://hooks.example/a")
    assert "which is not shown again" in made.text
    assert "whsec_" in made.text
    endpoint_id = ok(api.get("/webhook-endpoints"))["webhookEndpoints"][0]["id"]
    path = f"/console/webhooks/{endpoint_id}"
    assert "whsec_" not in visitor.get(path).text

    tested = visitor.send(visitor.get(path), "/test")
    assert "A test event is on its way" in tested.text
    replayed = visitor.send(tested, "/replay", **{"from": "2026-01-05T00:00:00Z"})
    assert "The events are sent again" in replayed.text
    assert "The endpoint is changed" in visitor.send(visitor.get(path), "/disable").text
    assert "The endpoint is changed" in visitor.send(visitor.get(path), "/enable").text
    rotated = visitor.send(visitor.get(path), "/rotate")
    assert "whsec_" in rotated.text
    assert rotated.text.count("whsec_") == 1
    assert "The endpoint is deleted" in visitor.send(visitor.get(path), "/delete").text
    assert ok(api.get("/webhook-endpoints"))["webhookEndpoints"] == []


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"url": "ftp://hooks.example/"}, "webhook_url_refused"),
        ({"url": "https://hooks.example", "eventTypes": "no.such"}, "there is no event type"),
    ],
)
def test_endpoint_that_is_refused_stays_in_the_form(
    visitor: Visitor, scene: Scene, fields: dict[str, str], told: str
) -> None:
    visitor.sign_in(token_of(scene.testbed, scene.aster.client.enterprise.id))

    refused = visitor.send(visitor.get("/console/webhooks"), "/webhooks", **fields)

    assert refused.status in {400, 422}
    assert told in refused.text
    assert refused.form("/webhooks").fields["url"] == fields["url"]


def test_endpoint_of_another_enterprise_is_none(visitor: Visitor, second: Visitor, scene: Scene) -> None:
    visitor.sign_in(token_of(scene.testbed, scene.aster.client.enterprise.id))
    second.sign_in(token_of(scene.testbed, scene.borealis.client.enterprise.id))
    visitor.send(visitor.get("/console/webhooks"), "/webhooks", url="https://hooks.example/a")
    endpoint_id = ok(scene.aster.client.api.get("/webhook-endpoints"))["webhookEndpoints"][0]["id"]
    token = second.get().form("/sign-out").fields["form"]

    assert second.get(f"/console/webhooks/{endpoint_id}").status == 404
    for act in ("test", "delete", "rotate", "disable"):
        assert second.post(f"/console/webhooks/{endpoint_id}/{act}", {"form": token}).status == 404
    assert len(ok(scene.aster.client.api.get("/webhook-endpoints"))["webhookEndpoints"]) == 1


def test_token_is_revoked_and_its_own_session_ends(visitor: Visitor, scene: Scene) -> None:
    name = scene.aster.client.enterprise.id
    visitor.sign_in(token_of(scene.testbed, name, "bea", "administrator"))
    page = visitor.get("/console/tokens")
    own = page.html.index("this session")
    revoking = next(
        form.action for form in page.forms if form.action.endswith("/revoke") and page.html.index(form.action) > own
    )

    done = visitor.post(revoking, {"form": page.form("/sign-out").fields["form"]})

    assert "cwt_" not in page.html
    assert "Your token has expired or was revoked" in done.text


def test_token_of_another_enterprise_is_not_revoked(visitor: Visitor, scene: Scene) -> None:
    operator = scene.testbed.operator
    user = operator.user(scene.borealis.client.enterprise.id, "cora")
    made = operator.token(scene.borealis.client.enterprise.id, user["id"])
    visitor.sign_in(token_of(scene.testbed, scene.aster.client.enterprise.id))
    token = visitor.get().form("/sign-out").fields["form"]

    assert visitor.post(f"/console/tokens/{made['id']}/revoke", {"form": token}).status == 404
    assert made["id"] not in visitor.get("/console/tokens?active=").html


def test_statement_is_downloaded_whole(visitor: Visitor, scene: Scene) -> None:
    account = scene.aster.client.enterprise.account.id
    visitor.sign_in(token_of(scene.testbed, scene.aster.client.enterprise.id))
    page = visitor.get(f"/console/statements/{account}?currencies=ofcbtc")
    link = next(link for link in page.links if "entries.csv" in link)

    answer = visitor.http.get(link)

    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["cache-control"] == "no-store"
    assert {row["currency"] for row in rows} == {"ofcbtc"}
    assert sum(int(row["available"]) for row in rows) == scene.aster.go_balances().get("ofcbtc", (0, 0))[0]


def test_statement_of_another_enterprise_is_none(visitor: Visitor, scene: Scene) -> None:
    account = scene.aster.client.enterprise.account.id
    visitor.sign_in(token_of(scene.testbed, scene.borealis.client.enterprise.id))

    assert visitor.get(f"/console/statements/{account}").status == 404
    assert visitor.get(f"/console/statements/{account}/entries.csv").status == 404


def test_download_without_a_session_leads_to_the_door(visitor: Visitor, scene: Scene) -> None:
    answer = visitor.http.get(f"/console/statements/{scene.aster.client.enterprise.account.id}/entries.csv")

    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/console/sign-in")
