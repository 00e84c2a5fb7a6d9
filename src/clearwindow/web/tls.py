"""TLS of the server: its certificate, and the certificates that callers need."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

_PROTOCOLS: Final = ["http/1.1"]


class TlsError(RuntimeError):
    """A file of the server's TLS cannot be used. The message names it."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The files of the server's TLS, in PEM.

    Attributes:
        certificate: the server's certificate, followed by those that lead to its authority.
        key: its private key, without a password.
        client_ca: if given, callers need a certificate of one of these authorities.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None


def tls_context(files: TlsFiles) -> ssl.SSLContext:
    """Returns a context for TLS 1.2 and newer.

    Raises:
        TlsError: a file cannot be read or is not what it should be.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A caller could make the server compute new keys endlessly.
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(_PROTOCOLS)
    try:
        context.load_cert_chain(files.certificate, files.key, _no_password)
    except (OSError, ValueError) as error:
        raise TlsError(f"The certificate {files.certificate} and the key {files.key} {_why(error)}.") from None
    if files.client_ca is not None:
        try:
            context.load_verify_locations(files.client_ca)
        except (OSError, ValueError) as error:
            raise TlsError(f"The authorities in {files.client_ca} {_why(error)}.") from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _no_password() -> NoReturn:
    # Without this, OpenSSL would ask at the terminal.
    raise ValueError("have a password: write the key without one")


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"cannot be used: {(error.reason or 'they are not in PEM').lower().replace('_', ' ')}"
    if isinstance(error, OSError):
        return f"cannot be read: {(error.strerror or 'unknown').lower()}"
    return str(error)
