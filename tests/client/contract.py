"""A description of the wire from the caller's side: the form of each request, and a minimal answer to it."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from functools import cache
from typing import Any, Final

import httpx2
from openapi_schema_validator import OAS30Validator, OAS31Validator
from referencing import Registry
from referencing.jsonschema import DRAFT4, DRAFT202012

from clearwindow import bootstrap
from clearwindow.web.app import create_app
from tests.support.descriptions import CONTRACT

_URI: Final = "urn:description"
_METHODS: Final = ("get", "put", "post", "delete", "patch")
Json = dict[str, Any]


class Wire:
    """A document, read from the caller's side."""

    def __init__(self, document: Json) -> None:
        self.document = document
        whole = DRAFT4 if document["openapi"].startswith("3.0") else DRAFT202012
        self._validator = OAS30Validator if whole is DRAFT4 else OAS31Validator
        registry: Registry[Any] = Registry()
        self._registry = registry.with_resource(_URI, whole.create_resource(document))

    def operation_ids(self) -> set[str]:
        return {
            operation["operationId"]
            for path in self.document["paths"].values()
            for method, operation in path.items()
            if method in _METHODS
        }

    def operation(self, method: str, path: str) -> Json:
        paths: Json = self.document["paths"]
        for template in sorted(paths, key=lambda template: template.count("{")):
            pattern = re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(template))
            if re.fullmatch(pattern, path) and method in paths[template]:
                operation: Json = paths[template][method]
                return operation
        raise AssertionError(f"the description has no {method} {path}")

    def body_problems(self, schema: Json, body: Json) -> list[str]:
        absolute = json.loads(json.dumps(schema).replace('"#/', f'"{_URI}#/'))
        formats = self._validator.FORMAT_CHECKER
        validator = self._validator(absolute, registry=self._registry, format_checker=formats)
        errors = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(body)]
        unknown = set(body) - self._properties(schema)
        return [*errors, *(f"there is no {name}" for name in unknown)]

    def sample(self, schema: Json) -> Any:  # noqa: ANN401, PLR0911 - any JSON value, one return for each kind of it
        schema = self._resolved(schema)
        if schema.get("allOf"):
            parts = [
                self.sample(part) for part in [*schema["allOf"], {**schema, "allOf": []}] if self._resolved(part)
            ]
            objects = [part for part in parts if isinstance(part, dict)]
            return {name: value for part in objects for name, value in part.items()} if objects else parts[0]
        if schema.get("anyOf"):
            return self.sample(schema["anyOf"][0])
        if "enum" in schema:
            return schema["enum"][0]
        if "properties" in schema:
            return {name: self.sample(part) for name, part in schema["properties"].items()}
        kind = schema.get("type")
        if kind == "array":
            return [self.sample(schema["items"])]
        if kind == "object":
            more = schema.get("additionalProperties")
            return {"a": self.sample(more)} if isinstance(more, dict) else {}
        if kind in ("number", "integer"):
            return 1
        if kind == "boolean":
            return True
        return {
            "uuid": "7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39",
            "date-time": "2026-01-05T12:00:00.000Z",
        }.get(str(schema.get("format")), "1")

    def _properties(self, schema: Json) -> set[str]:
        schema = self._resolved(schema)
        return set(schema.get("properties", {})).union(
            *(self._properties(part) for part in schema.get("allOf", []))
        )

    def _resolved(self, schema: Json) -> Json:
        if "$ref" in schema:
            found: Json = self.document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
            return found
        return schema


@cache
def contract() -> Wire:
    # Some alternatives are the same schema under two names: a value that matches one matches both.
    return Wire(json.loads(CONTRACT.read_text(encoding="utf-8").replace('"oneOf"', '"anyOf"')))


@cache
def own() -> Wire:
    app = create_app(None, bootstrap.all_routers(60))  # type: ignore[arg-type]  # never asked
    return Wire(deepcopy(app.openapi()))


class ContractServer:
    """Stands for any server of the wire: checks each request against a description and returns a minimal answer."""

    def __init__(self, wire: Wire | None = None) -> None:
        self.wire = wire or contract()
        self.total: int | None = None
        self.asked: list[str] = []
        self.requests: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        operation = self.wire.operation(request.method.lower(), request.url.path)
        self._check_query(operation, request)
        self._check_body(operation, request)
        self.asked.append(operation["operationId"])
        self.requests.append(request)
        # An act that others must approve is answered 202; here nobody must.
        status = min(operation["responses"], key=lambda answered: (answered == "202", answered))
        headers = {} if self.total is None else {"X-Total-Count": str(self.total)}
        content = operation["responses"][status].get("content")
        if content is None:
            return httpx2.Response(int(status), headers=headers)
        body = self.wire.sample(content["application/json"]["schema"])
        return httpx2.Response(int(status), json=body, headers=headers)

    @staticmethod
    def _check_query(operation: Json, request: httpx2.Request) -> None:
        known = {part["name"] for part in operation.get("parameters", []) if part["in"] == "query"}
        unknown = set(request.url.params) - known
        assert not unknown, f"{operation['operationId']} has no {unknown}"

    def _check_body(self, operation: Json, request: httpx2.Request) -> None:
        described = operation.get("requestBody")
        if described is None:
            assert not request.content, operation["operationId"]
            return
        if not request.content and not described.get("required", True):
            return
        schema = described["content"]["application/json"]["schema"]
        problems = self.wire.body_problems(schema, json.loads(request.content))
        assert not problems, f"{operation['operationId']}: {problems}"
