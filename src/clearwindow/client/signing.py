"""Signing requests: with a key from a text, a file or the environment, or by anything that signs for you."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self, TypeAlias

from clearwindow.client.errors import SigningError
from clearwindow.signing.keys import KeyFormatError, PrivateKey, generate_private_key
from clearwindow.signing.message import SignatureFormatError, sign_message, verify_message
from clearwindow.signing.payload import ENVELOPE_FIELDS, PayloadMismatchError, match_payload, payload_text
from clearwindow.strict_json import JsonError, parse_json

Signer: TypeAlias = Callable[[str], str]
"""Takes the payload, the exact text to sign, and gives its signature as 130 hexadecimal characters."""

AsyncSigner: TypeAlias = Callable[[str], str | Awaitable[str]]
"""The same; may be a coroutine function. One that is not runs in a thread, so that it may block."""

XPRV_VARIABLE: Final = "CLEARWINDOW_XPRV"
_ENTROPY_BYTES: Final = 32


class KeySigner:
    """Signs with a private key in this process; its ``repr`` never shows it."""

    def __init__(self, xprv: str) -> None:
        """Reads the key.

        Raises:
            SigningError: not an xprv or tprv. The message never quotes the text.
        """
        try:
            self._key = PrivateKey.parse(xprv.strip())
        except KeyFormatError as error:
            raise SigningError(error.message) from None

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Self:
        """Reads the key from a file that holds nothing else, such as ``clearwindow keys generate --out`` writes."""
        try:
            text = Path(path).read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError) as error:
            # A decoding error's own text would quote bytes of the key.
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise SigningError(f"The key file {path} cannot be read: {reason}.") from None
        return cls(text)

    @classmethod
    def from_environment(cls, variable: str = XPRV_VARIABLE) -> Self:
        """Reads the key from a variable of the environment."""
        text = os.environ.get(variable, "")
        if not text:
            raise SigningError(f"No private key: the environment has no {variable}.")
        return cls(text)

    @property
    def xpub(self) -> str:
        """The public twin, which the network is given."""
        return self._key.xpub

    def __call__(self, payload: str) -> str:
        """Signs the UTF-8 bytes of the payload; the same payload always gets the same signature."""
        return sign_message(self._key, payload)


def new_xprv() -> str:
    """A new private key of the system's randomness, as its own text, to be kept secret."""
    return generate_private_key(secrets.token_bytes(_ENTROPY_BYTES)).xprv


@dataclass(frozen=True, slots=True)
class UnsignedRequest:
    """The fields of a request, and the exact text to sign for them.

    Attributes:
        path_ids: the ids in the request's path by their field names; where a field names one too, it must agree.
    """

    fields: Mapping[str, object]
    payload: str
    path_ids: Mapping[str, str]

    def body(self, signature: str) -> bytes:
        """The request's body, checked as the server will check it.

        Raises:
            SigningError: the signer gave no signature.
        """
        try:
            verify_message((), self.payload, signature)
        except SignatureFormatError as error:
            raise SigningError(f"The signer gave something else than a signature. {error.message}") from None
        signed = {**self.fields, "payload": self.payload, "signature": signature}
        return json.dumps(signed, ensure_ascii=False, separators=(",", ":")).encode()


def unsigned_request(fields: Mapping[str, object], path_ids: Mapping[str, str]) -> UnsignedRequest:
    """Builds the payload of exactly these fields, and holds both against each other as the server does.

    Raises:
        SigningError: the fields cannot be signed as they are.
    """
    reserved = ENVELOPE_FIELDS & fields.keys()
    if reserved:
        raise SigningError(f"{min(reserved)} is made by signing and cannot be given.")
    try:
        text = payload_text(fields)
        asked = parse_json(text, what="request")
        if not isinstance(asked, dict):
            raise SigningError("The request must be a JSON object.")
        match_payload(text, asked, path_ids)
    except (JsonError, PayloadMismatchError) as error:
        raise SigningError(error.message) from None
    return UnsignedRequest(dict(fields), text, dict(path_ids))
