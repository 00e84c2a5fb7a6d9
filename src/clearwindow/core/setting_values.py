"""The kinds of values that settings take, and what is wrong with others."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from clearwindow.core.text import is_email_address

MIN_OPERATOR_TOKEN_CHARACTERS: Final = 16

_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_PROXIES: Final = (
    "must be addresses or networks such as 10.0.0.1 or 10.0.0.0/8, separated by commas; or * for every address"
)
EMPTY: Final = "must not be empty"


def without_tilde(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError("begins with ~, and the home folder it means is not known") from None


def _one_line(path: Path) -> Path:
    # PostgreSQL writes the path as one line of its lock file, and reads it again.
    if {"\n", "\r"} & set(str(path)):
        raise ValueError("must not contain a line break")
    return path


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError(EMPTY)
    try:
        # A byte of the environment that is not UTF-8 becomes half a character.
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must be text in UTF-8") from None
    return text


def _not_blank_secret(secret: SecretStr) -> SecretStr:
    _not_blank(secret.get_secret_value())
    return secret


def _header_name(text: str) -> str:
    if not _HEADER_NAME.fullmatch(text):
        raise ValueError("must be a header's name: 1 to 64 letters, digits and hyphens")
    return text


def _email_address(text: str) -> str:
    if not is_email_address(text):
        raise ValueError("must be an e-mail address such as network@example.com")
    return text


def _proxies(text: str) -> str:
    if text.strip() == "*":
        return "*"
    for entry in text.split(","):
        try:
            # uvicorn takes what is neither for a name, which no caller ever has.
            _ = ipaddress.ip_network(entry.strip()) if "/" in entry else ipaddress.ip_address(entry.strip())
        except ValueError:
            raise ValueError(_PROXIES) from None
    return text


def _web_address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
        raise ValueError("must be an address such as http://127.0.0.1:4318, without a user")
    return text


Folder = Annotated[Path, AfterValidator(without_tilde), AfterValidator(_one_line)]
Text = Annotated[str, AfterValidator(_not_blank)]
EmailAddress = Annotated[str, AfterValidator(_email_address)]
Secret = Annotated[SecretStr, AfterValidator(_not_blank_secret)]
WebAddress = Annotated[str, AfterValidator(_not_blank), AfterValidator(_web_address)]
HeaderName = Annotated[str, AfterValidator(_header_name)]
Proxies = Annotated[str, AfterValidator(_proxies)]
OperatorToken = Annotated[SecretStr, Field(min_length=MIN_OPERATOR_TOKEN_CHARACTERS)]
