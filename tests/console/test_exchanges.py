"""Pages of an exchange: settlements, a new one from a file, disputes, allocations, its endpoint; who gets none."""

from __future__ import annotations

import json

import pytest

from tests.console.browsing import Page, Visitor
from tests.console.exchange import HOSTILE, Exchange, exchange_of, pages_of_exchange
from tests.console.members import command_on, sign_and_send, text_on, token_of
from tests.console.scenes import scene_of
from tests.support.networks import ok
from tests.support.settlements import Testbed

BTC = "ofcbtc"


@pytest.fixture
def exchange(testbed: Testbed) -> Exchange:
    return exchange_of(testbed, scene_of(testbed))


def enter(visitor: Visitor, exchange: Exchange, user: str = "bea", role: str | None = None) -> Page:
    return visitor.sign_in(token_of(exchange.scene.testbed, exchange.scene.partner.enterprise.id, user, role))


def preview(visitor: Visitor, file: str | bytes, **fields: str) -> Page:
    page = visitor.get("/console/exchange/new")
    raw = file.encode() if isinstance(file, str) else file
    return visitor.post(
        "/console/exchange/new", page.form("/new").fields | {"externalId": "day-3", **fields}, {"file": raw}
    )


def test_every_page_of_an_exchange_answers(visitor: Visitor, exchange: Exchange) -> None:
    enter(visitor, exchange)
    for path in pages_of_exchange(exchange):
        page = visitor.get(path)
        assert page.status == 200, (path, page.text)
        assert page.html.count("<h1") == 1, path
    assert {"Settlements", "Endpoint"} <= set(visitor.get().text.split())


def test_today_says_what_is_open_what_failed_and_what_waits(visitor: Visitor, exchange: Exchange) -> None:
    scene = exchange.scene
    enter(visitor, exchange)
    fields = preview(visitor, f"connection,currency,amount\n{scene.aster.id},BTC,0.000006\n")
    sign_and_send(visitor, visitor.post(*_sign(fields)), scene.partner.enterprise.account.key)

    opened = visitor.get()
    scene.testbed.pass_minutes(25)
    failed = visitor.get()

    assert "2 in their dispute window" in opened.text
    assert "0 failed: top up" in opened.text
    assert "1 disputes not closed" in opened.text
    assert "1 allocations that wait" in opened.text
    assert "1 failed: top up" in failed.text
    assert "The deposit has them tried again at once" in failed.text
    assert "Bring what is short" in visitor.get(next(link for link in failed.links if "/settlements/" in link)).text


def _sign(page: Page) -> tuple[str, dict[str, str]]:
    form = page.form("/exchange/sign")
    return form.action, form.fields


def test_settlement_of_a_file_is_previewed_signed_and_staged_once(visitor: Visitor, exchange: Exchange) -> None:
    scene = exchange.scene
    enter(visitor, exchange)
    before = exchange.settlements()

    shown = preview(
        visitor,
        f"connection,currency,amount\n{scene.aster.id},BTC,-0.0000004\n{scene.borealis.id},USD,3.5\n",
        notes="the third day",
    )
    assert "can be staged" in shown.text
    assert "2 amounts" in shown.text
    assert 'value="350"' in shown.html
    assert len(exchange.settlements()) == len(before), "a preview stages nothing"
    text = visitor.post(*_sign(shown))
    assert f"On {scene.aster.id} -40 BTC" in text.text
    assert '"amountUnit":"base"' in text_on(text)
    assert len(exchange.settlements()) == len(before)
    staged = sign_and_send(visitor, text, scene.partner.enterprise.account.key)
    again = sign_and_send(visitor, text, scene.partner.enterprise.account.key)

    assert "The settlement is staged" in staged.text
    assert again.path == staged.path
    assert sorted(exchange.settlements()) == sorted(["day-3", *before])
    assert "the third day" in staged.text
    assert scene.aster.balances()[BTC][1] >= 40


def test_settlement_of_a_json_file_has_the_amounts_as_the_api_takes_them(
    visitor: Visitor, exchange: Exchange
) -> None:
    scene = exchange.scene
    enter(visitor, exchange)
    amounts = {scene.aster.id: {"BTC": "-40"}, scene.borealis.id: {"USD": "350"}}

    shown = preview(visitor, json.dumps({"settlementAmounts": amounts}))
    text = visitor.post(*_sign(shown))

    assert json.loads(text_on(text))["settlementAmounts"] == amounts
    assert command_on(text).startswith("clearwindow call POST ")


def test_amounts_of_an_exchange_that_counts_coins_are_coins(visitor: Visitor, exchange: Exchange) -> None:
    scene = exchange.scene
    scene.testbed.network.configure("meridian", amountUnit="decimal", asyncAllocations=True)
    enter(visitor, exchange)

    shown = preview(
        visitor, f"connection,currency,amount\n{scene.aster.id},BTC,-0.0000004\n{scene.borealis.id},USD,3\n"
    )
    text = visitor.post(*_sign(shown))
    staged = sign_and_send(visitor, text, scene.partner.enterprise.account.key)
    waits = visitor.get(f"/console/exchange/allocations/{exchange.allocation_id}")
    decided = sign_and_send(
        visitor, visitor.send(waits, "/decide", status="cleared"), scene.partner.enterprise.account.key
    )

    assert '"amountUnit":"decimal"' in text_on(text)
    assert f"On {scene.aster.id} -0.0000004 BTC" in text.text
    assert 'value="40"' in shown.html
    assert "The settlement is staged" in staged.text
    assert 'value="200"' in waits.html
    assert "Your decision is carried out" in decided.text


def test_settlement_that_is_short_says_who_lacks_what(visitor: Visitor, exchange: Exchange) -> None:
    enter(visitor, exchange)

    shown = preview(visitor, f"connection,currency,amount\n{exchange.scene.aster.id},BTC,-1\n")

    assert "would be refused" in shown.text
    assert "1 short, these first" in shown.text
    assert not shown.has_form("/exchange/sign")


NO_SETTLEMENTS = (
    ("", "choose a CSV or JSON file"),
    ("connection,currency\nx,BTC\n", "line 1"),
    ("connection,currency,amount\nnobody,BTC,1\n", "no connection of yours"),
    ("connection,currency,amount\n{aster},DOGE,1\n", "line 2: 'DOGE' is none of your currencies"),
    ("connection,currency,amount\n{aster},BTC,one\n", "line 2: BTC: enter an amount"),
    ('connection,currency,amount\n{aster},BTC,"=1+1"\n', "line 2: BTC: enter an amount"),
    ("connection,currency,amount\n=cmd|x,BTC,1\n", "'=cmd|x' is no connection of yours"),
    ("connection,currency,amount\n{aster},BTC,1\n{aster},BTC,2\n", "line 3"),
    ("connection,currency,amount\n{aster},BTC,0\n", "the amount is 0"),
    ("connection,currency,amount\n" + "{aster},BTC,1\n" * 10_001, "line"),
    ('{"settlementAmounts": []}', "must be a JSON object with settlementAmounts"),
    ('{"settlementAmounts": ', "file"),
)
"""Files that are none, and what the page says of each."""


def test_file_that_is_no_settlement_is_refused_with_its_line(visitor: Visitor, exchange: Exchange) -> None:
    enter(visitor, exchange)
    for file, told in NO_SETTLEMENTS:
        refused = preview(visitor, file.replace("{aster}", exchange.scene.aster.id), notes=HOSTILE)

        assert refused.status == 400, told
        assert told in refused.text
        assert "<script>" not in refused.html
        assert refused.form("/new").fields["externalId"] == "day-3"


def test_file_over_the_limit_is_refused(visitor: Visitor, exchange: Exchange) -> None:
    enter(visitor, exchange)
    assert preview(visitor, b"x" * (2 * 1024 * 1024 + 1)).status == 413


def test_fields_that_no_preview_made_are_not_signed(visitor: Visitor, exchange: Exchange) -> None:
    enter(visitor, exchange)
    token = visitor.get().form("/sign-out").fields["form"]
    for fields in ("", "[]", "{", '{"signature":"x"}', '{"operation":"dispute.raise"}', '{"externalId":"x"}'):
        assert visitor.post("/console/exchange/sign", {"form": token, "fields": fields}).status == 400, fields


def test_settlement_is_taken_back(visitor: Visitor, exchange: Exchange) -> None:
    enter(visitor, exchange)
    page = visitor.get(f"/console/exchange/settlements/{exchange.scene.open_id}")
    assert "Clients can object in 10 min 00 s" in page.text

    text = visitor.send(page, "/withdraw", reason="the wrong day")
    done = sign_and_send(visitor, text, exchange.scene.partner.enterprise.account.key)

    assert "The settlement is taken back" in done.text
    assert "the wrong day" in done.text
    assert exchange.scene.testbed.state(exchange.scene.open_id) == "rejected"


def test_dispute_is_side_by_side_and_says_who_closes_it(visitor: Visitor, exchange: Exchange) -> None:
    scene = exchange.scene
    enter(visitor, exchange)

    page = visitor.get(f"/console/exchange/disputes/{scene.dispute_id}")
    ok(
        scene.testbed.operator.post(
            f"/disputes/{scene.dispute_id}/close", {"adjustedTransfers": {BTC: "-25"}, "notes": "half"}
        )
    )
    closed = visitor.get(f"/console/exchange/disputes/{scene.dispute_id}")

    for number in ("-30", "-20", "10"):
        assert f'value="{number}"' in page.html
    assert "0.3 too much" in page.text
    assert "an operator closes it so" in page.text
    assert 'value="-25"' in closed.html
    assert "An operator reviews the closure" in closed.text


def test_connections_have_what_is_free_and_held(visitor: Visitor, exchange: Exchange) -> None:
    enter(visitor, exchange)

    page = visitor.get(f"/console/exchange/connections?connectionIds={exchange.scene.borealis.id}")
    exchange.scene.testbed.network.configure("meridian", amountUnit="decimal")
    in_coins = visitor.get(f"/console/exchange/connections?connectionIds={exchange.scene.borealis.id}")

    assert 'value="4300"' in in_coins.html, "balances are base units, whatever the exchange's own unit"
    assert 'value="4300"' in page.html, "5 000 allocated, 700 held for day-2"
    assert exchange.scene.aster.id not in page.html


@pytest.mark.parametrize(("status", "funds"), [("cleared", (300, 0)), ("released", (500, 0))])
def test_allocation_that_waits_is_decided(
    visitor: Visitor, exchange: Exchange, status: str, funds: tuple[int, int]
) -> None:
    enter(visitor, exchange)
    listed = visitor.get("/console/exchange/allocations")
    path = f"/console/exchange/allocations/{exchange.allocation_id}"
    assert path in listed.links

    text = visitor.send(visitor.get(path), "/decide", status=status, ownId="ours-1", rejectReason="too large")
    done = sign_and_send(visitor, text, exchange.scene.partner.enterprise.account.key)

    assert "Your decision is carried out" in done.text
    assert status in done.text
    assert ("too large" in done.text) is (status == "released")
    assert exchange.scene.aster.go_balances()[BTC] == funds
    assert not done.has_form("/decide")


def test_deallocation_that_waits_is_decided(visitor: Visitor, exchange: Exchange) -> None:
    record = ok(exchange.scene.borealis.deallocate("ofcusd", 100))["deallocation"]
    enter(visitor, exchange)
    page = visitor.get(f"/console/exchange/allocations/{record['id']}")

    text = visitor.send(page, "/decide", status="cleared")
    done = sign_and_send(visitor, text, exchange.scene.partner.enterprise.account.key)

    assert "Your decision is carried out" in done.text
    assert exchange.scene.borealis.go_balances()["ofcusd"] == (100, 0)


def test_viewer_of_an_exchange_sees_the_pages_and_no_acts(visitor: Visitor, exchange: Exchange) -> None:
    enter(visitor, exchange, "viewer", "viewer")
    for path in pages_of_exchange(exchange):
        page = visitor.get(path)
        assert page.status == 200, path
        sent = {form.action for form in page.forms if form.method == "post"}
        assert sent <= {"/console/sign-out", "/console/exchange/new"}, (path, sent)
    token = visitor.get().form("/sign-out").fields["form"]
    shown = preview(visitor, f"connection,currency,amount\n{exchange.scene.aster.id},BTC,-0.0000004\n")
    assert "Your role may look, not stage" in shown.text
    amounts = {"externalId": "day-3", "cutoffAt": "2026-01-05T11:00:00Z", "settlementAmounts": {}}
    for path, fields in (
        (f"settlements/{exchange.scene.open_id}/withdraw", {"reason": "x"}),
        (f"allocations/{exchange.allocation_id}/decide", {"status": "cleared", "ownId": "x"}),
        ("sign", {"fields": json.dumps(amounts)}),
    ):
        refused = visitor.post(f"/console/exchange/{path}", {"form": token, **fields})
        assert refused.status == 403, (path, refused.text)
        assert "role_forbids" in refused.text, path


def test_others_get_no_page_and_no_act_of_an_exchange(
    visitor: Visitor, second: Visitor, exchange: Exchange
) -> None:
    testbed = exchange.scene.testbed
    rival = testbed.network.partner("rival")
    visitor.sign_in(token_of(testbed, rival.enterprise.id))
    second.sign_in(token_of(testbed, exchange.scene.aster.client.enterprise.id))
    for path in pages_of_exchange(exchange)[1:]:
        if path.rpartition("/")[2].partition("?")[0].isalpha():
            page = visitor.get(path)
            assert page.status == 200, path
            assert exchange.scene.aster.id not in page.text.replace(page.path, ""), path
            assert "day-1" not in page.text, path
        else:
            assert visitor.get(path).status == 404, path
        assert second.get(path).status == 403, path
    token = visitor.get().form("/sign-out").fields["form"]
    path = f"/console/exchange/allocations/{exchange.allocation_id}/decide"
    assert visitor.post(path, {"form": token, "status": "cleared", "ownId": "x"}).status == 404
    withdrawal = f"/console/exchange/settlements/{exchange.scene.open_id}/withdraw"
    text = visitor.post(withdrawal, {"form": token, "reason": "x"})
    assert sign_and_send(visitor, text, rival.enterprise.account.key).status == 404
    assert preview(visitor, f"connection,currency,amount\n{exchange.scene.aster.id},BTC,1\n").status == 400
    assert visitor.post(path, {"form": "wrong", "status": "cleared"}).status == 403
    assert testbed.state(exchange.scene.open_id) == "dispute_window"


def test_operator_gets_no_page_of_an_exchange(visitor: Visitor, exchange: Exchange) -> None:
    operator = exchange.scene.testbed.operator
    visitor.sign_in(operator.operator_token(operator.operator("Ada")["id"]))
    for path in pages_of_exchange(exchange)[1:]:
        assert visitor.get(path).status == 403, path


def test_hostile_text_is_text_on_pages_of_exchanges(visitor: Visitor, testbed: Testbed) -> None:
    exchange = exchange_of(testbed, scene_of(testbed, reason=HOSTILE, external_id=HOSTILE[:60]), notes=HOSTILE)
    enter(visitor, exchange)
    shown = preview(
        visitor,
        f"connection,currency,amount\n{exchange.scene.aster.id},BTC,-0.0000004\n",
        externalId=HOSTILE[:80],
        notes=HOSTILE,
    )
    text = visitor.post(*_sign(shown))
    for page in (*map(visitor.get, pages_of_exchange(exchange)), shown, text):
        assert "<script>" not in page.html
        assert "<img src=x" not in page.html
    assert "alert(1)" in text.text
