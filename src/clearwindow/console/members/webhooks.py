"""Webhook endpoints of an enterprise: their state, deliveries and attempts, tests and replays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import Response

from clearwindow.console import signing
from clearwindow.console.routing import Pages, Visit
from clearwindow.console.rules import PREFIX
from clearwindow.console.signing import Act
from clearwindow.core.errors import InvalidRequestError
from clearwindow.events.models import SUBSCRIBABLE
from clearwindow.signing.models import Operation
from clearwindow.webhooks import routes

pages: Final = Pages(for_operators=False)

WEBHOOKS: Final = f"{PREFIX}/webhooks"
_STATUSES: Final = ("owed", "delivered", "dropped")
_PARAMETERS: Final = {"endpointId": "endpoint_id"}

Ids = Mapping[str, str]


@pages.shows("/webhooks")
def endpoints(visit: Visit) -> Response:
    found = visit.desk.listed(routes.list_all, visit.filters(), "v1WebhookEndpointsGetRoute")
    return visit.show("members/webhooks.html", found=found, types=sorted(SUBSCRIBABLE))


@pages.shows("/webhooks/{endpoint_id}")
def endpoint(visit: Visit) -> Response:
    return _endpoint(visit, visit.path_ids["endpoint_id"], None)


@pages.does("/webhooks", endpoints)
def create(visit: Visit) -> Response:
    chosen = visit.form.get("eventTypes", "").replace(",", " ").split()
    fields = {**visit.given("url", "description"), **({"eventTypes": chosen} if chosen else {})}
    return signing.do_or_sign(visit, CREATE, {}, fields)


@pages.does("/webhooks/{endpoint_id}/enable", endpoint)
def enable(visit: Visit) -> Response:
    return signing.do_or_sign(visit, CHANGE, _ids(visit), {"enabled": True})


@pages.does("/webhooks/{endpoint_id}/disable", endpoint)
def disable(visit: Visit) -> Response:
    return signing.do_or_sign(visit, CHANGE, _ids(visit), {"enabled": False})


@pages.does("/webhooks/{endpoint_id}/delete", endpoint)
def delete(visit: Visit) -> Response:
    return signing.do_or_sign(visit, DELETE, _ids(visit), {})


@pages.does("/webhooks/{endpoint_id}/rotate", endpoint)
def rotate(visit: Visit) -> Response:
    return signing.do_or_sign(visit, ROTATE, _ids(visit), {})


@pages.does("/webhooks/{endpoint_id}/test", endpoint)
def send_test(visit: Visit) -> Response:
    endpoint_id = visit.path_ids["endpoint_id"]
    visit.desk.act(routes.send_test, {}, "v1WebhookEndpointTestPostRoute", endpoint_id=endpoint_id)
    return visit.go_to(f"{WEBHOOKS}/{endpoint_id}", "test_sent")


@pages.does("/webhooks/{endpoint_id}/replay", endpoint)
def replay(visit: Visit) -> Response:
    endpoint_id, event_id = visit.path_ids["endpoint_id"], visit.form.get("eventId", "")
    since = visit.form.get("from", "").strip()
    if bool(event_id) == bool(since):
        raise InvalidRequestError("request_invalid", "replay: enter since when, such as 2026-11-30T09:00:00Z")
    fields = {"eventId": event_id} if event_id else {"from": since, "onlyMissed": visit.form.get("missed") == "yes"}
    visit.desk.act(routes.replay, fields, "v1WebhookEndpointReplayPostRoute", endpoint_id=endpoint_id)
    return visit.go_to(f"{WEBHOOKS}/{endpoint_id}", "events_replayed")


def _endpoint(visit: Visit, endpoint_id: str, secret: str | None) -> Response:
    desk = visit.desk
    found = desk.read(routes.get, "v1WebhookEndpointGetRoute", endpoint_id=endpoint_id).webhook_endpoint
    return visit.show(
        "members/webhook.html",
        endpoint=found,
        secret=secret,
        deliveries=desk.listed(
            routes.list_deliveries,
            visit.filters("statuses"),
            "v1WebhookEndpointDeliveriesGetRoute",
            endpoint_id=found.id,
        ),
        attempts=desk.listed(
            routes.list_attempts, {"pageSize": "20"}, "v1WebhookEndpointAttemptsGetRoute", endpoint_id=found.id
        ),
        statuses=_STATUSES,
    )


def _ids(visit: Visit) -> dict[str, str]:
    return {"endpointId": visit.path_ids["endpoint_id"]}


def _with_secret(visit: Visit, ids: Ids, answer: Any) -> Response:  # noqa: ANN401, ARG001 - as every act
    """Shows the secret in this answer alone."""
    return _endpoint(visit, answer.webhook_endpoint.id, answer.secret)


def _changed(visit: Visit, ids: Ids, answer: Any) -> Response:  # noqa: ANN401, ARG001 - as every act
    return visit.go_to(f"{WEBHOOKS}/{ids['endpointId']}", "endpoint_changed")


def _deleted(visit: Visit, ids: Ids, answer: Any) -> Response:  # noqa: ANN401, ARG001 - as every act
    return visit.go_to(WEBHOOKS, "endpoint_deleted")


CREATE: Final = Act(
    Operation.WEBHOOK_ENDPOINT_CREATE,
    routes.create,
    "v1WebhookEndpointsPostRoute",
    "POST",
    "/webhook-endpoints",
    "Add a webhook endpoint",
    _with_secret,
)
CHANGE: Final = Act(
    Operation.WEBHOOK_ENDPOINT_UPDATE,
    routes.change,
    "v1WebhookEndpointPatchRoute",
    "PATCH",
    "/webhook-endpoints/{endpointId}",
    "Change a webhook endpoint",
    _changed,
    _PARAMETERS,
)
DELETE: Final = Act(
    Operation.WEBHOOK_ENDPOINT_DELETE,
    routes.delete,
    "v1WebhookEndpointDeleteRoute",
    "DELETE",
    "/webhook-endpoints/{endpointId}",
    "Delete a webhook endpoint",
    _deleted,
    _PARAMETERS,
)
ROTATE: Final = Act(
    Operation.WEBHOOK_ENDPOINT_ROTATE_SECRET,
    routes.rotate_secret,
    "v1WebhookEndpointRotateSecretPostRoute",
    "POST",
    "/webhook-endpoints/{endpointId}/rotate-secret",
    "Replace an endpoint's secret",
    _with_secret,
    _PARAMETERS,
)
ACTS: Final = (CREATE, CHANGE, DELETE, ROTATE)
