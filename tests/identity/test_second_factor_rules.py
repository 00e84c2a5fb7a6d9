"""Codes by RFC 6238 and 4226, and what a code is worth. No database."""

from __future__ import annotations

import string
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearwindow.identity.second_factor import rules
from clearwindow.identity.second_factor.models import RecoveryCode, SecondFactor, TotpCode, Used, Verdict, Wrong

SECRET: Final = b"12345678901234567890"
"""The secret of the vectors of both RFCs."""
NOW: Final = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
STEP: Final = rules.step_of(NOW)
ID: Final = UUID("7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39")


def factor(
    *, last_step: int = 0, failures: int = 0, recovery: tuple[str, ...] = (), locked_until: datetime | None = None
) -> SecondFactor:
    hashes = [rules.recovery_sha256(code) for code in recovery]
    return SecondFactor(ID, ID, b"", hashes, last_step, failures, locked_until, NOW, NOW)


def judge(code: str, of: SecondFactor, now: datetime = NOW) -> Verdict:
    return rules.judge(code, SECRET, of, now)


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_codes_are_those_of_rfc_6238(seconds: int, code: str) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    assert rules.totp(SECRET, rules.step_of(moment), digits=8) == code
    assert rules.totp(SECRET, rules.step_of(moment)) == code[2:]


def test_codes_are_those_of_rfc_4226() -> None:
    known = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"]
    assert [rules.totp(SECRET, counter) for counter in range(10)] == known


@pytest.mark.parametrize("steps_off", [-1, 0, 1])
def test_a_clock_off_by_thirty_seconds_is_accepted(steps_off: int) -> None:
    assert judge(rules.totp(SECRET, STEP + steps_off), factor()) == TotpCode(STEP + steps_off)


@pytest.mark.parametrize("steps_off", [-20, -3, -2, 2, 3, 20])
def test_a_clock_off_by_a_minute_is_refused(steps_off: int) -> None:
    assert judge(rules.totp(SECRET, STEP + steps_off), factor()) == Wrong()


def test_a_code_and_those_before_it_are_used_up() -> None:
    used = factor(last_step=STEP)
    assert judge(rules.totp(SECRET, STEP), used) == Used()
    assert judge(rules.totp(SECRET, STEP - 1), used) == Used()
    assert judge(rules.totp(SECRET, STEP + 1), used) == TotpCode(STEP + 1)


def test_spaces_hyphens_and_small_letters_do_not_count() -> None:
    code = rules.totp(SECRET, STEP)
    assert judge(f" {code[:3]} {code[3:]}", factor()) == TotpCode(STEP)
    recovery = rules.recovery_code(bytes(range(rules.RECOVERY_BYTES)))
    accepted = RecoveryCode(rules.recovery_sha256(recovery))
    for written in (recovery, recovery.lower(), recovery.replace("-", ""), recovery.replace("-", " ")):
        assert judge(written, factor(recovery=(recovery,))) == accepted


def test_only_unused_recovery_codes_are_right() -> None:
    first, second = (rules.recovery_code(bytes([number] * rules.RECOVERY_BYTES)) for number in (1, 2))
    assert judge(second, factor(recovery=(first,))) == Wrong()
    assert judge(first, factor(recovery=(second, first))) == RecoveryCode(rules.recovery_sha256(first))


@pytest.mark.parametrize(
    "text", ["", " ", "12345", "1234567", "x" * 64, "1" * 30_000, "१२३४५६", "abc\x00de", "-" * 16]
)
def test_other_texts_are_wrong(text: str) -> None:
    assert judge(text, factor(recovery=("AAAA-AAAA-AAAA-AAAA",))) == Wrong()


@given(code=st.text(string.digits, min_size=6, max_size=6), last=st.integers(-3, 3), off=st.integers(0, 29))
def test_a_code_is_accepted_only_if_it_is_one_of_three_and_new(code: str, last: int, off: int) -> None:
    now = NOW + timedelta(seconds=off)
    verdict = judge(code, factor(last_step=STEP + last), now)
    fresh = [step for step in (STEP - 1, STEP, STEP + 1) if rules.totp(SECRET, step) == code and step > STEP + last]
    assert isinstance(verdict, TotpCode) is bool(fresh)


def test_locks_double_and_end() -> None:
    minutes = []
    for failures in range(16):
        counted, until = rules.failures_after(factor(failures=failures), NOW)
        assert counted == failures + 1
        minutes.append(None if until is None else (until - NOW).total_seconds() / 60)
    assert minutes[:4] == [None] * 4
    assert minutes[4:12] == [15, 30, 60, 120, 240, 480, 960, 1440]
    assert set(minutes[12:]) == {1440}
    assert rules.failures_after(factor(failures=2_000_000_000), NOW)[1] == NOW + timedelta(days=1)


def test_a_lock_ends_at_its_time() -> None:
    until = NOW + timedelta(minutes=15)
    assert rules.is_locked(factor(locked_until=until), until - timedelta(milliseconds=1))
    assert not rules.is_locked(factor(locked_until=until), until)
    assert not rules.is_locked(factor(), NOW)


@pytest.mark.parametrize("name", ["ada", "Ada & co?/#:%", "оператор"])
def test_address_says_whose_secret_it_is(name: str) -> None:
    address = urlsplit(rules.otpauth_address(SECRET, name, "Clearwindow"))
    assert (address.scheme, address.netloc) == ("otpauth", "totp")
    assert unquote(address.path) == f"/Clearwindow:{name}"
    assert parse_qs(address.query) == {
        "secret": ["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"],
        "issuer": ["Clearwindow"],
    }
