"""What every signed body shares on the wire, and what the signing helpers answer. Protocol §3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypeVar

from pydantic import StringConstraints

from clearwindow.errors import InvalidRequestError
from clearwindow.http.bodies import Body
from clearwindow.http.wire import RequestModel, ShortText, WireModel
from clearwindow.signing.payload import PayloadMismatchError, match_payload, payload_text
from clearwindow.signing.values import SignedRequest
from clearwindow.strict_json import JsonError

_Text = Annotated[str, StringConstraints(min_length=1)]


class ToSign(RequestModel):
    """The fields under a signature; the path's own ids may be among them, as long as they say what it says."""

    nonce: ShortText
    enterprise_id: ShortText | None = None


class Signed(ToSign):
    payload: _Text
    signature: _Text


T = TypeVar("T", bound=RequestModel)
S = TypeVar("S", bound=Signed)


class SigningPayload(WireModel):
    """The exact text to sign."""

    payload: str


def signing_payload(body: Body[T], path_ids: Mapping[str, str]) -> SigningPayload:
    """The text of exactly the fields that the signing helper was given.

    Raises:
        InvalidRequestError: the text could not be signed and sent back to the same path.
    """
    try:
        text = payload_text(body.fields)
        match_payload(text, body.fields, path_ids)
    except (JsonError, PayloadMismatchError) as error:
        raise InvalidRequestError("payload_impossible", str(error)) from None
    return SigningPayload(payload=text)


def signed_request(body: Body[S], path_ids: Mapping[str, str]) -> SignedRequest:
    model = body.model
    return SignedRequest(model.payload, model.signature, model.nonce, body.fields, path_ids)
