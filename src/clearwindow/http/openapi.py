"""/openapi.json: what the routes say of themselves, and what holds of all of them.

A route names its own answers. What the edge adds to every one of them (limits, headers, refusals of the guards) is
added here, so that no route can forget it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.metadata import version
from importlib.resources import files
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.alias_generators import to_camel

from clearwindow.http.docs import Problem
from clearwindow.http.filters import TOTAL_COUNT_HEADER
from clearwindow.http.limits import LIMIT_HEADER, LIMITED_PREFIX, REMAINING_HEADER, RESET_HEADER
from clearwindow.http.wire import REPLAY_HEADER

Json = dict[str, Any]

EXAMPLES_FILE: Final = "examples.json"
NETWORK_PREFIX: Final = "/api/network/"
DESCRIPTION: Final = """\
A self-hosted off-exchange settlement network: funds stay in custody while they are traded with, and what was won
and lost is settled by signed instructions.

**Getting in.** Send `Authorization: Bearer <token>`; the operator makes tokens. Reading needs the scope
`settlement_network_read`, everything else `settlement_network_write` too. A token of the kind `v2x` is not sent:
its holder sends its SHA-256, signs each call with an HMAC and gets signed answers.

**Signed requests.** Where a body has `payload` and `signature`, the payload is a JSON text of the other fields, and
the signature is a Bitcoin signed message over exactly its bytes. The signing helpers give the text to sign.

**Again.** A request that is sent again byte by byte is carried out once; its answer is marked with
`Idempotent-Replayed`.

**Errors** have one form: a sentence for people, a stable name for programs, the id of the request, often details.

**Amounts** are texts, in base units of at most 78 digits unless a partner is configured to use decimals.
"""
TAGS: Final = {
    "settlements": "Settling what was won and lost, and reading settlements.",
    "disputes": "Objecting to a settlement inside its dispute window, and closing the objection afterwards.",
    "allocations": "Moving funds between a Go Account and a partner.",
    "network": "Clients, partners, connections, balances and currencies.",
    "wallets": "A Go Account as wallet clients know it, its keys, and the custodian's signature.",
    "operator: people": "Operators, enterprises, users and tokens.",
    "operator: network": "Partner configurations, partners and clients.",
    "operator: accounts": "Go Accounts, deposits and withdrawals, currencies.",
    "operator: settlements": "Settlements and disputes of everybody, reviews, and the worker's work.",
    "operator: history": "What happened: the audit trail, the journal, the events, and the proof.",
    "operator: sandbox": "A sandbox's clock, and beginning it anew.",
    "health": "What machines ask of a server; open to anybody and never limited.",
}
_STATUSES: Final = {
    "200": "Done.",
    "201": "Recorded.",
    "202": "Accepted; it will be carried out.",
    "204": "Done; there is nothing to say.",
    "400": "The request is not of the right shape, or does not agree with its signed payload; nothing was changed.",
    "401": "The token does not admit this call, or the signature is of none of the account's keys.",
    "403": "The licence, the token's scopes or the partner's settings do not allow this.",
    "404": "There is no such thing, or it is another's.",
    "408": "The body did not arrive in time; the connection is closed.",
    "409": "It contradicts what was asked for before or what has happened since; nothing was changed.",
    "413": "The body is larger than the limit.",
    "422": "The request is right but cannot be carried out as things stand; nothing was changed.",
    "429": "Too many requests: `Retry-After` says when to come again.",
    "500": "Something went wrong on our side; the same request may be sent again.",
    "503": "The server cannot serve at present.",
}
_PROBLEMS: Final[dict[str, tuple[str, str]]] = {
    "400": ("request_invalid", "nonce: is required"),
    "401": ("token_missing", "send the header Authorization: Bearer <token>"),
    "403": ("scope_missing", "the token lacks the scope settlement_network_write"),
    "404": ("settlement_unknown", "there is no settlement with this id"),
    "408": ("body_too_slow", "the request body did not arrive within 60 seconds: send it again"),
    "409": ("settlement_differs", "a settlement with this externalId exists already and is not the same"),
    "413": ("body_too_large", "the request body is larger than 33554432 bytes: split it into smaller requests"),
    "422": ("balance_too_low", "the available balance does not cover the amount"),
    "429": ("rate_limited", "more than 360 requests in a minute came with this token: wait 12 seconds"),
    "500": ("internal_error", "something went wrong on our side and nothing was written: tell the operator the id"),
}
_PROBLEM_REFERENCE: Final = {"$ref": "#/components/schemas/Problem"}
_COUNT: Final = {"type": "integer", "minimum": 0}
_HEADERS: Final[dict[str, Json]] = {
    "X-Request-Id": {
        "description": "The id of this request, in our log and audit trail too.",
        "schema": {"type": "string", "format": "uuid"},
    },
    LIMIT_HEADER: {"description": "How many requests a minute this caller may make.", "schema": _COUNT},
    REMAINING_HEADER: {"description": "How many are left of them.", "schema": _COUNT},
    RESET_HEADER: {"description": "In how many seconds the minute is over.", "schema": _COUNT},
    "Retry-After": {"description": "After how many seconds to come again.", "schema": _COUNT},
    TOTAL_COUNT_HEADER: {"description": "How many entries the whole list has.", "schema": _COUNT},
    REPLAY_HEADER: {
        "description": "`true` where this is the answer to an earlier, identical request.",
        "schema": {"type": "string", "enum": ["true"]},
    },
}
_BOUNDS: Final = {"le": "maximum", "ge": "minimum"}
_BY_NAME_IN_PATH: Final = re.compile(r"\{([a-z0-9_]+)\}")


def describe(app: FastAPI) -> Json:
    """The document of this application, made once."""
    if app.openapi_schema is None:
        app.openapi_schema = _document(app)
    return app.openapi_schema


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    """Each method, path and operation of a document."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def _document(app: FastAPI) -> Json:
    document: Json = get_openapi(
        title="Clearwindow",
        version=version("clearwindow"),
        summary="A self-hosted off-exchange settlement network.",
        description=DESCRIPTION,
        tags=[{"name": name, "description": text} for name, text in TAGS.items()],
        routes=app.routes,
        license_info={"name": "Apache 2.0", "identifier": "Apache-2.0"},
        separate_input_output_schemas=False,
    )
    document["paths"] = {_camel_path(path): methods for path, methods in document["paths"].items()}
    components = document.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = Problem.model_json_schema(by_alias=True)
    components["headers"] = _HEADERS
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    examples = _examples()
    for _, path, operation in operations(document):
        _complete(path, operation)
        _show(operation, examples.get(operation["operationId"], {}))
    _tidy(document)
    return document


def _complete(path: str, operation: Json) -> None:
    """What the edge does to an answer, whichever route gives it."""
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path":
            parameter["name"] = to_camel(parameter["name"])
            parameter["schema"] = {"type": "string", "minLength": 1}
        else:
            _simplify(parameter["schema"])
    responses = operation["responses"]
    if "HTTPValidationError" in json.dumps(responses.get("422", {})):
        # FastAPI's own, of a check that no route leaves to it.
        del responses["422"]
    for status in _edge_statuses(path, operation):
        responses.setdefault(status, {"content": {"application/json": {"schema": _PROBLEM_REFERENCE}}})
    for status, response in responses.items():
        response["description"] = _STATUSES.get(status, response.get("description", status))
        names = ["X-Request-Id", *_header_names(path, operation, status)]
        response.setdefault("headers", {}).update(
            {name: {"$ref": f"#/components/headers/{name}"} for name in names}
        )
    operation["responses"] = dict(sorted(responses.items()))


def _edge_statuses(path: str, operation: Json) -> list[str]:
    if not path.startswith(LIMITED_PREFIX):
        return []
    statuses = ["429", "500"]
    if operation.get("security"):
        statuses.append("401")
    if path.startswith(NETWORK_PREFIX):
        # The guard of the network's routes checks the licence, the scopes and the header enterprise-id.
        statuses += ["400", "403"]
    if "requestBody" in operation or any(given["in"] == "query" for given in operation.get("parameters", [])):
        # Filters may come in a body, too.
        statuses += ["400", "408", "413"]
    return statuses


def _header_names(path: str, operation: Json, status: str) -> list[str]:
    names = []
    if path.startswith(LIMITED_PREFIX):
        names += [LIMIT_HEADER, REMAINING_HEADER, RESET_HEADER]
    if status == "429":
        names.append("Retry-After")
    if status.startswith("2"):
        if any(parameter["name"] == "pageSize" for parameter in operation.get("parameters", [])):
            names.append(TOTAL_COUNT_HEADER)
        if "requestBody" in operation:
            names.append(REPLAY_HEADER)
    return names


def _simplify(schema: Json) -> None:
    """A filter that is not given is left out: nobody sends null in a query."""
    variants = [variant for variant in schema.get("anyOf", []) if variant != {"type": "null"}]
    if len(variants) == 1:
        del schema["anyOf"]
        schema.update(variants[0])
    if schema.get("type") == "array" and "maxLength" in schema:
        schema["maxItems"] = schema.pop("maxLength")


def _show(operation: Json, example: Json) -> None:
    """Puts a recorded request and its answer beside their schemas, and an error beside each error's."""
    if "request" in example and "requestBody" in operation:
        operation["requestBody"]["content"]["application/json"]["example"] = example["request"]
    for status, response in operation["responses"].items():
        content = response.get("content", {}).get("application/json")
        if content is None:
            continue
        if status == example.get("status"):
            content["example"] = example["answer"]
        elif content.get("schema") == _PROBLEM_REFERENCE and status in _PROBLEMS:
            name, error = _PROBLEMS[status]
            content["example"] = {
                "error": error,
                "name": name,
                "requestId": "0b9c9a4e-7f5c-4f0e-9f53-0d7c3f4f5a51",
            }


def _examples() -> dict[str, Json]:
    text = files("clearwindow.http").joinpath(EXAMPLES_FILE).read_text(encoding="utf-8")
    examples: dict[str, Json] = json.loads(text)
    return examples


def _camel_path(path: str) -> str:
    return _BY_NAME_IN_PATH.sub(lambda found: "{" + to_camel(found[1]) + "}", path)


def _tidy(part: Any) -> None:  # noqa: ANN401 - any part of a JSON document
    """Takes out titles that only repeat names, and says bounds in the words of JSON Schema."""
    if isinstance(part, dict):
        for name, meant in _BOUNDS.items():
            if isinstance(part.get(name), int | float):
                part[meant] = part.pop(name)
        if isinstance(part.get("title"), str) and part.keys() & {"type", "anyOf", "allOf", "$ref", "enum", "const"}:
            del part["title"]
        part = list(part.values())
    if isinstance(part, list):
        for member in part:
            _tidy(member)
