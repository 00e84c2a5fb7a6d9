"""OpenAPI documents as judges: whether an answer is one that the document allows."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from jsonschema_rs import Draft4Validator, Draft202012Validator

from clearwindow import bootstrap
from clearwindow.http.app import create_app
from clearwindow.http.openapi import operations

Json = dict[str, Any]
CONTRACT: Final = Path(__file__).parent.parent / "contract" / "oes-network.json"

_UNFINISHED: Final = 500
OF_GUARDS: Final = frozenset({401, 403, 408, 413, 429})
"""The guards and limits stand before every route; the contract names their answers on some operations only."""


@dataclass(frozen=True)
class Answer:
    """What came back for a request, whoever saw it."""

    method: str
    path: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def name(self) -> str:
        return f"{self.method} {self.path} answered {self.status}"


@dataclass(frozen=True)
class Operation:
    id: str
    responses: Json


class Description:
    """A document, its operations found by path, its schemas compiled once each."""

    def __init__(self, document: Json, validator: type[Draft4Validator | Draft202012Validator]) -> None:
        self._components = document["components"]
        self._validator = validator
        self._validators: dict[str, Draft4Validator | Draft202012Validator] = {}
        # A path without parameters stands before one with them: /connections/signing is no connection.
        self._operations = [
            (
                method,
                re.compile(re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(path))),
                Operation(operation["operationId"], operation["responses"]),
            )
            for method, path, operation in sorted(operations(document), key=lambda one: one[1].count("{"))
        ]
        self._found: dict[tuple[str, str], Operation | None] = {}

    def operation(self, method: str, path: str) -> Operation | None:
        key = (method.lower(), path)
        if key not in self._found:
            self._found[key] = self._find(*key)
        return self._found[key]

    def _find(self, method: str, path: str) -> Operation | None:
        return next(
            (one for its, pattern, one in self._operations if its == method and pattern.fullmatch(path)), None
        )

    def problems(self, operation: Operation, answer: Answer) -> list[str]:
        """What is wrong with an answer of the operation whose status the document lists."""
        content = operation.responses[str(answer.status)].get("content", {})
        if not content:
            return [f"a body of {len(answer.body)} bytes where there is none"] if answer.body else []
        kind = answer.headers.get("content-type", "").partition(";")[0]
        if kind not in content:
            return [f"it is of the kind {kind!r}, not {sorted(content)}"]
        if kind != "application/json":
            return []
        validator = self._compiled(content[kind]["schema"])
        found = validator.iter_errors(json.loads(answer.body))
        return [f"{'.'.join(map(str, error.instance_path)) or 'the body'}: {error.message}" for error in found]

    def _compiled(self, schema: Json) -> Draft4Validator | Draft202012Validator:
        text = json.dumps(schema, sort_keys=True)
        if text not in self._validators:
            whole = {"allOf": [schema], "components": self._components}
            self._validators[text] = self._validator(whole, validate_formats=True, formats={"uuid": _is_uuid})
        return self._validators[text]


@cache
def contract() -> Description:
    document: Json = json.loads(CONTRACT.read_text(encoding="utf-8"))
    _drop_twins(document, document["components"]["schemas"])
    translated = _null_said(document)
    if not isinstance(translated, dict):
        raise TypeError("a document is an object")
    return Description(translated, Draft4Validator)


@cache
def own() -> Description:
    app = create_app(None, bootstrap.all_routers(60))  # type: ignore[arg-type]  # never asked
    return Description(deepcopy(app.openapi()), Draft202012Validator)


def contract_problems(answer: Answer) -> list[str] | None:
    """What the contract does not allow of an answer; None where it does not know the operation."""
    operation = contract().operation(answer.method, answer.path)
    if operation is None:
        return None
    found = _form_of_problem(answer) if answer.status >= 400 else []
    if str(answer.status) not in operation.responses:
        return found if answer.status in OF_GUARDS else [*found, "the contract does not list this status"]
    return found + contract().problems(operation, answer)


def own_problems(answer: Answer) -> list[str] | None:
    """The same of our own document."""
    operation = own().operation(answer.method, answer.path)
    if operation is None:
        return None
    found = [] if answer.headers.get("x-request-id") else ["it has no X-Request-Id"]
    if answer.status == 429 and "retry-after" not in answer.headers:
        found.append("it has no Retry-After")
    if str(answer.status) not in operation.responses:
        return [*found, "our document does not list this status"]
    return found + own().problems(operation, answer)


def _is_uuid(text: str) -> bool:
    # Draft 4, which the contract's schemas are, does not know this format.
    return re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text) is not None


def _form_of_problem(answer: Answer) -> list[str]:
    """Protocol §2: every error names itself, in one form.

    Where the contract wants a settlement or an ``error`` and not both, a settlement's ``reason`` is the sentence; a
    500 that is the record of an allocation that goes on is no problem's body.
    """
    problem = json.loads(answer.body)
    if answer.status == _UNFINISHED and "error" not in problem and problem.keys() & {"allocation", "deallocation"}:
        return []
    found = []
    sentence = problem["settlement"]["reason"] if "settlement" in problem else problem.get("error")
    if not (isinstance(sentence, str) and sentence):
        found.append("the error has no sentence")
    if not re.fullmatch("[a-z][a-z0-9_]+", str(problem.get("name"))):
        found.append("the error has no name")
    if problem.get("requestId") != answer.headers.get("x-request-id"):
        found.append("the error does not name the request")
    return found


def _drop_twins(part: Any, schemas: Json) -> None:  # noqa: ANN401 - any part of a JSON document
    """Leaves one of the alternatives of a ``oneOf`` that are the same schema under two names.

    Two such alternatives match both or neither, so that no value would ever match exactly one.
    """
    if isinstance(part, dict):
        if "oneOf" in part:
            meant = {
                json.dumps(schemas.get(one.get("$ref", "").rpartition("/")[2], one), sort_keys=True): one
                for one in part["oneOf"]
            }
            part["oneOf"] = list(meant.values())
        part = list(part.values())
    if isinstance(part, list):
        for member in part:
            _drop_twins(member, schemas)


def _null_said(part: object) -> object:
    """Says ``nullable``, which JSON Schema does not know, in its own words."""
    if isinstance(part, dict):
        said = {name: _null_said(value) for name, value in part.items() if name != "nullable"}
        return {"anyOf": [said, {"type": "null"}]} if part.get("nullable") is True else said
    return [_null_said(member) for member in part] if isinstance(part, list) else part


@dataclass
class Tally:
    """How many answers were judged."""

    by_contract: int = 0
    by_own: int = 0
    mismatches: list[str] = field(default_factory=list)
