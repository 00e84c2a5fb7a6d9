"""What a payload says that it is for, decided on values. Protocol §11."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearwindow.core.errors import InvalidRequestError
from clearwindow.core.money import AmountUnit
from clearwindow.core.strict_json import parse_json
from clearwindow.signing.intent import path_ids_of, require_intent, require_signable, with_intent
from clearwindow.signing.models import Operation, SignedRequest
from clearwindow.signing.payload import PayloadMismatchError, match_payload, payload_text

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
IDS = {"enterpriseId": "aster", "connectionId": "c-1"}
FIELDS = {"nonce": "n-1", "amount": {"currency": "ofcbtc", "quantity": "1"}}
operations = st.sampled_from(list(Operation))


def request_of(payload: dict[str, object], operation: Operation = Operation.ALLOCATION) -> SignedRequest:
    text = payload_text(payload)
    body = parse_json(payload_text(FIELDS))
    assert isinstance(body, dict)
    return SignedRequest(operation, text, "", "n-1", body, IDS, match_payload(text, body, IDS))


def check(
    payload: dict[str, object],
    *,
    required: bool = False,
    unit: AmountUnit | None = AmountUnit.BASE,
    now: datetime | None = NOW,
) -> None:
    require_intent(request_of(payload), required=required, amount_unit=unit, now=now)


def refusal(payload: dict[str, object], *, required: bool = False, now: datetime | None = NOW) -> str:
    with pytest.raises(InvalidRequestError) as refused:
        check(payload, required=required, now=now)
    return refused.value.name


def test_payload_without_intent_passes_unless_it_is_required() -> None:
    check(dict(FIELDS))
    assert refusal(dict(FIELDS), required=True) == "intent_missing"


def test_complete_intent_passes() -> None:
    said = with_intent(FIELDS, Operation.ALLOCATION, IDS, NOW + timedelta(minutes=10), "base")
    check(said, required=True)
    assert json.loads(payload_text(said)) == {
        **FIELDS,
        **IDS,
        "operation": "allocation",
        "amountUnit": "base",
        "expiresAt": "2026-01-05T12:10:00.000Z",
    }


def test_unit_is_not_required_and_binds_only_where_there_are_amounts() -> None:
    check(with_intent(FIELDS, Operation.ALLOCATION, IDS, NOW + timedelta(minutes=10)), required=True)
    check({**FIELDS, "amountUnit": "decimal"}, unit=None)
    assert refusal({**FIELDS, "amountUnit": "decimal"}) == "intent_wrong"


@pytest.mark.parametrize("name", ["operation", "amountUnit", "expiresAt"])
@pytest.mark.parametrize(
    "value", ["", "Allocation", " allocation", "\uff41llocation", None, 1, True, [], {}, ["base"]]
)
def test_malformed_member_is_refused(name: str, value: object) -> None:
    assert refusal({**FIELDS, name: value}) == "intent_wrong"


@given(asked=operations, said=operations)
def test_another_operation_is_refused(asked: Operation, said: Operation) -> None:
    expires_at = NOW + timedelta(minutes=1)
    request = request_of(with_intent(FIELDS, said, IDS, expires_at), asked)
    if asked is said:
        require_intent(request, required=True, amount_unit=None, now=NOW)
        return
    with pytest.raises(InvalidRequestError) as refused:
        require_intent(request, required=False, amount_unit=None, now=NOW)
    assert refused.value.name == "intent_wrong"
    assert refused.value.message.startswith("operation: ")


@given(seconds=st.integers(-(10**9), 10**9))
def test_text_is_valid_until_it_expires_and_a_repeat_for_ever(seconds: int) -> None:
    said = with_intent(FIELDS, Operation.ALLOCATION, IDS, NOW + timedelta(seconds=seconds))
    check(said, now=None)
    if seconds > 0:
        check(said)
    else:
        assert refusal(said) == "intent_expired"


@pytest.mark.parametrize(
    "text", ["2026-01-05T12:10:00", "2026-01-05", "tomorrow", "1969-12-31T23:59:59Z", "9999-01-01T00:00:00Z"]
)
def test_moment_that_is_none_is_refused(text: str) -> None:
    assert refusal({**FIELDS, "expiresAt": text}) == "intent_wrong"
    assert refusal({**FIELDS, "expiresAt": text}, now=None) == "intent_wrong"


def test_each_missing_member_is_named() -> None:
    whole = with_intent(FIELDS, Operation.ALLOCATION, IDS, NOW + timedelta(minutes=1))
    for name in ("operation", *IDS, "expiresAt"):
        with pytest.raises(InvalidRequestError) as refused:
            check({key: value for key, value in whole.items() if key != name}, required=True)
        assert refused.value.details == {"missing": [name]}


def test_body_may_repeat_the_members_and_must_not_contradict_or_add_them() -> None:
    said = {**FIELDS, "operation": "allocation"}
    same = parse_json(payload_text(said))
    other = parse_json(payload_text({**FIELDS, "operation": "deallocation"}))
    assert isinstance(same, dict)
    assert isinstance(other, dict)
    assert match_payload(payload_text(said), same, IDS).members == {"operation": "allocation"}
    for text, body in ((payload_text(said), other), (payload_text(FIELDS), same)):
        with pytest.raises(PayloadMismatchError, match="operation"):
            match_payload(text, body, IDS)


def test_members_deeper_in_the_payload_do_not_count() -> None:
    body = parse_json('{"a":{}}')
    assert isinstance(body, dict)
    with pytest.raises(PayloadMismatchError):
        match_payload('{"a":{"operation":"allocation"}}', body, IDS)


@given(operation=operations)
def test_custodian_signs_only_complete_texts_of_the_enterprise(operation: Operation) -> None:
    ids = dict.fromkeys(path_ids_of(operation), "aster")
    text = payload_text(with_intent(FIELDS, operation, ids, NOW + timedelta(minutes=1)))
    whole = parse_json(text)
    assert isinstance(whole, dict)
    require_signable(whole, "aster", NOW)
    with pytest.raises(InvalidRequestError, match="expiresAt"):
        require_signable(whole, "aster", NOW + timedelta(minutes=1))
    with pytest.raises(InvalidRequestError, match="enterpriseId"):
        require_signable(whole, "birch", NOW)
    for name in ("operation", *ids, "expiresAt"):
        with pytest.raises(InvalidRequestError) as refused:
            require_signable({key: value for key, value in whole.items() if key != name}, "aster", NOW)
        assert refused.value.name == "intent_missing"


def message(payload: dict[str, object], *, unit: AmountUnit | None = AmountUnit.BASE) -> str:
    with pytest.raises(InvalidRequestError) as refused:
        check(payload, unit=unit)
    assert refused.value.details is None
    return refused.value.message


@pytest.mark.parametrize(
    ("members", "told"),
    [
        (
            {"operation": "deallocation"},
            'operation: is "deallocation" in the payload, but this request is "allocation"',
        ),
        ({"operation": 5}, 'operation: is no text in the payload, but this request is "allocation"'),
        ({"amountUnit": "coins"}, 'amountUnit: is "coins" in the payload, but it must be "base" or "decimal"'),
        (
            {"amountUnit": "decimal"},
            'amountUnit: is "decimal" in the payload, but the amounts of this request are read as "base"',
        ),
        (
            {"expiresAt": "tomorrow"},
            'expiresAt: is "tomorrow" in the payload, but it must be a date and time with its zone in RFC 3339',
        ),
    ],
)
def test_wrong_member_is_shown_beside_what_it_must_be(members: dict[str, object], told: str) -> None:
    assert message({**FIELDS, **members}) == told


def test_expired_text_says_until_when_it_was_valid() -> None:
    with pytest.raises(InvalidRequestError, match=r"^expiresAt: .* until 2026-01-05T12:00:00\.000Z") as refused:
        check(with_intent(FIELDS, Operation.ALLOCATION, IDS, NOW))
    moment = "2026-01-05T12:00:00.000Z"
    assert (refused.value.name, refused.value.details) == ("intent_expired", {"expiresAt": moment, "now": moment})


def test_own_end_of_a_text_stays() -> None:
    own = {**FIELDS, "expiresAt": "2026-01-05T13:00:00.000Z"}
    assert with_intent(own, Operation.ALLOCATION, IDS, NOW)["expiresAt"] == own["expiresAt"]


@pytest.mark.parametrize("operation", [None, 5, [], "stage"])
def test_custodian_does_not_sign_for_an_operation_that_is_none(operation: object) -> None:
    said = with_intent(FIELDS, Operation.CONNECTION_CREATE, {"enterpriseId": "aster"}, NOW + timedelta(minutes=1))
    text = parse_json(payload_text({**said, "operation": operation}))
    assert isinstance(text, dict)
    with pytest.raises(InvalidRequestError) as refused:
        require_signable(text, "aster", NOW)
    assert refused.value.name == "intent_missing"


def test_custodian_names_the_wallets_enterprise() -> None:
    said = with_intent(FIELDS, Operation.CONNECTION_CREATE, {"enterpriseId": "aster"}, NOW + timedelta(minutes=1))
    text = parse_json(payload_text(said))
    assert isinstance(text, dict)
    with pytest.raises(InvalidRequestError) as refused:
        require_signable(text, "birch", NOW)
    assert refused.value.message == 'enterpriseId: is "aster" in the payload, but the wallet is of "birch"'
