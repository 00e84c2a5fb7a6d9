"""Which texts a custodian key signs, and which amounts are counted. No database."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearwindow.core.errors import InvalidRequestError, PermissionDeniedError, RequestError, UnprocessableError
from clearwindow.core.money import AmountUnit
from clearwindow.core.strict_json import parse_json
from clearwindow.custody.models import GoAccountKey
from clearwindow.custody.wallets import rules, texts
from clearwindow.custody.wallets.models import DaySum, KnownText, Names, PartnerCurrency, TextAmount
from clearwindow.signing.intent import ALWAYS_INTENDED
from clearwindow.signing.models import Operation
from tests.support.prototypes import NOW, an_id

ID: Final = "7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39"
AMOUNT: Final = {"currency": "btc", "quantity": "5"}
DECISION: Final = {
    "amount": {"currency": "BTC", "quantity": "0.5"},
    "clientId": ID,
    "connectionId": ID,
    "partnersClientId": "c",
    "partnersConnectionId": "k",
    "status": "cleared",
    "nonce": "n",
}
SETTLEMENT: Final = {"externalId": "x", "settlementAmounts": {ID: {"BTC": "-1.5", "USD": "10"}}, "nonce": "n"}
TEXTS: Final[dict[str, dict[str, Any]]] = {
    Operation.SETTLEMENT_STAGE: {**SETTLEMENT, "cutoffAt": "2026-01-05T12:00:00Z", "notes": "for January"},
    Operation.SETTLEMENT_IMMEDIATE: SETTLEMENT,
    Operation.SETTLEMENT_ONCHAIN: SETTLEMENT,
    Operation.SETTLEMENT_DEPOSITS: {
        "externalSettlementId": "x",
        "deposits": [{"currency": "BTC", "onChainTxId": "t"}],
    },
    Operation.SETTLEMENT_WITHDRAW: {"reason": "the wrong day", "nonce": "n", "settlementId": ID},
    Operation.ALLOCATION: {"amount": AMOUNT, "clientExternalId": "x", "nonce": "n", "connectionId": ID},
    Operation.DEALLOCATION: {"amount": AMOUNT, "clientExternalId": "x", "nonce": "n", "notes": "back"},
    Operation.ALLOCATION_DECIDE: {**DECISION, "allocationId": ID, "partnersAllocationId": "a"},
    Operation.DEALLOCATION_DECIDE: {**DECISION, "deallocationId": ID, "partnersDeallocationId": "a"},
    Operation.CONNECTION_CREATE: {"partnerId": ID, "name": "main", "connectionKey": {}, "nonce": "n"},
    Operation.DISPUTE_RAISE: {"connectionId": ID, "expectedTransfers": {"ofcbtc": "5"}, "nonce": "n"},
    Operation.DISPUTE_UPDATE: {"connectionId": ID, "retracted": True, "nonce": "n", "disputeId": ID},
    Operation.DISPUTE_CLOSE: {"notes": "we were wrong", "nonce": "n"},
    Operation.ACCOUNT_REQUIRE_INTENT: {"requireIntent": True, "nonce": "n"},
    Operation.CONNECTION_UPDATE: {"active": False, "nonce": "n", "connectionId": ID},
    Operation.LOSS_LIMITS_CHANGE: {"lossLimits": {}, "nonce": "n", "connectionId": ID},
    Operation.APPROVAL_THRESHOLDS_CHANGE: {"thresholds": {"ofcbtc": "5"}, "nonce": "n"},
    Operation.DAILY_APPROVAL_THRESHOLDS_CHANGE: {"thresholds": {"ofcbtc": None}, "nonce": "n"},
    Operation.CUSTODIAN_LIMITS_CHANGE: {"thresholds": {"ofcbtc": "5"}, "nonce": "n"},
    Operation.STANDING_TOP_UP_CREATE: {"currency": "btc", "perSettlement": "5", "nonce": "n", "goAccountId": "a"},
    Operation.WEBHOOK_ENDPOINT_CREATE: {"url": "https://a.example", "eventTypes": None, "nonce": "n"},
    Operation.WEBHOOK_ENDPOINT_UPDATE: {"url": "https://a.example", "enabled": True, "nonce": "n"},
    Operation.WEBHOOK_ENDPOINT_DELETE: {"endpointId": ID, "nonce": "n"},
    Operation.WEBHOOK_ENDPOINT_ROTATE_SECRET: {"nonce": "n"},
}
MOVING: Final = {
    Operation.SETTLEMENT_STAGE,
    Operation.SETTLEMENT_IMMEDIATE,
    Operation.SETTLEMENT_ONCHAIN,
    Operation.ALLOCATION,
    Operation.DEALLOCATION,
    Operation.STANDING_TOP_UP_CREATE,
}
BTC: Final = PartnerCurrency("BTC", "ofcbtc", 8, AmountUnit.DECIMAL)


def recognise(fields: object, enterprise_id: str = "acme") -> KnownText:
    document = parse_json(json.dumps(fields))
    assert isinstance(document, dict)
    return texts.recognise(document, enterprise_id)


def refused(fields: object) -> bool:
    try:
        recognise(fields)
    except UnprocessableError as error:
        return error.name == "payload_of_no_operation"
    return False


def test_every_operation_has_a_form() -> None:
    assert set(Operation) == set(TEXTS)
    assert set(texts.FORMS) >= set(Operation)


@pytest.mark.parametrize("operation", list(Operation))
def test_a_text_is_recognised_by_its_form_and_by_its_name(operation: Operation) -> None:
    if operation in ALWAYS_INTENDED:
        assert refused(TEXTS[operation])
    else:
        assert operation in recognise(TEXTS[operation]).operations
    intent = {
        "operation": operation,
        "enterpriseId": "acme",
        "amountUnit": "base",
        "expiresAt": "2026-01-05T12:00:00Z",
    }
    known = recognise(TEXTS[operation] | intent)
    assert known.operations == (operation,)
    assert bool(known.amounts) is (operation in MOVING)


@pytest.mark.parametrize("operation", list(Operation))
def test_one_field_more_or_less_is_no_operations_text(operation: Operation) -> None:
    whole = TEXTS[operation]
    for fields in (whole, whole | {"operation": operation}):
        assert refused(fields | {"sendTo": "me"})
    for name in texts.FORMS[operation].needed:
        less = {key: value for key, value in whole.items() if key != name}
        if name != "cutoffAt":
            assert refused(less)
        assert refused(less | {"operation": operation})


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"token": "otestusd"},
        {"operation": "withdrawal", "nonce": "n"},
        {"operation": None, "nonce": "n", "notes": "x"},
        {"operation": ["dispute.close"], "nonce": "n", "notes": "x"},
        {"operation": "Dispute.Close", "nonce": "n", "notes": "x"},
        {"operation": "allocation"} | TEXTS[Operation.DISPUTE_CLOSE],
        {"operation": "dispute.close"} | TEXTS[Operation.ALLOCATION],
        {"nonce": "n"},
        TEXTS[Operation.ALLOCATION] | {"amount": "5"},
        TEXTS[Operation.ALLOCATION] | {"amount": {"currency": "btc"}},
        TEXTS[Operation.ALLOCATION] | {"amount": {"currency": "btc", "quantity": 5}},
        TEXTS[Operation.ALLOCATION] | {"amount": {"currency": "btc", "quantity": "-5"}},
        TEXTS[Operation.ALLOCATION] | {"amount": {"currency": "btc", "quantity": "0"}},
        TEXTS[Operation.ALLOCATION] | {"amount": {"currency": "btc", "quantity": "1" * 79}},
        TEXTS[Operation.ALLOCATION] | {"amount": {"currency": 1, "quantity": "5"}},
        TEXTS[Operation.ALLOCATION] | {"amount": AMOUNT | {"to": "me"}},
        SETTLEMENT | {"settlementAmounts": []},
        SETTLEMENT | {"settlementAmounts": {ID: {"BTC": 5}}},
        SETTLEMENT | {"settlementAmounts": {ID: {"BTC": "1e9"}}},
        SETTLEMENT | {"settlementAmounts": {ID: {"BTC": None}}},
        SETTLEMENT | {"settlementAmounts": {ID: {ID: {ID: {"BTC": "5"}}}}},
    ],
)
def test_other_texts_are_refused(fields: dict[str, object]) -> None:
    assert refused(fields)


def test_a_text_for_another_enterprise_is_refused() -> None:
    for other in ("beta", "ACME", "", None, 1):
        with pytest.raises(PermissionDeniedError):
            recognise(TEXTS[Operation.DISPUTE_CLOSE] | {"enterpriseId": other})


def test_amounts_between_connections_are_counted_too() -> None:
    nested = SETTLEMENT | {"settlementAmounts": {ID: {ID: {"BTC": "-1", "USD": "2"}}, ID[::-1]: {ID: {"BTC": "4"}}}}
    assert [(amount.currency, amount.quantity) for amount in recognise(nested).amounts] == [
        ("BTC", "1"),
        ("USD", "2"),
        ("BTC", "4"),
    ]


def test_only_a_named_onchain_text_counts_in_base_units() -> None:
    ambiguous = recognise(SETTLEMENT)
    assert {amount.names for amount in ambiguous.amounts} == {Names.PARTNERS}
    named = recognise(SETTLEMENT | {"operation": "settlement.onchain"})
    assert {amount.names for amount in named.amounts} == {Names.PARTNERS_IN_BASE_UNITS}


def test_amounts_are_summed_by_our_name_in_base_units() -> None:
    amounts = [
        TextAmount(Names.OURS, "btc", "5"),
        TextAmount(Names.OURS, "ofcbtc", "1"),
        TextAmount(Names.PARTNERS, "BTC", "0.50"),
        TextAmount(Names.PARTNERS_IN_BASE_UNITS, "BTC", "70"),
    ]
    assert rules.quantities(amounts, {"ofcbtc"}, {"BTC": BTC}) == {"ofcbtc": 5 + 1 + 50_000_000 + 70}


@pytest.mark.parametrize(
    ("amount", "name"),
    [
        (TextAmount(Names.OURS, "doge", "5"), "currency_unknown"),
        (TextAmount(Names.PARTNERS, "btc", "5"), "currency_unmapped"),
        (TextAmount(Names.PARTNERS, "BTC", "0.123456789"), "amount_unfit"),
        (TextAmount(Names.PARTNERS_IN_BASE_UNITS, "BTC", "1.0"), "amount_unfit"),
    ],
)
def test_amounts_that_nobody_could_count_are_refused(amount: TextAmount, name: str) -> None:
    with pytest.raises(InvalidRequestError) as problem:
        rules.quantities([amount], {"ofcbtc"}, {"BTC": BTC})
    assert problem.value.name == name


@given(limit=st.one_of(st.none(), st.integers(0, 20)), quantity=st.integers(1, 20))
def test_a_limit_is_exceeded_only_beyond_it(limit: int | None, quantity: int) -> None:
    sums = [DaySum("ofcbtc", quantity, limit)]
    if limit is None or quantity <= limit:
        rules.require_within_limits(sums, {"ofcbtc": 1})
    else:
        with pytest.raises(UnprocessableError) as problem:
            rules.require_within_limits(sums, {"ofcbtc": 1})
        assert problem.value.details == {
            "currency": "ofcbtc",
            "limit": str(limit),
            "signedToday": str(quantity - 1),
            "quantity": "1",
        }


# A NUL or half of a surrogate pair is refused when the text is parsed.
_LETTERS = st.characters(codec="utf-8", exclude_characters="\x00")
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(_LETTERS, max_size=5)
    | st.sampled_from(["5", "-1.5", "BTC"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(_LETTERS, max_size=4), inner, max_size=2),
    max_leaves=6,
)
_FIELDS = sorted({name for form in texts.FORMS.values() for name in form.needed | form.optional} | {"operation"})


@given(fields=st.dictionaries(st.sampled_from(_FIELDS), _VALUES, max_size=8))
def test_hostile_fields_are_refused_or_counted_and_never_a_defect(fields: dict[str, object]) -> None:
    try:
        known = recognise(fields)
    except RequestError:
        return
    assert known.operations


@given(operation=st.sampled_from(sorted(MOVING)), field=st.data())
def test_hostile_amounts_are_refused_or_counted_and_never_a_defect(operation: str, field: st.DataObject) -> None:
    name = "amount" if "amount" in TEXTS[operation] else "settlementAmounts"
    try:
        recognise(TEXTS[operation] | {name: field.draw(_VALUES)})
    except RequestError:
        return


def key(number: int, *, own: bool = True, custodian: bool = False, revoked: bool = False) -> GoAccountKey:
    at = NOW + timedelta(minutes=number)
    return GoAccountKey(
        an_id(number), "pub", b"key", "sealed" if own else None, at, NOW if revoked else None, NOW, custodian
    )


def test_client_tries_its_own_key_first_and_the_custodians_last() -> None:
    keys = [key(1, custodian=True), key(2, own=False), key(4), key(3), key(0, revoked=True)]
    assert [each.id for each in rules.keys_to_try(keys)] == [an_id(3), an_id(4), an_id(2), an_id(1)]


def test_sums_count_every_amount_of_a_currency() -> None:
    amounts = [
        TextAmount(Names.OURS, "btc", "5"),
        TextAmount(Names.PARTNERS, "BTC", "1.5"),
        TextAmount(Names.PARTNERS_IN_BASE_UNITS, "BTC", "7"),
    ]
    assert rules.quantities(amounts, ["ofcbtc"], {"BTC": BTC}) == {"ofcbtc": 150_000_012}


@pytest.mark.parametrize(
    ("amount", "name", "told"),
    [
        (TextAmount(Names.OURS, "doge", "5"), "currency_unknown", "the network does not know doge"),
        (TextAmount(Names.PARTNERS, "DOGE", "5"), "currency_unmapped", "your configuration maps no DOGE"),
        (
            TextAmount(Names.PARTNERS, "BTC", "0.000000001"),
            "amount_unfit",
            "0.000000001 cannot be an amount of BTC",
        ),
    ],
)
def test_refused_amount_is_named(amount: TextAmount, name: str, told: str) -> None:
    with pytest.raises(InvalidRequestError, match=f"^payload: {told}") as error:
        rules.quantities([amount], ["ofcbtc"], {"BTC": BTC})
    assert error.value.name == name


def test_limit_that_is_exceeded_says_what_was_signed() -> None:
    rules.require_within_limits([DaySum("ofcbtc", 9, None), DaySum("ofceth", 9, 9)], {"ofceth": 4})
    with pytest.raises(
        UnprocessableError, match="would have signed 9 of ofcbtc today, and your limit is 8"
    ) as error:
        rules.require_within_limits([DaySum("ofceth", 1, 1), DaySum("ofcbtc", 9, 8)], {"ofcbtc": 4})
    assert error.value.name == "custodian_limit_exceeded"
    assert error.value.details == {"currency": "ofcbtc", "limit": "8", "signedToday": "5", "quantity": "4"}
