"""The wire contract from a caller's side: what a request must be, and a least answer to it."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any, Final

import httpx2
from openapi_schema_validator import OAS30Validator
from referencing import Registry
from referencing.jsonschema import DRAFT4

from tests.support.descriptions import CONTRACT

_URI: Final = "urn:oes-network"
_METHODS: Final = ("get", "put", "post", "delete", "patch")
Json = dict[str, Any]


@cache
def contract() -> Json:
    # Some alternatives are the same under two names, so that what matches one matches both.
    document: Json = json.loads(CONTRACT.read_text(encoding="utf-8").replace('"oneOf"', '"anyOf"'))
    return document


def operation_ids() -> set[str]:
    return {
        operation["operationId"]
        for path in contract()["paths"].values()
        for method, operation in path.items()
        if method in _METHODS
    }


class ContractServer:
    """Stands for any server of the wire: holds each request against the contract, and gives the least answer."""

    def __init__(self) -> None:
        self.total: int | None = None
        self.asked: list[str] = []
        self.requests: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        operation = _operation(request.method.lower(), request.url.path)
        _check_query(operation, request)
        _check_body(operation, request)
        self.asked.append(operation["operationId"])
        self.requests.append(request)
        status = min(operation["responses"])
        schema = operation["responses"][status]["content"]["application/json"]["schema"]
        headers = {} if self.total is None else {"X-Total-Count": str(self.total)}
        return httpx2.Response(int(status), json=_sample(schema), headers=headers)


def _operation(method: str, path: str) -> Json:
    for template in sorted(contract()["paths"], key=lambda template: str(template).count("{")):
        pattern = re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(template))
        if re.fullmatch(pattern, path) and method in contract()["paths"][template]:
            operation: Json = contract()["paths"][template][method]
            return operation
    raise AssertionError(f"the contract has no {method} {path}")


def _check_query(operation: Json, request: httpx2.Request) -> None:
    known = {part["name"] for part in operation.get("parameters", []) if part["in"] == "query"}
    unknown = set(request.url.params) - known
    assert not unknown, f"{operation['operationId']} has no {unknown}"


def _check_body(operation: Json, request: httpx2.Request) -> None:
    if "requestBody" not in operation:
        assert not request.content, operation["operationId"]
        return
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    absolute = json.loads(json.dumps(schema).replace('"#/', f'"{_URI}#/'))
    validator = OAS30Validator(absolute, registry=_registry(), format_checker=OAS30Validator.FORMAT_CHECKER)
    body = json.loads(request.content)
    errors = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(body)]
    assert not errors, f"{operation['operationId']}: {errors}"
    unknown = set(body) - _properties(schema)
    assert not unknown, f"{operation['operationId']} has no {unknown}"


def _properties(schema: Json) -> set[str]:
    schema = _resolved(schema)
    return set(schema.get("properties", {})).union(*(_properties(part) for part in schema.get("allOf", [])))


def _resolved(schema: Json) -> Json:
    if "$ref" in schema:
        found: Json = contract()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return found
    return schema


def _sample(schema: Json) -> Any:  # noqa: ANN401, PLR0911 - any JSON value, one return for each kind of it
    schema = _resolved(schema)
    if schema.get("allOf"):
        parts = [_sample(part) for part in [*schema["allOf"], {**schema, "allOf": []}] if _resolved(part)]
        objects = [part for part in parts if isinstance(part, dict)]
        return {name: value for part in objects for name, value in part.items()} if objects else parts[0]
    if schema.get("anyOf"):
        return _sample(schema["anyOf"][0])
    if "enum" in schema:
        return schema["enum"][0]
    if "properties" in schema:
        return {name: _sample(part) for name, part in schema["properties"].items()}
    kind = schema.get("type")
    if kind == "array":
        return [_sample(schema["items"])]
    if kind == "object":
        more = schema.get("additionalProperties")
        return {"a": _sample(more)} if isinstance(more, dict) else {}
    if kind in ("number", "integer"):
        return 1
    if kind == "boolean":
        return True
    return {
        "uuid": "7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39",
        "date-time": "2026-01-05T12:00:00.000Z",
    }.get(str(schema.get("format")), "1")


@cache
def _registry() -> Registry[Any]:
    registry: Registry[Any] = Registry().with_resource(_URI, DRAFT4.create_resource(contract()))
    return registry
