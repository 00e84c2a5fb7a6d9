"""A settlement beside the client's own fills, from a file that is never kept."""

from __future__ import annotations

import pytest

from tests.console.browsing import Page, Visitor
from tests.console.members import token_of
from tests.console.scenes import Scene, scene_of
from tests.support.settlements import Testbed, approved_closure, stage

USD = "ofcusd"


@pytest.fixture
def opened(visitor: Visitor, testbed: Testbed) -> tuple[Scene, str]:
    scene = scene_of(testbed)
    # Its own amounts count: not those of another client, nor those of an earlier dispute that it settles.
    approved_closure(testbed, scene.aster, "-3")
    amounts = {scene.aster.id: {"USD": "-40", "BTC": "7"}, scene.borealis.id: {"USD": "5"}}
    settlement_id = stage(scene.partner, amounts, externalId="day-3")["id"]
    visitor.sign_in(token_of(testbed, scene.aster.client.enterprise.id))
    return scene, f"/console/trader/settlements/{settlement_id}/compare"


def upload(visitor: Visitor, path: str, content: str | bytes) -> Page:
    raw = content.encode() if isinstance(content, str) else content
    return visitor.post(path, visitor.get(path).form("/compare").fields, {"file": raw})


def test_fills_that_agree_say_so(visitor: Visitor, opened: tuple[Scene, str]) -> None:
    _, path = opened

    page = upload(visitor, path, "currency,amount\nofcusd,-0.5\nofcusd,0.1\nofcbtc,0.00000007\n")

    assert "All 2 sums are as your fills say" in page.text
    assert "differs" not in page.text


def test_difference_is_marked_and_comes_first(visitor: Visitor, opened: tuple[Scene, str]) -> None:
    scene, path = opened
    text = f"Connection;Currency;Amount\r\n{scene.aster.id};ofcusd;-0.25\r\n{scene.aster.id};ofcbtc;0.00000007\r\n"

    page = upload(visitor, path, text.encode("utf-16"))

    assert "1 of 2 sums differ" in page.text
    assert 'value="-15"' in page.html, "40 settled, 25 in the fills"
    assert page.html.index("badge bad") < page.html.index("badge good")


def test_fill_that_the_settlement_lacks_differs(visitor: Visitor, opened: tuple[Scene, str]) -> None:
    _, path = opened

    page = upload(visitor, path, "currency,amount\nofceth,1\n")

    assert "3 of 3 sums differ" in page.text


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "choose a CSV file"),
        ("currency\nofcusd\n", "must have the columns"),
        ("currency,amount,amount\n", "must have the columns"),
        ("currency,amount\nofcusd,1,5\n", "line 2: has 3 cells"),
        ("currency,amount\nofcusd,x\n", "line 2: ofcusd: enter an amount"),
        ("currency,amount\nofcusd,=1+1\n", "line 2: ofcusd: enter an amount"),
        ("currency,amount\n=cmd|' /C calc'!A0,1\n", "is no currency of the network"),
        ("currency,amount\n<script>,1\n", "is no currency of the network"),
        ('currency,amount\n"ofcusd,1\n', "line"),
        ("connection,currency,amount\nelsewhere,ofcusd,1\n", "'elsewhere' is no connection of yours"),
        (b"\xff\xfe\x00", "is not UTF-8"),
        (b"currency,amount\nofcusd,1\x00\n", "is not a text file"),
        ("currency,amount\n" + "ofcusd,0.01\n" * 20_001, "more than 20000 fills"),
    ],
    ids=range(13),
)
def test_file_that_is_no_list_of_fills_is_refused(
    visitor: Visitor, opened: tuple[Scene, str], content: str | bytes, told: str
) -> None:
    page = upload(visitor, opened[1], content)

    assert page.status == 400
    # Quotes and signs of the message are written as text.
    assert told in page.text
    assert "<script>" not in page.html


def test_form_without_a_file_or_with_too_large_a_one_is_refused(
    visitor: Visitor, opened: tuple[Scene, str]
) -> None:
    _, path = opened
    fields = visitor.get(path).form("/compare").fields

    assert visitor.post(path, fields).status == 400
    assert visitor.post(path, fields, {"file": b"x" * (2 * 1024 * 1024)}).status == 413


def test_another_enterprise_compares_nothing(visitor: Visitor, second: Visitor, opened: tuple[Scene, str]) -> None:
    scene, path = opened
    second.sign_in(token_of(scene.testbed, scene.testbed.network.client("corvus").enterprise.id))
    token = second.get().form("/sign-out").fields["form"]

    assert second.get(path).status == 404
    assert second.post(path, {"form": token}, {"file": b"currency,amount\nofcusd,1\n"}).status == 404
    assert visitor.get(path).status == 200
