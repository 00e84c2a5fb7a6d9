"""The `webhooks` of /openapi.json: the requests that endpoints of members get, one for each type of event."""

from __future__ import annotations

from typing import Any, Final

from clearwindow.events.catalogue import CATALOGUE, Description
from clearwindow.events.data_schemas import data_schema
from clearwindow.events.models import OPT_IN, EventType

Json = dict[str, Any]

TAG: Final = "messages to webhook endpoints"
_HEADERS: Final[dict[str, str]] = {
    "webhook-id": "The event's id: the same in every attempt and every replay.",
    "webhook-timestamp": "When this attempt was made, in seconds since 1970.",
    "webhook-signature": "`v1,…` for each secret in force and `v1a,…` for each key: Standard Webhooks 1.0.",
}
_ANSWERS: Final[dict[str, str]] = {
    "2XX": "The message was accepted. It does not come again.",
    "410": "The endpoint is gone: it is disabled at once.",
    "default": "The message comes again later.",
}


def webhooks() -> Json:
    """Returns every message, by the type of its event."""
    return {str(kind): {"post": _message(kind, described)} for kind, described in CATALOGUE.items()}


def _message(kind: EventType, described: Description) -> Json:
    opt_in = " Only endpoints that name this type get it." if kind in OPT_IN else ""
    return {
        "tags": [TAG],
        "summary": described.meaning.partition(". ")[0].rstrip("."),
        "description": f"{described.meaning} Sent to: {described.sent_to}.{opt_in}",
        "operationId": f"webhook.{kind}",
        "parameters": [
            {"name": name, "in": "header", "required": True, "description": text, "schema": {"type": "string"}}
            for name, text in _HEADERS.items()
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["type", "timestamp", "data"],
                        "properties": {
                            "type": {"const": str(kind)},
                            "timestamp": {"type": "string", "format": "date-time"},
                            "data": data_schema(kind),
                        },
                    }
                }
            },
        },
        "responses": {status: {"description": text} for status, text in _ANSWERS.items()},
    }
