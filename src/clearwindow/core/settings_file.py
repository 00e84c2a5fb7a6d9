"""Reads a file of ``NAME=value`` lines. Nothing in a value is special: ``$`` and ``#`` mean themselves."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_NAME: Final = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)")
_QUOTES: Final = ("'", '"')


class SettingsFileError(ValueError):
    """The file cannot be used. The message is the end of a sentence that begins with the file's name."""


def read_settings_file(path: Path) -> dict[str, str]:
    """Returns the values by name. If a name stands in several lines, the last one counts.

    Raises:
        SettingsFileError: it is no file, cannot be read, or has another line. The message never quotes a value.
    """
    try:
        if path.is_dir():
            raise SettingsFileError("is a folder")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise SettingsFileError(f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsFileError("is not text in UTF-8") from None
    values = {}
    for number, line in enumerate(text.split("\n"), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        name, is_assignment, value = stripped.partition("=")
        named = _NAME.fullmatch(name.strip())
        if not is_assignment or named is None:
            raise SettingsFileError(f"has no NAME=value in line {number}")
        values[named[1]] = _without_quotes(value.strip())
    return values


def _without_quotes(value: str) -> str:
    is_quoted = len(value) > 1 and value[0] in _QUOTES and value[0] == value[-1]
    return value[1:-1] if is_quoted else value
