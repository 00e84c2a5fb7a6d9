"""Second factors of operators over HTTP: enrolled, confirmed, used for reviews, and removed. Protocol §2."""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import httpx2
import psycopg
import pytest
import structlog
from fastapi import FastAPI

from clearwindow.core.clock import ManualClock
from clearwindow.identity.second_factor import rules
from clearwindow.runtime import Runtime, SecondFactorTerms
from tests.conftest import START
from tests.support.networks import Json, ok
from tests.support.operators import OperatorClient
from tests.support.races import at_once

FACTOR: Final = "/operators/me/second-factor"
NOWHERE: Final = "/dispute-closures/7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39/review"
REVIEW: Final = {"decision": "approved", "notes": "seen"}
STEP_MINUTES: Final = rules.STEP_SECONDS / 60


def outcome(response: httpx2.Response) -> tuple[int, str]:
    return response.status_code, response.json()["name"]


PASSED: Final = (404, "closure_not_found")
"""The answer to a review of a closure that does not exist, once its code was accepted."""


@dataclass
class Person:
    """An operator with an authenticator."""

    api: OperatorClient
    id: str
    wall: ManualClock
    secret: bytes = b""
    recovery_codes: tuple[str, ...] = ()

    def code(self, steps: int = 0) -> str:
        return rules.totp(self.secret, rules.step_of(self.wall.now()) + steps)

    def wrong_code(self) -> str:
        """Returns six digits that are no code of the minutes around now."""
        near = {self.code(steps) for steps in range(-5, 6)}
        return next(text for text in (f"{number:06}" for number in range(20)) if text not in near)

    def next_code(self) -> str:
        """Waits until the authenticator shows a code that was not used."""
        self.wall.advance(minutes=STEP_MINUTES)
        return self.code()

    def enrol(self) -> str:
        made: Json = ok(self.api.post(FACTOR))["secondFactor"]
        text = made["secret"]
        self.secret = base64.b32decode(text)
        assert f"secret={text}" in made["otpauth"]
        return str(text)

    def confirm(self) -> None:
        confirmed = ok(self.api.post(f"{FACTOR}/confirm", {"code": self.code()}))["secondFactor"]
        self.recovery_codes = tuple(confirmed["recoveryCodes"])

    def state(self) -> Json:
        found: Json = ok(self.api.get(FACTOR))["secondFactor"]
        return found

    def review(self, code: str | None) -> tuple[int, str]:
        return outcome(self.api.post(NOWHERE, REVIEW, code=code))


@pytest.fixture
def wall() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def base_url(served_app: tuple[FastAPI, str], runtime: Runtime, wall: ManualClock) -> str:
    app, url = served_app
    app.state.runtime = replace(runtime, second_factor=SecondFactorTerms(wall=wall))
    return url


@pytest.fixture
def needed(served_app: tuple[FastAPI, str], base_url: str, runtime: Runtime, wall: ManualClock) -> str:
    """The setting says that approvals need a second factor."""
    app, _ = served_app
    app.state.runtime = replace(runtime, second_factor=SecondFactorTerms(required=True, wall=wall))
    return base_url


@pytest.fixture
def new(operator: OperatorClient, wall: ManualClock) -> Iterator[Person]:
    """An operator without a second factor."""
    record = operator.operator("ada")
    with OperatorClient(operator.base_url, operator.operator_token(record["id"])) as api:
        yield Person(api, record["id"], wall)


@pytest.fixture
def ada(new: Person) -> Person:
    """An operator with a confirmed second factor, whose authenticator shows a new code."""
    new.enrol()
    new.confirm()
    new.wall.advance(minutes=STEP_MINUTES)
    return new


def actions(operator: OperatorClient) -> list[str]:
    return [record["action"] for record in operator.audit_log() if record["action"].startswith("second_factor")]


def test_second_factor_is_enrolled_and_confirmed(new: Person, operator: OperatorClient) -> None:
    assert new.state() == {"status": "none", "required": False, "recoveryCodesLeft": 0}
    new.enrol()
    assert new.state()["status"] == "unconfirmed"
    assert new.review(None) == PASSED
    new.confirm()
    assert new.state() == {"status": "confirmed", "required": False, "recoveryCodesLeft": 10}
    assert len(set(new.recovery_codes)) == 10
    assert all(re.fullmatch(r"([A-Z2-7]{4}-){3}[A-Z2-7]{4}", code) for code in new.recovery_codes)
    assert new.review(None) == (403, "code_missing")
    assert actions(operator) == ["second_factor.confirmed", "second_factor.enrolled"]


def test_enrolling_again_replaces_only_what_is_not_confirmed(new: Person) -> None:
    first = new.enrol()
    old = new.code()
    assert new.enrol() != first
    assert outcome(new.api.post(f"{FACTOR}/confirm", {"code": old})) == (403, "code_wrong")
    new.confirm()
    assert outcome(new.api.post(FACTOR)) == (409, "second_factor_confirmed")
    again = new.api.post(f"{FACTOR}/confirm", {"code": new.next_code()})
    assert outcome(again) == (409, "second_factor_confirmed")


def test_nothing_is_confirmed_that_was_not_enrolled(new: Person) -> None:
    assert outcome(new.api.post(f"{FACTOR}/confirm", {"code": "123456"})) == (403, "second_factor_missing")
    for body in ({}, {"code": ""}, {"code": 123456}, {"code": "1" * 65}, {"code": None}, {"code": "1", "x": 1}):
        assert new.api.post(f"{FACTOR}/confirm", body).status_code == 400, body


def test_a_code_is_accepted_once(ada: Person) -> None:
    code = ada.code()
    assert ada.review(code) == PASSED
    assert ada.review(code) == (403, "code_used")
    assert ada.review(ada.code(-1)) == (403, "code_used")
    assert ada.review(ada.next_code()) == PASSED


def test_the_code_that_confirmed_serves_for_nothing_else(new: Person) -> None:
    new.enrol()
    new.confirm()
    assert new.review(new.code()) == (403, "code_used")


def test_two_requests_with_one_code_at_the_same_instant(ada: Person) -> None:
    for _ in range(5):
        answers = at_once([partial(ada.review, ada.next_code())] * 8)
        assert Counter(answers) == {PASSED: 1, (403, "code_used"): 7}


def test_a_clock_off_by_thirty_seconds_is_accepted_and_by_a_minute_is_not(ada: Person) -> None:
    ada.wall.advance(minutes=5)
    assert ada.review(ada.code(-2)) == (403, "code_wrong")
    assert ada.review(ada.code(2)) == (403, "code_wrong")
    assert ada.review(ada.code(-1)) == PASSED
    assert ada.review(ada.code(1)) == PASSED


def test_codes_follow_real_time_and_not_the_networks_clock(ada: Person, clock: ManualClock) -> None:
    clock.advance(minutes=60 * 24)
    assert ada.review(ada.code()) == PASSED


def test_a_recovery_code_serves_once(ada: Person, operator: OperatorClient) -> None:
    first, second = ada.recovery_codes[3], ada.recovery_codes[7].lower()
    assert ada.review(first) == PASSED
    assert ada.review(first) == (403, "code_wrong")
    assert ada.review(second) == PASSED
    assert ada.state()["recoveryCodesLeft"] == 8
    assert actions(operator)[:2] == ["second_factor.recovery_code_used"] * 2
    answers = at_once([partial(ada.review, ada.recovery_codes[0])] * 4)
    assert Counter(answers) == {PASSED: 1, (403, "code_wrong"): 3}


def test_wrong_codes_lock_for_a_time(ada: Person, operator: OperatorClient) -> None:
    wrong = ada.wrong_code()
    assert [ada.review(wrong) for _ in range(4)] == [(403, "code_wrong")] * 4
    assert ada.review(ada.code()) == PASSED, "a right code begins the count anew"
    wrong = ada.wrong_code()
    assert [ada.review(wrong) for _ in range(4)] == [(403, "code_wrong")] * 4
    locked = ada.api.post(NOWHERE, REVIEW, code=wrong)
    assert outcome(locked) == (429, "codes_locked")
    assert locked.headers["Retry-After"] == "900"
    assert ada.review(ada.next_code()) == (429, "codes_locked"), "a right code is not looked at"
    assert ada.review(ada.recovery_codes[0]) == (429, "codes_locked")
    assert ada.state()["lockedUntil"] == locked.json()["details"]["until"]
    assert actions(operator)[0] == "second_factor.locked"

    ada.wall.advance(minutes=15)
    assert "lockedUntil" not in ada.state()
    assert ada.api.post(NOWHERE, REVIEW, code=ada.wrong_code()).headers["Retry-After"] == "1800"
    ada.wall.advance(minutes=30)
    assert ada.review(ada.code()) == PASSED


def test_wrong_codes_at_the_same_instant_are_all_counted(ada: Person) -> None:
    answers = at_once([partial(ada.review, ada.wrong_code())] * 12)
    assert Counter(answers) == {(403, "code_wrong"): 4, (429, "codes_locked"): 8}


def test_wrong_codes_lock_while_a_second_factor_is_confirmed(new: Person) -> None:
    new.enrol()
    confirm = partial(new.api.post, f"{FACTOR}/confirm", {"code": new.wrong_code()})
    assert [outcome(confirm()) for _ in range(5)] == [(403, "code_wrong")] * 4 + [(429, "codes_locked")]
    new.enrol()
    assert outcome(new.api.post(f"{FACTOR}/confirm", {"code": new.code()})) == (429, "codes_locked")


def test_one_operators_wrong_codes_do_not_lock_another(ada: Person, operator: OperatorClient) -> None:
    for _ in range(6):
        ada.review(ada.wrong_code())
    with operator.another("grace") as grace:
        assert outcome(grace.post(NOWHERE, REVIEW, code="000000")) == PASSED


@pytest.mark.parametrize("code", ["", "1" * 20_000, "abcdef", "12 34 56 78", "' OR 1=1 --"])
def test_any_other_text_is_a_wrong_code(ada: Person, code: str) -> None:
    assert ada.review(code) == (403, "code_wrong")


def test_a_code_that_is_larger_than_a_head_is_refused(ada: Person) -> None:
    assert ada.review("1" * 200_000)[0] == 431
    assert ada.review(ada.code()) == PASSED


def test_a_malformed_request_uses_no_code_up(ada: Person) -> None:
    code = ada.code()
    assert ada.api.post(NOWHERE, {"decision": "maybe"}, code=code).status_code == 400
    assert ada.review(code) == PASSED


def test_the_setting_makes_everybody_need_a_second_factor(needed: str, new: Person) -> None:
    assert needed
    assert new.state()["required"] is True
    assert new.review(None) == (403, "second_factor_missing")
    assert new.review("123456") == (403, "second_factor_missing")
    new.enrol()
    assert new.review(new.code()) == (403, "second_factor_missing")
    new.confirm()
    assert new.review(new.next_code()) == PASSED


def test_a_program_neither_reviews_nor_handles_second_factors(ada: Person, operator: OperatorClient) -> None:
    program = operator.operator_token(ada.id, program=True)
    with OperatorClient(operator.base_url, program) as api:
        assert outcome(api.post(NOWHERE, REVIEW, code=ada.code())) == (403, "token_of_a_program")
        for refused in (
            api.post(FACTOR),
            api.post(f"{FACTOR}/confirm", {"code": ada.code()}),
            api.delete(FACTOR, code=ada.code()),
            api.delete(f"/operators/{ada.id}/second-factor", code=ada.code()),
            api.post(f"/operators/{ada.id}/tokens", {}),
        ):
            assert outcome(refused) == (403, "token_of_a_program")
        assert ok(api.get(FACTOR))["secondFactor"]["status"] == "confirmed"
    assert ada.review(ada.code()) == PASSED, "the program's attempts used no code up"


def test_a_token_says_whether_it_is_a_programs(operator: OperatorClient) -> None:
    made = operator.operator("ada")
    answers = [
        ok(operator.post(f"/operators/{made['id']}/tokens", terms))["token"].get("program")
        for terms in ({}, {"program": False}, {"program": True})
    ]
    assert answers == [None, None, True]
    for bad in ("true", 1, None):
        assert operator.post(f"/operators/{made['id']}/tokens", {"program": bad}).status_code == 400
    record = operator.audit_log(action="token.created")[0]
    assert record["details"]["program"] is True


def test_own_second_factor_is_removed_with_a_code_of_it(ada: Person, operator: OperatorClient) -> None:
    assert outcome(ada.api.delete(FACTOR)) == (403, "code_missing")
    assert outcome(ada.api.delete(FACTOR, code=ada.wrong_code())) == (403, "code_wrong")
    assert ada.api.delete(FACTOR, code=ada.code()).status_code == 204
    assert ada.api.delete(FACTOR).status_code == 204
    assert ada.state()["status"] == "none"
    assert actions(operator)[0] == "second_factor.removed"
    before = ada.recovery_codes
    ada.wall.advance(minutes=STEP_MINUTES)
    ada.enrol()
    ada.confirm()
    assert ada.review(before[0]) == (403, "code_wrong")


def test_unconfirmed_second_factor_is_removed_without_a_code(new: Person) -> None:
    new.enrol()
    assert new.api.delete(FACTOR).status_code == 204
    assert new.state()["status"] == "none"


def test_an_administrator_removes_a_lost_second_factor(ada: Person, operator: OperatorClient) -> None:
    path = f"/operators/{ada.id}/second-factor"
    with operator.another("grace") as grace:
        assert grace.delete(path).status_code == 204
        assert grace.delete(path).status_code == 204
        unknown = grace.delete("/operators/7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39/second-factor")
        assert outcome(unknown) == (404, "operator_unknown")
        assert outcome(grace.delete("/operators/x/second-factor")) == (404, "operator_unknown")
    assert ada.state()["status"] == "none"
    [removed] = operator.audit_log(action="second_factor.removed")
    assert (removed["subjectId"], removed["actorId"] == ada.id) == (ada.id, False)


def test_an_administrator_with_a_second_factor_needs_its_own_code(ada: Person, operator: OperatorClient) -> None:
    other = operator.operator("grace")
    path = f"/operators/{other['id']}/second-factor"
    assert outcome(ada.api.delete(path)) == (403, "code_missing")
    assert outcome(ada.api.delete(f"/operators/{ada.id}/second-factor")) == (403, "code_missing")
    assert ada.api.delete(path, code=ada.code()).status_code == 204
    assert ada.api.delete(f"/operators/{ada.id}/second-factor", code=ada.next_code()).status_code == 204
    assert ada.state()["status"] == "none"


def test_only_an_administrator_removes_the_second_factor_of_another(
    ada: Person, operator: OperatorClient, dsn: str
) -> None:
    with operator.another("grace") as grace:
        with psycopg.connect(dsn) as database:
            database.execute("UPDATE operator SET role = 'approver' WHERE name = 'grace'")
        refused = grace.delete(f"/operators/{ada.id}/second-factor")
        assert outcome(refused) == (403, "role_forbids")
    assert ada.state()["status"] == "confirmed"


def test_secrets_are_in_no_table_log_or_audit_record(
    new: Person, operator: OperatorClient, dsn: str, runtime: Runtime
) -> None:
    with structlog.testing.capture_logs() as logged:
        secret = new.enrol()
        new.confirm()
        code, wrong = new.next_code(), new.wrong_code()
        assert new.review(code) == PASSED
        assert new.review(new.recovery_codes[0]) == PASSED
        assert new.review(wrong) == (403, "code_wrong")
    with psycopg.connect(dsn) as database:
        rows = str(database.execute("SELECT * FROM second_factor").fetchall())
        [(factor_id, sealed)] = database.execute("SELECT id, sealed_secret FROM second_factor").fetchall()
    assert runtime.vault.decrypt(sealed, context=f"second-factor:{factor_id}") == new.secret
    for seen in (rows, str(logged), str(operator.audit_log()), str(operator.events())):
        for hidden in (
            secret,
            repr(new.secret),
            *new.recovery_codes,
            *(each.replace("-", "") for each in new.recovery_codes),
        ):
            assert hidden not in seen
        assert f"'{code}'" not in seen
        assert f"'{wrong}'" not in seen


def test_the_database_lets_no_code_be_used_again(ada: Person, dsn: str) -> None:
    assert ada.review(ada.recovery_codes[0]) == PASSED
    back = (
        "UPDATE second_factor SET last_step = last_step - 1",
        "UPDATE second_factor SET recovery_sha256 = recovery_sha256 || '\\x01'::bytea",
    )
    for statement in back:
        with psycopg.connect(dsn) as database, pytest.raises(psycopg.IntegrityError) as refused:
            database.execute(statement)
        assert refused.value.diag.constraint_name == "second_factor_code_once"


def test_members_have_no_second_factor(operator: OperatorClient) -> None:
    operator.enterprise("acme")
    with OperatorClient(operator.base_url, operator.user_token("acme")) as member:
        assert outcome(member.get(FACTOR)) == (401, "not_an_operator")
        assert outcome(member.post(NOWHERE, REVIEW, code="123456")) == (401, "not_an_operator")


def test_the_operator_of_the_settings_may_have_one_too(operator: OperatorClient, wall: ManualClock) -> None:
    bootstrap = Person(operator, "", wall)
    bootstrap.enrol()
    bootstrap.confirm()
    assert bootstrap.review(None) == (403, "code_missing")
    assert bootstrap.review(bootstrap.next_code()) == PASSED
