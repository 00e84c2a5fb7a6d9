"""The log's line of a request names its caller, and nothing that the caller sent."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
import structlog
from structlog.testing import capture_logs
from structlog.typing import EventDict

from tests.conftest import OPERATOR_TOKEN
from tests.support.http import loopback_client
from tests.support.networks import Network
from tests.support.operators import READ, OperatorClient
from tests.support.signed_calls import SignedCaller

PARTNERS = "/api/network/v1/enterprises/acme/partners"
CALLER = ("enterprise_id", "user_id", "operator_id", "token_id", "role")
Line = EventDict
PATIENCE_SECONDS = 60


@contextmanager
def logged() -> Iterator[Sequence[Line]]:
    with capture_logs([structlog.contextvars.merge_contextvars]) as lines:
        yield lines


def lines_of(answers: Sequence[httpx2.Response], lines: Sequence[Line]) -> list[Line]:
    """Returns the line of each answer.

    A line is written after its answer was sent. So the log may still lack it, or have one of an earlier request.
    """
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while True:
        by_id = {line["request_id"]: line for line in lines if line["event"] == "request"}
        ids = [answer.headers["X-Request-Id"] for answer in answers]
        if set(ids) <= by_id.keys():
            return [by_id[each] for each in ids]
        assert time.monotonic() < give_up_at, f"the log lacks a request of {ids}, it has {sorted(by_id)}"
        time.sleep(0.005)


def caller_of(line: Line) -> dict[str, Any]:
    return {name: line[name] for name in CALLER if name in line}


def ask(base_url: str, token: str, path: str, method: str = "GET") -> tuple[httpx2.Response, Line]:
    """Returns the answer, and what the log says of the request."""
    with logged() as lines, loopback_client(base_url=base_url, timeout=60) as client:
        answer = client.request(method, path, headers={"Authorization": f"Bearer {token}"})
        (line,) = lines_of([answer], lines)
    return answer, line


def test_line_names_the_member(base_url: str, operator: OperatorClient) -> None:
    operator.enterprise("acme")
    operator.user("acme", "ada")
    token = operator.token("acme", "ada", role="viewer")
    ada = {"enterprise_id": "acme", "user_id": "ada", "token_id": token["id"]}
    answer, line = ask(base_url, token["value"], PARTNERS)
    assert answer.status_code == 200
    assert caller_of(line) == {**ada, "role": "viewer"}
    # What is refused names the caller, too.
    answer, line = ask(base_url, token["value"], "/api/network/v1/enterprises/acme/clients", "POST")
    assert (answer.status_code, caller_of(line)) == (403, {**ada, "role": "viewer"})
    answer, line = ask(base_url, token["value"], PARTNERS.replace("acme", "beta"))
    assert (answer.status_code, caller_of(line)) == (401, ada)
    answer, line = ask(base_url, token["value"], "/api/network/v1/whoami")
    # Every role may ask who it is, so that its role is not looked at.
    assert (answer.status_code, caller_of(line)) == (200, ada)


def test_line_names_the_operator(base_url: str, operator: OperatorClient) -> None:
    made = operator.operator("grace", role="viewer")
    value = operator.operator_token(made["id"])
    answer, line = ask(base_url, value, "/api/operator/v1/currencies")
    assert answer.status_code == 200
    tokens = operator.get("/tokens").json()["tokens"]
    (token_id,) = [token["id"] for token in tokens if token.get("operatorId") == made["id"]]
    assert caller_of(line) == {"operator_id": made["id"], "token_id": token_id, "role": "viewer"}
    # The token of the settings has no id.
    answer, line = ask(base_url, OPERATOR_TOKEN, "/api/operator/v1/currencies")
    assert (answer.status_code, line["role"], "token_id" in line) == (200, "administrator", False)


def test_line_of_a_signed_call_names_the_caller_only_if_the_code_is_right(
    base_url: str, operator: OperatorClient
) -> None:
    operator.enterprise("acme")
    operator.user("acme", "ada")
    token = operator.token("acme", "ada", kind="v2x")
    signed = SignedCaller(base_url, token["value"])
    with logged() as lines:
        answers = [signed.get(PARTNERS), signed.send("GET", PARTNERS, changed={"HMAC": "0" * 64})]
        right, wrong = lines_of(answers, lines)
    assert [answer.status_code for answer in answers] == [200, 401]
    assert (right["token_id"], right["enterprise_id"], right["user_id"]) == (token["id"], "acme", "ada")
    assert caller_of(wrong) == {}


def test_unknown_token_is_nobodys(base_url: str) -> None:
    answer, line = ask(base_url, "cwt_unknown", PARTNERS)
    assert (answer.status_code, caller_of(line)) == (401, {})


def test_log_has_no_secret_of_header_query_or_body(
    base_url: str, network: Network, operator: OperatorClient, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "hunter2-is-secret"
    caplog.set_level(logging.DEBUG)
    partner = network.partner()
    operator.enterprise("acme")
    token = operator.user_token("acme", scopes=[READ])
    answers: list[httpx2.Response] = []
    with logged() as lines:
        headers = {"Authorization": f"Bearer {token}", "Cookie": secret, "X-Signature": secret}
        with loopback_client(base_url=base_url, timeout=60) as client:
            for method, query, content in (
                ("GET", f"?names={secret}", b""),
                ("GET", f"?{secret}={token}", b""),
                ("GET", f"?cursor={secret}", b""),
                ("POST", "", json.dumps({"payload": secret, "signature": secret}).encode()),
                ("POST", f"?signature={secret}", f"{{{secret}".encode()),
            ):
                answers.append(client.request(method, PARTNERS + query, headers=headers, content=content))
                assert answers[-1].status_code < 500, answers[-1].text
            answers.append(client.get(PARTNERS, headers={"Authorization": f"Bearer {secret}"}))
            answers.append(client.get(f"/{secret}", headers={"Authorization": secret}))
        # A body with a signature, of a member who may send it.
        body = {"payload": secret, "signature": secret, "externalId": secret}
        answers.append(partner.api.post("/partners/settlements", body, version=2))
        assert answers[-1].status_code == 400
        lines_of(answers, lines)
    # The client of this test logs what it sends. The web server's own access log is off in a server.
    ours = [record for record in caplog.records if not record.name.startswith(("http", "uvicorn.access"))]
    written = json.dumps(lines, default=str) + "\n".join(record.getMessage() for record in ours)
    assert secret not in written
    assert token not in written
