"""The deployment's secret key: from the settings, or made once and kept in the data folder.

It must never be made a second time: what was encrypted under a lost key stays unreadable for good.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import secrets
import tempfile
from pathlib import Path
from typing import Final

from clearwindow.settings import SettingsError
from clearwindow.vault import KEY_BYTES

FILE_NAME: Final = "secret.key"
VARIABLE: Final = "CLEARWINDOW_SECRET_KEY"
_HEX_CHARACTERS: Final = 2 * KEY_BYTES


def parse_secret_key(text: str, source: str) -> bytes:
    """The key that 64 hexadecimal characters or base64 spell.

    Raises:
        SettingsError: anything else; the message never quotes the text.
    """
    stripped = text.strip()
    key = b""
    with contextlib.suppress(ValueError, binascii.Error):
        is_hex = len(stripped) == _HEX_CHARACTERS
        key = bytes.fromhex(stripped) if is_hex else base64.b64decode(stripped, validate=True)
    if len(key) != KEY_BYTES:
        raise SettingsError(
            f"{source} must hold {KEY_BYTES} bytes, as {_HEX_CHARACTERS} hexadecimal characters or as base64: "
            "`openssl rand -base64 32` makes one."
        )
    return key


def kept_key(data_dir: Path) -> bytes | None:
    """The key in the data folder, if one is kept there."""
    path = data_dir / FILE_NAME
    try:
        text = path.read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SettingsError(f"The secret key {path} cannot be read: {error.strerror}.") from None
    return parse_secret_key(text, str(path))


def make_key(data_dir: Path) -> bytes:
    """Makes and keeps a key; of two processes at once, both get the one that was first."""
    path = data_dir / FILE_NAME
    try:
        descriptor, scratch = tempfile.mkstemp(prefix=f".{FILE_NAME}-", dir=data_dir)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode() + "\n")
                file.flush()
                os.fsync(file.fileno())
            # A link appears whole or not at all, and never replaces a key that is there.
            with contextlib.suppress(FileExistsError):
                os.link(scratch, path)
        finally:
            Path(scratch).unlink()
        _sync(data_dir)
    except OSError as error:
        raise SettingsError(f"The secret key {path} cannot be made: {error.strerror}.") from None
    key = kept_key(data_dir)
    if key is None:
        raise SettingsError(f"The secret key {path} was removed while it was made: start again.")
    return key


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
