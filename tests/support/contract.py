"""The network's wire contract: every exchange of a test is held against it. Protocol, source 2."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
from openapi_schema_validator import OAS30Validator
from referencing import Registry
from referencing.jsonschema import DRAFT4

CONTRACT: Final = Path(__file__).parent.parent / "contract" / "oes-network.json"
_URI: Final = "urn:oes-network"

# What we serve beside the contract, under its prefix.
_BESIDE: Final = re.compile(
    r"/api/network/v1/enterprises/[^/]+/clients/(approval-thresholds|pending-approvals(/[^/]+)?)"
)

# The guards stand before every route, and the contract names their answers on some operations only.
_OF_GUARDS: Final = frozenset({401, 403, 413})


def assert_answers_contract(method: str, path: str, response: httpx2.Response) -> None:
    """Fails where the contract does not allow this answer to the operation.

    Args:
        method: in any case.
        path: the whole path of the request, with or without a query.
        response: its body has been read.
    """
    if response.status_code >= 400 and not _is_unfinished(response):
        _assert_problem(response)
    if _BESIDE.fullmatch(urlsplit(path).path):
        return
    operation = _operation(method.lower(), urlsplit(path).path)
    assert operation is not None, f"the contract has no {method} {path}"
    status = str(response.status_code)
    answers = operation["responses"]
    if status not in answers:
        assert response.status_code in _OF_GUARDS, f"{method} {path} answered {status}: {response.text}"
        return
    schema = answers[status]["content"]["application/json"]["schema"]
    errors = [f"{error.json_path}: {error.message}" for error in _validator(schema).iter_errors(response.json())]
    assert not errors, f"{method} {path} answered {status}, but {'; '.join(errors)}: {response.text}"


def _is_unfinished(response: httpx2.Response) -> bool:
    """A 500 that is the record of what goes on is no problem's body: the contract wants exactly one of the two."""
    answer = response.json()
    records = {"allocation", "deallocation"} & answer.keys()
    return response.status_code == 500 and bool(records) and "error" not in answer


def _assert_problem(response: httpx2.Response) -> None:
    """Protocol §2: every error names itself, in one form."""
    problem = response.json()
    assert isinstance(problem["error"], str), response.text
    assert problem["error"], response.text
    assert re.fullmatch("[a-z][a-z0-9_]+", problem["name"]), response.text
    assert problem["requestId"] == response.headers["X-Request-Id"], response.text


def _operation(method: str, path: str) -> dict[str, Any] | None:
    # A path without parameters stands before one with them: /connections/signing is no connection.
    for template in sorted(_contract()["paths"], key=lambda template: template.count("{")):
        pattern = re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(template))
        if re.fullmatch(pattern, path) and method in _contract()["paths"][template]:
            operation: dict[str, Any] = _contract()["paths"][template][method]
            return operation
    return None


def _validator(schema: dict[str, Any]) -> OAS30Validator:
    absolute = json.loads(json.dumps(schema).replace('"#/', f'"{_URI}#/'))
    return OAS30Validator(absolute, registry=_registry(), format_checker=OAS30Validator.FORMAT_CHECKER)


@cache
def _contract() -> dict[str, Any]:
    contract: dict[str, Any] = json.loads(CONTRACT.read_text(encoding="utf-8"))
    _drop_twins(contract, contract["components"]["schemas"])
    _admit_null(contract)
    return contract


def _admit_null(part: Any) -> None:  # noqa: ANN401 - any part of a JSON document
    """Takes ``nullable`` beside a ``oneOf`` at its word; the validator honours it beside a ``type`` only."""
    if isinstance(part, dict):
        if part.get("nullable") and "oneOf" in part:
            part["oneOf"].append({"enum": [None], "nullable": True})
        part = list(part.values())
    if isinstance(part, list):
        for member in part:
            _admit_null(member)


def _drop_twins(part: Any, schemas: dict[str, Any]) -> None:  # noqa: ANN401 - any part of a JSON document
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


@cache
def _registry() -> Registry[Any]:
    registry: Registry[Any] = Registry().with_resource(_URI, DRAFT4.create_resource(_contract()))
    return registry
