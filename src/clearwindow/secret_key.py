"""The deployment's secret key: from the settings, or made once and kept in the data folder.

It is never made a second time: what was encrypted with a lost key can never be read again. Only
``clearwindow secret rotate`` makes another one, beside it.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import secrets
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from clearwindow.core.vault import KEY_BYTES, Keys
from clearwindow.key_sources import key_text
from clearwindow.postgres.embedded.home import has_cluster, make_data_dir, sync_folder
from clearwindow.settings import Settings, SettingsError

FILE_NAME: Final = "secret.key"
NEXT_NAME: Final = "secret.key.next"
"""While a rotation runs: the key that everything is encrypted with anew."""
FORMER_NAME: Final = "secret.key.former"
"""After a rotation, until it is finished: the key from before."""
VARIABLE: Final = "CLEARWINDOW_SECRET_KEY"
OTHER_VARIABLE: Final = "CLEARWINDOW_OTHER_SECRET_KEY"
_HEX_CHARACTERS: Final = 2 * KEY_BYTES


def parse_secret_key(text: str, source: str) -> bytes:
    """Returns the key that is written as 64 hexadecimal characters or as base64.

    Raises:
        SettingsError: the text is neither. The message never quotes it.
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


def keys_of(settings: Settings) -> Keys:
    """Returns the keys of this deployment. The one of the data folder is made if there is no database yet.

    Raises:
        SettingsError: there is no key, or one cannot be read or is malformed.
    """
    given = _given(settings, "secret_key", VARIABLE)
    other = _given(settings, "other_secret_key", OTHER_VARIABLE)
    others = () if other is None else (other,)
    if given is not None:
        return lambda: (given, *others)
    if kept_key(settings.data_dir) is None:
        _make_first_key(settings)
    folder = FolderKeys(settings.data_dir)
    return lambda: (*folder(), *others)


def is_given(settings: Settings) -> bool:
    """Returns whether the settings give the key, so that it is not the one of the data folder."""
    return any((settings.secret_key, settings.secret_key_file, settings.secret_key_command))


def _given(settings: Settings, setting: str, variable: str) -> bytes | None:
    found = key_text(settings, setting, variable)
    return None if found is None else parse_secret_key(found.text, found.source)


def _make_first_key(settings: Settings) -> None:
    path = settings.data_dir / FILE_NAME
    if settings.database_url is not None:
        raise SettingsError(
            f"Set {VARIABLE}, or put the key into {path}. With a database by URL no key is made here, "
            "because it could be lost while the database remains. Stored connection keys cannot be read without "
            "it. `openssl rand -base64 32` makes a first key."
        )
    if has_cluster(settings.data_dir):
        raise SettingsError(
            f"The data folder has a database but no {path}: restore the file, or set {VARIABLE}. "
            "A new key cannot read the stored connection keys."
        )
    try:
        folder = make_data_dir(settings.data_dir)
    except OSError as error:
        raise SettingsError(f"The data folder {settings.data_dir} cannot be made: {error.strerror}.") from None
    make_key(folder)


class FolderKeys:
    """The keys in the data folder as they are now, so that a running server takes part in a rotation."""

    def __init__(self, data_dir: Path, *, upcoming_first: bool = False) -> None:
        self._data_dir = data_dir
        self._upcoming_first = upcoming_first
        self._seen: tuple[tuple[object, ...], Sequence[bytes]] | None = None

    def __call__(self) -> Sequence[bytes]:
        stamps = tuple(map(self._stamp, (FILE_NAME, NEXT_NAME, FORMER_NAME)))
        seen = self._seen
        if seen is None or seen[0] != stamps:
            # In this order: a key that moves from one name to the next one is found under one of them.
            found = [kept_key(self._data_dir, name) for name in (NEXT_NAME, FILE_NAME, FORMER_NAME)]
            upcoming, current, former = found
            if current is None:
                raise SettingsError(f"The secret key {self._data_dir / FILE_NAME} was removed: restore the file.")
            order = (upcoming, current, former) if self._upcoming_first else (current, upcoming, former)
            keys = tuple(key for key in order if key is not None)
            seen = self._seen = (stamps, keys)
        return seen[1]

    def _stamp(self, name: str) -> tuple[int, int] | None:
        try:
            status = (self._data_dir / name).stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns


def kept_key(data_dir: Path, name: str = FILE_NAME) -> bytes | None:
    """Returns the key in the data folder, None if there is none.

    Raises:
        SettingsError: the file cannot be read or holds no key.
    """
    path = data_dir / name
    try:
        text = path.read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SettingsError(f"The secret key {path} cannot be read: {error.strerror}.") from None
    return parse_secret_key(text, str(path))


def make_key(data_dir: Path, name: str = FILE_NAME) -> bytes:
    """Makes a key and keeps it in the data folder. Two processes at the same time get the same key."""
    path = data_dir / name
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
        sync_folder(data_dir)
    except OSError as error:
        raise SettingsError(f"The secret key {path} cannot be made: {error.strerror}.") from None
    key = kept_key(data_dir, name)
    if key is None:
        raise SettingsError(f"The secret key {path} was removed while it was made: start again.")
    return key
