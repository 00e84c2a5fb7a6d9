"""Signing webhook messages as Standard Webhooks 1.0 has it, with both of its schemes. Protocol §9."""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from nacl.signing import SigningKey

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - the standard's name for the form
PUBLIC_KEY_PREFIX: Final = "whpk_"
KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """Both keys of one secret: of HMAC-SHA256 (``v1``) and of Ed25519 (``v1a``). 32 bytes each."""

    shared: bytes = field(repr=False)
    private: bytes = field(repr=False)

    @classmethod
    def of_bytes(cls, both: bytes) -> SigningKeys:
        if len(both) != 2 * KEY_BYTES:
            raise ValueError(f"a webhook secret has {2 * KEY_BYTES} bytes, not {len(both)}")
        return cls(both[:KEY_BYTES], both[KEY_BYTES:])

    def to_bytes(self) -> bytes:
        return self.shared + self.private

    def public_key(self) -> bytes:
        return SigningKey(self.private).verify_key.encode()

    def secret_text(self) -> str:
        """What a receiver verifies ``v1`` with: a secret, shown once."""
        return SECRET_PREFIX + base64.b64encode(self.shared).decode()


def public_key_text(public_key: bytes) -> str:
    """What a receiver verifies ``v1a`` with: no secret."""
    return PUBLIC_KEY_PREFIX + base64.b64encode(public_key).decode()


class Signer:
    """Signs with every secret of an endpoint that is valid now, so that rotating one loses nothing."""

    def __init__(self, secrets: list[SigningKeys]) -> None:
        if not secrets:
            raise ValueError("an endpoint has at least one secret")
        self._shared = [keys.shared for keys in secrets]
        self._private = [SigningKey(keys.private) for keys in secrets]

    def headers(self, message_id: str, sent_at: datetime, body: bytes) -> dict[str, str]:
        """The three headers of a message; the body is signed exactly as it is sent."""
        timestamp_seconds = int(sent_at.timestamp())
        signed = b"%s.%d.%s" % (message_id.encode(), timestamp_seconds, body)
        signatures = [f"v1,{_text(hmac.digest(key, signed, 'sha256'))}" for key in self._shared]
        signatures += [f"v1a,{_text(key.sign(signed).signature)}" for key in self._private]
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp_seconds),
            "webhook-signature": " ".join(signatures),
        }


def _text(signature: bytes) -> str:
    return base64.b64encode(signature).decode()
