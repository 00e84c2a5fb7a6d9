"""Tables as CSV and JSON lines: exact texts, and no cell that a spreadsheet computes."""

from __future__ import annotations

import csv
import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearwindow.api.filters import AnswerFormat, preferred_format
from clearwindow.api.tables import CsvLines, cell, harmless

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
HOSTILE = [
    "=1+1",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "  =1+1",
    "\u00a0=1+1",
    "\u200b=1+1",
    "\ufeff=1+1",
    "\uff1d1+1",
    "\uff0b1",
    "\uff0d1",
    "\uff20a",
    "\ufe66a",
    "\u22121+1",
    "-",
    "--1",
    "+1",
    "-1e5",
    "-1,5",
    "'=1+1",
]


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_that_may_be_a_formula_begins_with_an_apostrophe(text: str) -> None:
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize("amount", ["0", "-1", "-0.00000001", "1" * 78, "-" + "9" * 78, "12.50"])
def test_an_amount_stays_as_it_is(amount: str) -> None:
    assert harmless(amount) == amount
    assert read(CsvLines(["quantity"]).line({"quantity": amount})) == [[amount]]


@given(st.dictionaries(st.sampled_from("abc"), TEXTS))
def test_every_text_comes_back_from_the_table(values: dict[str, str]) -> None:
    lines = CsvLines(["a", "b", "c"])
    head, row = read(lines.head() + lines.line(values))
    assert head == ["a", "b", "c"]
    assert [text.removeprefix("'") for text in row] == [values.get(name, "") for name in "abc"]


@given(TEXTS)
def test_no_cell_begins_like_a_formula(text: str) -> None:
    begin = unicodedata.normalize("NFKC", harmless(text).lstrip())[:1]
    assert begin not in set("=+@") or harmless(text).startswith("'")
    if begin == "-":
        assert harmless(text).strip("-0123456789.") == ""


def test_a_table_has_commas_crlf_and_quotes_where_they_are_needed() -> None:
    lines = CsvLines(["id", "note", "none"], byte_order_mark=True)
    assert lines.head() == "\ufeffid,note,none\r\n"
    assert lines.line({"id": "1", "note": 'say "a,b"\nand c'}) == '1,"say ""a,b""\nand c",\r\n'


def test_values_become_texts() -> None:
    given = [None, True, False, 12, {"b": ["=1", None]}, ["é"]]
    assert [cell(value) for value in given] == ["", "true", "false", "12", '{"b":["=1",null]}', '["é"]']


@pytest.mark.parametrize(
    ("accept", "format_"),
    [
        ("", "json"),
        ("*/*", "json"),
        ("text/csv", "csv"),
        ("TEXT/CSV; charset=utf-8", "csv"),
        ("application/x-ndjson", "jsonl"),
        ("application/json, text/csv", "json"),
        ("text/csv, application/json", "csv"),
        ("text/csv;q=0.5, application/json", "json"),
        ("text/csv;q=0.5, */*;q=0.1", "csv"),
        ("text/csv;q=0", "json"),
        ("text/csv;q=x", "json"),
        ("text/csv;q=0.5;q=1", "csv"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "json"),
        ("image/png", "json"),
        (",;=,;q", "json"),
    ],
)
def test_the_header_accept_chooses_the_format(accept: str, format_: str) -> None:
    assert preferred_format(accept) is AnswerFormat(format_)
