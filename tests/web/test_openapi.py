"""Our own document of the API agrees with the wire contract and with itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest
from openapi_schema_validator import OAS31Validator

from clearwindow import bootstrap
from clearwindow.events.models import EventType
from clearwindow.web.app import create_app
from clearwindow.web.openapi import NETWORK_PREFIX, operations
from tests.support.descriptions import CONTRACT

Json = dict[str, Any]

NEVER_SAID: Final = frozenset(
    {
        # We send no alerts about balances.
        "client.balanceAlertLastSent",
        # A connection needs no approval here.
        "connection.pendingApprovalId",
        "connection.policyResult",
        "connection.evaluationId",
        "connections.[].pendingApprovalId",
        "connections.[].policyResult",
        "connections.[].evaluationId",
    }
)
"""Optional fields of answers that this server does not use."""

SAID_BESIDE: Final = frozenset(
    {
        # The contract leaves open what a partner's currency looks like.
        "supportedCurrencies.*.[].backingCurrency",
        "supportedCurrencies.*.[].ofcCurrency",
        # A repeat of the request tells how a settlement that has ended in the meantime ended.
        "settlement.reason",
        "settlement.finalizedAt",
        *(
            f"{settlement}.{name}"
            for settlement in ("settlement", "settlements.[]")
            for name in (
                "stage",
                "disputeDeadlineAt",
                "topUpDeadlineAt",
                "pausedSince",
                "withdrawnAt",
                "withdrawnReason",
            )
        ),
    }
)
"""Fields of answers that the contract does not describe, or describes less."""

ONLY_A_SENTENCE: Final = frozenset(
    {
        # Settling at once is one transaction: where it fails on our side, there is no settlement to show.
        ("v1PartnerSettlementsPostRoute", "500"),
        ("v1PartnerSettlementsNonReconciledPostRoute", "500"),
    }
)
"""Errors that may have more than a sentence in the contract, and never have here."""


def _contract() -> Json:
    contract: Json = json.loads(CONTRACT.read_text(encoding="utf-8"))
    return contract


def _document() -> Json:
    app = create_app(None, bootstrap.all_routers(60))  # type: ignore[arg-type]  # never asked
    document: Json = app.openapi()
    return document


THEIRS: Final = _contract()
OURS: Final = _document()
THEIR_OPERATIONS: Final = {
    operation["operationId"]: (method, path, operation) for method, path, operation in operations(THEIRS)
}
OUR_OPERATIONS: Final = {
    operation["operationId"]: (method, path, operation) for method, path, operation in operations(OURS)
}
BUILT: Final = sorted(THEIR_OPERATIONS)


def names_in(schema: Json, document: Json, prefix: str = "") -> Iterator[str]:
    """Yields each field that a value may have, as a dotted path. ``*`` is any name, ``[]`` any element."""
    if "$ref" in schema:
        *_, kind, name = schema["$ref"].split("/")
        yield from names_in(document["components"][kind][name], document, prefix)
    for variant in [*schema.get("anyOf", []), *schema.get("oneOf", []), *schema.get("allOf", [])]:
        yield from names_in(variant, document, prefix)
    for name, member in schema.get("properties", {}).items():
        yield f"{prefix}{name}"
        yield from names_in(member, document, f"{prefix}{name}.")
    others = [schema.get("additionalProperties"), *schema.get("patternProperties", {}).values()]
    for other in others:
        if isinstance(other, dict):
            yield f"{prefix}*"
            yield from names_in(other, document, f"{prefix}*.")
    if isinstance(schema.get("items"), dict):
        yield from names_in(schema["items"], document, f"{prefix}[].")


def fields_of_body(holder: Json, document: Json) -> set[str]:
    content = holder.get("content", {}).get("application/json")
    return set(names_in(content["schema"], document)) if content else set()


def kind_of(schema: Json) -> str:
    return "list" if schema.get("type") == "array" else "one"


def parameters_of(operation: Json) -> dict[str, tuple[str, bool, str]]:
    return {
        given["name"]: (given["in"], given.get("required", False), kind_of(given["schema"]))
        for given in operation.get("parameters", [])
    }


def test_document_is_valid_openapi_and_complete() -> None:
    assert OURS["openapi"].startswith("3.1.")
    all_of_them = [operation["operationId"] for _, _, operation in operations(OURS)]
    assert len(all_of_them) == len(set(all_of_them))
    text = json.dumps(OURS)
    assert "HTTPValidationError" not in text
    assert '"le":' not in text
    for schema in OURS["components"]["schemas"].values():
        OAS31Validator.check_schema(schema)
    for _, _, operation in operations(OURS):
        if "requestBody" in operation:
            OAS31Validator.check_schema(operation["requestBody"]["content"]["application/json"]["schema"])


def test_document_has_every_operation_of_the_contract() -> None:
    assert len(BUILT) == 45
    assert set(BUILT) <= set(OUR_OPERATIONS)


@pytest.mark.parametrize("operation_id", BUILT)
def test_operation_equals_the_contract(operation_id: str) -> None:
    method, path, theirs = THEIR_OPERATIONS[operation_id]
    our_method, our_path, ours = OUR_OPERATIONS[operation_id]
    assert (our_method, our_path) == (method, path)
    our_parameters = parameters_of(ours)
    wrong = {
        name: (given, our_parameters.get(name))
        for name, given in parameters_of(theirs).items()
        if our_parameters.get(name) != given
    }
    assert not wrong
    assert set(theirs["responses"]) <= set(ours["responses"])


@pytest.mark.parametrize("operation_id", BUILT)
def test_requests_and_answers_have_the_fields_of_the_contract(operation_id: str) -> None:
    _, _, theirs = THEIR_OPERATIONS[operation_id]
    _, _, ours = OUR_OPERATIONS[operation_id]
    asked = fields_of_body(theirs.get("requestBody", {}), THEIRS)
    assert asked <= fields_of_body(ours.get("requestBody", {}), OURS)
    for status, answer in theirs["responses"].items():
        their_fields = fields_of_body(answer, THEIRS)
        our_fields = fields_of_body(ours["responses"][status], OURS)
        missing = {
            name for name in their_fields - our_fields - NEVER_SAID if (operation_id, status) not in ONLY_A_SENTENCE
        }
        assert not missing, status
        if status.startswith("2"):
            assert our_fields - their_fields <= SAID_BESIDE, status


@pytest.mark.parametrize("operation_id", sorted(OUR_OPERATIONS))
def test_operation_is_described(operation_id: str) -> None:
    _, path, operation = OUR_OPERATIONS[operation_id]
    assert operation["summary"]
    for status, answer in operation["responses"].items():
        assert answer["description"] not in {"", status, "Successful Response"}
        assert "X-Request-Id" in answer["headers"]
    if not path.startswith("/api/"):
        return
    assert {"401", "429", "500"} <= set(operation["responses"]) or not operation.get("security")
    assert "Retry-After" in operation["responses"]["429"]["headers"]
    if any(given["name"] == "pageSize" for given in operation.get("parameters", [])):
        assert "X-Total-Count" in operation["responses"]["200"]["headers"]
    if "requestBody" in operation:
        assert {"400", "408", "413"} <= set(operation["responses"])
    if path.startswith(NETWORK_PREFIX):
        assert operation["description"]
        assert operation["security"] == [{"bearer": []}]


def test_each_event_is_described_as_a_message_to_endpoints() -> None:
    assert set(OURS["webhooks"]) == {str(kind) for kind in EventType}
    schemas = {name: message["post"]["requestBody"] for name, message in OURS["webhooks"].items()}
    for name, body in schemas.items():
        schema = body["content"]["application/json"]["schema"]
        OAS31Validator.check_schema(schema)
        assert schema["properties"]["type"] == {"const": name}
    data = schemas["settlement.initiated"]["content"]["application/json"]["schema"]["properties"]["data"]
    assert set(data["required"]) == {"settlementId", "partnerId", "externalId", "status"}
    assert data["properties"]["disputeDeadlineAt"]["format"] == "date-time"
    assert data["properties"]["connectionIds"]["type"] == "array"
    closed = schemas["dispute.closed"]["content"]["application/json"]["schema"]["properties"]["data"]
    assert closed["properties"]["closedBy"]["enum"] == ["client", "admin"]


@pytest.mark.parametrize("operation_id", BUILT)
def test_example_of_a_network_operation_is_valid(operation_id: str) -> None:
    _, _, operation = OUR_OPERATIONS[operation_id]
    if operation.get("requestBody", {}).get("required"):
        shown = operation["requestBody"]["content"]["application/json"]
        assert not list(validator(shown["schema"]).iter_errors(shown["example"]))
    done = [answer for status, answer in operation["responses"].items() if status.startswith("2")]
    shown = [answer["content"]["application/json"] for answer in done if "content" in answer]
    assert any("example" in content for content in shown)
    for answer in operation["responses"].values():
        content = answer.get("content", {}).get("application/json", {})
        if "example" in content:
            assert not list(validator(content["schema"]).iter_errors(content["example"]))


def validator(schema: Json) -> OAS31Validator:
    whole = {**schema, "components": OURS["components"]}
    return OAS31Validator(whole, format_checker=OAS31Validator.FORMAT_CHECKER)
