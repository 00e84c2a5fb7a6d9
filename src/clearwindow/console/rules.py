"""Decides whether a session is in force and whether a form is of our own page. Pure. Protocol §2."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from clearwindow.console.models import Session
from clearwindow.core.errors import NotAuthenticatedError, PermissionDeniedError
from clearwindow.identity.models import Actor, Operator

PREFIX: Final = "/console"
SIGN_IN: Final = f"{PREFIX}/sign-in"
MEMBERS_ONLY_HEADER: Final = "Clearwindow-Console"
"""A proxy that members reach adds it, whatever its value: operators have no session there."""
COOKIE: Final = "clearwindow-console"
SECURE_COOKIE: Final = f"__Host-{COOKIE}"
LINK_LASTS: Final = timedelta(minutes=5)
SEEN_WITHIN: Final = timedelta(minutes=1)
"""Being seen is written at most this often: a page does not cost a write."""

_VALUE_BYTES: Final = 32
_LONGEST_VALUE: Final = 64
_FORM: Final = b"clearwindow console form"
_OURS: Final = frozenset({"same-origin"})


def new_value() -> str:
    """Returns the random value of a new session."""
    return secrets.token_urlsafe(_VALUE_BYTES)


def value_sha256(value: str) -> bytes:
    """Returns the hash that is stored. A value has 256 random bits, so nobody can find it by its hash."""
    return hashlib.sha256(value.encode("utf-8", "surrogateescape")).digest()


def settings_proof(value: str, token_sha256: bytes) -> bytes:
    """Returns what ties a session to the token of the settings, without the hash of that token."""
    return hmac.digest(token_sha256, value.encode("utf-8", "surrogateescape"), "sha256")


def form_token(value: str) -> str:
    """Returns what each form of a session carries. Another site cannot read it."""
    return urlsafe_b64encode(hmac.digest(value.encode("utf-8", "surrogateescape"), _FORM, "sha256")).decode()


def cookie_name(scheme: str) -> str:
    """Returns the cookie's name. Over TLS, browsers guard it against other hosts of the domain by its prefix."""
    return SECURE_COOKIE if scheme == "https" else COOKIE


def possible_value(value: str | None) -> str | None:
    """Returns the text if it can be a session's value."""
    return value if value and len(value) <= _LONGEST_VALUE and value.isascii() else None


def is_over(session: Session, now: datetime, *, idle: timedelta, longest: timedelta) -> bool:
    """Returns whether the session has ended by time."""
    return now - session.seen_at >= idle or now - session.created_at >= longest


def needs_note(session: Session, now: datetime) -> bool:
    """Returns whether it must be written that the user is there."""
    return now - session.seen_at >= SEEN_WITHIN


def link_over() -> NotAuthenticatedError:
    return NotAuthenticatedError(
        "link_over", "the link was used already, is older than five minutes, or was never made: have a new one made"
    )


def session_over() -> NotAuthenticatedError:
    return NotAuthenticatedError("session_over", "your session of the console has ended: sign in again")


def require_own_page(site: str | None, origin: str | None, host: str | None) -> None:
    """Checks by the browser's own headers that a form was sent by a page of this server.

    Raises:
        PermissionDeniedError: another site sent it, or the browser does not say who did.
    """
    if site is not None and site not in _OURS:
        raise _foreign()
    if origin is None:
        if site is None:
            raise _foreign()
        return
    if not host or urlsplit(origin).netloc.lower() != host.lower():
        raise _foreign()


def require_admitted(actor: Actor, said: str | None) -> None:
    """Checks that the visitor may come this way. ``said`` is what the header of the proxy says.

    Raises:
        PermissionDeniedError: it is an operator, at a door for members alone.
    """
    if said is not None and isinstance(actor, Operator):
        raise PermissionDeniedError(
            "console_for_members", "operators do not sign in at this address: use the console inside, as its API"
        )


def require_form_token(given: str, value: str) -> None:
    """Checks that a form was made for this session.

    Raises:
        PermissionDeniedError: it was not.
    """
    if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), form_token(value).encode()):
        raise _foreign()


def own_path(path: str | None) -> str:
    """Returns where to go after signing in: a path of the console, never another server's."""
    if path is None or not path.startswith(f"{PREFIX}/") or path.startswith(SIGN_IN) or not path.isprintable():
        return PREFIX
    return PREFIX if "\\" in path or "//" in path else path


def _foreign() -> PermissionDeniedError:
    return PermissionDeniedError(
        "form_foreign", "the form is not of a page of your session: open the page again, and send it from there"
    )
