"""A settlement request that is wrong in one thing is refused, says in which, and writes nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI

from clearwindow.runtime import Limits, Runtime
from tests.support.networks import Json
from tests.support.refusing import staging
from tests.support.settling import Floor

FIELDS = ("externalId", "notes", "settlementAmounts", "nonce", "cutoffAt", "payload", "signature")
TEXTS = ("externalId", "notes", "nonce", "cutoffAt", "payload", "signature")


def test_a_field_of_the_wrong_type_is_named(floor: Floor) -> None:
    desk = staging(floor)
    for field in FIELDS:
        for wrong in (7, 1.5, True, ["x"], {"x": "y"}):
            if field == "settlementAmounts" and isinstance(wrong, dict):
                continue
            desk.refuses({**desk.signed(), field: wrong}, "request_invalid", field)
    for field in ("externalId", "settlementAmounts", "nonce", "cutoffAt", "payload", "signature"):
        desk.refuses({**desk.signed(), field: None}, "request_invalid", field)
    desk.accepts()


def test_a_missing_field_is_named(floor: Floor) -> None:
    desk = staging(floor)
    for field in ("externalId", "settlementAmounts", "nonce", "cutoffAt"):
        desk.refuses(desk.without(field), "request_invalid", f"{field}: is required")
    for field in ("payload", "signature"):
        body = {name: value for name, value in desk.signed().items() if name != field}
        desk.refuses(body, "request_invalid", f"{field}: is required")
    problems = desk.refuses({}, "request_invalid").json()["details"]["problems"]
    assert {problem["entry"] for problem in problems} == set(FIELDS) - {"notes"}
    desk.accepts()


def test_an_unknown_field_is_named(floor: Floor) -> None:
    desk = staging(floor)
    for name in ("reconciled", "external_id", "external_Id", "externalid", "Notes", "partnerId", "é", "x" * 10_000):
        desk.refuses(desk.signed(**{name: "x"}), "request_invalid", name[:80], "is not a field of this request")
    desk.accepts()


def test_an_empty_text_is_named(floor: Floor) -> None:
    desk = staging(floor)
    for field in TEXTS:
        desk.refuses({**desk.signed(), field: ""}, "request_invalid", field)
    desk.refuses(desk.amounts({"": "1"}), "request_invalid", f"settlementAmounts.{desk.connection.id}")
    desk.accepts()


def test_a_text_over_its_limit_is_named(floor: Floor) -> None:
    desk = staging(floor)
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


def test_an_amount_that_is_no_decimal_text_is_named(floor: Floor) -> None:
    desk = staging(floor)
    entry = f"settlementAmounts.{desk.connection.id}.BTC"
    for case, amount in MALFORMED_AMOUNTS.items():
        response = desk.refuses(desk.amounts({"BTC": amount}), "request_invalid", entry)
        assert response.json()["details"]["problems"][0]["entry"] == entry, case
    desk.accepts()


def test_an_amount_that_cannot_be_a_transfer_is_named(floor: Floor) -> None:
    desk = staging(floor)
    entry = f"settlementAmounts.{desk.connection.id}.BTC"
    for amount in ("0", "-0", "0.0", "-0.000"):
        desk.refuses(desk.amounts({"BTC": amount}), "amount_unfit", entry, "is zero")
    for amount in ("0.5", "-1.5", "1.0", "-7.00"):
        desk.refuses(desk.amounts({"BTC": amount}), "amount_unfit", entry, "decimals")
    both = desk.amounts({"BTC": "0", "ETH": "0.5", "USD": "1"})
    problems = desk.refuses(both, "amount_unfit").json()["details"]["problems"]
    assert {problem["entry"].rpartition(".")[2] for problem in problems} == {"BTC", "ETH"}
    desk.accepts()


def test_amounts_in_whole_coins_have_no_more_decimals_than_the_currency(floor: Floor) -> None:
    desk = staging(floor, amountUnit="decimal")
    desk.fields["settlementAmounts"] = {desk.connection.id: {"BTC": "-0.00000001"}}
    for amount in ("0.000000001", "-1.123456789", "1.000000000", "0." + "0" * 77 + "1"):
        desk.refuses(desk.amounts({"BTC": amount}), "amount_unfit", "decimals")
    desk.refuses(desk.amounts({"BTC": "1" + "0" * 70}), "amount_unfit", "more than 78 digits")
    desk.refuses(desk.amounts({"BTC": "0.00000000"}), "amount_unfit", "is zero")
    desk.refuses(desk.amounts({"BTC": "0." + "1" * 79}), "request_invalid", "settlementAmounts")
    desk.accepts()
    assert desk.connection.balances() == {"ofcbtc": (999, 1)}


def test_large_amounts_are_exact(floor: Floor) -> None:
    desk = staging(floor, allocated=10**30 + 1)
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


def test_settlement_amounts_of_another_form_are_named(floor: Floor) -> None:
    desk = staging(floor)
    own = desk.connection.id
    desk.refuses(desk.signed(settlementAmounts={}), "request_invalid", "settlementAmounts")
    desk.refuses(desk.signed(settlementAmounts={own: {}}), "amounts_missing", f"settlementAmounts.{own}")
    desk.refuses(desk.signed(settlementAmounts={own: "5"}), "request_invalid", f"settlementAmounts.{own}")
    desk.refuses(desk.signed(settlementAmounts=[{own: {"BTC": "1"}}]), "request_invalid", "settlementAmounts")
    nested = {own: {str(uuid4()): {"BTC": "1"}}}
    desk.refuses(desk.signed(settlementAmounts=nested), "amounts_not_flat", "only a broker")
    desk.accepts()


def test_a_connection_id_in_another_spelling_is_refused(floor: Floor) -> None:
    desk = staging(floor)
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


def test_another_partners_connection_answers_as_one_that_does_not_exist(floor: Floor) -> None:
    desk = staging(floor)
    rival = floor.network.partner("rival")
    foreign = floor.network.connect(desk.connection.client, rival).id
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


def test_a_currency_that_is_not_mapped_is_named(floor: Floor) -> None:
    desk = staging(floor)
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
    "leap second": "2026-01-05T11:59:60Z",
}


def test_a_cutoff_that_is_no_moment_is_named(floor: Floor) -> None:
    desk = staging(floor)
    for cutoff in CUTOFFS.values():
        desk.refuses(desk.signed(cutoffAt=cutoff), "request_invalid", "cutoffAt")
    accepted = desk.accepts(desk.signed(cutoffAt="2026-01-05T13:29:00.123456+01:30"))
    assert accepted["cutoffAt"] == "2026-01-05T11:59:00.123Z"


@pytest.fixture
def tight(served_app: tuple[FastAPI, str], runtime: Runtime, floor: Floor) -> Floor:
    """A floor whose server takes ten connections and twelve amounts in a settlement."""
    limits = Limits(connections_per_settlement=10, amounts_per_settlement=12)
    served_app[0].state.runtime = replace(runtime, limits=limits)
    return floor


def test_a_settlement_over_the_limits_is_refused(tight: Floor) -> None:
    desk = staging(tight)
    eleven = {str(uuid4()): {"BTC": "1"} for _ in range(11)}
    desk.refuses(desk.signed(settlementAmounts=eleven), "too_many_connections", "11", "10")
    desk.refuses(desk.amounts({f"C{n}": "1" for n in range(13)}), "too_many_amounts", "13", "12")
    client = desk.connection.client
    ten = [tight.network.connect(client, desk.partner, f"account {n}").id for n in range(10)]
    twelve = {ten[0]: {"BTC": "1", "ETH": "1", "USD": "1"}, **{own: {"BTC": "1"} for own in ten[1:]}}
    desk.accepts(desk.signed(settlementAmounts=twelve))
