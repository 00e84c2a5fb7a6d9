"""The fields that all signed bodies share, and the answer of the signing helpers. Protocol §3."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Final, Self, TypeVar

from pydantic import Field, StringConstraints, model_validator

from clearwindow.api.bodies import Body
from clearwindow.api.filters import Count, Flag
from clearwindow.api.schema import Omittable, RequestModel, ShortText, WireModel
from clearwindow.core.errors import InvalidRequestError
from clearwindow.core.strict_json import JsonError
from clearwindow.signing.intent import DEFAULT_VALIDITY, MAX_VALIDITY
from clearwindow.signing.models import Operation, SignedRequest
from clearwindow.signing.payload import PayloadMismatchError, match_payload, payload_text

_DEFAULT_MINUTES: Final = DEFAULT_VALIDITY // timedelta(minutes=1)
_MAX_MINUTES: Final = MAX_VALIDITY // timedelta(minutes=1)
_Text = Annotated[str, StringConstraints(min_length=1)]


class Intended(RequestModel):
    """What a payload may say that it is for. The body may repeat it. Protocol §11."""

    enterprise_id: Omittable[ShortText] = None
    operation: Omittable[ShortText] = None
    amount_unit: Omittable[ShortText] = None
    expires_at: Omittable[ShortText] = None


class ToSign(Intended):
    """The signed fields. Ids of the path may be among them, with the same values as in the path."""

    nonce: ShortText


class Signed(ToSign):
    payload: _Text
    signature: _Text


class SignableChange(Intended):
    """A change that is signed if the Go Account requires intent: then with nonce, payload and signature.

    A change may have them without need. Ids of the path are only beside them.
    """

    nonce: Omittable[ShortText] = None
    payload: Omittable[_Text] = None
    signature: Omittable[_Text] = None
    connection_id: Omittable[ShortText] = None
    endpoint_id: Omittable[ShortText] = None

    @property
    def changed_names(self) -> set[str]:
        """The names of the fields that are there and say what changes."""
        return self.model_fields_set - SignableChange.model_fields.keys()

    @model_validator(mode="after")
    def _require_whole_signature(self) -> Self:
        of_signature = self.model_fields_set - self.changed_names
        if of_signature and not of_signature >= {"nonce", "payload", "signature"}:
            raise ValueError(
                "must have nonce, payload and signature together if it is signed, and none of them if not"
            )
        return self


SIGNATURE_ERRORS: Final = (
    "payload_not_json",
    "payload_differs",
    "signature_malformed",
    "signature_invalid",
    "intent_missing",
    "intent_wrong",
    "intent_expired",
)
"""The errors of a check of a signed request, for /openapi.json."""

CHANGE_ERRORS: Final = ("signature_required", *SIGNATURE_ERRORS)
"""The errors of a change that is signed if the Go Account requires it."""

T = TypeVar("T", bound=RequestModel)
S = TypeVar("S", bound=Signed)
C = TypeVar("C", bound=SignableChange)


class SigningPayload(WireModel):
    """The exact text to sign."""

    payload: str


class SigningOptions(RequestModel):
    """What the query of a signing helper may ask for."""

    model_config = RequestModel.model_config | {"extra": "ignore"}

    intent: Flag = None
    expires_in_minutes: Annotated[Count, Field(ge=1, le=_MAX_MINUTES)] = _DEFAULT_MINUTES

    @property
    def validity(self) -> timedelta:
        return timedelta(minutes=self.expires_in_minutes)


def signing_payload(
    body: Body[T], path_ids: Mapping[str, str], fields: Mapping[str, object] | None = None
) -> SigningPayload:
    """Returns the text to sign for exactly the fields of the body.

    Args:
        body: the body of the signing helper.
        path_ids: the ids of the path.
        fields: the fields with what they are for, if the text says it.

    Raises:
        InvalidRequestError: a request to the same path could not have this payload.
    """
    try:
        text = payload_text(body.fields if fields is None else fields)
        match_payload(text, body.fields, path_ids)
    except (JsonError, PayloadMismatchError) as error:
        raise InvalidRequestError("payload_impossible", str(error)) from None
    return SigningPayload(payload=text)


def signed_request(operation: Operation, body: Body[S], path_ids: Mapping[str, str]) -> SignedRequest:
    model = body.model
    return SignedRequest(operation, model.payload, model.signature, model.nonce, body.fields, path_ids)


def signed_change(operation: Operation, body: Body[C], path_ids: Mapping[str, str]) -> SignedRequest | None:
    """Returns a change's signed request, None if it is not signed."""
    nonce, payload, signature = body.model.nonce, body.model.payload, body.model.signature
    if nonce is None or payload is None or signature is None:
        return None
    return SignedRequest(operation, payload, signature, nonce, body.fields, path_ids)
