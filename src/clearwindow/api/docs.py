"""Descriptions for /openapi.json: the bodies and filters that a route reads, and the errors that it raises."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from pydantic import BaseModel

from clearwindow.api.schema import WireModel
from clearwindow.core.error_registry import error_codes

ERROR_NAMES: Final = "x-error-names"
"""The key of a response under which a route keeps the names of its errors until the document is made."""


ErrorName: TypeAlias = str | tuple[str, int]
"""The name of an error, with its status if the operation raises it with only one of its statuses."""


class Problem(WireModel):
    """The body of every error."""

    error: str
    name: str
    request_id: str
    documentation: str
    details: dict[str, Any] | None = None


def takes_body(model: type[BaseModel], *, required: bool = True) -> dict[str, Any]:
    """Returns the ``openapi_extra`` of a route with a JSON body of this model."""
    content = {"application/json": {"schema": _schema(model)}}
    return {"requestBody": {"required": required, "content": content}}


def takes_filters(model: type[BaseModel]) -> dict[str, Any]:
    """Returns the ``openapi_extra`` of a route with filters of this model."""
    whole = _schema(model)
    fields: dict[str, Any] = whole.get("properties", {})
    needed = whole.get("required", [])
    return {
        "parameters": [
            {"name": name, "in": "query", "schema": schema} | ({"required": True} if name in needed else {})
            for name, schema in fields.items()
        ]
    }


def may_raise(
    *errors: ErrorName, models: Mapping[int, object] | None = None, unused: Iterable[int] = ()
) -> dict[int | str, dict[str, Any]]:
    """Returns the ``responses`` of a route: the errors it raises itself, by their names in the registry.

    What every route may raise (authentication, limits, body, filters) is added by ``web.openapi``.

    Args:
        errors: the names of the errors.
        models: for a status, the model of its answer if it is not a ``Problem``, such as a refused record.
        unused: statuses that the wire contract lists but the operation never returns.

    Raises:
        LookupError: the registry has no such name, or not with this status.
    """
    responses: dict[int | str, dict[str, Any]] = {
        status: {"model": model, ERROR_NAMES: []} for status, model in (models or {}).items()
    }
    responses |= {status: {"model": Problem, ERROR_NAMES: []} for status in unused}
    for error in errors:
        name, *only = (error,) if isinstance(error, str) else error
        statuses = error_codes()[name].statuses
        if not set(only) <= set(statuses):
            raise LookupError(f"{name} is not registered with the status {only[0]}")
        for status in only or statuses:
            responses.setdefault(status, {"model": Problem, ERROR_NAMES: []})[ERROR_NAMES].append(name)
    return responses


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema()
    inlined = _inlined(schema, schema.pop("$defs", {}))
    if not isinstance(inlined, dict):
        raise TypeError("the schema of a model is an object")
    return inlined


def _inlined(part: object, definitions: dict[str, object]) -> object:
    # A reference is relative to /openapi.json as a whole, which does not have the model's own definitions.
    if isinstance(part, dict):
        if "$ref" in part:
            return _inlined(definitions[part["$ref"].rpartition("/")[2]], definitions)
        # A discriminator's mapping names definitions too, and repeats what the variants say.
        return {name: _inlined(value, definitions) for name, value in part.items() if name != "discriminator"}
    return [_inlined(value, definitions) for value in part] if isinstance(part, list) else part
