"""Files of settlements, as people and their spreadsheets write them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clearwindow.cli.people.coins import Coin, Coins
from clearwindow.cli.people.harmless import harmless, harmless_cell
from clearwindow.cli.people.problems import USAGE, EndError
from clearwindow.cli.people.settling_file import MOST_BYTES, read_file, wire_amounts

COINS = Coins([Coin("ofcbtc", 8, ("BTC",)), Coin("ofcusd", 2, ("US$",))], "decimal")
HEAD = "connection,currency,amount\n"


def amounts(tmp_path: Path, content: bytes | str, coins: Coins = COINS) -> dict[str, object]:
    path = tmp_path / "day.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    rows = read_file(path, coins).rows
    names = {name: name for row in rows for name in (row.connection, row.counterparty) if name is not None}
    return wire_amounts(rows, names, coins)


@pytest.mark.parametrize(
    "content",
    [
        HEAD + "a,BTC,-1.5\nb,US$,2\n",
        "\ufeff" + HEAD + "a,BTC,-1.50\n\nb,US$,2.00\n",
        "Connection; Currency ;AMOUNT\r\na;BTC;-1.5\r\nb;US$;2\r\n",
        "amount\tcurrency\tconnection\n-1.5\tBTC\ta\n2\tUS$\tb\n",
        (HEAD + "a,BTC,-1.5\nb,US$,2\n").encode("utf-16"),
        '"connection","currency","amount"\n"a","BTC","-1.5"\n"b","US$","+2"\n',
        "connection,currency,amount in base units\na,BTC,-150000000\nb,US$,200\n",
        json.dumps({"amountUnit": "decimal", "settlementAmounts": {"a": {"BTC": "-1.5"}, "b": {"US$": "2"}}}),
        json.dumps({"amountUnit": "base", "settlementAmounts": {"a": {"BTC": "-150000000"}, "b": {"US$": "200"}}}),
    ],
)
def test_each_way_to_write_it_means_the_same(tmp_path: Path, content: bytes | str) -> None:
    assert amounts(tmp_path, content) == {"a": {"BTC": "-1.5"}, "b": {"US$": "2"}}


def test_amounts_are_sent_in_the_partners_unit(tmp_path: Path) -> None:
    base = Coins([Coin("ofcbtc", 8, ("BTC",))], "base")
    assert amounts(tmp_path, HEAD + "a,BTC,-1.5\n", base) == {"a": {"BTC": "-150000000"}}


def test_brokers_name_two_connections(tmp_path: Path) -> None:
    content = "connection,counterparty,currency,amount\na,b,BTC,1\na,c,BTC,2\n"
    assert amounts(tmp_path, content) == {"a": {"b": {"BTC": "1"}, "c": {"BTC": "2"}}}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "it needs the columns"),
        (HEAD, "has no amounts"),
        ("connection,amount\na,1\n", "it needs the columns"),
        ("connection,currency,amount,price\na,BTC,1,2\n", "has the columns 'price'"),
        ("connection,currency,amount,amount\na,BTC,1,2\n", "each once"),
        ("connection,currency,amount,amount in base units\na,BTC,1,2\n", "it needs the columns"),
        (HEAD + "a,BTC,1,5\n", "line 2: has 4 cells instead of 3"),
        ("connection;currency;amount\na;BTC;-1,5\n", "line 2: '-1,5' has a comma"),
        (HEAD + 'a,BTC,"1,000.5"\n', "has a comma"),
        (HEAD + "a,BTC,1e5\n", "must be a number"),
        (HEAD + "a,BTC,1.5 BTC\n", "must be a number"),
        (HEAD + "a,BTC,0\n", "the amount is 0"),
        (HEAD + "a,BTC,0.123456789\n", "more than 8 decimals"),
        (HEAD + "a,BTC,1" + "0" * 78 + "\n", "is no amount"),
        (HEAD + "a,BTC,1" + "0" * 77 + "\n", "larger than any amount"),
        (HEAD + "a,ETH,1\n", "'ETH' is no currency name of this partner"),
        (HEAD + ",BTC,1\n", "has no connection"),
        (HEAD + "a,BTC,1\nb,BTC,1\na,BTC,2\n", "line 2: a has BTC there and again in line 4"),
        (HEAD + '"a,BTC,1\n', "line 2"),
        ("connection,currency,amount\nM\u00fcller,BTC,1\n".encode("latin-1"), "line 2: is not UTF-8"),
        (b"\x00\x01\x02", "is not a text file"),
        ((HEAD + "a,BTC,1\n").encode("utf-16-le"), "is not a text file"),
        (HEAD.replace("\n", "\r") + "a,BTC,1\r", "line 1"),
        ("sep=;\nconnection;currency;amount\na;BTC;1\n", "has the columns 'sep="),
        (HEAD + "a,BTC,\N{MINUS SIGN}1.5\n", "is no amount"),
        (HEAD + "a,BTC,1\N{NO-BREAK SPACE}000\n", "is no amount"),
        (HEAD + "a,BTC," + "1" * 200_000 + "\n", "line 2"),
        ("[]", "must be a JSON object"),
        ('{"settlementAmounts": {}}', "must have amountUnit"),
        ('{"amountUnit": "base", "settlementAmounts": {"a": {"BTC": 1.5}}}', "may lose digits"),
        ('{"amountUnit": "base", "settlementAmounts": {"a": 1}}', "must be an object of amounts"),
        ('{"amountUnit": "base", "settlementAmounts": {"a": {"BTC": "1.5"}}}', "more than 0 decimals"),
        ('{"amountUnit": "base", "settlementAmounts": {}, "nonce": "x"}', "has 'nonce'"),
        ('{"amountUnit": "base", "settlementAmounts": {}, "cutoffAt": "today"}', "is no moment"),
        ('{"amountUnit": "base", "amountUnit": "base", "settlementAmounts": {}}', "amountUnit"),
        ("[" * 100_000, "inside one another"),
    ],
)
def test_wrong_file_is_told_with_its_line(tmp_path: Path, content: bytes | str, told: str) -> None:
    with pytest.raises(EndError, match=r"day\.csv") as ended:
        amounts(tmp_path, content)
    assert ended.value.code == USAGE
    assert told in str(ended.value)
    assert len(str(ended.value)) < 400


def test_connection_that_is_named_twice_in_two_ways_is_told(tmp_path: Path) -> None:
    path = tmp_path / "day.csv"
    path.write_text(HEAD + "a,BTC,1\nalso a,BTC,2\n")
    with pytest.raises(EndError, match=r"day\.csv, line 3: the connection id has BTC twice"):
        wire_amounts(read_file(path, COINS).rows, {"a": "id", "also a": "id"}, COINS)


def test_largest_amount_and_the_smallest_are_exact(tmp_path: Path) -> None:
    most = "9" * 70 + "." + "9" * 8
    assert amounts(tmp_path, HEAD + f"a,BTC,{most}\nb,BTC,-0.00000001\n") == {
        "a": {"BTC": most},
        "b": {"BTC": "-0.00000001"},
    }


def test_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.csv"
    with path.open("wb") as file:
        file.truncate(200 * 1024 * 1024)
    with pytest.raises(EndError, match=f"more than {MOST_BYTES // 1024 // 1024} MiB"):
        read_file(path, COINS)


def test_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(EndError, match="cannot be read: No such file"):
        read_file(tmp_path / "none.csv", COINS)


def test_hostile_texts_are_made_harmless() -> None:
    assert harmless("a\x1b[2Jb\r\u202ec\n") == "a\ufffd[2Jb\ufffd\ufffdc\ufffd"
    for text in ("=1+1", "+a", "-a", "@a", "\t=1", "\uff1d1", "-1 BTC|'x'!A0", "-1+1", "-1 A1 B2"):
        assert harmless_cell(text).startswith("'")
    for text in ("-1.5", "12", "a=b", "1.5 BTC", "-0.5 BTC", "-5 base BTC"):
        assert harmless_cell(text) == text
