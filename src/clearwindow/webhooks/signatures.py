"""Signatures of webhook messages in both schemes of Standard Webhooks 1.0. Protocol §9."""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from nacl.signing import SigningKey

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - a prefix of the standard, not a secret
PUBLIC_KEY_PREFIX: Final = "whpk_"
KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """Both keys of one secret, 32 bytes each: HMAC-SHA256 (``v1``) and Ed25519 (``v1a``)."""

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
        """Returns the secret with which a receiver verifies ``v1``. It is shown once."""
        return SECRET_PREFIX + base64.b64encode(self.shared).decode()


def public_key_text(public_key: bytes) -> str:
    """Returns the public key with which a receiver verifies ``v1a``."""
    return PUBLIC_KEY_PREFIX + base64.b64encode(public_key).decode()


class Signer:
    """Signs with every valid secret of an endpoint, so that a rotation loses no message."""

    def __init__(self, secrets: list[SigningKeys]) -> None:
        if not secrets:
            raise ValueError("an endpoint has at least one secret")
        self._shared = [keys.shared for keys in secrets]
        self._private = [SigningKey(keys.private) for keys in secrets]

    def headers(self, message_id: str, sent_at: datetime, body: bytes) -> dict[str, str]:
        """Returns the three headers of a message. The body is signed exactly as it is sent."""
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
