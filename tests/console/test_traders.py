"""A client's pages: its money, settlements and disputes, connections and allocations, and who gets none of them."""

from __future__ import annotations

import json
import shlex

import pytest

from tests.console.browsing import Visitor
from tests.console.members import command_on, sign_and_send, text_on, token_of
from tests.console.scenes import Scene, scene_of
from tests.support.networks import Json, ok
from tests.support.processes import command
from tests.support.settlements import Testbed, dispute, stage

BTC = "ofcbtc"


@pytest.fixture
def scene(testbed: Testbed) -> Scene:
    return scene_of(testbed)


def enter(visitor: Visitor, scene: Scene, role: str | None = None, *, as_other: bool = False) -> None:
    side = scene.borealis if as_other else scene.aster
    visitor.sign_in(token_of(scene.testbed, side.client.enterprise.id, role or "bea", role))


def open_settlement(scene: Scene, name: str = "day-3", amount: str = "-40") -> str:
    return str(stage(scene.partner, {scene.aster.id: {"USD": amount}}, externalId=name)["id"])


def every_page(scene: Scene, opened: str) -> list[str]:
    account = scene.aster.client.enterprise.account.id
    connection = scene.aster.client.api.get(f"/clients/connections/{scene.aster.id}").json()["connection"]
    return [
        "/console/trader/money",
        "/console/trader/settlements",
        f"/console/trader/settlements/{opened}",
        f"/console/trader/settlements/{scene.disputed_id}",
        "/console/trader/disputes?closed=",
        f"/console/trader/disputes/{scene.dispute_id}",
        "/console/trader/connections",
        f"/console/trader/connections/{scene.aster.id}",
        "/console/trader/allocations",
        "/console/trader/approvals?statuses=",
        "/console/webhooks",
        "/console/tokens",
        f"/console/statements/{account}",
        f"/console/statements/{connection['networkAccountId']}",
    ]


def test_every_page_of_a_client_answers(visitor: Visitor, scene: Scene) -> None:
    pages = every_page(scene, open_settlement(scene))
    enter(visitor, scene)
    for path in pages:
        page = visitor.get(path)
        assert page.status == 200, (path, page.text)
        assert page.html.count("<h1") == 1, path
        assert "borealis" not in page.html, path


def test_money_says_what_is_where_and_what_holds_it(visitor: Visitor, scene: Scene) -> None:
    opened = open_settlement(scene)
    enter(visitor, scene)

    money = visitor.get("/console/trader/money")
    connection = visitor.get(f"/console/trader/connections/{scene.aster.id}")

    assert "meridian" in money.text
    assert 'value="4960"' in money.html, "5 000 allocated, 40 held for day-3"
    assert f"/console/trader/settlements/{opened}" in connection.links
    assert f"/console/trader/disputes/{scene.dispute_id}" in connection.links


def test_settlement_says_what_it_takes_and_until_when(visitor: Visitor, scene: Scene) -> None:
    opened = open_settlement(scene)
    enter(visitor, scene)

    page = visitor.get(f"/console/trader/settlements/{opened}")

    assert "You can object in 10 min 00 s" in page.text
    assert 'value="-40"' in page.html
    assert "1 in all" in page.text
    assert page.has_form("/dispute")


def test_dispute_is_signed_elsewhere_and_raised_here(visitor: Visitor, scene: Scene) -> None:
    opened = open_settlement(scene)
    enter(visitor, scene)
    form = visitor.get(f"/console/trader/settlements/{opened}")

    shown = visitor.send(form, "/dispute", **{"amount-ofcusd": "-0.25", "reason": "we sold less"})
    assert "Dispute what a settlement does on one connection" in shown.text
    assert "we sold less" in shown.text
    assert '"operation":"dispute.raise"' in text_on(shown)
    assert not ok(scene.aster.client.api.get("/clients/settlement/disputes", settlementIds=opened))["disputes"]
    raised = sign_and_send(visitor, shown, scene.aster.client.enterprise.account.key)

    assert "The dispute is raised" in raised.text
    found = ok(scene.aster.client.api.get("/clients/settlement/disputes", settlementIds=opened))["disputes"]
    assert [each["expectedTransfers"] for each in found] == [{"ofcusd": "-25"}]
    assert found[0]["reason"] == "we sold less"
    assert found[0]["userId"] == "bea"


def test_dispute_is_retracted_reinstated_and_given_up(visitor: Visitor, scene: Scene) -> None:
    opened = open_settlement(scene)
    dispute_id = ok(dispute(scene.aster, opened, reason="a slip"))["dispute"]["id"]
    key = scene.aster.client.enterprise.account.key
    enter(visitor, scene)
    path = f"/console/trader/disputes/{dispute_id}"

    retracted = sign_and_send(visitor, visitor.send(visitor.get(path), "/retract", reason="found it"), key)
    again = sign_and_send(visitor, visitor.send(retracted, "/reinstate"), key)
    scene.testbed.pass_minutes(11)
    given_up = sign_and_send(visitor, visitor.send(visitor.get(path), "/close", notes="we were wrong"), key)

    assert "The dispute is retracted" in retracted.text
    assert "found it" in retracted.text
    assert "The dispute stands again" in again.text
    assert "The dispute is given up" in given_up.text
    assert "we were wrong" in given_up.text
    assert "pending review" in given_up.text


def test_wrong_signature_changes_nothing_and_the_text_stays(visitor: Visitor, scene: Scene) -> None:
    opened = open_settlement(scene)
    enter(visitor, scene)
    form = visitor.get(f"/console/trader/settlements/{opened}")
    shown = visitor.send(form, "/dispute", nothing="yes")

    refused = sign_and_send(visitor, shown, scene.borealis.client.enterprise.account.key)

    assert "signature_invalid" in refused.text
    assert refused.status == 401
    assert text_on(refused) == text_on(shown)
    assert not ok(scene.aster.client.api.get("/clients/settlement/disputes", settlementIds=opened))["disputes"]


@pytest.mark.parametrize("signature", ["", "  \n", "zz", "x" * 1_500])
def test_what_is_no_signature_is_refused(visitor: Visitor, scene: Scene, signature: str) -> None:
    enter(visitor, scene)
    form = visitor.get(f"/console/trader/settlements/{open_settlement(scene)}")
    shown = visitor.send(form, "/dispute", nothing="yes")

    refused = visitor.post("/console/signed", shown.form("/signed").fields | {"signature": signature})

    assert refused.status in {400, 401}
    assert text_on(refused) == text_on(shown)


def test_signature_comes_from_a_file(visitor: Visitor, scene: Scene) -> None:
    from clearwindow.signing.message import sign_message  # noqa: PLC0415 - here the console is given a file

    opened = open_settlement(scene)
    enter(visitor, scene)
    shown = visitor.send(visitor.get(f"/console/trader/settlements/{opened}"), "/dispute", nothing="yes")
    text = text_on(shown)
    # As `clearwindow sign` prints it: the signature, then the text.
    file = f"{sign_message(scene.aster.client.enterprise.account.key, text)}\n{text}".encode()

    raised = visitor.post("/console/signed", shown.form("/signed").fields, {"file": file})

    assert "The dispute is raised" in raised.text


def test_text_for_another_enterprise_or_operation_is_refused(visitor: Visitor, scene: Scene) -> None:
    opened = open_settlement(scene)
    enter(visitor, scene)
    shown = visitor.send(visitor.get(f"/console/trader/settlements/{opened}"), "/dispute", nothing="yes")
    fields = shown.form("/signed").fields
    foreign = fields["payload"].replace(scene.aster.client.enterprise.id, scene.borealis.client.enterprise.id)
    other = fields["payload"].replace("dispute.raise", "account.require_intent")

    for payload in (foreign, other, "{}", "[]", "x", '{"operation":"dispute.raise"}'):
        refused = visitor.post("/console/signed", fields | {"payload": payload, "signature": "20" * 65})
        assert refused.status in {400, 401, 404}, payload
    wrong_address = visitor.post("/console/signed/to-partner", fields | {"signature": "20" * 65})
    assert wrong_address.status == 400
    assert not ok(scene.aster.client.api.get("/clients/settlement/disputes", settlementIds=opened))["disputes"]


def test_text_with_anything_in_it_is_refused_and_shown(visitor: Visitor, scene: Scene) -> None:
    enter(visitor, scene)
    form = visitor.get(f"/console/trader/settlements/{open_settlement(scene)}")
    fields = visitor.send(form, "/dispute", nothing="yes").form("/signed").fields
    hostile: list[Json] = [
        {"settlementAmounts": {"x": {"BTC": "abc"}}},
        {"amount": {"currency": ["ofcbtc"], "quantity": "1"}},
        {"amount": {"currency": "ofcbtc", "quantity": "--1"}},
        {"expectedTransfers": {"ofcbtc": "\N{SUPERSCRIPT TWO}"}},
        {"expectedTransfers": {"ofcbtc": "9" * 5_000}},
        {"expectedTransfers": {"ofcbtc": {"a": "b"}}},
        {"expectedTransfers": ["<b>"]},
        {"lossLimits": {"ofcbtc": {"perDay": "1" * 5_000}, "ofcusd": None}},
        {"connectionId": {"a": ["b"]}},
        {"expiresAt": "never"},
        {"amountUnit": "\u202e'; rm -rf"},
    ]
    for more in hostile:
        changed = json.dumps(json.loads(fields["payload"]) | more)
        refused = visitor.post("/console/signed", fields | {"payload": changed, "signature": "20" * 65})
        assert refused.status in {400, 401}, (more, refused.text)
        assert text_on(refused) == changed


def test_command_of_the_page_signs_and_sends_the_same_request_once(visitor: Visitor, scene: Scene) -> None:
    enterprise = scene.aster.client.enterprise
    enter(visitor, scene)
    opened = open_settlement(scene)
    path = f"/console/trader/settlements/{opened}"
    shown = visitor.send(visitor.get(path), "/dispute", nothing="yes", reason="it's $(wrong)")
    words = shlex.split(command_on(shown))
    who = {"url": visitor.base_url, "enterprise": enterprise.id, "token": token_of(scene.testbed, enterprise.id)}

    assert words[0] == "clearwindow"
    done = command(*words[1:], xprv=enterprise.account.key.xprv, **who)
    late = sign_and_send(visitor, shown, enterprise.account.key)

    assert done.returncode == 0, done.stderr
    found = ok(enterprise.api.get("/clients/settlement/disputes", settlementIds=opened))["disputes"]
    assert [each["reason"] for each in found] == ["it's $(wrong)"]
    assert late.path == f"/console/trader/disputes/{found[0]['id']}?done=dispute_raised"


def test_custodians_key_signs_for_those_who_may_use_it(visitor: Visitor, second: Visitor, scene: Scene) -> None:
    operator, enterprise = scene.testbed.operator, scene.aster.client.enterprise
    ok(operator.post(f"/go-accounts/{enterprise.account.id}/keys", {"custodianKey": True}))
    operator.user(enterprise.id, "eve", role="trader", mayUseCustodianKey=False)
    opened = open_settlement(scene)
    path = f"/console/trader/settlements/{opened}"
    enter(visitor, scene)
    second.sign_in(token_of(scene.testbed, enterprise.id, "eve", "trader"))

    forbidden = second.send(second.get(path), "/dispute", nothing="yes")
    assert "custodian holds a key" not in forbidden.text
    refused = second.post("/console/signed", forbidden.form("/signed").fields | {"key": "custodian"})
    assert refused.status == 403
    assert "custodian_key_forbidden" in refused.text
    shown = visitor.send(visitor.get(path), "/dispute", nothing="yes")
    assert "custodian holds a key" in shown.text
    raised = visitor.post("/console/signed", shown.form("/signed").fields)

    assert "The dispute is raised" in raised.text
    found = ok(enterprise.api.get("/clients/settlement/disputes", settlementIds=opened))["disputes"]
    assert [each["userId"] for each in found] == ["bea"]


def test_money_is_allocated_and_taken_back(visitor: Visitor, scene: Scene) -> None:
    scene.testbed.operator.deposit(scene.aster.client.enterprise.account.id, BTC, 500)
    key = scene.aster.client.enterprise.account.key
    enter(visitor, scene)
    path = f"/console/trader/connections/{scene.aster.id}"

    fields = {"currency": BTC, "amount": "0.000002", "reference": "more"}
    there = sign_and_send(visitor, visitor.send(visitor.get(path), "/allocate", **fields), key)
    fields |= {"amount": "0.0000005", "reference": "less"}
    back = sign_and_send(visitor, visitor.send(visitor.get(path), "/deallocate", **fields), key)

    assert "It is done" in there.text
    assert "It is done" in back.text
    assert scene.aster.go_balances()[BTC] == (350, 0)
    assert "more" in visitor.get("/console/trader/allocations").text


def test_too_much_is_not_allocated_and_the_page_says_why(visitor: Visitor, scene: Scene) -> None:
    enter(visitor, scene)
    page = visitor.get(f"/console/trader/connections/{scene.aster.id}")

    shown = visitor.send(page, "/allocate", currency=BTC, amount="1")
    refused = sign_and_send(visitor, shown, scene.aster.client.enterprise.account.key)

    assert "It was not done" in refused.text


def test_connection_is_paused_and_used_again(visitor: Visitor, scene: Scene) -> None:
    enter(visitor, scene)
    path = f"/console/trader/connections/{scene.aster.id}"

    paused = visitor.send(visitor.get(path), "/pause")
    used = visitor.send(paused, "/resume")

    assert "The connection is changed" in paused.text
    assert not used.has_form("/resume")


def test_limits_of_loss_are_set(visitor: Visitor, scene: Scene) -> None:
    enter(visitor, scene)
    page = visitor.get(f"/console/trader/connections/{scene.aster.id}")

    done = visitor.send(page, "/limits", currency=BTC, perSettlement="0.000001", perDay="")

    assert "The limits are set" in done.text
    limits = ok(scene.aster.client.api.get(f"{scene.aster.path}/loss-limits"))["lossLimits"]
    assert limits == {BTC: {"perSettlement": "100", "perDay": None}}


def test_change_is_signed_if_the_account_requires_it(visitor: Visitor, scene: Scene) -> None:
    enterprise = scene.aster.client.enterprise
    ids = {"enterpriseId": enterprise.id, "goAccountId": enterprise.account.id}
    said = {
        "operation": "account.require_intent",
        "requireIntent": True,
        **ids,
        "expiresAt": "2030-01-01T00:00:00Z",
    }
    ok(enterprise.api.post(f"/go-accounts/{enterprise.account.id}/require-intent", enterprise.sign(said)))
    enter(visitor, scene)
    page = visitor.get(f"/console/trader/connections/{scene.aster.id}")

    shown = visitor.send(page, "/pause")
    assert "none until you allow them again" in shown.text
    assert ok(enterprise.api.get(scene.aster.path))["connection"]["active"] is True
    done = sign_and_send(visitor, shown, enterprise.account.key)

    assert "The connection is changed" in done.text
    assert ok(enterprise.api.get(scene.aster.path))["connection"]["active"] is False


def test_viewer_of_a_client_sees_the_pages_and_no_acts(visitor: Visitor, scene: Scene) -> None:
    opened = open_settlement(scene)
    pages = every_page(scene, opened)
    enter(visitor, scene, "viewer")
    for path in pages:
        page = visitor.get(path)
        assert page.status == 200, path
        sent = {form.action for form in page.forms if form.method == "post"}
        assert all(action == "/console/sign-out" or action.endswith("/revoke") for action in sent), (path, sent)
    token = visitor.get().form("/sign-out").fields["form"]
    for path, fields in (
        (f"trader/settlements/{opened}/dispute", {"connectionId": scene.aster.id, "nothing": "yes"}),
        (f"trader/connections/{scene.aster.id}/pause", {}),
        (f"trader/connections/{scene.aster.id}/allocate", {"currency": BTC, "amount": "1"}),
        ("webhooks", {"url": "https://hooks.example"}),
    ):
        refused = visitor.post(f"/console/{path}", {"form": token, **fields})
        assert refused.status == 403, path
        assert "role_forbids" in refused.text, path


def test_another_enterprise_gets_no_page_and_no_act(visitor: Visitor, scene: Scene) -> None:
    opened = open_settlement(scene)
    pages = every_page(scene, opened)
    enter(visitor, scene, as_other=True)
    for path in pages:
        page = visitor.get(path)
        if path.rpartition("/")[2].partition("?")[0].isalpha():
            assert page.status == 200, path
        elif scene.disputed_id in path:
            assert page.status == 200, "borealis is in it, too"
        else:
            assert page.status in {403, 404}, path
        assert scene.aster.id not in page.html, path
        assert "aster" not in page.text, path
    token = visitor.get().form("/sign-out").fields["form"]
    for path in (
        f"trader/settlements/{opened}/dispute",
        f"trader/disputes/{scene.dispute_id}/close",
        f"trader/connections/{scene.aster.id}/pause",
    ):
        fields = {"form": token, "connectionId": scene.aster.id, "nothing": "yes", "notes": "x"}
        page = visitor.post(f"/console/{path}", fields)
        if page.has_form("/signed"):
            page = sign_and_send(visitor, page, scene.borealis.client.enterprise.account.key)
        assert page.status in {403, 404}, path
    assert ok(scene.aster.client.api.get(scene.aster.path))["connection"]["active"] is True


def test_exchange_and_operator_get_no_page_of_a_client(visitor: Visitor, second: Visitor, scene: Scene) -> None:
    opened = open_settlement(scene)
    visitor.sign_in(token_of(scene.testbed, scene.partner.enterprise.id))
    second.sign_in(scene.testbed.operator.operator_token(scene.testbed.operator.operator("Ada")["id"]))
    for path in every_page(scene, opened):
        named = path.rpartition("/")[2].partition("?")[0].isalpha()
        assert named or "/statements/" in path or visitor.get(path).status in {403, 404}, path
        assert second.get(path).status == 403, path


def test_hostile_text_is_text_on_pages_of_members(visitor: Visitor, testbed: Testbed) -> None:
    hostile = "\"'><script>alert(1)</script>{{7*7}}<img src=x onerror=alert(1)>"
    scene = scene_of(testbed, reason=hostile, external_id=hostile[:60])
    opened = open_settlement(scene, hostile[:90])
    pages = every_page(scene, opened)
    enter(visitor, scene)
    shown = visitor.send(
        visitor.get(f"/console/trader/settlements/{opened}"), "/dispute", nothing="yes", reason=hostile
    )
    for page in (*map(visitor.get, pages), shown):
        assert "<script>" not in page.html
        assert "<img src=x" not in page.html
    assert "alert(1)" in shown.text
