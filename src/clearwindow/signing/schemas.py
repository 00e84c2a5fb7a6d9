"""The fields that all signed bodies share, and the answer of the signing helpers. Protocol §3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, TypeVar

from pydantic import StringConstraints

from clearwindow.api.bodies import Body
from clearwindow.api.schema import Omittable, RequestModel, ShortText, WireModel
from clearwindow.core.errors import InvalidRequestError
from clearwindow.core.strict_json import JsonError
from clearwindow.signing.models import Operation, SignedRequest
from clearwindow.signing.payload import PayloadMismatchError, match_payload, payload_text

_Text = Annotated[str, StringConstraints(min_length=1)]


class ToSign(RequestModel):
    """The signed fields. Ids of the path may be among them, with the same values as in the path."""

    nonce: ShortText
    enterprise_id: Omittable[ShortText] = None


class Signed(ToSign):
    payload: _Text
    signature: _Text


SIGNATURE_ERRORS: Final = (
    "payload_not_json",
    "payload_differs",
    "signature_malformed",
    "signature_invalid",
)
"""The errors of a check of a signed request, for /openapi.json."""

T = TypeVar("T", bound=RequestModel)
S = TypeVar("S", bound=Signed)


class SigningPayload(WireModel):
    """The exact text to sign."""

    payload: str


def signing_payload(body: Body[T], path_ids: Mapping[str, str]) -> SigningPayload:
    """Returns the text to sign for exactly the fields of the body.

    Raises:
        InvalidRequestError: a request to the same path could not have this payload.
    """
    try:
        text = payload_text(body.fields)
        match_payload(text, body.fields, path_ids)
    except (JsonError, PayloadMismatchError) as error:
        raise InvalidRequestError("payload_impossible", str(error)) from None
    return SigningPayload(payload=text)


def signed_request(operation: Operation, body: Body[S], path_ids: Mapping[str, str]) -> SignedRequest:
    model = body.model
    return SignedRequest(operation, model.payload, model.signature, model.nonce, body.fields, path_ids)
