"""The SDK handles failures of the connection and of the server."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from clearwindow.client import (
    ApiError,
    Client,
    HttpOptions,
    KeySigner,
    NoAnswerError,
    RateLimitedError,
    ServerError,
    UnexpectedAnswerError,
)
from tests.client.operations import ID
from tests.client.shapes import Shapes
from tests.support.faults import FaultServer, answer, cut, dripping, endless, half, misbehaving, silent
from tests.support.operators import make_key
from tests.support.ports import reserved_port

LONG_SECONDS = 60

ALLOCATION: dict[str, Any] = {
    "allocation": {
        "id": str(ID),
        "connectionId": str(ID),
        "amount": {"currency": "ofcbtc", "quantity": "1"},
        "clientExternalId": "a",
        "initiatedBy": "u",
        "createdAt": "2026-01-05T12:00:00.000Z",
        "updatedAt": "2026-01-05T12:00:00.000Z",
        "retriable": True,
        "reason": "the partner gave no answer",
        "status": "reserved",
    }
}
REFUSED = {"error": "not now", "name": "too_many_requests", "requestId": "r-1"}


def client_of(server: FaultServer, shapes: Shapes, **options: Any) -> Client:  # noqa: ANN401 - any option
    quick = {"first_wait_seconds": 0.01, "trust_env": False, "total_timeout_seconds": 20, **options}
    signer = KeySigner(make_key().xprv)
    return shapes.client(server.url, "the-token", "aster", signer=signer, options=HttpOptions(**quick))


def allocate(client: Client) -> str:
    made = client.allocations.allocate(ID, currency="ofcbtc", quantity=1, client_external_id="a")
    return str(made.status)


@pytest.mark.parametrize("fault", [cut, half(ALLOCATION), answer(500, "<html>oops</html>"), answer(503, REFUSED)])
def test_signed_request_is_repeated_with_the_same_bytes(fault: Any, shapes: Shapes) -> None:  # noqa: ANN401 - an act
    with misbehaving([fault, fault, answer(200, ALLOCATION)]) as server:
        assert allocate(client_of(server, shapes)) == "reserved"
    assert len(server.bodies) == 3
    assert len(set(server.bodies)) == 1
    assert json.loads(server.bodies[0])["signature"]


def test_request_without_key_is_not_repeated(shapes: Shapes) -> None:
    with misbehaving([cut, answer(200, {})]) as server:
        with pytest.raises(NoAnswerError) as lost:
            client_of(server, shapes).register()
        assert lost.value.may_have_been_carried_out
        assert lost.value.attempts == 1
    assert len(server.bodies) == 1
    with misbehaving([answer(502, "bad gateway"), answer(200, {})]) as server:
        with pytest.raises(ServerError) as refused:
            client_of(server, shapes).register()
        assert (refused.value.status, refused.value.name, refused.value.error) == (
            502,
            None,
            "the server answered 502 without a reason",
        )
    assert len(server.bodies) == 1


def test_rate_limited_request_is_repeated_after_retry_after(shapes: Shapes) -> None:
    least = dict.fromkeys(("id", "enterpriseId", "trustOrg", "walletId"), "1")
    made = {"client": least | dict.fromkeys(("createdAt", "updatedAt"), "2026-01-05T12:00:00.000Z")}
    with misbehaving([answer(429, REFUSED, {"Retry-After": "1"}), answer(200, made)]) as server:
        assert client_of(server, shapes).register().wallet_id == "1"
    assert server.at_seconds[1] - server.at_seconds[0] >= 1


def test_too_long_retry_after_fails_at_once(shapes: Shapes) -> None:
    refused = answer(429, REFUSED, {"Retry-After": "3600"})
    with misbehaving([refused, answer(200, ALLOCATION)]) as server, pytest.raises(RateLimitedError) as limited:
        allocate(client_of(server, shapes))
    assert (limited.value.retry_after_seconds, limited.value.name, limited.value.request_id) == (
        3600,
        "too_many_requests",
        "r-1",
    )
    assert len(server.bodies) == 1


def test_repeats_are_limited(shapes: Shapes) -> None:
    with misbehaving([cut] * 9) as server, pytest.raises(NoAnswerError) as lost:
        allocate(client_of(server, shapes, repeats=2))
    assert lost.value.attempts == len(server.bodies) == 3


@pytest.mark.parametrize("status", [500, 502])
def test_unanswered_allocation_is_sent_again_and_part_of_the_error(shapes: Shapes, status: int) -> None:
    unanswered = answer(status, ALLOCATION)
    with misbehaving([unanswered] * 3) as server, pytest.raises(ServerError) as refused:
        allocate(client_of(server, shapes, repeats=1))
    assert len(server.bodies) == 2
    assert refused.value.allocation is not None
    assert refused.value.allocation.retriable


def test_unreachable_server_raises_no_answer(shapes: Shapes) -> None:
    url = f"http://127.0.0.1:{reserved_port()}"
    client = shapes.client(url, "t", "aster", options=HttpOptions(first_wait_seconds=0.01, trust_env=False))
    with pytest.raises(NoAnswerError, match="it was never sent") as lost:
        client.register()
    assert (lost.value.may_have_been_carried_out, lost.value.attempts) == (False, 5)


def test_silent_server_times_out(shapes: Shapes) -> None:
    with misbehaving([silent(LONG_SECONDS)] * 3) as server:
        began = time.monotonic()
        with pytest.raises(NoAnswerError) as lost:
            client_of(server, shapes, read_timeout_seconds=0.2, repeats=1).balances()
        assert time.monotonic() - began < LONG_SECONDS / 2
    # A busy server may have read less: the client's connection ends before its turn.
    assert lost.value.attempts == 2
    assert len(server.bodies) <= 2


@pytest.mark.parametrize("fault", [silent(LONG_SECONDS), dripping(0.05)])
def test_call_ends_within_total_timeout(fault: Any, shapes: Shapes) -> None:  # noqa: ANN401 - an act
    with misbehaving([fault] * 20) as server:
        began = time.monotonic()
        with pytest.raises(NoAnswerError):
            client_of(server, shapes, total_timeout_seconds=0.5, repeats=20).balances()
        assert time.monotonic() - began < LONG_SECONDS / 2


def test_endless_answer_is_cut_off(shapes: Shapes) -> None:
    with misbehaving([endless]) as server, pytest.raises(UnexpectedAnswerError, match="1000000 bytes"):
        client_of(server, shapes, answer_bytes=1_000_000).balances()


def test_redirect_is_not_followed(shapes: Shapes) -> None:
    with misbehaving([]) as elsewhere, misbehaving([answer(307, "", {"Location": elsewhere.url})]) as server:
        with pytest.raises(UnexpectedAnswerError, match="Redirects are not followed"):
            allocate(client_of(server, shapes))
        assert elsewhere.bodies == []


@pytest.mark.parametrize("body", ["", "<html>", "[]", "{}", '{"clientId": 1}', "[" * 100_000, '{"balances": "x"}'])
def test_answer_of_unexpected_form_raises_unexpected_answer(body: str, shapes: Shapes) -> None:
    with misbehaving([answer(200, body, {"X-Request-Id": "r-2"})]) as server:
        with pytest.raises(UnexpectedAnswerError) as strange:
            client_of(server, shapes).balances()
        assert (strange.value.status, strange.value.request_id) == (200, "r-2")


def test_implausible_total_is_ignored(shapes: Shapes) -> None:
    with misbehaving([answer(200, {"connections": []}, {"X-Total-Count": "9" * 5_000})]) as server:
        assert client_of(server, shapes).connections.list().page().total is None


def test_refusal_of_any_form_raises_error_with_its_status(shapes: Shapes) -> None:
    for status, body in ((404, "[1]"), (418, {"error": 5, "details": 7}), (400, {"error": "no"}), (401, None)):
        with misbehaving([answer(status, body)]) as server, pytest.raises(ApiError) as refused:
            client_of(server, shapes).balances()
        assert refused.value.status == status
        assert refused.value.details == {}
        assert isinstance(refused.value.error, str)


def test_token_is_in_header_and_in_no_message(shapes: Shapes) -> None:
    with misbehaving([cut]) as server:
        client = client_of(server, shapes, repeats=0)
        with pytest.raises(NoAnswerError) as lost:
            client.balances()
    assert b"authorization: bearer the-token" in server.heads[0].lower()
    assert "the-token" not in f"{lost.value}{lost.value!r}{client!r}{vars(lost.value)}"


def test_retry_after_may_be_a_date(shapes: Shapes) -> None:
    past = datetime(2020, 1, 1, tzinfo=UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    with misbehaving([answer(503, REFUSED, {"Retry-After": past}), answer(200, ALLOCATION)]) as server:
        assert allocate(client_of(server, shapes)) == "reserved"


@pytest.mark.parametrize("url", ["", "server", "ftp://server", "http://", "http://a:b@server", "http://s/?x=1"])
def test_invalid_base_url_is_refused(url: str, shapes: Shapes) -> None:
    with pytest.raises(ValueError, match="base_url"):
        shapes.client(url, "t", "aster")


def test_base_url_may_have_a_path(shapes: Shapes) -> None:
    with misbehaving([answer(404, {"error": "no"})]) as server, pytest.raises(ApiError):
        client_of(FaultServer(f"{server.url}/network/"), shapes).connections.get("../x")
    assert server.heads[0].startswith(b"GET /network/api/network/v1/enterprises/aster/clients/connections/..%2Fx ")


def test_invalid_limits_are_refused() -> None:
    for wrong in ({"read_timeout_seconds": 0}, {"total_timeout_seconds": -1}, {"repeats": -1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            HttpOptions(**wrong)  # type: ignore[arg-type]  # all of them are numbers
