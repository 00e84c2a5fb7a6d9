"""Checks answers against OpenAPI documents."""

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
from clearwindow.api.exports import MEDIA_TYPES
from clearwindow.core.error_registry import documentation_of
from clearwindow.web.app import create_app
from clearwindow.web.openapi import operations

Json = dict[str, Any]
CONTRACT: Final = Path(__file__).parent.parent / "contract" / "oes-network.json"

_UNFINISHED: Final = (500, 502)
OF_GUARDS: Final = frozenset({401, 403, 408, 413, 415, 429, 503})
"""Guards and limits answer before every route. The contract lists their answers for some operations only."""


@dataclass(frozen=True)
class Answer:
    """The answer to a request."""

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
    """A document. It finds operations by path and compiles each schema once."""

    def __init__(self, document: Json, validator: type[Draft4Validator | Draft202012Validator]) -> None:
        self._components = document["components"]
        self._validator = validator
        self._validators: dict[str, Draft4Validator | Draft202012Validator] = {}
        # Paths without parameters come first: in /connections/signing, "signing" is not the id of a connection.
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
        """Returns what is wrong with an answer whose status the document lists."""
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
    translated = _with_null(document)
    if not isinstance(translated, dict):
        raise TypeError("a document is an object")
    return Description(translated, Draft4Validator)


@cache
def own_document() -> Json:
    """Returns /openapi.json."""
    app = create_app(None, bootstrap.all_routers(60))  # type: ignore[arg-type]  # never asked
    return deepcopy(app.openapi())


@cache
def own() -> Description:
    return Description(own_document(), Draft202012Validator)


def contract_problems(answer: Answer) -> list[str] | None:
    """Returns how an answer breaks the contract, or None if the contract does not have the operation."""
    operation = contract().operation(answer.method, answer.path)
    if operation is None:
        return None
    if answer.headers.get("content-type", "").partition(";")[0] in MEDIA_TYPES.values():
        # The contract has no exports: they are ours, for those who ask for them.
        return []
    found = _form_of_problem(answer) if answer.status >= 400 else []
    if str(answer.status) not in operation.responses:
        return found if answer.status in OF_GUARDS else [*found, "the contract does not list this status"]
    return found + contract().problems(operation, answer)


def own_problems(answer: Answer) -> list[str] | None:
    """Returns how an answer breaks our own document, or None if the document does not have the operation."""
    operation = own().operation(answer.method, answer.path)
    if operation is None:
        return None
    found = [] if answer.headers.get("x-request-id") else ["it has no X-Request-Id"]
    is_unavailable = answer.status >= 500 and b'"name": "unavailable"' in answer.body
    if (answer.status == 429 or is_unavailable) and "retry-after" not in answer.headers:
        found.append("it has no Retry-After")
    if str(answer.status) not in operation.responses:
        return [*found, "our document does not list this status"]
    return found + own().problems(operation, answer) + _undocumented_error(operation, answer)


def _undocumented_error(operation: Operation, answer: Answer) -> list[str]:
    """Returns a problem if the operation does not document the error under the status of the answer."""
    if answer.status < 400:
        return []
    problem = json.loads(answer.body)
    named = re.findall(r"^- `([a-z0-9_]+)`: ", operation.responses[str(answer.status)]["description"], re.MULTILINE)
    if "name" not in problem or problem["name"] in named:
        return []
    return [f"our document does not list the error {problem['name']} for this operation"]


def _is_uuid(text: str) -> bool:
    # The contract's schemas are draft 4, which does not have this format.
    return re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text) is not None


def _form_of_problem(answer: Answer) -> list[str]:
    """Checks the form of an error. Protocol §2.

    If the contract wants either a settlement or an ``error``, the settlement's ``reason`` is the sentence. A 500
    or 502 with an allocation that continues has no error form.
    """
    problem = json.loads(answer.body)
    if answer.status in _UNFINISHED and "error" not in problem and problem.keys() & {"allocation", "deallocation"}:
        return []
    found = []
    sentence = problem["settlement"]["reason"] if "settlement" in problem else problem.get("error")
    if not (isinstance(sentence, str) and sentence):
        found.append("the error has no sentence")
    if not re.fullmatch("[a-z][a-z0-9_]+", str(problem.get("name"))):
        found.append("the error has no name")
    if problem.get("documentation") != documentation_of(str(problem.get("name"))):
        found.append("the error does not name its documentation")
    if problem.get("requestId") != answer.headers.get("x-request-id"):
        found.append("the error does not name the request")
    return found


def _drop_twins(part: Any, schemas: Json) -> None:  # noqa: ANN401 - any part of a JSON document
    """Keeps one of the alternatives of a ``oneOf`` that are the same schema under two names.

    A value matches either both or none of them, so no value would match exactly one.
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


def _with_null(part: object) -> object:
    """Translates ``nullable``, which JSON Schema does not have."""
    if isinstance(part, dict):
        said = {name: _with_null(value) for name, value in part.items() if name != "nullable"}
        return {"anyOf": [said, {"type": "null"}]} if part.get("nullable") is True else said
    return [_with_null(member) for member in part] if isinstance(part, list) else part


@dataclass
class Tally:
    """How many answers were checked, and the mismatches."""

    by_contract: int = 0
    by_own: int = 0
    mismatches: list[str] = field(default_factory=list)
