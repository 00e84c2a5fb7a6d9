"""Keys and signatures (protocol §3). Works offline.

A secret comes from a file or the environment and never as an argument: everybody on the machine can read arguments
in the process list.
"""

import json
import os
import secrets
import stat
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer

from clearwindow.cli.connection_keys import decrypt, encrypt
from clearwindow.core.money import AmountUnit
from clearwindow.core.strict_json import JsonError, parse_json
from clearwindow.signing.intent import DEFAULT_VALIDITY, MAX_VALIDITY, path_ids_of, with_intent
from clearwindow.signing.keys import KeyFormatError, PrivateKey, generate_private_key
from clearwindow.signing.message import sign_message
from clearwindow.signing.models import Operation
from clearwindow.signing.payload import payload_text

XPRV_VARIABLE: Final = "CLEARWINDOW_XPRV"
"""The environment variable with the private key for `sign`, if no file is named."""

_ENTROPY_BYTES: Final = 32
_MINUTE: Final = timedelta(minutes=1)
_STANDARD_INPUT: Final = Path("-")

keys_app: Final = typer.Typer(
    help="Make keys that sign requests, and encrypt connection keys. Works offline.",
    no_args_is_help=True,
    # A traceback with local variables would print the key.
    pretty_exceptions_show_locals=False,
)
keys_app.command("encrypt-connection-key")(encrypt)
keys_app.command("decrypt-connection-key")(decrypt)


@keys_app.callback()
def _keys() -> None:
    """Keep `generate` a subcommand: with one command and no callback, typer would drop its name."""


@keys_app.command("generate")
def generate(
    *,
    out: Annotated[
        Path | None,
        typer.Option(help="Write the xprv to this new file, which only you can read, and print only the xpub."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Make a key. The xprv is secret and signs; give the xpub to the network."""
    key = generate_private_key(secrets.token_bytes(_ENTROPY_BYTES))
    printed = {"xpub": key.xpub}
    if out is None:
        printed = {"xprv": key.xprv, **printed}
        _note("The xprv is the secret: anybody who has it can sign for you. Keep it safe, share only the xpub.")
    else:
        _write_secret(out, key.xprv)
        _note(f"The xprv is in {out}. Keep it secret.")
    if as_json:
        typer.echo(json.dumps(printed))
    else:
        for name, value in printed.items():
            typer.echo(f"{name}  {value}")


def sign(
    *,
    key_file: Annotated[
        Path | None,
        typer.Option(help=f"The file with the xprv. (default: the variable {XPRV_VARIABLE})"),
    ] = None,
    payload_file: Annotated[
        Path, typer.Option(help="The file with the payload (- reads standard input).", allow_dash=True)
    ] = _STANDARD_INPUT,
    operation: Annotated[
        Operation | None,
        typer.Option(help="What the request is. Then the payload gets the members that bind it to one request."),
    ] = None,
    path_ids: Annotated[
        list[str] | None,
        typer.Option("--id", help="An id of the request's path, such as enterpriseId=aster. Once for each id."),
    ] = None,
    amount_unit: Annotated[
        AmountUnit | None, typer.Option(help="The unit of the amounts, as the other side reads them.")
    ] = None,
    expires_in_minutes: Annotated[
        int, typer.Option(min=1, max=MAX_VALIDITY // _MINUTE, help="How long the payload is valid, up to 30 days.")
    ] = DEFAULT_VALIDITY // _MINUTE,
    as_json: Annotated[bool, typer.Option("--json", help="Print {payload, signature} as JSON.")] = False,
) -> None:
    """Sign a payload offline. Print the signature on one line, then the payload byte for byte.

    With --operation the payload says what it is for, and until when: it serves
    for nothing else. Without, every byte of the payload is signed as it is, a
    final line break too. The private key comes from a file or the environment,
    never as an argument, because everybody on the machine can read arguments.
    """
    key = _read_key(key_file)
    raw = _read_payload(payload_file)
    try:
        # Refuse before signing what the server would refuse.
        document = parse_json(raw, what="payload")
        if not isinstance(document, dict):
            _fail("The payload must be a JSON object.")
        if operation is not None:
            ids = _path_ids(operation, path_ids or [])
            expires_at = datetime.now(UTC) + expires_in_minutes * _MINUTE
            raw = payload_text(with_intent(document, operation, ids, expires_at, amount_unit)).encode()
    except JsonError as error:
        _fail(error.message)
    payload = raw.decode()
    signature = sign_message(key, payload)
    if raw.endswith(b"\n"):
        _note("The payload ends with a line break, which is signed too: send it as well.")
    if as_json:
        typer.echo(json.dumps({"payload": payload, "signature": signature}))
    else:
        typer.echo(f"{signature}\n".encode() + raw, nl=False)


def _path_ids(operation: Operation, given: list[str]) -> dict[str, str]:
    """Returns the ids of the operation's path: exactly those, each once."""
    ids = dict(each.partition("=")[::2] for each in given)
    names = path_ids_of(operation)
    if set(ids) != set(names) or len(given) != len(names) or not all(ids.values()):
        wanted = " ".join(f"--id {name}=…" for name in names)
        raise typer.BadParameter(f"{operation} needs {wanted}", param_hint="--id")
    return {name: ids[name] for name in names}


def _read_key(key_file: Path | None) -> PrivateKey:
    if key_file is None:
        text = os.environ.get(XPRV_VARIABLE, "")
        if not text:
            _fail(f"There is no private key: name its file with --key-file, or set {XPRV_VARIABLE}.")
    else:
        try:
            text = key_file.read_text(encoding="ascii")
            mode = key_file.stat().st_mode
        except (OSError, UnicodeDecodeError) as error:
            # A decoding error's own text would quote bytes of the key.
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            _fail(f"The key file {key_file} cannot be read: {reason}.")
        if mode & (stat.S_IRGRP | stat.S_IROTH):
            _note(f"Others on this machine can read {key_file}: run chmod 600 on it.")
    try:
        return PrivateKey.parse(text.strip())
    except KeyFormatError as error:
        _fail(error.message)


def _read_payload(payload_file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if payload_file == _STANDARD_INPUT else payload_file.read_bytes()
    except OSError as error:
        _fail(f"The payload file {payload_file} cannot be read: {error.strerror}.")


def _write_secret(path: Path, xprv: str) -> None:
    try:
        # The file is new and private from the start: an existing key is never overwritten.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IRUSR | stat.S_IWUSR)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{xprv}\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        _fail(f"The key file {path} cannot be written: {error.strerror}.")


def _note(message: str) -> None:
    typer.echo(message, err=True)


def _fail(message: str) -> NoReturn:
    _note(message)
    raise typer.Exit(1)
