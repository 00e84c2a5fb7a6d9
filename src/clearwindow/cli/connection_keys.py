"""Encrypts a connection key for a partner, and decrypts it as the partner (protocol §3). Works offline.

Secrets come from a file or standard input and never as an argument: everybody on the machine can read arguments in
the process list.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer

from clearwindow.cli.terminal import echo_bytes
from clearwindow.signing.connection_keys import (
    EncryptedFormError,
    decrypt_connection_key,
    encrypt_connection_key,
    parse_rsa_private_key,
    parse_rsa_public_key,
)
from clearwindow.signing.keys import KeyFormatError

_STANDARD_INPUT: Final = Path("-")


def encrypt(
    *,
    public_key_file: Annotated[Path, typer.Option(help="The file with the partner's publicKey.")],
    secret_file: Annotated[
        Path, typer.Option(help="The file with the field's clear text (- reads standard input).", allow_dash=True)
    ] = _STANDARD_INPUT,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Encrypt one field of a connection key, so that only the partner can read it.

    A line break at the end of the clear text is left out.
    """
    try:
        key = parse_rsa_public_key(_read(public_key_file))
    except KeyFormatError as error:
        _fail(f"{public_key_file}: {error.message}")
    clear = _read(secret_file).removesuffix("\n").removesuffix("\r")
    if not clear:
        _fail("There is nothing to encrypt.")
    encrypted = encrypt_connection_key(clear, key)
    typer.echo(json.dumps({"encrypted": encrypted}) if as_json else encrypted)


def decrypt(
    *,
    private_key_file: Annotated[Path, typer.Option(help="The file with the partner's private RSA key, in PEM.")],
    encrypted_file: Annotated[
        Path, typer.Option(help="The file with the encrypted field (- reads standard input).", allow_dash=True)
    ] = _STANDARD_INPUT,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Decrypt one field of a connection key, as a partner."""
    try:
        key = parse_rsa_private_key(_read(private_key_file))
    except KeyFormatError as error:
        _fail(f"{private_key_file}: {error.message}")
    try:
        clear = decrypt_connection_key(_read(encrypted_file).removesuffix("\n"), key)
    except EncryptedFormError as error:
        _fail(f"The encrypted field: {error.message}.")
    if as_json:
        typer.echo(json.dumps({"clear": clear}))
    else:
        echo_bytes(clear)


def _read(path: Path) -> str:
    try:
        raw = sys.stdin.buffer.read() if path == _STANDARD_INPUT else path.read_bytes()
        return raw.decode()
    except OSError as error:
        _fail(f"The file {path} cannot be read: {error.strerror}.")
    except UnicodeDecodeError:
        _fail(f"The file {path} does not hold text in UTF-8.")


def _fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(1)
