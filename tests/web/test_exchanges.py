"""The validation of exchanges reports wrong answers of a server."""

from __future__ import annotations

import json
from uuid import uuid4

import httpx2
import pytest
from fastapi import APIRouter, Response

from clearwindow.web.app import create_app
from tests.support.descriptions import Answer
from tests.support.exchanges import RECORDER, Recorder, check_response
from tests.support.server import serving

PATH = "/api/network/v1/enterprises/acme/clients"
PARTNERS = "/api/network/v1/enterprises/acme/partners"
CLIENT = {
    "id": str(uuid4()),
    "enterpriseId": "acme",
    "trustOrg": "BitGo Trust",
    "walletId": "0" * 32,
    "createdAt": "2026-01-05T12:00:00.000Z",
    "updatedAt": "2026-01-05T12:00:00.000Z",
}


def answer(status: int, body: object, *, method: str = "POST", path: str = PATH, **headers: str) -> Answer:
    given = {"content-type": "application/json", "x-request-id": str(uuid4()), **headers}
    if isinstance(body, dict) and body.get("requestId") == "its own":
        body = {**body, "requestId": given["x-request-id"]}
    return Answer(method, path, status, given, json.dumps(body).encode())


def problem(name: str) -> dict[str, str]:
    return {
        "error": "there is a reason",
        "name": name,
        "requestId": "its own",
        "documentation": f"/docs/errors#{name}",
    }


PROBLEM = problem("go_account_missing")
RIGHT = [
    answer(200, {"client": CLIENT}),
    answer(400, PROBLEM),
    answer(404, {}, path="/nowhere"),
    answer(405, {}, method="PATCH"),
    answer(429, problem("rate_limited"), **{"retry-after": "3"}),
    answer(200, {"status": "ok"}, method="GET", path="/healthz"),
]
WRONG = {
    "a field too many": answer(200, {"client": {**CLIENT, "secret": "x"}}),
    "a field too few": answer(200, {"client": {name: CLIENT[name] for name in CLIENT if name != "walletId"}}),
    "no uuid": answer(200, {"client": {**CLIENT, "id": "x"}}),
    "no time": answer(200, {"client": {**CLIENT, "createdAt": "yesterday"}}),
    "no trust of the list": answer(200, {"client": {**CLIENT, "trustOrg": "Mine"}}),
    "null": answer(200, {"client": {**CLIENT, "walletId": None}}),
    "not an object": answer(200, []),
    "an unlisted success": answer(201, {"client": CLIENT}),
    "an unlisted refusal": answer(418, PROBLEM),
    "a refusal only others list": answer(404, PROBLEM),
    "no name": answer(400, {**PROBLEM, "name": "A Name"}),
    "no sentence": answer(400, {**PROBLEM, "error": ""}),
    "another request's id": answer(400, {**PROBLEM, "requestId": str(uuid4())}),
    "no request id": answer(200, {"client": CLIENT}, **{"x-request-id": ""}),
    "no Retry-After": answer(429, problem("rate_limited")),
    "an error of another operation": answer(400, problem("nonce_used")),
    "an error of another status": answer(400, problem("token_missing")),
    "an error that is registered nowhere": answer(400, problem("a_reason")),
    "no link to the error": answer(400, {name: PROBLEM[name] for name in PROBLEM if name != "documentation"}),
    "a link to another error": answer(400, {**PROBLEM, "documentation": "/docs/errors#nonce_used"}),
    "no JSON": answer(200, {"client": CLIENT}, **{"content-type": "text/html"}),
    "no such operation": answer(200, {}, path="/api/network/v1/enterprises/acme/secrets"),
    "not of our own": answer(200, {"status": "fine", "more": 1}, method="GET", path="/healthz"),
}


def recorded(*answers: Answer) -> Recorder:
    recorder = Recorder()
    for each in answers:
        recorder.record(each)
    return recorder


def test_correct_answers_pass_and_are_counted() -> None:
    recorder = recorded(*RIGHT)
    assert recorder.tally.mismatches == []
    assert (recorder.tally.by_contract, recorder.tally.by_own) == (3, 4)
    recorder.raise_new_mismatches()


@pytest.mark.parametrize("case", WRONG)
def test_wrong_answer_is_reported(case: str) -> None:
    recorder = recorded(WRONG[case])
    assert len(recorder.tally.mismatches) == 1
    with pytest.raises(AssertionError, match=WRONG[case].path):
        recorder.raise_new_mismatches()
    recorder.raise_new_mismatches()


def test_answers_to_every_caller_are_validated() -> None:
    wrong = APIRouter()

    @wrong.get("/healthz")
    def healthz() -> Response:
        return Response('{"status": "ok", "secret": 1}', media_type="application/json")

    app = create_app(None, [wrong])  # type: ignore[arg-type]  # never asked
    recorder = Recorder()
    with serving(app, recorder) as url:
        response = httpx2.get(f"{url}/healthz", trust_env=False)
    assert len(recorder.tally.mismatches) == 1
    assert "secret" in recorder.tally.mismatches[0]
    # A client of ours in the same process does not count it again, one elsewhere does.
    recorder.record(Answer("GET", "/healthz", 200, response.headers, response.content))
    assert recorder.tally.by_own == 1


def test_hook_of_a_client_raises_in_the_line_of_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.support.exchanges.RECORDER", Recorder())
    request = httpx2.Request("GET", "http://here/healthz")
    headers = {"X-Request-Id": str(uuid4()), "Content-Type": "application/json"}
    check_response(httpx2.Response(200, headers=headers, content=b'{"status": "ok"}', request=request))
    headers = headers | {"X-Request-Id": str(uuid4())}
    with pytest.raises(AssertionError, match="/healthz answered 200"):
        check_response(httpx2.Response(200, headers=headers, content=b"{}", request=request))
    assert RECORDER.tally.mismatches == []
