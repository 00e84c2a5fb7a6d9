"""Codes of an authenticator (RFC 6238, RFC 4226), recovery codes, and what a code is worth. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote, urlencode

from clearwindow.identity.second_factor.models import RecoveryCode, SecondFactor, TotpCode, Used, Verdict, Wrong

SECRET_BYTES: Final = 20
STEP_SECONDS: Final = 30
DIGITS: Final = 6
STEPS_OFF: Final = 1
"""How many steps the operator's clock may be ahead or behind."""
RECOVERY_CODES: Final = 10
RECOVERY_BYTES: Final = 10
_RECOVERY_LENGTH: Final = 16
_RECOVERY_GROUP: Final = 4
_LONGEST_CODE: Final = 64

FREE_FAILURES: Final = 4
"""So many wrong codes in a row lock nothing; the next one does."""
FIRST_LOCK: Final = timedelta(minutes=15)
LONGEST_LOCK: Final = timedelta(hours=24)
_MOST_DOUBLINGS: Final = 7


def step_of(moment: datetime) -> int:
    """Returns the number of the step of 30 seconds that a moment is in."""
    return int(moment.timestamp()) // STEP_SECONDS


def totp(secret: bytes, step: int, digits: int = DIGITS) -> str:
    """Returns the code of a step: RFC 6238 with SHA-1, which every authenticator knows."""
    digest = hmac.new(secret, step.to_bytes(8, "big"), hashlib.sha1).digest()
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return str(number % 10**digits).zfill(digits)


def secret_text(secret: bytes) -> str:
    """Returns the secret as it is typed into an authenticator: base32 without padding."""
    return base64.b32encode(secret).decode().rstrip("=")


def otpauth_address(secret: bytes, operator_name: str, issuer: str) -> str:
    """Returns what an authenticator reads from a QR code."""
    asked = urlencode({"secret": secret_text(secret), "issuer": issuer}, quote_via=quote)
    return f"otpauth://totp/{quote(issuer, safe='')}:{quote(operator_name, safe='')}?{asked}"


def recovery_code(random: bytes) -> str:
    """Returns a recovery code of 80 random bits, in groups of four."""
    text = base64.b32encode(random).decode()
    return "-".join(text[start : start + _RECOVERY_GROUP] for start in range(0, len(text), _RECOVERY_GROUP))


def recovery_sha256(code: str) -> bytes:
    """Returns the hash that is stored. A code has 80 random bits, so that nobody finds it by its hash."""
    return hashlib.sha256(_plain(code).encode()).digest()


def judge(code: str, secret: bytes, factor: SecondFactor, now: datetime) -> Verdict:
    """Returns what a code is worth. How long that takes does not depend on which characters are right.

    Args:
        code: as it was sent: spaces and hyphens do not count, nor do small letters.
        secret: of the authenticator.
        factor: says which codes are used up.
        now: the real time, which authenticators show codes for.
    """
    if len(code) > _LONGEST_CODE or not code.isascii():
        return Wrong()
    plain = _plain(code)
    if len(plain) == _RECOVERY_LENGTH:
        return _judge_recovery(plain, factor.recovery_sha256)
    present = step_of(now)
    steps = range(max(0, present - STEPS_OFF), present + STEPS_OFF + 1)
    fitting = [step for step in steps if _equal(plain, totp(secret, step))]
    fresh = [step for step in fitting if step > factor.last_step]
    if fresh:
        # Two steps may have the same code: it is used up for both.
        return TotpCode(fresh[-1])
    return Used() if fitting else Wrong()


def failures_after(factor: SecondFactor, now: datetime) -> tuple[int, datetime | None]:
    """Returns the number of wrong codes in a row after one more, and until when no further one is looked at.

    Each wrong code beyond the free ones locks twice as long as the one before it, and never for longer than a day:
    a thief with a token can guess a few codes a day, and cannot shut the operator out for good.
    """
    failures = factor.failures + 1
    if failures <= FREE_FAILURES:
        return failures, None
    doublings = min(failures - FREE_FAILURES - 1, _MOST_DOUBLINGS)
    return failures, now + min(FIRST_LOCK * 2**doublings, LONGEST_LOCK)


def is_locked(factor: SecondFactor, now: datetime) -> bool:
    return factor.locked_until is not None and now < factor.locked_until


def _judge_recovery(plain: str, known: Sequence[bytes]) -> Verdict:
    given = recovery_sha256(plain)
    # All are compared, so that the time does not tell which one it was.
    fitting = [sha256 for sha256 in known if hmac.compare_digest(sha256, given)]
    return RecoveryCode(fitting[0]) if fitting else Wrong()


def _plain(code: str) -> str:
    return code.replace(" ", "").replace("-", "").upper()


def _equal(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode(), right.encode())
