"""Signs requests: with a key from a text, a file or the environment, or with a signer of your own."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Self, TypeAlias

from clearwindow.client.errors import ApiError, SigningError
from clearwindow.core.clock import parse_moment
from clearwindow.core.strict_json import JsonError, parse_json
from clearwindow.signing.intent import DEFAULT_VALIDITY, MAX_VALIDITY
from clearwindow.signing.keys import KeyFormatError, PrivateKey, generate_private_key
from clearwindow.signing.message import SignatureFormatError, sign_message, verify_message
from clearwindow.signing.payload import ENVELOPE_FIELDS, PayloadMismatchError, match_payload, payload_text

Signer: TypeAlias = Callable[[str], str]
"""Takes the payload, which is the exact text to sign, and returns the signature as 130 hexadecimal characters."""

AsyncSigner: TypeAlias = Callable[[str], str | Awaitable[str]]
"""A signer that may be a coroutine function. An ordinary function runs in a thread, so that it may block."""

XPRV_VARIABLE: Final = "CLEARWINDOW_XPRV"
_ENTROPY_BYTES: Final = 32


class KeySigner:
    """Signs with a private key in this process. Its ``repr`` does not show the key."""

    def __init__(self, xprv: str) -> None:
        """Reads the key.

        Raises:
            SigningError: the text is not an xprv or tprv. The message does not quote it.
        """
        try:
            self._key = PrivateKey.parse(xprv.strip())
        except KeyFormatError as error:
            raise SigningError(error.message) from None

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Self:
        """Reads the key from a file that holds only the key, as ``clearwindow keys generate --out`` writes it."""
        try:
            text = Path(path).read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError) as error:
            # The text of a decoding error would quote bytes of the key.
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise SigningError(f"The key file {path} cannot be read: {reason}.") from None
        return cls(text)

    @classmethod
    def from_environment(cls, variable: str = XPRV_VARIABLE) -> Self:
        """Reads the key from an environment variable."""
        text = os.environ.get(variable, "")
        if not text:
            raise SigningError(f"There is no private key: set the environment variable {variable}.")
        return cls(text)

    @property
    def xpub(self) -> str:
        """The public key, which the network needs."""
        return self._key.xpub

    def __call__(self, payload: str) -> str:
        """Signs the UTF-8 bytes of the payload. The same payload always gets the same signature."""
        return sign_message(self._key, payload)


def _system_time() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentOptions:
    """What payloads say about themselves: which request they are for, and until when.

    Attributes:
        write: whether they say it. False for a server that does not know it.
        from_helpers: whether payloads that the server writes say it, too. They do if the account requires it.
        valid_for: how long a payload may be sent for the first time, at most 30 days. A signer that is not
            connected to anything needs longer than one in this process.
        clock: returns the present time with its zone. If the server's clock is ahead, as in a sandbox, the client
            follows it once the server has refused a payload as expired.
    """

    write: bool = True
    from_helpers: bool = False
    valid_for: timedelta = DEFAULT_VALIDITY
    clock: Callable[[], datetime] = _system_time

    def __post_init__(self) -> None:
        if not timedelta(0) < self.valid_for <= MAX_VALIDITY:
            raise ValueError(f"valid_for must be above 0 and at most {MAX_VALIDITY.days} days")


def clock_behind(error: ApiError, now: datetime) -> timedelta | None:
    """Returns how far our clock is behind the server's, if that is why the server refused a payload as expired."""
    told = error.details.get("now") if error.name == "intent_expired" else None
    server_now = parse_moment(told) if isinstance(told, str) else None
    behind = None if server_now is None else server_now - now
    return behind if behind is not None and behind > timedelta(0) else None


def new_xprv() -> str:
    """Returns a new random private key as text. Keep it secret."""
    return generate_private_key(secrets.token_bytes(_ENTROPY_BYTES)).xprv


@dataclass(frozen=True, slots=True)
class UnsignedRequest:
    """The fields of a request, and the exact text to sign for them.

    Attributes:
        path_ids: the ids in the request's path by field name. A field with the same name must have the same id.
    """

    fields: Mapping[str, object]
    payload: str
    path_ids: Mapping[str, str]

    def body(self, signature: str) -> bytes:
        """Returns the body of the request, checked as the server will check it.

        Raises:
            SigningError: the signer gave no signature.
        """
        try:
            verify_message((), self.payload, signature)
        except SignatureFormatError as error:
            raise SigningError(f"The signer did not return a signature. {error.message}") from None
        signed = {**self.fields, "payload": self.payload, "signature": signature}
        return json.dumps(signed, ensure_ascii=False, separators=(",", ":")).encode()


def unsigned_request(
    fields: Mapping[str, object], path_ids: Mapping[str, str], said: Mapping[str, object] | None = None
) -> UnsignedRequest:
    """Builds the payload of these fields, and compares both as the server does.

    Args:
        fields: the fields of the request.
        path_ids: the ids in its path.
        said: the fields with what the payload says that it is for. Without it, the payload has exactly the fields.

    Raises:
        SigningError: the fields cannot be signed.
    """
    reserved = ENVELOPE_FIELDS & fields.keys()
    if reserved:
        raise SigningError(f"{min(reserved)}: leave it out, signing adds it.")
    try:
        text = payload_text(fields if said is None else said)
        asked = parse_json(text, what="request")
        if not isinstance(asked, dict):
            raise SigningError("The request must be a JSON object.")
        match_payload(text, asked, path_ids)
    except (JsonError, PayloadMismatchError) as error:
        raise SigningError(error.message) from None
    return UnsignedRequest(dict(fields), text, dict(path_ids))
