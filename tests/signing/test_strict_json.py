import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearwindow.core.json_structure import TooManyEntriesError
from clearwindow.core.strict_json import (
    MAX_DEPTH,
    MAX_NUMBER_CHARACTERS,
    JsonError,
    JsonNumber,
    JsonValue,
    Place,
    describe_place,
    parse_json,
    quote,
    to_python,
)
from tests.signing.samples import CHARACTERS, TEXTS

# Numbers that Python's own parser keeps exactly.
PLAIN = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        TEXTS,
        st.integers(-(10**80), 10**80),
        st.floats(allow_nan=False, allow_infinity=False),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=20,
)


def refusal(text: bytes | str) -> str:
    with pytest.raises(JsonError) as caught:
        parse_json(text)
    message = caught.value.message
    assert str(caught.value) == message
    assert "\n" not in message
    assert message.endswith(".")
    assert len(message) < 600
    return message


@given(PLAIN, st.booleans(), st.sampled_from([None, 2]))
def test_valid_documents_are_parsed_like_pythons_parser(
    document: object, ascii_only: object, indent: int | None
) -> None:
    text = json.dumps(document, ensure_ascii=bool(ascii_only), indent=indent)
    parsed = parse_json(text)
    assert json.dumps(to_python(parsed)) == json.dumps(document)
    assert parse_json(text.encode()) == parsed


@given(st.text(max_size=30))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        parsed = parse_json(text)
    except JsonError:
        return
    assert parsed == parse_json(text)
    json.loads(text)


@given(st.binary(max_size=30))
def test_any_bytes_are_parsed_or_refused(raw: bytes) -> None:
    try:
        parse_json(raw)
    except JsonError:
        return
    json.loads(raw.decode())


@given(
    st.lists(st.tuples(TEXTS, PLAIN), min_size=1, max_size=5, unique_by=lambda pair: pair[0]),
    st.data(),
    st.lists(st.one_of(st.integers(0, 3), TEXTS), max_size=5),
)
def test_duplicate_key_is_refused_at_any_depth(
    members: list[tuple[str, object]], data: st.DataObject, wrapping: list[int | str]
) -> None:
    key, _ = data.draw(st.sampled_from(members))
    members.insert(data.draw(st.integers(0, len(members))), (key, data.draw(PLAIN)))
    ascii_only = data.draw(st.booleans())
    written = (f"{json.dumps(name, ensure_ascii=ascii_only)}:{json.dumps(value)}" for name, value in members)
    text = "{" + ",".join(written) + "}"
    for wrap in wrapping:
        text = f"{{{json.dumps(wrap)}:{text}}}" if isinstance(wrap, str) else f"[{'0,' * wrap}{text}]"
    assert "occurs twice" in refusal(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a":1,"a":1}', 'the key "a" occurs twice in the outermost level'),
        ('{"x":{"b":[0,{"BTC":"1","\\u0042TC":"2"}]}}', 'the key "BTC" occurs twice in x.b[1]'),
        ('{"a":1,"a":1} trailing', "occurs twice in one object"),
        ('{"x":{"a":1,"a":1}', "occurs twice in one object"),
        ("NaN", "NaN"),
        ('{"a":[-Infinity]}', "-Infinity"),
        ('{"a":"\\u0000"}', "NUL character (\\u0000) in a"),
        ('{"x":{"\\u0000":1}}', "NUL character (\\u0000) in a key of x"),
        ('"\\u0000"', "NUL"),
        ('{"a":["b","\\ud800"]}', "half of a surrogate pair (\\ud800 to \\udfff) in a[1]"),
        ('["\\uDFFF\\uD800"]', "surrogate"),
        ('{"\\udc00":1}', "surrogate"),
        ('["\0"]', "line 1, column 3"),
        ('{"a":1,\n"b" 2}', "line 2, column 5"),
        ("", "line 1, column 1"),
        ("[01]", "not valid JSON"),
        ("['a']", "not valid JSON"),
        ("[1,]", "not valid JSON"),
        ("\u00a0[]", "not valid JSON"),
        ("[\u0661]", "not valid JSON"),
        ("\ufeff{}", "byte order mark"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b'["\xff"]', "not valid UTF-8 at offset 2"),
        (b'["\xed\xa0\x80"]', "not valid UTF-8"),
        ("{}".encode("utf-16"), "not valid UTF-8"),
        ('["\ud800"]', "not valid UTF-8 at offset 2"),
        ("9" * 5000, f"{MAX_NUMBER_CHARACTERS} characters"),
        (f'{{"a":[0.{"9" * 5000}]}}', f"{MAX_NUMBER_CHARACTERS} characters"),
    ],
)
def test_refusal_names_the_problem_and_its_place(text: bytes | str, expected: str) -> None:
    assert expected in refusal(text)


def test_escaped_surrogate_pair_and_backslash_are_accepted() -> None:
    assert parse_json('["\\ud83d\\ude00","\\\\ud800","\\\\u0000"]') == ["😀", "\\ud800", "\\u0000"]


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
def test_depth_limit_is_exact(opening: str, closing: str) -> None:
    levels = MAX_DEPTH // (opening.count("[") + opening.count("{"))
    parse_json(opening * levels + "1" + closing * levels)
    assert "inside one another" in refusal(opening * levels + "[]" + closing * levels)


@pytest.mark.parametrize("levels", [500, 5_000, 100_000])
@pytest.mark.parametrize("opening", ["[", '{"a":', '{"a":1,"a":['])
def test_very_deep_document_is_refused(opening: str, levels: int) -> None:
    refusal(opening * levels)
    closing = "".join({"[": "]", "{": "}"}[character] for character in reversed(opening) if character in "[{")
    refusal(opening * levels + "1" + closing * levels)


@pytest.mark.parametrize(
    "level", ["[", '{"a":', '["]",', '["\\"]\\"",', '["\\\\",', '["\\\\\\"]",', '["[",{"}":', '["[\\u0022",']
)
def test_brackets_in_texts_do_not_count_as_nesting(level: str) -> None:
    opened = [character for character in level.replace('"[', "").replace('"]', "") if character in "[{"]
    times = MAX_DEPTH // len(opened)
    closing = "".join("]" if character == "[" else "}" for character in reversed(opened))
    for brackets in ("[", "]", "]}" * 500, "{[" * 500):
        core = json.dumps([brackets, f'\\"{brackets}\\'])
        parse_json(level * (times - 1) + core + closing * (times - 1))
        assert "inside one another" in refusal(level * (times + 1) + core + closing * (times + 1))


def _levels(value: object) -> int:
    """Returns how many objects and lists are inside one another, as Python's own parser reads them."""
    if not isinstance(value, list | dict):
        return 0
    return 1 + max(map(_levels, value.values() if isinstance(value, dict) else value), default=0)


@given(
    st.lists(st.tuples(st.sampled_from(["list", "dict"]), st.text('[]{}"\\,:a')), min_size=28, max_size=36),
    st.text('[]{}"\\,:a', max_size=300),
)
def test_depth_is_that_of_pythons_parser_whatever_the_texts_have(
    wrapping: list[tuple[str, str]], innermost: str
) -> None:
    document: object = innermost
    for kind, text in wrapping:
        document = [text, document, text] if kind == "list" else {text: document}
    written = json.dumps(document)
    assert _levels(json.loads(written)) == len(wrapping)
    if len(wrapping) <= MAX_DEPTH:
        assert parse_json(written) == document
    else:
        assert "inside one another" in refusal(written)


def test_nesting_cannot_exhaust_a_small_stack() -> None:
    before = threading.stack_size(256 * 1024)
    try:
        with ThreadPoolExecutor(1) as executor:
            for opening, closing in (("[", "]"), ('{"a":', "}"), ('["]",', "]")):
                for levels in (500, 5_000, 100_000):
                    message = executor.submit(refusal, opening * levels + "1" + closing * levels).result()
                    assert "inside one another" in message
    finally:
        threading.stack_size(before)


@pytest.mark.parametrize("padding", ["", " " * 300_000])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a":1 "b"', "The payload is not valid JSON: expecting ',' delimiter at line 1, column 8."),
        ('"abc', "The payload is not valid JSON: unterminated string starting at line 1, column 1."),
        ('["\ud800"]', "The payload is not valid UTF-8 at offset 2."),
        (b'["\xff"]', "The payload is not valid UTF-8 at offset 2."),
        ("\ufeff{}", "The payload starts with a byte order mark: send plain UTF-8 without it."),
        ("[NaN]", "The payload is refused: NaN is not a JSON value."),
        ('"\\u0000"', "The payload has a NUL character (\\u0000)."),
        ("[" * 33 + "]" * 33, "The payload has more than 32 objects and lists inside one another."),
        ("[" * 99 + "]" * 99, "The payload has more than 32 objects and lists inside one another."),
    ],
)
def test_message_names_the_document_and_what_is_wrong(text: bytes | str, message: str, padding: str) -> None:
    padded = text + padding if isinstance(text, str) else text + padding.encode()
    with pytest.raises(JsonError) as caught:
        parse_json(padded, what="payload")
    assert caught.value.message == message


@pytest.mark.parametrize("padding", [b"", b" " * 300_000])
def test_entries_are_limited_whatever_the_size_of_the_document(padding: bytes) -> None:
    assert parse_json(b"[1,2,3,4]" + padding, max_entries=4) == [JsonNumber(text) for text in "1234"]
    with pytest.raises(TooManyEntriesError):
        parse_json(b"[" + b"1," * 99 + b"1]" + padding, max_entries=4)


def test_long_or_unprintable_key_is_cut_and_escaped_in_messages() -> None:
    key = json.dumps("a\n" * 500)
    assert len(refusal(f"{{{key}:1,{key}:2}}")) < 400
    assert len(refusal(f"{{{key}:{{{key}:{{{key}:{{{key}:[1,NaN]}}}}}}}}")) < 600
    assert len(refusal(f'{{{key}:{{{key}:{{{key}:{{{key}:"\\u0000"}}}}}}}}')) < 600


@pytest.mark.parametrize(
    ("place", "described"),
    [
        (None, "the outermost level"),
        ((None, 3), "[3]"),
        (((None, "a"), "b"), "a.b"),
        ((None, ""), '""'),
        ((None, "a\n"), '"a\\n"'),
        ((None, "k" * 100), "k" * 100),
        ((None, "k" * 101), f'"{"k" * 99}…"'),
        ((((None, "a" * 99), "b" * 99), "c" * 100), ".".join(["a" * 99, "b" * 99, "c" * 100])),
        ((((None, "a" * 100), "b" * 99), "c" * 100), "…" + ".".join(["a" * 98, "b" * 99, "c" * 100])),
    ],
)
def test_place_is_described_at_bounded_length(place: Place, described: str) -> None:
    assert describe_place(place) == described
    assert len(described) <= 300


def test_text_is_quoted_as_it_is_if_it_is_short_and_can_be_read() -> None:
    assert quote("é😀") == '"é😀"'
    assert quote("a\n") == '"a\\n"'
    assert quote("a" * 100) == f'"{"a" * 100}"'
    assert quote("a" * 101) == f'"{"a" * 99}…"'


@given(st.text(CHARACTERS))
def test_quoted_texts_are_short_and_on_one_line(text: str) -> None:
    assert quote(text).splitlines() == [quote(text)]
    assert len(quote(text)) < 1300


NUMBER_TEXTS = st.from_regex(r"-?(0|[1-9][0-9]{0,5})(\.[0-9]{1,5})?([eE][+-]?[0-9]{1,2})?", fullmatch=True).filter(
    str.isascii
)


@given(NUMBER_TEXTS, NUMBER_TEXTS)
def test_numbers_are_equal_if_and_only_if_their_values_are(left: str, right: str) -> None:
    one, two = JsonNumber(left), JsonNumber(right)
    assert (one == two) == (Decimal(left) == Decimal(right))
    assert one != two or hash(one) == hash(two)
    assert one == JsonNumber(left)


@given(NUMBER_TEXTS, st.integers(0, 4))
def test_number_in_another_notation_is_equal(text: str, shift: int) -> None:
    rewritten = f"{Decimal(text).scaleb(shift):f}"
    assert JsonNumber(f"{rewritten}e-{shift}") == JsonNumber(text)


@pytest.mark.parametrize("other", [1, 1.0, True, "1", Decimal(1), JsonNumber("-1"), JsonNumber("1e999999999")])
def test_number_differs_from_other_types(other: object) -> None:
    assert JsonNumber("1") != other


def test_documents_compare_as_json_and_not_as_python() -> None:
    assert parse_json('{"a":1,"b":[true]}') == parse_json('{"b":[true],"a":1.0}')
    assert parse_json("[true]") != parse_json("[1]")
    assert parse_json("[false]") != parse_json("[0]")
    assert parse_json("[null]") != parse_json("[false]")
    assert parse_json('["1"]') != parse_json("[1]")
    assert parse_json("[[]]") != parse_json("[{}]")


def test_huge_exponents_are_compared_quickly() -> None:
    started = time.perf_counter()
    assert JsonNumber("1e999999999") == JsonNumber("10e999999998")
    assert JsonNumber("1e" + "9" * 900) != JsonNumber("1e" + "8" * 900)
    assert JsonNumber("0e999999999") == JsonNumber("-0.0")
    for number in (JsonNumber("1e999999999"), JsonNumber("-1e" + "9" * 900)):
        with pytest.raises(JsonError):
            number.as_int()
        with pytest.raises(JsonError):
            number.to_python()
    # To write one of them out would take days.
    assert time.perf_counter() - started < 60


@pytest.mark.parametrize(
    "text", ["", "+1", "01", ".5", "1.", "1e", "0x1", " 1", "1 ", "1\n", "\u0661", "NaN", "--1"]
)
def test_text_that_is_no_json_number_is_refused(text: str) -> None:
    with pytest.raises(JsonError, match="is not a JSON number"):
        JsonNumber(text)


def test_length_limit_of_numbers_is_exact() -> None:
    assert JsonNumber("9" * MAX_NUMBER_CHARACTERS).as_int(high=10**MAX_NUMBER_CHARACTERS) > 0
    with pytest.raises(JsonError, match="at most 1000 characters"):
        JsonNumber("9" * (MAX_NUMBER_CHARACTERS + 1))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("-0", 0),
        ("7", 7),
        ("-7.0", -7),
        ("1.5e1", 15),
        ("12e3", 12_000),
        ("-9223372036854775808", -(2**63)),
        ("9223372036854775807", 2**63 - 1),
    ],
)
def test_whole_numbers_become_int(text: str, expected: int) -> None:
    assert JsonNumber(text).as_int() == expected


def test_number_that_does_not_become_int_is_quoted() -> None:
    with pytest.raises(JsonError) as fraction:
        JsonNumber("0.5").as_int()
    assert fraction.value.message == '"0.5" is not a whole number.'
    with pytest.raises(JsonError) as large:
        JsonNumber("11").as_int(low=-1, high=10)
    assert large.value.message == '"11" must be from -1 to 10.'


def test_fractions_do_not_become_int() -> None:
    for text, bounds in [
        ("0.5", {}),
        ("1e-1", {}),
        ("9223372036854775808", {}),
        ("11", {"high": 10}),
        ("-1", {"low": 0}),
    ]:
        with pytest.raises(JsonError):
            JsonNumber(text).as_int(**bounds)


def test_conversion_to_python_keeps_the_value_or_is_refused() -> None:
    assert (
        repr([JsonNumber(text).to_python() for text in ("1", "-0", "0.1", "1e2", "1.0")])
        == "[1, 0, 0.1, 100.0, 1.0]"
    )
    with pytest.raises(JsonError, match="as text"):
        JsonNumber("0.1000000000000000000001").to_python()
    with pytest.raises(JsonError, match="as text"):
        to_python(parse_json('{"a":[1e400]}'))


def test_largest_request_is_parsed() -> None:
    document: dict[str, JsonValue] = {
        f"00000000-0000-4000-8000-{number:012}": {f"C{currency}": str(10**40 + currency) for currency in range(10)}
        for number in range(10_000)
    }
    assert parse_json(json.dumps({"settlementAmounts": document}).encode()) == {"settlementAmounts": document}
