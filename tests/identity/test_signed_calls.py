"""Tokens that are kept back and sign each call, and the codes on the answers."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

import httpx2
import pytest
from structlog.testing import capture_logs

from clearwindow.clock import ManualClock
from clearwindow.http.app import create_app
from clearwindow.http.limits import CallerLimits
from clearwindow.routers import MIDDLEWARES, ROUTERS
from clearwindow.runtime import Limits, Runtime
from tests.support.http import loopback_client
from tests.support.networks import TIMEOUT_SECONDS, Network, ok
from tests.support.operators import READ, OperatorClient
from tests.support.server import serving
from tests.support.signed_calls import SignedCaller, name_of

PARTNERS = "/api/network/v1/enterprises/acme/partners"
LATE = "auth_timestamp_outside_window"
Caller = Callable[..., SignedCaller]


@pytest.fixture
def caller(operator: OperatorClient) -> Caller:
    operator.enterprise("acme")

    def make(version: str = "3.0", **terms: object) -> SignedCaller:
        return SignedCaller(operator.base_url, operator.user_token("acme", "ada", kind="v2x", **terms), version)

    return make


def test_a_v2x_token_has_the_form_that_the_fields_sdk_knows(operator: OperatorClient, caller: Caller) -> None:
    token = caller().token
    assert token.startswith("v2x")
    assert len(token) == 67
    made = operator.token("acme", "ada", kind="v2x")
    assert made["kind"] == "v2x"
    plain = operator.token("acme", "ada", kind="bearer")
    assert "kind" not in plain
    assert not plain["value"].startswith("v2x")
    assert len(plain["value"]) != 67
    refused = operator.post("/enterprises/acme/tokens", {"userId": "ada", "scopes": [READ], "kind": "v3x"})
    assert (refused.status_code, name_of(refused)) == (400, "request_invalid")
    assert token not in str(operator.audit_log())


def test_the_token_itself_is_nowhere_in_the_database(caller: Caller, runtime: Runtime) -> None:
    token = caller().token
    with runtime.transaction() as tx:
        rows = tx.records("SELECT * FROM access_token WHERE kind = 'v2x'")
    assert rows
    assert token.encode() not in b"".join(str(row).encode() for row in rows)
    assert all(token.encode() not in bytes(row["sealed_secret"]) for row in rows)  # type: ignore[call-overload]


@pytest.mark.parametrize("version", ["2.0", "3.0"])
def test_signed_calls_are_answered_and_the_answers_signed(
    operator: OperatorClient, caller: Caller, version: str
) -> None:
    signed = caller(version)
    for address, body in (
        (PARTNERS, None),
        (f"{PARTNERS}?pageSize=10&names=a%20b,c&x", None),
        (PARTNERS, {"names": ["é", "日本"], "pageSize": 3}),
    ):
        answer = signed.get(address, body)
        assert answer.status_code in {200, 400}, answer.text
        assert signed.is_signed(answer, address)
    operator.go_account("acme")
    made = signed.post("/api/network/v1/enterprises/acme/clients", {})
    assert ok(made)["client"]["enterpriseId"] == "acme"
    assert signed.is_signed(made, "/api/network/v1/enterprises/acme/clients")
    # What is signed is the address as it is sent, not what it means.
    assert signed.get(f"{PARTNERS}?", None).status_code == 401
    escaped = PARTNERS.replace("partners", "%70artners")
    assert signed.is_signed(signed.get(escaped), escaped)


@pytest.mark.parametrize("version", ["2.0", "3.0"])
def test_errors_behind_the_signature_are_signed_too(caller: Caller, version: str) -> None:
    signed = caller(version, scopes=[READ])
    for method, address, content, expected in (
        ("GET", "/nowhere", b"", (404, "no_such_path")),
        ("DELETE", PARTNERS, b"", (405, "method_not_allowed")),
        ("GET", PARTNERS, b"{", (400, "body_not_json")),
        ("POST", PARTNERS, b"{}", (403, "scope_missing")),
        ("GET", PARTNERS.replace("acme", "beta"), b"", (401, "not_a_member")),
        ("GET", "/api/operator/v1/currencies", b"", (401, "not_an_operator")),
    ):
        answer = signed.send(method, address, content)
        assert (answer.status_code, name_of(answer)) == expected
        assert signed.is_signed(answer, address)
        assert answer.json()["requestId"] == answer.headers["X-Request-Id"]


def test_a_defect_behind_the_signature_is_a_signed_500(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    signed = caller()

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("clearwindow.network.partnering.list_partners", fail)
    with capture_logs() as logged:
        answer = signed.get(PARTNERS)
    assert (answer.status_code, name_of(answer)) == (500, "internal_error")
    assert any(line["event"] == "defect" for line in logged)
    assert signed.is_signed(answer, PARTNERS)
    assert "ZeroDivision" not in answer.text


@pytest.mark.parametrize("version", ["2.0", "3.0"])
def test_whatever_is_changed_after_signing_is_refused(caller: Caller, version: str) -> None:
    signed = caller(version)
    now = str(int(time.time() * 1000) + 1)
    other = caller(version).token
    code = SignedCaller("", other).token
    for change in (
        {"Auth-Timestamp": now},
        {"HMAC": "0" * 64},
        {"HMAC": ""},
        {"HMAC": "é".encode().decode("latin-1")},
        {"HMAC": code},
        {"BitGo-Auth-Version": "2.0" if version == "3.0" else "3.0"},
    ):
        refused = signed.send("GET", PARTNERS, b"{}", changed=change)
        assert (refused.status_code, name_of(refused)) == (401, "hmac_invalid"), change
        assert "HMAC" not in refused.headers
    with loopback_client(base_url=signed.base_url, timeout=TIMEOUT_SECONDS) as client:
        good = signed.send("GET", PARTNERS, b"{}").request.headers
        for method, address, content in (
            ("GET", PARTNERS, b"{ }"),
            ("GET", PARTNERS, b""),
            ("GET", f"{PARTNERS}?pageSize=1", b"{}"),
            ("GET", PARTNERS.replace("acme", "beta"), b"{}"),
        ):
            headers = {name: value for name, value in good.items() if name != "content-length"}
            refused = client.request(method, address, content=content, headers=headers)
            assert (refused.status_code, name_of(refused)) == (401, "hmac_invalid"), (method, address, content)


def test_version_3_covers_the_method_and_version_2_does_not(caller: Caller) -> None:
    for version, name in (("3.0", "hmac_invalid"), ("2.0", "request_invalid")):
        signed = caller(version)
        headers = signed.send("GET", PARTNERS, b"{}").request.headers
        with loopback_client(base_url=signed.base_url, timeout=TIMEOUT_SECONDS) as client:
            assert name_of(client.request("POST", PARTNERS, content=b"{}", headers=dict(headers))) == name


def test_a_call_counts_for_minutes_only(caller: Caller, clock: ManualClock) -> None:
    signed = caller()
    # It is the world's time that counts; the network's own may stand wherever the sandbox has moved it.
    clock.advance(minutes=100_000)
    for off, expected in ((-280, None), (280, None), (-320, LATE), (320, LATE)):
        answer = signed.send("GET", PARTNERS, at=time.time() + off)
        assert name_of(answer) == expected, off
    for bad in (None, "", "now", "-1", "1e3", "9" * 15, "³"):
        refused = signed.send("GET", PARTNERS, changed={"Auth-Timestamp": bad})
        assert refused.status_code == 401, bad
        assert name_of(refused).startswith("auth_timestamp"), bad


def test_an_unknown_version_and_an_ambiguous_address_are_refused(caller: Caller) -> None:
    signed = caller()
    for bad in (None, "", "1.0", "4.0", "3"):
        refused = signed.send("GET", PARTNERS, changed={"BitGo-Auth-Version": bad})
        assert (refused.status_code, name_of(refused)) == (401, "auth_version_unknown"), bad
    refused = raw_get(signed, f"{PARTNERS}?names=a|b")
    assert (refused.status_code, name_of(refused)) == (401, "address_ambiguous")


def raw_get(signed: SignedCaller, address: str) -> httpx2.Response:
    """With the address as it is: the client would escape it."""
    url = httpx2.URL(signed.base_url).copy_with(raw_path=address.encode())
    headers = dict(signed.send("GET", PARTNERS).request.headers)
    with loopback_client(timeout=TIMEOUT_SECONDS) as client:
        return client.get(url, headers=headers)


def test_a_v2x_token_that_is_shown_is_refused_with_the_reason(caller: Caller) -> None:
    signed = caller()
    shown = {"Authorization": f"Bearer {signed.token}"}
    for headers in (shown, shown | {"HMAC": "0" * 64}):
        with loopback_client(base_url=signed.base_url, timeout=TIMEOUT_SECONDS) as client:
            refused = client.get(PARTNERS, headers=headers)
        assert (refused.status_code, name_of(refused)) == (401, "token_shown")
        assert "HMAC" in refused.json()["error"]
    # Its hash alone proves nothing.
    for missing in ("HMAC", "Authorization"):
        assert signed.send("GET", PARTNERS, changed={missing: None}).status_code == 401


def test_the_hash_of_a_bearer_token_signs_nothing(operator: OperatorClient, caller: Caller) -> None:
    caller()
    plain = SignedCaller(operator.base_url, operator.user_token("acme", "ada"))
    assert name_of(plain.get(PARTNERS)) == "token_invalid"


def test_a_v2x_token_ends_like_every_other(caller: Caller, operator: OperatorClient, clock: ManualClock) -> None:
    expiring = caller(expiresAt="2026-01-05T12:01:00.000Z")
    made = operator.token("acme", "ada", kind="v2x")
    revoked = SignedCaller(operator.base_url, made["value"])
    elsewhere = caller(ipAllowList=["192.0.2.0/24"])
    assert ok(expiring.get(PARTNERS)) == ok(revoked.get(PARTNERS)) == {"partners": []}
    operator.delete(f"/tokens/{made['id']}")
    operator.delete(f"/tokens/{made['id']}")
    clock.advance(minutes=1)
    unknown = SignedCaller(operator.base_url, "v2x" + "0" * 64)
    for caller_ in (expiring, revoked, unknown):
        assert name_of(caller_.get(PARTNERS)) == "token_invalid"
    assert name_of(elsewhere.get(PARTNERS)) == "token_address_refused"


def test_large_bodies_are_signed_and_bounded(
    network: Network, caller: Caller, runtime: Runtime, served_app: tuple[object, str]
) -> None:
    signed = caller()
    large = b'{"pageSize": 1, "names": ["' + b"x" * 12_000_000 + b'"]}'
    answer = signed.send("GET", PARTNERS, large)
    assert ok(answer) == {"partners": []}
    assert signed.is_signed(answer, PARTNERS)
    served_app[0].state.runtime = replace(runtime, limits=Limits(body_bytes=1000))  # type: ignore[attr-defined]
    refused = signed.send("GET", PARTNERS, large)
    assert (refused.status_code, name_of(refused)) == (413, "body_too_large")
    assert network.operator.base_url == signed.base_url


def test_a_body_is_not_read_for_a_token_that_is_not_known(base_url: str) -> None:
    """It says that a megabyte will come, and sends none of it."""
    unknown = SignedCaller(base_url, "v2x" + "0" * 64).send("GET", PARTNERS).request
    head = f"GET {PARTNERS} HTTP/1.1\r\nContent-Length: 1000000\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in unknown.headers.items() if name != "content-length")
    place = urlsplit(base_url)
    with socket.create_connection((place.hostname, place.port or 80), timeout=10) as connection:
        connection.sendall(head.encode() + b"\r\n")
        assert b" 401 " in connection.recv(65_536)


def test_signed_calls_have_the_limits_of_all_others(caller: Caller, runtime: Runtime) -> None:
    app = create_app(runtime, ROUTERS, CallerLimits(requests_per_minute=2), MIDDLEWARES)
    with serving(app) as url:
        signed = replace(caller(), base_url=url)
        answers = [signed.get(PARTNERS) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert [answer.headers["RateLimit-Remaining"] for answer in answers[:2]] == ["1", "0"]
        assert signed.is_signed(answers[1], PARTNERS)
        # Guesses count for the address, and are refused before they cost the database anything.
        guesses = [replace(signed, token=f"v2x{n:064x}").get(PARTNERS).status_code for n in range(3)]
        assert guesses == [401, 401, 429]
