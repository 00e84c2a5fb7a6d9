"""What is wrong with one field, in plain words instead of pydantic's: for requests, settings and files."""

from __future__ import annotations

from typing import Final

from pydantic_core import ErrorDetails

_OBJECT: Final = "must be a JSON object"
_ARRAY: Final = "must be a JSON array"
_NUMBER: Final = "must be a number"
_WHOLE_NUMBER: Final = "must be a whole number"
_TRUE_OR_FALSE: Final = "must be true or false"
_ONE_OF: Final = "must be {expected}"

_WORDS: Final = {
    "missing": "is required",
    "string_type": "must be a text",
    "string_pattern_mismatch": "must match {pattern}",
    "dict_type": _OBJECT,
    "model_type": _OBJECT,
    "dataclass_type": _OBJECT,
    "list_type": _ARRAY,
    "tuple_type": _ARRAY,
    "bool_type": _TRUE_OR_FALSE,
    "bool_parsing": _TRUE_OR_FALSE,
    "int_type": _WHOLE_NUMBER,
    "int_parsing": _WHOLE_NUMBER,
    "int_from_float": _WHOLE_NUMBER,
    "int_parsing_size": "has too many digits",
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "decimal_type": _NUMBER,
    "decimal_parsing": _NUMBER,
    "finite_number": "must be a finite number",
    "literal_error": _ONE_OF,
    "enum": _ONE_OF,
    "union_tag_not_found": "needs the field {discriminator}",
    "union_tag_invalid": "{discriminator} must be one of {expected_tags}",
    "decimal_max_places": "must have at most {decimal_places} decimal places",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "json_invalid": "is not valid JSON ({error})",
}
_UNKNOWN_FIELD: Final = frozenset({"extra_forbidden", "unexpected_keyword_argument"})
_LENGTHS: Final = {
    "too_short": ("at least", "min_length"),
    "too_long": ("at most", "max_length"),
    "string_too_short": ("at least", "min_length"),
    "string_too_long": ("at most", "max_length"),
}
_ENTRIES: Final = {"Dictionary", "List", "Tuple", "Set", "Frozenset"}
"""What pydantic calls a container when its length is wrong. Of anything else, characters are counted."""


def field_problem(error: ErrorDetails, *, unknown_field: str) -> str:
    """Returns what is wrong with a field, as the end of a sentence that begins with the field's name.

    It never quotes the value, which may be a secret.

    Args:
        error: as pydantic reports it, with its context.
        unknown_field: what to say of a field that does not exist here.
    """
    kind, context = error["type"], error.get("ctx", {})
    if kind in _UNKNOWN_FIELD:
        return unknown_field
    if kind in _WORDS:
        return _WORDS[kind].format(**context | _discriminator(context))
    if kind in _LENGTHS:
        return _length_problem(kind, context)
    if kind == "is_instance_of" and context.get("class") == "Decimal":
        return _NUMBER
    # Our own validators raise ValueError, with words of ours.
    return error["msg"].removeprefix("Value error, ").replace("Input should be ", "must be ")


def _discriminator(context: dict[str, object]) -> dict[str, object]:
    # pydantic lists the field's names, such as 'key_schema' | 'schema'. The last one is what the caller writes.
    names = str(context.get("discriminator", ""))
    return {"discriminator": names.rpartition(" | ")[2].strip("'")}


def _length_problem(kind: str, context: dict[str, object]) -> str:
    bound, name = _LENGTHS[kind]
    length = context[name]
    if kind == "string_too_short" and length == 1:
        return "must not be empty"
    is_container = context.get("field_type") in _ENTRIES
    one, many = ("entry", "entries") if is_container else ("character", "characters")
    return f"must have {bound} {length} {one if length == 1 else many}"
