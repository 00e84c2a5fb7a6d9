"""What /openapi.json says of bodies and filters that a route reads by itself, and of the errors it may answer."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from clearwindow.http.wire import WireModel


class Problem(WireModel):
    """The body of every answer that is an error."""

    error: str
    name: str
    request_id: str
    details: dict[str, Any] | None = None


def takes_body(model: type[BaseModel], *, required: bool = True) -> dict[str, Any]:
    """The ``openapi_extra`` of a route whose body is read with ``bodies.read_body``."""
    content = {"application/json": {"schema": _schema(model)}}
    return {"requestBody": {"required": required, "content": content}}


def takes_filters(model: type[BaseModel]) -> dict[str, Any]:
    """The ``openapi_extra`` of a route whose filters are read with ``filters.read_filters``."""
    whole = _schema(model)
    fields: dict[str, Any] = whole.get("properties", {})
    needed = whole.get("required", [])
    return {
        "parameters": [
            {"name": name, "in": "query", "schema": schema} | ({"required": True} if name in needed else {})
            for name, schema in fields.items()
        ]
    }


def may_answer(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route: which errors it may answer with."""
    return {status: {"model": Problem} for status in statuses}


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema()
    inlined = _inlined(schema, schema.pop("$defs", {}))
    if not isinstance(inlined, dict):
        raise TypeError("the schema of a model is an object")
    return inlined


def _inlined(part: object, definitions: dict[str, object]) -> object:
    # A reference is relative to the whole of /openapi.json, where the model's own definitions are not.
    if isinstance(part, dict):
        if "$ref" in part:
            return _inlined(definitions[part["$ref"].rpartition("/")[2]], definitions)
        # A discriminator's mapping names definitions, too, and says nothing that the variants do not.
        return {name: _inlined(value, definitions) for name, value in part.items() if name != "discriminator"}
    return [_inlined(value, definitions) for value in part] if isinstance(part, list) else part
