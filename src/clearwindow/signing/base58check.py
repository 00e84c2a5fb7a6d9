"""Base58Check, the text form of a BIP32 key.

We wrote it because the only small library for it has had no release since 2021 and has no limit on the length,
while decoding takes quadratic time.
"""

import hashlib
from typing import Final

_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES: Final = {character: value for value, character in enumerate(_ALPHABET)}
_MAX_CHARACTERS: Final = 200
_CHECKSUM_BYTES: Final = 4


def encode(payload: bytes) -> str:
    """Returns the text of `payload` with its checksum."""
    raw = payload + _checksum(payload)
    number = int.from_bytes(raw)
    characters = ""
    while number:
        number, value = divmod(number, len(_ALPHABET))
        characters = _ALPHABET[value] + characters
    # The number loses leading zero bytes. The first character of the alphabet stands for each of them.
    return _ALPHABET[0] * (len(raw) - len(raw.lstrip(b"\0"))) + characters


def decode(text: str) -> bytes:
    """Returns the payload of `text`. Each payload has exactly one text.

    Raises:
        ValueError: too long, a character outside the alphabet, or a wrong checksum. Never quotes the text,
            which may be a private key.
    """
    if len(text) > _MAX_CHARACTERS:
        raise ValueError(f"longer than {_MAX_CHARACTERS} characters")
    number = 0
    for character in text:
        value = _VALUES.get(character)
        if value is None:
            raise ValueError("a character is not in the base58 alphabet")
        number = number * len(_ALPHABET) + value
    zeros = len(text) - len(text.lstrip(_ALPHABET[0]))
    raw = bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8)
    payload, checksum = raw[:-_CHECKSUM_BYTES], raw[-_CHECKSUM_BYTES:]
    if len(raw) < _CHECKSUM_BYTES or checksum != _checksum(payload):
        raise ValueError("the checksum is wrong: a character was lost or changed")
    return payload


def _checksum(payload: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:_CHECKSUM_BYTES]
