"""The SDK signs with keys from any source and with any signer, and the server accepts the result."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearwindow.client import (
    AsyncClient,
    Client,
    HttpOptions,
    IntentOptions,
    InvalidRequestError,
    KeySigner,
    Partner,
    SigningError,
    new_xprv,
)
from clearwindow.client.signing import unsigned_request
from clearwindow.client.text import quantity_text, query, segment, time_text
from clearwindow.core.strict_json import parse_json
from clearwindow.signing.message import sign_message, verify_message
from clearwindow.signing.payload import match_payload
from tests.client.contract import ContractServer
from tests.client.operations import AT, ID
from tests.support.operators import make_key

KEY = make_key()
URL = "http://server.test"
NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
amounts = (
    st.integers(-(10**78), 10**78)
    | st.decimals(allow_nan=False, allow_infinity=False, places=18, min_value=-(10**9), max_value=10**9)
    | texts
)


@given(
    external_id=texts.filter(bool),
    notes=st.none() | texts,
    nonce=texts.filter(bool),
    given_amounts=st.dictionaries(texts, st.dictionaries(texts, amounts, max_size=4), max_size=4),
    pairs=st.booleans(),
    cutoff_at=st.datetimes(datetime(1971, 1, 1), datetime(9000, 1, 1), timezones=st.timezones()),  # noqa: DTZ001
)
def test_signed_fields_match_their_payload_on_the_server(**asked: Any) -> None:  # noqa: ANN401 - any value that a signer may return
    """Compares the sent bytes as the server does."""
    sent: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(request)
        return httpx2.Response(400, json={"error": "seen"})

    options = HttpOptions(verify=False)
    signer = KeySigner(KEY.xprv)
    with Partner(
        URL, "t", "a b/ü", signer=signer, options=options, transport=httpx2.MockTransport(answer)
    ) as partner:
        settled = asked.pop("given_amounts")
        if asked.pop("pairs"):
            settled = {"source": settled}
        with pytest.raises(Exception, match="seen"):
            partner.settlements.create(settlement_amounts=settled, **asked)
    body = parse_json(sent[0].content)
    assert isinstance(body, dict)
    payload, signature = body["payload"], body["signature"]
    assert isinstance(payload, str)
    assert isinstance(signature, str)
    match_payload(payload, body, {"enterpriseId": "a b/ü"})
    assert verify_message([KEY.public_key], payload, signature) == KEY.public_key
    said = json.loads(payload)
    assert said["externalId"] == asked["external_id"]
    assert said["nonce"] == asked["nonce"]


def test_key_is_read_from_text_file_or_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "aster.key"
    path.write_text(f"{KEY.xprv}\n")
    monkeypatch.setenv("CLEARWINDOW_XPRV", KEY.xprv)
    monkeypatch.setenv("ANOTHER", f" {KEY.xprv} ")
    signers = [
        KeySigner(KEY.xprv),
        KeySigner.from_file(path),
        KeySigner.from_environment(),
        KeySigner.from_environment("ANOTHER"),
    ]
    assert {signer('{"a":1}') for signer in signers} == {sign_message(KEY, '{"a":1}')}
    assert {signer.xpub for signer in signers} == {KEY.xpub}
    assert KEY.xprv not in repr(signers)


def test_each_new_key_is_different() -> None:
    first, second = KeySigner(new_xprv()), KeySigner(new_xprv())
    assert first.xpub.startswith("xpub")
    assert first.xpub != second.xpub


def test_invalid_key_is_refused_and_not_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLEARWINDOW_XPRV", raising=False)
    wrong = KEY.xprv[:-1] + "1"
    broken = tmp_path / "key"
    broken.write_bytes(KEY.xprv.encode() + b"\xff")
    makers: list[Callable[[], KeySigner]] = [
        lambda: KeySigner(wrong),
        lambda: KeySigner(KEY.xpub),
        KeySigner.from_environment,
        lambda: KeySigner.from_file(tmp_path / "no such file"),
        lambda: KeySigner.from_file(broken),
    ]
    for make in makers:
        with pytest.raises(SigningError) as refused:
            make()
        assert KEY.xprv[:-1] not in f"{refused.value}{refused.value.__cause__}"


def test_any_callable_may_sign(server: ContractServer) -> None:
    asked: list[str] = []

    def remote(payload: str) -> str:
        asked.append(payload)
        return sign_message(KEY, payload)

    options, transport = IntentOptions(clock=lambda: NOW), httpx2.MockTransport(server)
    with Client(URL, "t", "aster", signer=remote, intent=options, transport=transport) as client:
        client.disputes.close(ID, notes="n", nonce="fixed")
    purpose = f'"operation":"dispute.close","enterpriseId":"aster","disputeId":"{ID}"'
    assert asked == [f'{{"notes":"n","nonce":"fixed",{purpose},"expiresAt":"2026-01-05T12:10:00.000Z"}}']


def test_payloads_say_what_they_are_for_as_long_as_wanted_or_not_at_all(server: ContractServer) -> None:
    with pytest.raises(ValueError, match="30 days"):
        IntentOptions(valid_for=timedelta(days=30, seconds=1))
    with pytest.raises(ValueError, match="above 0"):
        IntentOptions(valid_for=timedelta(0))
    cold = IntentOptions(valid_for=timedelta(days=30), clock=lambda: NOW)
    for intent in (cold, IntentOptions(write=False)):
        signer, transport = KeySigner(KEY.xprv), httpx2.MockTransport(server)
        with Client(URL, "t", "aster", signer=signer, intent=intent, transport=transport) as client:
            client.disputes.close(ID, notes="n", nonce="fixed")
    first, second = (json.loads(json.loads(request.content)["payload"]) for request in server.requests)
    assert first["expiresAt"] == "2026-02-04T12:00:00.000Z"
    assert second == {"notes": "n", "nonce": "fixed"}


def test_expired_text_is_signed_once_more_by_the_servers_clock() -> None:
    sent: list[Any] = []
    ahead = NOW + timedelta(days=3)

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(json.loads(json.loads(request.content)["payload"]))
        details = {"now": "2026-01-08T12:00:00.000Z", "expiresAt": sent[-1]["expiresAt"]}
        return httpx2.Response(400, json={"error": "expired", "name": "intent_expired", "details": details})

    options = IntentOptions(clock=lambda: NOW)
    signer = KeySigner(KEY.xprv)
    with Client(URL, "t", "a", signer=signer, intent=options, transport=httpx2.MockTransport(answer)) as client:
        for _ in range(2):
            with pytest.raises(InvalidRequestError):
                client.disputes.close(ID, notes="n", nonce="fixed")
    moments = [datetime.fromisoformat(payload["expiresAt"]) for payload in sent]
    # The clock is known from the first refusal on, and a second one is not answered by another text.
    minutes = timedelta(minutes=10)
    assert moments[:3] == [NOW + minutes, ahead + minutes, ahead + minutes]
    assert all({**payload, "expiresAt": ""} == {**sent[0], "expiresAt": ""} for payload in sent)


@pytest.mark.anyio
async def test_coroutine_or_blocking_function_may_sign(server: ContractServer) -> None:
    async def remote(payload: str) -> str:
        return sign_message(KEY, payload)

    class Module:
        async def __call__(self, payload: str) -> str:
            return sign_message(KEY, payload)

    def blocking(payload: str) -> str:
        return sign_message(KEY, payload)

    for signer in (remote, Module(), blocking, KeySigner(KEY.xprv)):
        options, transport = IntentOptions(clock=lambda: NOW), httpx2.MockTransport(server)
        async with AsyncClient(URL, "t", "a", signer=signer, intent=options, transport=transport) as client:
            await client.disputes.close(ID, notes="n", nonce="fixed")
    assert len({request.content for request in server.requests}) == 1


@pytest.mark.parametrize("given_signature", ["", "00", "G" * 130, "A" * 130, "27" + "0" * 128, None, 5, b"00"])
def test_invalid_signature_of_signer_is_refused_before_sending(
    given_signature: Any,  # noqa: ANN401 - any value that a signer may return
    server: ContractServer,
) -> None:
    with (
        Client(
            URL, "t", "aster", signer=lambda _: given_signature, transport=httpx2.MockTransport(server)
        ) as client,
        pytest.raises(SigningError, match="signer"),
    ):
        client.disputes.close(ID, notes="n")
    assert server.requests == []


def test_error_of_signer_is_raised(server: ContractServer) -> None:
    def locked(_payload: str) -> str:
        raise PermissionError("the module is locked")

    client = Client(URL, "t", "aster", signer=locked, transport=httpx2.MockTransport(server))
    with client, pytest.raises(PermissionError, match="locked"):
        client.disputes.close(ID, notes="n")


def test_nonce_is_new_unless_given(server: ContractServer) -> None:
    numbers = iter(["first", "second"])
    signer, transport = KeySigner(KEY.xprv), httpx2.MockTransport(server)
    with Client(URL, "t", "a", signer=signer, new_nonce=lambda: next(numbers), transport=transport) as client:
        for nonce in (None, "given", None):
            client.disputes.close(ID, notes="n", nonce=nonce)
    with Client(URL, "t", "a", signer=signer, transport=transport) as client:
        for _ in range(2):
            client.disputes.close(ID, notes="n")
    nonces = [json.loads(request.content)["nonce"] for request in server.requests]
    assert nonces[:3] == ["first", "given", "second"]
    assert len(set(nonces)) == 5


def test_fields_that_cannot_be_signed_are_refused_before_sending() -> None:
    for fields in ({"payload": "x"}, {"notes": "\ud800"}, {"a": float("nan")}, {"enterpriseId": "another"}):
        with pytest.raises(SigningError):
            unsigned_request(fields, {"enterpriseId": "aster"})
    assert unsigned_request({"enterpriseId": "aster"}, {"enterpriseId": "aster"}).payload


@pytest.mark.parametrize(
    ("quantity", "text"),
    [
        (10**77, "1" + "0" * 77),
        (-5, "-5"),
        (Decimal("1E+3"), "1000"),
        (Decimal("-0.000000000000000001"), "-0.000000000000000001"),
        ("007", "007"),
    ],
)
def test_amount_is_written_in_plain_digits(quantity: int | Decimal | str, text: str) -> None:
    assert quantity_text(quantity) == text


@pytest.mark.parametrize("quantity", [1.5, True, None, Decimal("NaN"), Decimal("Infinity")])
def test_float_amount_is_refused(quantity: Any) -> None:  # noqa: ANN401 - what a caller may try
    with pytest.raises((TypeError, ValueError), match="amount"):
        quantity_text(quantity)


def test_time_without_zone_is_refused() -> None:
    assert time_text(AT) == "2026-01-05T12:00:00.000Z"
    there = datetime(2026, 1, 5, 13, 0, 0, 1999, tzinfo=timezone(timedelta(hours=1)))
    assert time_text(there) == "2026-01-05T12:00:00.001Z"
    with pytest.raises(ValueError, match="zone"):
        time_text(AT.replace(tzinfo=None))


def test_id_is_quoted_as_one_path_segment() -> None:
    assert segment("desk@aster") == "desk@aster"
    assert segment("../x?y#z%2F") == "..%2Fx%3Fy%23z%252F"
    for wrong in ("", ".", ".."):
        with pytest.raises(ValueError, match="empty"):
            segment(wrong)


def test_filters_become_query_parameters() -> None:
    filters = {"names": ["a,b"], "ids": [UUID(int=0), "x"], "active": False, "created_before": AT, "page_size": 5}
    assert query({**filters, "closed": None}) == (
        ("names", "a,b"),
        ("names", "a,b"),
        ("ids", "00000000-0000-0000-0000-000000000000"),
        ("ids", "x"),
        ("active", "false"),
        ("createdBefore", "2026-01-05T12:00:00.000Z"),
        ("pageSize", "5"),
    )
    with pytest.raises(ValueError, match="ids is empty"):
        query({"ids": []})


@pytest.fixture
def server() -> ContractServer:
    return ContractServer()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
