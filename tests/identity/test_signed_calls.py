"""v2x tokens sign each call and are never sent. Answers are signed too."""

from __future__ import annotations

import re
import socket
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit
from uuid import UUID, uuid5

import httpx2
import pytest
from fastapi.routing import APIRoute
from structlog.testing import capture_logs

from clearwindow.api.limits import CallerLimits
from clearwindow.core.clock import ManualClock
from clearwindow.runtime import Runtime
from clearwindow.web.app import create_app
from clearwindow.web.routers import ROUTERS
from tests.support.asgi import listening
from tests.support.http import loopback_client
from tests.support.networks import TIMEOUT_SECONDS, ok
from tests.support.operators import READ, WRITE, OperatorClient
from tests.support.server import serving
from tests.support.signed_calls import SignedCaller, name_of

PARTNERS = "/api/network/v1/enterprises/acme/partners"
LATE = "auth_timestamp_outside_window"
_NOBODY = UUID(int=0)
Caller = Callable[..., SignedCaller]


@pytest.fixture
def caller(operator: OperatorClient) -> Caller:
    operator.enterprise("acme")

    def make(version: str = "3.0", **terms: object) -> SignedCaller:
        return SignedCaller(operator.base_url, operator.user_token("acme", "ada", kind="v2x", **terms), version)

    return make


def test_v2x_token_has_the_form_that_bitgos_sdk_expects(operator: OperatorClient, caller: Caller) -> None:
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


def test_token_is_not_in_the_database_in_clear(caller: Caller, runtime: Runtime) -> None:
    token = caller().token
    with runtime.transaction() as tx:
        rows = tx.records("SELECT * FROM access_token WHERE kind = 'v2x'")
    assert rows
    assert token.encode() not in b"".join(str(row).encode() for row in rows)
    assert all(token.encode() not in bytes(row["sealed_secret"]) for row in rows)  # type: ignore[call-overload]


@pytest.mark.parametrize("version", ["2.0", "3.0"])
def test_signed_calls_get_signed_answers(operator: OperatorClient, caller: Caller, version: str) -> None:
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
    # The signature covers the address as it is sent, with its escapes.
    assert signed.get(f"{PARTNERS}?", None).status_code == 401
    escaped = PARTNERS.replace("partners", "%70artners")
    assert signed.is_signed(signed.get(escaped), escaped)


@pytest.mark.parametrize("version", ["2.0", "3.0"])
def test_errors_of_signed_calls_are_signed_too(caller: Caller, version: str) -> None:
    signed = caller(version, scopes=[READ])
    for method, address, content, expected in (
        ("GET", "/nowhere", b"", (404, "no_such_path")),
        ("PATCH", PARTNERS, b"", (405, "method_not_allowed")),
        ("GET", PARTNERS, b"{", (400, "body_not_json")),
        ("POST", PARTNERS, b"{}", (403, "scope_missing")),
        ("GET", PARTNERS.replace("acme", "beta"), b"", (401, "not_a_member")),
        ("GET", "/api/operator/v1/currencies", b"", (401, "not_an_operator")),
    ):
        answer = signed.send(method, address, content)
        assert (answer.status_code, name_of(answer)) == expected
        assert signed.is_signed(answer, address)
        assert answer.json()["requestId"] == answer.headers["X-Request-Id"]


def test_defect_in_a_signed_call_is_a_signed_500(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    signed = caller()

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("clearwindow.network.views.list_partners", fail)
    with capture_logs() as logged:
        answer = signed.get(PARTNERS)
    assert (answer.status_code, name_of(answer)) == (500, "internal_error")
    assert any(line["event"] == "defect" for line in logged)
    assert signed.is_signed(answer, PARTNERS)
    assert "ZeroDivision" not in answer.text


@pytest.mark.parametrize("version", ["2.0", "3.0"])
def test_any_change_after_signing_is_refused(caller: Caller, version: str) -> None:
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


def test_old_or_future_call_is_refused(caller: Caller, clock: ManualClock) -> None:
    signed = caller()
    # Real time counts, even if a sandbox has moved the network's clock.
    clock.advance(minutes=100_000)
    for off, expected in ((-280, None), (280, None), (-320, LATE), (320, LATE)):
        answer = signed.send("GET", PARTNERS, at=time.time() + off)
        assert name_of(answer) == expected, off
    for bad in (None, "", "now", "-1", "1e3", "9" * 15, "³"):
        refused = signed.send("GET", PARTNERS, changed={"Auth-Timestamp": bad})
        assert refused.status_code == 401, bad
        assert name_of(refused).startswith("auth_timestamp"), bad


def test_unknown_version_and_ambiguous_address_are_refused(caller: Caller) -> None:
    signed = caller()
    for bad in (None, "", "1.0", "4.0", "3"):
        refused = signed.send("GET", PARTNERS, changed={"BitGo-Auth-Version": bad})
        assert (refused.status_code, name_of(refused)) == (401, "auth_version_unknown"), bad
    refused = raw_get(signed, f"{PARTNERS}?names=a|b")
    assert (refused.status_code, name_of(refused)) == (401, "address_ambiguous")


def raw_get(signed: SignedCaller, address: str) -> httpx2.Response:
    """Sends the address as it is: the client would escape it."""
    url = httpx2.URL(signed.base_url).copy_with(raw_path=address.encode())
    headers = dict(signed.send("GET", PARTNERS).request.headers)
    with loopback_client(timeout=TIMEOUT_SECONDS) as client:
        return client.get(url, headers=headers)


def test_v2x_token_that_is_sent_is_refused_with_the_reason(caller: Caller) -> None:
    signed = caller()
    shown = {"Authorization": f"Bearer {signed.token}"}
    for headers in (shown, shown | {"HMAC": "0" * 64}):
        with loopback_client(base_url=signed.base_url, timeout=TIMEOUT_SECONDS) as client:
            refused = client.get(PARTNERS, headers=headers)
        assert (refused.status_code, name_of(refused)) == (401, "token_shown")
        assert "HMAC" in refused.json()["error"]
    # The hash without the HMAC proves nothing.
    for missing in ("HMAC", "Authorization"):
        assert signed.send("GET", PARTNERS, changed={missing: None}).status_code == 401


def test_bearer_token_cannot_sign_calls(operator: OperatorClient, caller: Caller) -> None:
    caller()
    plain = SignedCaller(operator.base_url, operator.user_token("acme", "ada"))
    assert name_of(plain.get(PARTNERS)) == "token_invalid"


def test_v2x_token_expires_and_is_revoked_like_a_bearer_token(
    caller: Caller, operator: OperatorClient, clock: ManualClock
) -> None:
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


def test_large_bodies_are_signed_and_bounded(caller: Caller) -> None:
    signed = caller()
    answer = signed.send("GET", PARTNERS, b'{"pageSize": 1}' + b" " * 200_000)
    assert ok(answer) == {"partners": []}
    assert signed.is_signed(answer, PARTNERS)
    large = b'{"settlementAmounts": "' + b"x" * 2_000_000 + b'"}'
    for address, expected in (
        (PARTNERS, (413, "body_too_large")),
        (f"{PARTNERS}/settlements", (413, "body_too_large")),
        (f"{PARTNERS}/settlements-signing", (400, "request_invalid")),
    ):
        refused = signed.send("GET", address, large)
        assert (refused.status_code, name_of(refused)) == expected, address


def test_large_signed_body_is_read_only_if_the_token_may_send_it(caller: Caller) -> None:
    large = b'{"settlementAmounts": "' + b"x" * 2_000_000 + b'"}'
    for scopes, expected in (((READ, WRITE), (400, "request_invalid")), ((READ,), (413, "body_too_large"))):
        refused = caller(scopes=scopes).send("POST", f"{PARTNERS}/settlements", large)
        assert (refused.status_code, name_of(refused)) == expected
    small = caller(scopes=(READ,)).send("POST", f"{PARTNERS}/settlements", b"{}")
    assert (small.status_code, name_of(small)) == (403, "scope_missing")


def test_body_is_not_read_for_an_unknown_token(base_url: str) -> None:
    """The request announces a megabyte and sends nothing."""
    unknown = SignedCaller(base_url, "v2x" + "0" * 64).send("GET", PARTNERS).request
    head = f"GET {PARTNERS} HTTP/1.1\r\nContent-Length: 1000000\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in unknown.headers.items() if name != "content-length")
    place = urlsplit(base_url)
    with socket.create_connection((place.hostname, place.port or 80), timeout=60) as connection:
        connection.sendall(head.encode() + b"\r\n")
        assert b" 401 " in connection.recv(65_536)


def test_signed_calls_have_the_same_limits_as_others(caller: Caller, runtime: Runtime) -> None:
    app = create_app(runtime, ROUTERS, CallerLimits(requests_per_minute=2))
    with serving(app) as url:
        signed = replace(caller(), base_url=url)
        answers = [signed.get(PARTNERS) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert [answer.headers["RateLimit-Remaining"] for answer in answers[:2]] == ["1", "0"]
        assert signed.is_signed(answers[1], PARTNERS)
        # Guesses count for the address.
        guesses = [replace(signed, token=f"v2x{n:064x}").get(PARTNERS).status_code for n in range(3)]
        assert guesses == [401, 401, 429]


def test_wrong_hmacs_never_use_up_the_limit_of_the_tokens_holder(caller: Caller, runtime: Runtime) -> None:
    app = create_app(runtime, ROUTERS, CallerLimits(requests_per_minute=3))
    # Our document has no refused health checks.
    with listening(app) as url:
        holder = replace(caller(), base_url=url)
        first = holder.get(PARTNERS)
        assert (first.status_code, first.headers["RateLimit-Remaining"]) == (200, "2")
        # He has seen the token's hash in the holder's calls. Health checks are no way round the limit.
        wrong = {"HMAC": "0" * 64}
        answers = [holder.send("GET", path, changed=wrong) for path in (PARTNERS, "/healthz", PARTNERS) * 2]
        assert [answer.status_code for answer in answers] == [401] * 3 + [429] * 3
        assert "from your address" in answers[-1].json()["error"]
        assert [answer.headers.get("RateLimit-Remaining") for answer in answers] == ["2", "1", "0"] + [None] * 3
        # The holder has the same address, which has nothing left.
        again = [holder.get(PARTNERS) for _ in range(3)]
        assert [answer.status_code for answer in again] == [200, 200, 429]
        assert [answer.headers.get("RateLimit-Remaining") for answer in again] == ["1", "0", None]
        assert "with this token" in again[-1].json()["error"]


def test_hmac_of_version_2_does_not_serve_for_another_method(caller: Caller) -> None:
    """What was sent to read is sent again, within its five minutes, to write at the same address."""
    signed = caller("2.0")
    endpoints = "/api/network/v1/enterprises/acme/webhook-endpoints"
    made = signed.post(endpoints, {"url": "https://hooks.example/x"})
    path = f"{endpoints}/{ok(made)['webhookEndpoint']['id']}"
    before = ok(signed.get(path))
    paths = {path: {"GET", "PATCH", "DELETE"}} | methods_of_members()
    for address, methods in paths.items():
        for body in (b"", b"{}", b'{"pageSize":1}'):
            code = signed.send("GET", address, body).request.headers
            with loopback_client(base_url=signed.base_url, timeout=TIMEOUT_SECONDS) as client:
                for method in methods - {"GET"}:
                    headers = {name: value for name, value in code.items() if name != "content-length"}
                    answer = client.request(method, address, content=body, headers=headers)
                    changed_nothing = method == "PATCH" and answer.status_code == 200
                    assert changed_nothing or 400 <= answer.status_code < 500, (method, address, body, answer.text)
    assert ok(signed.get(path)) == before
    refused = signed.send("DELETE", path)
    assert (refused.status_code, name_of(refused)) == (401, "auth_version_too_old")
    assert replace(signed, version="3.0").send("DELETE", path).status_code == 204


def methods_of_members() -> dict[str, set[str]]:
    """Returns the addresses of members that have several methods. Signing helpers change nothing with any."""
    found: dict[str, set[str]] = defaultdict(set)
    for router in ROUTERS:
        for route in router.routes:
            if isinstance(route, APIRoute) and "{enterprise_id}" in route.path and "signing" not in route.path:
                address = re.sub(
                    r"\{[a-z_]+\}", str(uuid5(_NOBODY, route.path)), route.path.replace("{enterprise_id}", "acme")
                )
                found[address] |= route.methods or set()
    return {address: methods for address, methods in found.items() if len(methods) > 1}


def test_version_2_can_be_turned_off(caller: Caller, runtime: Runtime) -> None:
    app = create_app(runtime, ROUTERS, CallerLimits(signed_version_2=False))
    with serving(app) as url:
        refused = replace(caller("2.0"), base_url=url).get(PARTNERS)
        assert (refused.status_code, name_of(refused)) == (401, "auth_version_too_old")
        assert replace(caller("3.0"), base_url=url).get(PARTNERS).status_code == 200
