"""The keys that sign requests: secp256k1, in the text forms of protocol §3.

A BIP32 key is used as it stands, as its own root: nothing is derived from it.
"""

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import Final, Self

from btclib_secp256k1 import keys as secp256k1

from clearwindow.signing import base58check

_COMPRESSED_BYTES: Final = 33
_UNCOMPRESSED_BYTES: Final = 65
_UNCOMPRESSED_PREFIX: Final = 4
_HEX_KEY: Final = re.compile(r"[0-9a-fA-F]{66}")

# DER admits one encoding of a named-curve key, so a fixed prefix is a complete and strict parser of it.
_SPKI_COMPRESSED: Final = bytes.fromhex("3036301006072a8648ce3d020106052b8104000a032200")
_SPKI_UNCOMPRESSED: Final = bytes.fromhex("3056301006072a8648ce3d020106052b8104000a034200")

# BIP32: version 4 bytes, depth 1, parent fingerprint 4, child number 4, chain code 32, key 33.
_NODE_BYTES: Final = 78
_KEY_OFFSET: Final = 45
_VERSIONS: Final = {
    bytes.fromhex("0488ade4"): bytes.fromhex("0488b21e"),  # xprv: xpub
    bytes.fromhex("04358394"): bytes.fromhex("043587cf"),  # tprv: tpub
}
_XPRV_VERSION: Final = bytes.fromhex("0488ade4")
_PRIVATE_PREFIXES: Final = ("xprv", "tprv")
_PUBLIC_PREFIXES: Final = ("xpub", "tpub")
_MIN_ENTROPY_BYTES: Final = 16
_MAX_ENTROPY_BYTES: Final = 64


class KeyFormatError(ValueError):
    """A text that is not a valid key of the expected kind.

    Attributes:
        message: one sentence that tells the sender what to do; never quotes the text, which may be a secret.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A point of secp256k1. Two keys are equal if and only if they verify the same signatures.

    Attributes:
        compressed: 33 bytes, 02 or 03 and the x coordinate.

    Raises:
        KeyFormatError: not 33 bytes, or not a point of the curve.
    """

    compressed: bytes

    def __post_init__(self) -> None:
        if len(self.compressed) != _COMPRESSED_BYTES or not secp256k1.pubkey_verify(self.compressed):
            raise KeyFormatError("The public key is not a point of the secp256k1 curve.")

    @property
    def hex(self) -> str:
        """The key as 66 lowercase hexadecimal characters: the same text for every form of the key."""
        return self.compressed.hex()


@dataclass(frozen=True, slots=True, eq=False)
class PrivateKey:
    """A BIP32 private key, used as its own root. Its ``repr`` and errors never show it.

    `parse` and `generate_private_key` make one.
    """

    _node: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads an xprv or tprv.

        Raises:
            KeyFormatError: anything else; the message never quotes the text.
        """
        if text.startswith(_PUBLIC_PREFIXES):
            raise KeyFormatError("This is a public key: signing needs the private key, which starts with xprv.")
        if not text.startswith(_PRIVATE_PREFIXES):
            raise KeyFormatError("The private key must be an xprv or a tprv.")
        node = _decode_node(text, "private key")
        if (
            node[:4] not in _VERSIONS
            or node[_KEY_OFFSET] != 0
            or not secp256k1.prvkey_verify(node[_KEY_OFFSET + 1 :])
        ):
            raise KeyFormatError("The private key is not a valid BIP32 private key.")
        return cls(node)

    @property
    def secret(self) -> bytes:
        """The 32 bytes that sign."""
        return self._node[_KEY_OFFSET + 1 :]

    @property
    def public_key(self) -> PublicKey:
        """The key that verifies what this one signs."""
        return PublicKey(secp256k1.pubkey_from_prvkey(self.secret))

    @property
    def xprv(self) -> str:
        """The private key in the form in which it was parsed: an xprv or a tprv."""
        return base58check.encode(self._node)

    @property
    def xpub(self) -> str:
        """The public key of `xprv`: an xpub or a tpub."""
        version = _VERSIONS[self._node[:4]]
        return base58check.encode(version + self._node[4:_KEY_OFFSET] + self.public_key.compressed)


def generate_private_key(entropy: bytes) -> PrivateKey:
    """Returns the BIP32 master key of `entropy`, the only secret input.

    Args:
        entropy: 16 to 64 bytes from the system's random source (BIP32, "master key generation").

    Raises:
        KeyFormatError: the length is wrong, or (with chance 2**-127) no key belongs to this entropy.
    """
    if not _MIN_ENTROPY_BYTES <= len(entropy) <= _MAX_ENTROPY_BYTES:
        raise KeyFormatError(f"The entropy must have {_MIN_ENTROPY_BYTES} to {_MAX_ENTROPY_BYTES} bytes.")
    digest = hmac.digest(b"Bitcoin seed", entropy, hashlib.sha512)
    secret, chain_code = digest[:32], digest[32:]
    if not secp256k1.prvkey_verify(secret):
        raise KeyFormatError("No key belongs to this entropy: generate another.")
    origin = bytes(1 + 4 + 4)
    return PrivateKey.parse(base58check.encode(_XPRV_VERSION + origin + chain_code + b"\0" + secret))


def parse_public_key(text: str) -> PublicKey:
    """Reads a public key in any form of protocol §3.

    Args:
        text: an xpub or tpub, a base64 SubjectPublicKeyInfo (DER, compressed or not), or 66 hexadecimal
            characters.

    Raises:
        KeyFormatError: anything else; the message never quotes the text, which may be a private key.
    """
    if text.startswith(_PRIVATE_PREFIXES):
        raise KeyFormatError(
            "This is a private key, now disclosed: make a new one and give its public key, the xpub."
        )
    if text.startswith(_PUBLIC_PREFIXES):
        node = _decode_node(text, "public key")
        if node[:4] not in _VERSIONS.values():
            raise KeyFormatError("The public key is not a valid BIP32 public key.")
        return PublicKey(node[_KEY_OFFSET:])
    if _HEX_KEY.fullmatch(text):
        return PublicKey(bytes.fromhex(text))
    return _parse_spki(text)


def _decode_node(text: str, what: str) -> bytes:
    try:
        node = base58check.decode(text)
    except ValueError as error:
        raise KeyFormatError(f"The {what} cannot be read: {error}.") from None
    if len(node) != _NODE_BYTES:
        raise KeyFormatError(f"The {what} has {len(node)} bytes instead of BIP32's {_NODE_BYTES}.")
    is_root, origin = node[4] == 0, node[5:13]
    if is_root and any(origin):
        raise KeyFormatError(f"The {what} contradicts itself: it is a root, but has a parent.")
    return node


def _parse_spki(text: str) -> PublicKey:
    forms = "an xpub, a base64 DER public key (SubjectPublicKeyInfo) or 66 hexadecimal characters"
    try:
        der = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise KeyFormatError(f"The public key must be {forms}.") from None
    # Base64 has spare bits that decode to nothing: one key, one text.
    if base64.b64encode(der).decode() != text:
        raise KeyFormatError("The public key is not canonical base64.")
    if der.startswith(_SPKI_COMPRESSED):
        return PublicKey(der[len(_SPKI_COMPRESSED) :])
    point = der.removeprefix(_SPKI_UNCOMPRESSED)
    if len(der) == len(_SPKI_UNCOMPRESSED) + _UNCOMPRESSED_BYTES and len(point) == _UNCOMPRESSED_BYTES:
        # The library also takes the hybrid forms 06 and 07, which are not part of the standard.
        if point[0] != _UNCOMPRESSED_PREFIX or not secp256k1.pubkey_verify(point):
            raise KeyFormatError("The public key is not a point of the secp256k1 curve.")
        return PublicKey(secp256k1.reserialize(point))
    raise KeyFormatError(f"The public key must be {forms}; its base64 holds something else.")
