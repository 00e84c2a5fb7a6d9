"""/openapi.json: the descriptions of the routes, and what is common to all of them.

A route names its own answers. The answers and headers of the edge and the guards (limits, request ids, refusals)
are added here, so that no route can forget them.
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

from clearwindow.api.docs import ERROR_NAMES, Problem
from clearwindow.api.exports import MEDIA_TYPES
from clearwindow.api.filters import AT_LEAST, LINK_HEADER, TOTAL_COUNT_HEADER, TOTAL_KIND_HEADER
from clearwindow.api.routing import documented
from clearwindow.api.schema import REPLAY_HEADER, WARNING_HEADER
from clearwindow.core.error_registry import ErrorCode, documentation_of, error_codes
from clearwindow.web import openapi_webhooks
from clearwindow.web.common_errors import common_errors, statuses_of
from clearwindow.web.edge import LIMIT_HEADER, LIMITED_PREFIX, REMAINING_HEADER, RESET_HEADER

Json = dict[str, Any]

EXAMPLES_FILE: Final = "examples.json"
NETWORK_PREFIX: Final = "/api/network/"
DESCRIPTION: Final = """\
A self-hosted off-exchange settlement network. Funds stay in custody while clients trade with them on exchanges.
Exchanges settle profits and losses by signed instructions.

**Authentication.** Send `Authorization: Bearer <token>`. The operator makes tokens. GET needs the scope
`settlement_network_read`; all other methods need `settlement_network_write` too. A token of the kind `v2x` is never
sent: its holder sends its SHA-256, signs each call with an HMAC and gets signed answers.

**Signed requests.** If a body has `payload` and `signature`, the payload is a JSON text of the other fields, and
the signature is a Bitcoin signed message over exactly its bytes. The signing helpers return the text to sign.

**Repeats.** A request that is sent again byte for byte is carried out once. The second answer has the header
`Idempotent-Replayed`.

**Errors** have one form: `error` is a sentence for people, `name` is for programs and never changes, `requestId`
is the id of the request, and `documentation` is the path of the page that explains the error. Many have `details`.
Each status of an operation lists the names of its errors.

**Amounts** are texts: base units of at most 78 digits, or decimals if the partner is configured to use them.
"""
TAGS: Final = {
    "settlements": "Settle profits and losses, and read settlements.",
    "disputes": "Dispute a settlement inside its window, and close the dispute afterwards.",
    "allocations": "Move funds between a Go Account and a partner.",
    "network": "Clients, partners, connections, balances and currencies.",
    "wallets": "A Go Account in the form that wallet clients use, its keys, and signatures by the custodian.",
    "operator: people": "Operators, enterprises, users and tokens.",
    "operator: network": "Partner configurations, partners and clients.",
    "operator: accounts": "Go Accounts, deposits and withdrawals, currencies.",
    "operator: settlements": "All settlements and disputes, reviews, and due work.",
    "operator: history": "The audit trail, the journal, the events, and the check of the ledger.",
    "operator: sandbox": "The clock of a sandbox, and its reset.",
    openapi_webhooks.TAG: "What endpoints of members get, one for each type of event.",
    "health": "For load balancers and monitoring. Open to anybody and never limited.",
}
_STATUSES: Final = {
    "200": "Done.",
    "201": "Recorded.",
    "202": "Accepted. It will be carried out.",
    "204": "Done. The answer has no body.",
    "400": "The request is malformed, or differs from its signed payload. Nothing was changed.",
    "401": "The token is not valid for this call, or no key of the account made the signature.",
    "403": "The licence, the token's scopes or the partner's settings do not allow this.",
    "404": "It does not exist, or it belongs to somebody else.",
    "408": "The body did not arrive in time. The connection is closed.",
    "409": "It contradicts an earlier request or the present state. Nothing was changed.",
    "413": "The body is larger than the limit.",
    "415": "The body has a Content-Encoding that the server does not read.",
    "422": "The request is valid but cannot be carried out now. Nothing was changed.",
    "429": "Too many requests. `Retry-After` says when to send the next one.",
    "500": "An error of the server. The same request may be sent again.",
    "502": "The partner failed or was late. The funds stay reserved. Send the same request again.",
    "503": "The server cannot serve now.",
}
_SETTLING_PATHS: Final = ("/partners/settlements", "/partners/settlements/nonReconciled")
_UNUSED: Final = "The wire contract lists this status. The server never returns it for this operation."
_PROBLEM_REFERENCE: Final = {"$ref": "#/components/schemas/Problem"}
_SHOWN_REQUEST_ID: Final = "0b9c9a4e-7f5c-4f0e-9f53-0d7c3f4f5a51"
_COUNT: Final = {"type": "integer", "minimum": 0}
_HEADERS: Final[dict[str, Json]] = {
    "X-Request-Id": {
        "description": "The id of this request. The log and the audit trail have it too.",
        "schema": {"type": "string", "format": "uuid"},
    },
    LIMIT_HEADER: {"description": "How many requests this caller may send in a minute.", "schema": _COUNT},
    REMAINING_HEADER: {"description": "How many of them are left.", "schema": _COUNT},
    RESET_HEADER: {"description": "How many seconds are left of the minute.", "schema": _COUNT},
    "Retry-After": {"description": "How many seconds to wait before the next request.", "schema": _COUNT},
    TOTAL_COUNT_HEADER: {"description": "How many entries the list has on all pages.", "schema": _COUNT},
    TOTAL_KIND_HEADER: {
        "description": f"`{AT_LEAST}` if the list has more entries than `{TOTAL_COUNT_HEADER}` says.",
        "schema": {"type": "string", "enum": [AT_LEAST]},
    },
    LINK_HEADER: {
        "description": 'The address of the next page (`rel="next"`), with its `cursor`. Missing on the last page.',
        "schema": {"type": "string"},
    },
    WARNING_HEADER: {
        "description": "Something accepted may be a mistake. `cutoff_went_back`: `cutoffAt` is earlier than"
        " that of the partner's last settlement.",
        "schema": {"type": "string", "enum": ["cutoff_went_back"]},
    },
    REPLAY_HEADER: {
        "description": "`true` if this repeats the answer to an earlier, identical request.",
        "schema": {"type": "string", "enum": ["true"]},
    },
}
_BOUNDS: Final = {"le": "maximum", "ge": "minimum"}
_BY_NAME_IN_PATH: Final = re.compile(r"\{([a-z0-9_]+)\}")


def describe(app: FastAPI) -> Json:
    """Returns the document of this application. It is made once."""
    if app.openapi_schema is None:
        app.openapi_schema = _document(app)
    return app.openapi_schema


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    """Yields each method, path and operation of a document."""
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
        routes=documented(app.routes),
        license_info={"name": "Apache 2.0", "identifier": "Apache-2.0"},
        separate_input_output_schemas=False,
    )
    document["webhooks"] = openapi_webhooks.webhooks()
    document["paths"] = {_camel_path(path): methods for path, methods in document["paths"].items()}
    components = document.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = Problem.model_json_schema(by_alias=True)
    components["headers"] = _HEADERS
    components["examples"] = {}
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    examples = _examples()
    for _, path, operation in operations(document):
        _complete(path, operation)
        for name in _show(operation, examples.get(operation["operationId"], {})):
            components["examples"][name] = _problem_example(error_codes()[name])
    _tidy(document)
    return document


def _complete(path: str, operation: Json) -> None:
    """Adds the answers and headers that all routes have in common."""
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path":
            parameter["name"] = to_camel(parameter["name"])
            parameter["schema"] = {"type": "string", "minLength": 1}
        else:
            _simplify(parameter["schema"])
    responses = operation["responses"]
    if "HTTPValidationError" in json.dumps(responses.get("422", {})):
        # FastAPI documents its own validation, which no route uses.
        del responses["422"]
    _add_common_errors(responses, path, common_errors(path, operation))
    if any(parameter["name"] == "format" for parameter in operation.get("parameters", [])):
        responses["200"]["content"] |= {
            media_type: {"schema": {"type": "string"}} for media_type in MEDIA_TYPES.values()
        }
    for status, response in responses.items():
        response["description"] = _described(status, response)
        names = ["X-Request-Id", *_header_names(path, operation, status)]
        response.setdefault("headers", {}).update(
            {name: {"$ref": f"#/components/headers/{name}"} for name in names}
        )
    operation["responses"] = dict(sorted(responses.items()))


def _add_common_errors(responses: Json, path: str, names: list[str]) -> None:
    for name in names:
        for status in statuses_of(name, path):
            content = {"application/json": {"schema": _PROBLEM_REFERENCE}}
            response = responses.setdefault(str(status), {"content": content})
            response.setdefault(ERROR_NAMES, []).append(name)


def _described(status: str, response: Json) -> str:
    """Returns what the status means, and the errors with this status."""
    names = response.get(ERROR_NAMES)
    if names == []:
        return _UNUSED
    text = str(_STATUSES.get(status, response.get("description", status)))
    lines = [f"- `{name}`: {error_codes()[name].meaning}" for name in names or []]
    return "\n\n".join([text, "\n".join(lines)]) if lines else text


def _header_names(path: str, operation: Json, status: str) -> list[str]:
    names = []
    if path.startswith(LIMITED_PREFIX):
        names += [LIMIT_HEADER, REMAINING_HEADER, RESET_HEADER]
    if status == "429" or (path.startswith(LIMITED_PREFIX) and status in {"500", "503"}):
        names.append("Retry-After")
    if status.startswith("2"):
        if any(parameter["name"] == "pageSize" for parameter in operation.get("parameters", [])):
            names.append(TOTAL_COUNT_HEADER)
        if any(parameter["name"] == "cursor" for parameter in operation.get("parameters", [])):
            names += [TOTAL_KIND_HEADER, LINK_HEADER]
        if "requestBody" in operation:
            names.append(REPLAY_HEADER)
            if path.endswith(_SETTLING_PATHS):
                names.append(WARNING_HEADER)
    return names


def _simplify(schema: Json) -> None:
    """Removes null from a filter: a query has no null."""
    variants = [variant for variant in schema.get("anyOf", []) if variant != {"type": "null"}]
    if len(variants) == 1:
        del schema["anyOf"]
        schema.update(variants[0])
    if schema.get("type") == "array" and "maxLength" in schema:
        schema["maxItems"] = schema.pop("maxLength")


def _show(operation: Json, example: Json) -> set[str]:
    """Adds the recorded examples and the examples of errors. Returns the names of these errors."""
    shown: set[str] = set()
    if "request" in example and "requestBody" in operation:
        operation["requestBody"]["content"]["application/json"]["example"] = example["request"]
    for status, response in operation["responses"].items():
        content = response.get("content", {}).get("application/json")
        names = response.pop(ERROR_NAMES, [])
        if content is None:
            continue
        if status == example.get("status"):
            content["example"] = example["answer"]
        elif names and _PROBLEM_REFERENCE in (content["schema"], *content["schema"].get("anyOf", [])):
            content["examples"] = {name: {"$ref": f"#/components/examples/{name}"} for name in names}
            shown.update(names)
    return shown


def _problem_example(code: ErrorCode) -> Json:
    value = {
        "error": code.meaning,
        "name": code.name,
        "requestId": _SHOWN_REQUEST_ID,
        "documentation": documentation_of(code.name),
    }
    return {"summary": code.meaning, "description": f"{code.cause} {code.cure}", "value": value}


def _examples() -> dict[str, Json]:
    text = files("clearwindow.web").joinpath(EXAMPLES_FILE).read_text(encoding="utf-8")
    examples: dict[str, Json] = json.loads(text)
    return examples


def _camel_path(path: str) -> str:
    return _BY_NAME_IN_PATH.sub(lambda found: "{" + to_camel(found[1]) + "}", path)


def _tidy(part: Any) -> None:  # noqa: ANN401 - any part of a JSON document
    """Removes titles that only repeat names, and renames bounds to the words of JSON Schema."""
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
