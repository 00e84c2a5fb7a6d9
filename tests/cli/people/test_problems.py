"""How commands end: what is told, and the exit code, whatever a server says."""

from __future__ import annotations

from typing import Any

import pytest

from clearwindow.cli.people.problems import end_of
from clearwindow.client import ApiError, NoAnswerError, SigningError, UnexpectedAnswerError

PROBLEM = {"entry": "amount", "problem": "must be a text"}


def told(status: int, **body: Any) -> tuple[str, int]:  # noqa: ANN401 - any answer of a server
    ends = end_of(ApiError(status, body, request_id="r-1"))
    assert ends is not None
    return str(ends), ends.code


@pytest.mark.parametrize(
    ("status", "code"), [(400, 1), (401, 1), (403, 1), (404, 1), (409, 1), (422, 1), (429, 1), (500, 3), (503, 3)]
)
def test_refusal_is_1_and_a_server_that_failed_is_3(status: int, code: int) -> None:
    said, ended = told(status, error="no", name="refused")
    assert said == f"no\n  ({status}: refused, request r-1)"
    assert ended == code


def test_other_errors_have_their_codes() -> None:
    errors = {
        NoAnswerError("away", may_have_been_carried_out=False, attempts=1): 3,
        UnexpectedAnswerError("a page of HTML", status=200, request_id=None): 3,
        SigningError("no key"): 2,
        ValueError("no moment"): 2,
        PermissionError(13, "Permission denied", "the file"): 1,
    }
    assert {error: getattr(end_of(error), "code", None) for error in errors} == errors
    assert str(end_of(PermissionError(13, "Permission denied", "the file"))) == "the file: Permission denied"
    assert end_of(ZeroDivisionError()) is None


def test_details_are_told_with_their_unit_and_the_only_problem_once() -> None:
    short = {"connectionId": "c", "currency": "ofcbtc", "shortfall": "5"}
    said, _ = told(422, error="too little", details={"shortfalls": [short]})
    assert "  shortfalls: connectionId c, currency ofcbtc, shortfall 5 base units\n" in said
    said, _ = told(400, error="amount: must be a text", details={"problems": [PROBLEM], "problemCount": 1})
    assert said == "amount: must be a text\n  (400request r-1)".replace("400request", "400: request")
    said, _ = told(400, error="x", details={"problems": [PROBLEM, PROBLEM], "problemCount": 2})
    assert said.count("entry amount, problem must be a text") == 2
    said, _ = told(400, error="x", details={"ids": list(range(1000))})
    assert said.endswith("  ids: 19\n  ids: … and 980 more\n  (400: request r-1)")


@pytest.mark.parametrize(
    "body",
    [
        {"error": "\x1b[2Jowned\r\n\u202e", "name": "\x07"},
        {"error": "x", "details": {"\x1b]0;t": {"\x9b": "\x1b"}}},
        {"error": ["x"], "name": {}, "details": []},
        {"details": {"problems": 7, "problemCount": "\x00"}},
        {"details": {"problems": None}},
    ],
)
def test_hostile_answer_moves_no_cursor_and_is_no_defect(body: dict[str, Any]) -> None:
    said, code = told(400, **body)
    assert code == 1
    assert all(each.isprintable() for line in said.split("\n") for each in line)
