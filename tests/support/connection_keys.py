"""The partner's RSA key pair for encrypted connection keys, from the documentation's test vector."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from clearwindow.signing.connection_keys import parse_rsa_private_key

PAGE: Final = Path(__file__).parents[2] / "docs" / "reference" / "connection-keys.md"
_BLOCKS: Final = re.compile(r"```vector ([a-z ]+)\n(.*?)\n```", re.DOTALL)
_VECTOR: Final = dict(_BLOCKS.findall(PAGE.read_text(encoding="utf-8")))

PRIVATE_PEM: Final = _VECTOR["private key"] + "\n"
PUBLIC_PEM: Final = _VECTOR["public key"] + "\n"
ENCRYPTED: Final = _VECTOR["encrypted"]
CLEAR: Final = "a token that only the partner may read"


def partners_key() -> RSAPrivateKey:
    return parse_rsa_private_key(PRIVATE_PEM)
