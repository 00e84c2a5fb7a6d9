"""The comparison of a signed payload with its request. Protocol §3.

The sender signs the payload, and we carry out the request, so both must be equal. They are compared as JSON values;
neither is serialized again.
"""

import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final

from clearwindow.core.strict_json import JsonError, JsonNumber, JsonValue, Place, describe_place, parse_json, quote
from clearwindow.signing.models import Intent

ENVELOPE_FIELDS: Final = frozenset({"payload", "signature"})
"""The fields of a request that hold the signature, so it cannot cover them."""

INTENT_MEMBERS: Final[tuple[str, ...]] = ("operation", "amountUnit", "expiresAt")
"""What a payload may say that it is for, beside the ids of the path. The body need not repeat it. Protocol §11."""

MAX_DIFFERENCES: Final = 5
"""How many differences a message names."""

# Connection keys and secrets are never returned (protocol §3), but messages are returned and logged. A match
# anywhere in the place hides the value. To hide too much does no harm.
_SECRET: Final = re.compile("key|secret|token|pass|credential", re.IGNORECASE)


class PayloadMismatchError(ValueError):
    """The payload and the request differ.

    Attributes:
        message: one sentence naming the first differences, at bounded length, without any secret's value.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def match_payload(payload_text: str, body: Mapping[str, JsonValue], path_ids: Mapping[str, str]) -> Intent:
    """Checks that `payload_text` equals the request (protocol §3). Returns what the payload says that it is for.

    An id of the path may be absent from payload and body; if it is there, it must equal the path's. The body need
    not repeat the payload's `INTENT_MEMBERS`. Every other field must be in both, with equal values, in any order.

    Args:
        payload_text: the text that was signed.
        body: the request's body as `parse_json` returned it, with or without its `ENVELOPE_FIELDS`; never a
            copy with Python's numbers, whose 1 equals true.
        path_ids: the path's own ids by their field names, as in ``{"enterpriseId": "…"}``.

    Raises:
        JsonError: the payload is not strict JSON (see `parse_json`), or not an object.
        PayloadMismatchError: payload and request differ.
    """
    signed = parse_json(payload_text, what="payload")
    if not isinstance(signed, dict):
        raise JsonError("The payload must be a JSON object.")
    asked = {name: value for name, value in body.items() if name not in ENVELOPE_FIELDS}
    named = frozenset(path_ids.keys() & signed.keys())
    members = {name: signed[name] for name in INTENT_MEMBERS if name in signed}
    for name in members.keys() - asked.keys():
        del signed[name]
    differences = _take_path_ids(signed, asked, path_ids)
    # Equal documents, the usual case, are compared in C. Only unequal ones need the slow walk in Python.
    if signed != asked:
        differences.extend(islice(_differences(signed, asked), MAX_DIFFERENCES + 1))
    if differences:
        more = "; and more" if len(differences) > MAX_DIFFERENCES else ""
        raise PayloadMismatchError(
            f"The payload does not match the request: {'; '.join(differences[:MAX_DIFFERENCES])}{more}."
        )
    return Intent(members, named)


def payload_text(fields: Mapping[str, object]) -> str:
    """Returns the exact text to sign for `fields`: compact, in their order, without escapes for other alphabets.

    Args:
        fields: JSON values, Python's own or from `parse_json`.

    Raises:
        JsonError: a value that a payload cannot carry: NaN or infinity, half of a surrogate pair, or a number
            that Python cannot write exactly.
        TypeError: a value that is not JSON at all.
    """
    try:
        text = json.dumps(dict(fields), ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_number)
        text.encode()
    except UnicodeEncodeError:
        raise JsonError("The payload would hold half of a surrogate pair (\\ud800 to \\udfff).") from None
    except JsonError:
        raise
    except ValueError:
        raise JsonError("The payload would hold NaN or an infinite number.") from None
    return text


def _number(value: object) -> int | float:
    if isinstance(value, JsonNumber):
        return value.to_python()
    raise TypeError(f"{type(value).__name__} is not a JSON value")


def _take_path_ids(
    signed: dict[str, JsonValue], asked: dict[str, JsonValue], path_ids: Mapping[str, str]
) -> list[str]:
    """Removes the path's ids from both sides. Returns those that contradict the path."""
    differences = []
    for name, expected in path_ids.items():
        for side, fields in (("payload", signed), ("request body", asked)):
            given = fields.pop(name, expected)
            if given != expected:
                differences.append(f"{name} is {_show(given)} in the {side} and {quote(expected)} in the path")
    return differences


def _differences(signed: JsonValue, asked: JsonValue, place: Place = None) -> Iterator[str]:
    """Yields the differences of two unequal values, in the payload's order."""
    if isinstance(signed, dict) and isinstance(asked, dict):
        yield from _object_differences(signed, asked, place)
    elif isinstance(signed, list) and isinstance(asked, list):
        yield from _list_differences(signed, asked, place)
    elif _is_secret(place):
        yield f"{describe_place(place)} differs"
    else:
        yield f"{describe_place(place)} is {_show(signed)} in the payload and {_show(asked)} in the request"


def _object_differences(signed: dict[str, JsonValue], asked: dict[str, JsonValue], place: Place) -> Iterator[str]:
    for name, value in signed.items():
        if name not in asked:
            yield f"{describe_place((place, name))} is in the payload but not in the request"
        elif value != asked[name]:
            yield from _differences(value, asked[name], (place, name))
    for name in asked:
        if name not in signed:
            yield f"{describe_place((place, name))} is in the request but not in the payload"


def _list_differences(signed: list[JsonValue], asked: list[JsonValue], place: Place) -> Iterator[str]:
    for index, (left, right) in enumerate(zip(signed, asked, strict=False)):
        if left != right:
            yield from _differences(left, right, (place, index))
    if len(signed) != len(asked):
        counts = f"{len(signed)} entries in the payload and {len(asked)} in the request"
        yield f"{describe_place(place)} has {counts}"


def _is_secret(place: Place) -> bool:
    while place is not None:
        place, name = place
        if isinstance(name, str) and _SECRET.search(name):
            return True
    return False


def _show(value: JsonValue) -> str:
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, JsonNumber):
        return quote(value.text).strip('"')
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    return json.dumps(value)
