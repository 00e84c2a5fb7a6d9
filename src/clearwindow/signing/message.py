"""Bitcoin signed messages (protocol §3): sign, and find the key that signed exactly these bytes.

A signature has exactly one valid text: the header, r and s are all bound to the key. A copy of an accepted request
with another signature text is refused.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable
from typing import Final

from btclib_secp256k1 import recovery

from clearwindow.signing.keys import PrivateKey, PublicKey

SIGNATURE_CHARACTERS: Final = 130
"""65 bytes in lowercase hexadecimal."""

_MAGIC: Final = b"\x18Bitcoin Signed Message:\n"
# 27 marks a recoverable signature and 4 a compressed key; the recovery id is 0 to 3.
_COMPRESSED_HEADER: Final = 27 + 4
_RECOVERY_IDS: Final = 4
_SIGNATURE: Final = re.compile(rf"[0-9a-f]{{{SIGNATURE_CHARACTERS}}}")
_CURVE_ORDER: Final = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
# CompactSize: below 0xFD one byte; then a marker byte and the length, little-endian.
_COMPACT_SIZES: Final = ((b"\xfd", 2), (b"\xfe", 4), (b"\xff", 8))


class SignatureFormatError(ValueError):
    """A text that cannot be a signature of any key.

    Attributes:
        message: one sentence that tells the sender what to do.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def sign_message(key: PrivateKey, payload: str) -> str:
    """Signs the UTF-8 bytes of `payload` (protocol §3).

    The same key and payload always give the same signature (RFC 6979), with a low s.

    Returns:
        130 lowercase hexadecimal characters.

    Raises:
        UnicodeEncodeError: the payload has half of a surrogate pair, so it has no UTF-8 bytes.
    """
    signature, recovery_id = recovery.sign(_digest(payload.encode()), key.secret)
    return bytes([_COMPRESSED_HEADER + recovery_id]).hex() + signature.hex()


def verify_message(keys: Iterable[PublicKey], payload: str, signature: str) -> PublicKey | None:
    """Finds the key of `keys` that signed the UTF-8 bytes of `payload` (protocol §3).

    Returns:
        The key, or None if none of them signed this payload, if s is high or out of range, or if the payload has no
        UTF-8 bytes.

    Raises:
        SignatureFormatError: not 130 lowercase hexadecimal characters, or a header other than 31 to 34.
    """
    header, r_and_s = _split(signature)
    try:
        message = payload.encode()
    except UnicodeEncodeError:
        return None
    # (r, n - s) is valid if (r, s) is. To accept both would give every signature a second form.
    if int.from_bytes(r_and_s[32:]) > _CURVE_ORDER // 2:
        return None
    try:
        # Recovery, unlike verification, also binds the header: another header gives another key or none. The
        # recovered key is by construction the one that verifies r and s, which are in range.
        signer = recovery.recover(_digest(message), r_and_s, header - _COMPRESSED_HEADER)
    except ValueError:
        return None
    found = None
    for key in keys:
        if hmac.compare_digest(key.compressed, signer):
            found = key
    return found


def _split(signature: str) -> tuple[int, bytes]:
    if _SIGNATURE.fullmatch(signature) is None:
        raise SignatureFormatError(
            f"The signature must be {SIGNATURE_CHARACTERS} lowercase hexadecimal characters."
        )
    raw = bytes.fromhex(signature)
    if not 0 <= raw[0] - _COMPRESSED_HEADER < _RECOVERY_IDS:
        raise SignatureFormatError("The signature's first byte must be 31 to 34: a compressed key.")
    return raw[0], raw[1:]


def _digest(payload: bytes) -> bytes:
    inner = hashlib.sha256(_MAGIC)
    inner.update(_compact_size(len(payload)))
    inner.update(payload)
    return hashlib.sha256(inner.digest()).digest()


def _compact_size(length: int) -> bytes:
    if length < _COMPACT_SIZES[0][0][0]:
        return bytes([length])
    for marker, width in _COMPACT_SIZES:
        if length < 1 << (8 * width):
            return marker + length.to_bytes(width, "little")
    raise AssertionError(length)
