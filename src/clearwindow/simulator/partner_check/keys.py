"""The keys that sign the calls, and the key set from which an endpoint reads them."""

from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from clearwindow.partner_calls.signatures import SigningKey, new_key, public_jwk
from clearwindow.simulator.partner_check.models import InvalidOptionError

JWKS_PATH: Final = "/.well-known/jwks.json"
_LEAST_BITS: Final = 2048
_ID_CHARACTERS: Final = 32
_IDLE_SECONDS: Final = 5


def fresh_key() -> SigningKey:
    made = new_key("")
    return SigningKey(_id_of(made.private), made.private)


class KeySet:
    """The current key and earlier ones, all of them published. ``reads`` counts how often the set was read."""

    def __init__(
        self,
        key: SigningKey | None = None,
        *,
        is_served: bool = True,
        make: Callable[[], SigningKey] = fresh_key,
    ) -> None:
        self._make = make
        self.current = key or make()
        self.is_served = is_served
        self.reads = 0
        self._unknown_key: SigningKey | None = None
        self._shown = [self.current]

    @property
    def unknown_key(self) -> SigningKey:
        """A key that is never published."""
        if self._unknown_key is None:
            self._unknown_key = self._make()
        return self._unknown_key

    def rotate(self) -> None:
        """Makes a new key, which is published and signs from now on."""
        self.current = self._make()
        self._shown = [*self._shown, self.current]

    def rotate_back(self) -> None:
        """Removes the newest key; the one before it signs again."""
        self._shown = self._shown[:-1]
        self.current = self._shown[-1]

    def document(self) -> bytes:
        return json.dumps({"keys": [dict(public_jwk(key)) for key in self._shown]}, indent=2).encode()


def load_key(path: Path) -> SigningKey:
    """Returns the key in the file. Creates the file, readable by its owner only, if there is none.

    Raises:
        InvalidOptionError: the file has no RSA key, or cannot be read or written.
    """
    try:
        if not path.exists():
            _write(path, fresh_key().private)
        private = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise InvalidOptionError(f"The key file {path} cannot be used: {error.strerror}.") from None
    except (ValueError, TypeError):
        # The library's own message may quote what it read.
        raise InvalidOptionError(
            f"The key file {path} has no private key in PEM format without a password."
        ) from None
    if not isinstance(private, RSAPrivateKey) or private.key_size < _LEAST_BITS:
        raise InvalidOptionError(f"The key file {path} has no RSA key of {_LEAST_BITS} bits or more.")
    return SigningKey(_id_of(private), private)


@contextmanager
def serving(keys: KeySet, host: str, port: int) -> Iterator[str]:
    """Serves the key set until the block ends, and yields its address.

    Raises:
        InvalidOptionError: it cannot listen there.
    """
    handler = type("_KeySetHandler", (_Handler,), {"keys": keys})
    try:
        server = ThreadingHTTPServer((host, port), handler)
    except OSError as error:
        raise InvalidOptionError(f"The key set cannot be served on {host}:{port}: {error.strerror}.") from None
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="key-set", daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{server.server_address[1]}{JWKS_PATH}"
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    keys: KeySet
    timeout = _IDLE_SECONDS

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != JWKS_PATH:
            self.send_error(404)
            return
        self.keys.reads += 1
        document = self.keys.document()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(document)))
        self.end_headers()
        self.wfile.write(document)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Logs nothing: the report has the number of reads."""


def _id_of(private: RSAPrivateKey) -> str:
    """Returns an id that depends only on the key, so that a printed key set stays valid for the next run."""
    digest = Hash(SHA256())
    digest.update(private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    return digest.finalize().hex()[:_ID_CHARACTERS]


def _write(path: Path, private: RSAPrivateKey) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IRUSR | stat.S_IWUSR)
    with os.fdopen(descriptor, "wb") as file:
        file.write(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
