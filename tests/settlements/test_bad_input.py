"""A settlement request with one wrong value is refused, the error names it, and nothing is written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI

from clearwindow.events.models import EventType
from clearwindow.runtime import Limits, Runtime
from tests.support.networks import Json, ok
from tests.support.refusals import staging
from tests.support.settlements import Testbed

FIELDS = ("externalId", "notes", "settlementAmounts", "nonce", "cutoffAt", "payload", "signature")
TEXTS = ("externalId", "notes", "nonce", "cutoffAt", "payload", "signature")


def test_field_of_the_wrong_type_is_named(testbed: Testbed) -> None:
    desk = staging(testbed)
    for field in FIELDS:
        for wrong in (7, 1.5, True, ["x"], {"x": "y"}):
            if field == "settlementAmounts" and isinstance(wrong, dict):
                continue
            desk.refuses({**desk.signed(), field: wrong}, "request_invalid", field)
    for field in ("externalId", "settlementAmounts", "nonce", "cutoffAt", "payload", "signature"):
        desk.refuses({**desk.signed(), field: None}, "request_invalid", field)
    desk.accepts()


def test_missing_field_is_named(testbed: Testbed) -> None:
    desk = staging(testbed)
    for field in ("externalId", "settlementAmounts", "nonce", "cutoffAt"):
        desk.refuses(desk.without(field), "request_invalid", f"{field}: is required")
    for field in ("payload", "signature"):
        body = {name: value for name, value in desk.signed().items() if name != field}
        desk.refuses(body, "request_invalid", f"{field}: is required")
    problems = desk.refuses({}, "request_invalid").json()["details"]["problems"]
    assert {problem["entry"] for problem in problems} == set(FIELDS) - {"notes"}
    desk.accepts()


def test_unknown_field_is_named(testbed: Testbed) -> None:
    desk = staging(testbed)
    for name in ("reconciled", "external_id", "external_Id", "externalid", "Notes", "partnerId", "é", "x" * 10_000):
        desk.refuses(desk.signed(**{name: "x"}), "request_invalid", name[:80], "is not a field of this request")
    desk.accepts()


def test_empty_text_is_named(testbed: Testbed) -> None:
    desk = staging(testbed)
    for field in TEXTS:
        desk.refuses({**desk.signed(), field: ""}, "request_invalid", field)
    desk.refuses(desk.amounts({"": "1"}), "request_invalid", f"settlementAmounts.{desk.connection.id}")
    desk.accepts()


def test_too_long_text_is_named(testbed: Testbed) -> None:
    desk = staging(testbed)
    desk.refuses(desk.signed(externalId="x" * 10_000), "request_invalid", "externalId", "at most 255")
    desk.refuses(desk.signed(nonce="x" * 256), "request_invalid", "nonce")
    desk.refuses(desk.signed(notes="x" * 10_001), "request_invalid", "notes")
    desk.refuses(desk.amounts({"B" * 256: "1"}), "request_invalid", "settlementAmounts")
    desk.accepts(desk.signed(externalId="é" * 255, nonce="n" * 255, notes="𝄞" * 10_000))


MALFORMED_AMOUNTS = {
    "79 digits": str(10**78),
    "many digits": "9" * 100_000,
    "exponent": "1e5",
    "leading space": " 1",
    "trailing space": "1 ",
    "trailing line feed": "1\n",
    "tabulator": "1\t2",
    "plus": "+1",
    "leading zeros": "007",
    "minus zero zero": "-00",
    "arabic digit": "\u0661",
    "full-width digit": "\uff11",
    "minus of the typographers": "\u22121",
    "comma": "1,000",
    "underscore": "1_000",
    "hexadecimal": "0x10",
    "words": "NaN",
    "infinite": "Infinity",
    "no digits": "-",
    "two signs": "--1",
    "empty": "",
    "copy's end": "\\.",
    "copy's null": "\\N",
    "point first": ".5",
    "point last": "1.",
    "number": 1,
    "fraction": 1.5,
    "null": None,
    "truth": True,
    "list": ["1"],
}


def test_amount_that_is_no_decimal_text_is_named(testbed: Testbed) -> None:
    desk = staging(testbed)
    entry = f"settlementAmounts.{desk.connection.id}.BTC"
    for case, amount in MALFORMED_AMOUNTS.items():
        response = desk.refuses(desk.amounts({"BTC": amount}), "request_invalid", entry)
        assert response.json()["details"]["problems"][0]["entry"] == entry, case
    desk.accepts()


def test_amount_that_cannot_be_a_transfer_is_named(testbed: Testbed) -> None:
    desk = staging(testbed)
    entry = f"settlementAmounts.{desk.connection.id}.BTC"
    for amount in ("0", "-0", "0.0", "-0.000"):
        desk.refuses(desk.amounts({"BTC": amount}), "amount_unfit", entry, "is zero")
    for amount in ("0.5", "-1.5", "1.0", "-7.00"):
        desk.refuses(desk.amounts({"BTC": amount}), "amount_unfit", entry, "decimals")
    both = desk.amounts({"BTC": "0", "ETH": "0.5", "USD": "1"})
    problems = desk.refuses(both, "amount_unfit").json()["details"]["problems"]
    assert {problem["entry"].rpartition(".")[2] for problem in problems} == {"BTC", "ETH"}
    desk.accepts()


def test_amount_with_more_decimals_than_the_currency_is_refused(testbed: Testbed) -> None:
    desk = staging(testbed, amountUnit="decimal")
    desk.fields["settlementAmounts"] = {desk.connection.id: {"BTC": "-0.00000001"}}
    for amount in ("0.000000001", "-1.123456789", "1.0000000010", "0." + "0" * 77 + "1"):
        desk.refuses(desk.amounts({"BTC": amount}), "amount_unfit", "decimals")
    desk.refuses(desk.amounts({"BTC": "1" + "0" * 70}), "amount_unfit", "more than 78 digits")
    desk.refuses(desk.amounts({"BTC": "0.00000000"}), "amount_unfit", "is zero")
    desk.refuses(desk.amounts({"BTC": "0." + "1" * 79}), "request_invalid", "settlementAmounts")
    desk.accepts()
    assert desk.connection.balances() == {"ofcbtc": (999, 1)}


def test_large_amounts_are_exact(testbed: Testbed) -> None:
    desk = staging(testbed, allocated=10**30 + 1)
    short = desk.refuses(
        desk.amounts({"BTC": f"-{10**77}"}), "liabilities_exceed_balance", desk.connection.id, status=422
    )
    assert short.json()["details"]["shortfalls"] == [
        {
            "connectionId": desk.connection.id,
            "currency": "ofcbtc",
            "partnerCurrency": "BTC",
            "liability": str(10**77),
            "available": str(10**30 + 1),
            "shortfall": str(10**77 - 10**30 - 1),
        }
    ]
    desk.accepts(desk.amounts({"BTC": f"-{10**30}"}))
    assert desk.connection.balances() == {"ofcbtc": (1, 10**30)}


def test_malformed_settlement_amounts_are_named(testbed: Testbed) -> None:
    desk = staging(testbed)
    own = desk.connection.id
    desk.refuses(desk.signed(settlementAmounts={}), "request_invalid", "settlementAmounts")
    desk.refuses(desk.signed(settlementAmounts={own: {}}), "amounts_missing", f"settlementAmounts.{own}")
    desk.refuses(desk.signed(settlementAmounts={own: "5"}), "request_invalid", f"settlementAmounts.{own}")
    desk.refuses(desk.signed(settlementAmounts=[{own: {"BTC": "1"}}]), "request_invalid", "settlementAmounts")
    nested = {own: {str(uuid4()): {"BTC": "1"}}}
    desk.refuses(desk.signed(settlementAmounts=nested), "amounts_not_flat", "only a broker")
    desk.accepts()


def test_connection_id_in_another_spelling_is_refused(testbed: Testbed) -> None:
    desk = staging(testbed)
    own = desk.connection.id
    for spelling in (
        own.upper(),
        own.replace("-", ""),
        f"{{{own}}}",
        f"urn:uuid:{own}",
        f" {own}",
        f"{own}\n",
        "x",
    ):
        for amounts in ({spelling: {"BTC": "-1"}}, {own: {"BTC": "-1"}, spelling: {"BTC": "-1"}}):
            desk.refuses(desk.signed(settlementAmounts=amounts), "request_invalid", "settlementAmounts")
    desk.accepts()


def test_connection_of_another_partner_gets_the_error_of_an_unknown_one(testbed: Testbed) -> None:
    desk = staging(testbed)
    rival = testbed.network.partner("rival")
    foreign = testbed.network.connect(desk.connection.client, rival).id
    unknown = str(uuid4())
    answers = []
    for other in (foreign, unknown):
        for amounts in ({other: {"BTC": "-1"}}, {desk.connection.id: {"BTC": "-1"}, other: {"BTC": "1"}}):
            response = desk.refuses(
                desk.signed(settlementAmounts=amounts), "connection_unknown", f"settlementAmounts.{other}"
            )
            answers.append(_without_ids(response.json(), other))
    assert all(answer == answers[0] for answer in answers)
    desk.accepts()


def _without_ids(problem: Json, identifier: str) -> Any:  # noqa: ANN401 - compared only
    return {
        name: str(value).replace(identifier, "the id") for name, value in problem.items() if name != "requestId"
    }


def test_unmapped_currency_is_named(testbed: Testbed) -> None:
    desk = staging(testbed)
    for name in (
        "DOGE",
        "btc",
        "ofcbtc",
        "BTC ",
        " BTC",
        "BTC\n",
        "BT\tC",
        "\\.",
        "\u0412\u0422\u0421",
        "ofcbtc'; --",
    ):
        response = desk.refuses(desk.amounts({"BTC": "-1", name: "1"}), "currency_unmapped", "settlementAmounts.")
        assert response.json()["details"] == {"currencies": [name], "currencyCount": 1}
    desk.accepts()


CUTOFFS = {
    "no zone": "2026-01-05T11:59:00.000",
    "date only": "2026-01-05",
    "date with zone": "2026-01-05Z",
    "time only": "11:59:00Z",
    "before all years": "0000-01-01T00:00:00Z",
    "year 1 beyond the east": "0001-01-01T00:00:00+14:00",
    "year 1": "0001-01-01T00:00:00Z",
    "year 9999 beyond the west": "9999-12-31T23:59:59-14:00",
    "year 9999": "9999-12-31T23:59:59.999999Z",
    "five digits": "10000-01-01T00:00:00Z",
    "no such day": "2026-02-30T00:00:00Z",
    "no such hour": "2026-01-05T25:00:00Z",
    "no such offset": "2026-01-05T11:59:00+25:00",
    "seconds since 1970": "1767614340",
    "a week's day": "2026-W02-1T11:59:00Z",
    "words": "yesterday",
    "arabic digits": "٢٠٢٦-01-05T11:59:00Z",
    "space before": " 2026-01-05T11:59:00Z",
    "line feed after": "2026-01-05T11:59:00Z\n",
    "no seconds": "2026-01-05T11:59Z",
    "hour only": "2026-01-05T11Z",
    "no colons": "2026-01-05T115900Z",
    "offset without a colon": "2026-01-05T11:59:00+0130",
    "offset of hours": "2026-01-05T11:59:00+01",
    "offset with seconds": "2026-01-05T11:59:00+01:30:15",
    "comma": "2026-01-05T11:59:00,5Z",
    "no fraction after the point": "2026-01-05T11:59:00.Z",
    "blank for the T": "2026-01-05 11:59:00Z",
    "minus of another alphabet": "2026-01-05T11:59:00\u221201:00",
    "hour 24": "2026-01-05T24:00:00Z",
    "minute 60": "2026-01-05T11:60:00Z",
    "second 61": "2026-01-05T11:59:61Z",
    "no leap year": "2025-02-29T00:00:00Z",
    "minute 60 of the offset": "2026-01-05T11:59:00+01:60",
}


def test_invalid_cutoff_is_named(testbed: Testbed) -> None:
    desk = staging(testbed)
    for cutoff in CUTOFFS.values():
        desk.refuses(desk.signed(cutoffAt=cutoff), "request_invalid", "cutoffAt")
    accepted = desk.accepts(desk.signed(cutoffAt="2026-01-05T13:29:00.123456+01:30"))
    assert accepted["cutoffAt"] == "2026-01-05T11:59:00.123Z"


def test_every_form_of_rfc_3339_is_a_cutoff(testbed: Testbed) -> None:
    desk = staging(testbed)
    for number, (cutoff, shown) in enumerate(
        {
            "2026-01-05t11:59:00z": "2026-01-05T11:59:00.000Z",
            "2026-01-05T11:59:00.1z": "2026-01-05T11:59:00.100Z",
            "2026-01-05T11:59:00.12345678901234567890Z": "2026-01-05T11:59:00.123Z",
            "2026-01-05T11:59:00-00:00": "2026-01-05T11:59:00.000Z",
            "2026-01-06T11:58:00+23:59": "2026-01-05T11:59:00.000Z",
            "2026-01-05T11:58:60Z": "2026-01-05T11:59:00.000Z",
            "2026-01-04T23:59:60.999Z": "2026-01-05T00:00:00.000Z",
        }.items()
    ):
        body = desk.signed(cutoffAt=cutoff, externalId=f"day-{number}", nonce=f"nonce-{number}")
        assert desk.accepts(body)["cutoffAt"] == shown, cutoff


def test_cutoff_more_than_five_minutes_ahead_is_refused(testbed: Testbed) -> None:
    desk = staging(testbed)
    for ahead in ("2026-01-05T12:05:00.001Z", "2026-01-05T14:05:01+02:00", "2027-01-05T12:00:00Z"):
        desk.refuses(desk.signed(cutoffAt=ahead), "cutoff_in_future", "cutoffAt", "five minutes")
    desk.accepts(desk.signed(cutoffAt="2026-01-05T12:05:00.000Z"))


def test_cutoff_that_goes_back_is_accepted_and_told(testbed: Testbed) -> None:
    desk = staging(testbed)

    def sent(number: int, cutoff: str) -> str | None:
        body = desk.signed(cutoffAt=cutoff, externalId=f"day-{number}", nonce=f"nonce-{number}")
        answer = desk.send(body)
        ok(answer)
        testbed.clock.advance(minutes=1)
        repeated = desk.send(body)
        assert repeated.headers["Idempotent-Replayed"] == "true"
        assert repeated.headers.get("Clearwindow-Warning") == answer.headers.get("Clearwindow-Warning")
        return answer.headers.get("Clearwindow-Warning")

    assert sent(1, "2026-01-05T10:00:00Z") is None
    assert sent(2, "2026-01-05T10:00:00Z") is None
    assert sent(3, "2026-01-05T09:59:59.999Z") == "cutoff_went_back"
    assert sent(4, "2026-01-05T09:59:59.999Z") is None
    events = [
        each
        for each in testbed.operator.events(enterpriseId="exchange")
        if each["type"] == EventType.SETTLEMENT_INITIATED
    ]
    told = {each["payload"]["externalId"]: each["payload"].get("warnings") for each in events}
    assert told == {"day-1": None, "day-2": None, "day-3": ["cutoff_went_back"], "day-4": None}
    testbed.assert_proven()


def test_null_in_the_place_of_a_text_is_refused(testbed: Testbed) -> None:
    desk = staging(testbed)
    for field in ("notes", "enterpriseId", "externalId", "cutoffAt"):
        desk.refuses(desk.signed(**{field: None}), "request_invalid", field)
    desk.accepts()


def test_external_id_of_white_space_only_is_refused(testbed: Testbed) -> None:
    desk = staging(testbed)
    for blank in ("", " ", "\t\n", "\u3000", "\u00a0 "):
        desk.refuses(desk.signed(externalId=blank), "request_invalid", "externalId")
    assert desk.accepts(desk.signed(externalId=" a day "))["externalId"] == " a day "


@pytest.fixture
def tight(served_app: tuple[FastAPI, str], runtime: Runtime, testbed: Testbed) -> Testbed:
    """Returns a testbed whose server allows ten connections and twelve amounts in a settlement."""
    limits = Limits(connections_per_settlement=10, amounts_per_settlement=12)
    served_app[0].state.runtime = replace(runtime, limits=limits)
    return testbed


def test_settlement_over_the_limits_is_refused(tight: Testbed) -> None:
    desk = staging(tight)
    eleven = {str(uuid4()): {"BTC": "1"} for _ in range(11)}
    desk.refuses(desk.signed(settlementAmounts=eleven), "too_many_connections", "11", "10")
    desk.refuses(desk.amounts({f"C{n}": "1" for n in range(13)}), "too_many_amounts", "13", "12")
    client = desk.connection.client
    ten = [tight.network.connect(client, desk.partner, f"account {n}").id for n in range(10)]
    twelve = {ten[0]: {"BTC": "1", "ETH": "1", "USD": "1"}, **{own: {"BTC": "1"} for own in ten[1:]}}
    desk.accepts(desk.signed(settlementAmounts=twelve))


def test_trailing_zeros_do_not_make_a_decimal_amount_inexact(testbed: Testbed) -> None:
    currencies = {"BTC": "ofcbtc", "USDC": "ofcusdc", "JPY": "ofcjpy"}
    ok(testbed.operator.post("/currencies", {"name": "ofcjpy", "backing": "jpy", "decimals": 0}))
    desk = staging(testbed, allocated=10**9, amountUnit="decimal", currencies=currencies)
    testbed.operator.deposit(desk.connection.client.enterprise.account.id, "ofcusdc", 10**9)
    testbed.operator.deposit(desk.connection.client.enterprise.account.id, "ofcjpy", 10**9)
    for currency in ("ofcusdc", "ofcjpy"):
        ok(desk.connection.allocate(currency, 10**9))
    accepted = desk.accepts(desk.amounts({"USDC": "-1.50000000", "BTC": "-0.100000000", "JPY": "-1.0" + "0" * 77}))
    transfers = ok(desk.partner.api.get(f"/partners/settlements/{accepted['id']}"))["settlementTransfers"]
    moved = {one["currency"]: one["quantity"] for one in transfers}
    assert moved == {"ofcusdc": "-1500000", "ofcbtc": "-10000000", "ofcjpy": "-1"}
    for name, amount in (("USDC", "-1.50000010"), ("BTC", "-0.1000000010"), ("JPY", "-1.10")):
        desk.refuses(desk.amounts({name: amount}), "amount_unfit", "decimals")
