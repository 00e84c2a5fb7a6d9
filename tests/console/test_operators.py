"""The operator's pages: what they show, and what their forms do. All without JavaScript."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import FastAPI

from clearwindow.identity.models import OperatorRole
from clearwindow.runtime import Runtime
from tests.conftest import OPERATOR_TOKEN
from tests.console.browsing import Visitor
from tests.console.factors import Authenticator
from tests.console.scenes import Scene, scene_of
from tests.support.networks import ok
from tests.support.operators import READ, OperatorClient
from tests.support.settlements import Testbed, stage
from tests.support.staff import StaffClient, proposed, staff, watched

PAGES = [
    "/console",
    "/console/settlements",
    "/console/settlements?statuses=pending&onlyShowDisputed=&externalIds=",
    "/console/disputes",
    "/console/proposals",
    "/console/enterprises",
    "/console/session",
]


@pytest.fixture
def scene(testbed: Testbed) -> Scene:
    return scene_of(testbed)


@pytest.fixture
def ada(runtime: Runtime, base_url: str) -> Iterator[StaffClient]:
    with staff(runtime, base_url, "Ada") as ada:
        yield ada


def audited(operator: OperatorClient, subject_id: str) -> list[tuple[str, str]]:
    records = ok(operator.get("/audit-log", subjectId=subject_id))["records"]
    return [(record["action"], record["actorId"]) for record in records]


def every_page(scene: Scene) -> list[str]:
    return [
        *PAGES,
        f"/console/settlements/{scene.disputed_id}",
        f"/console/settlements/{scene.disputed_id}/transfers",
        f"/console/settlements/{scene.open_id}",
        f"/console/disputes/{scene.dispute_id}",
        f"/console/enterprises/{scene.partner.enterprise.id}",
        f"/console/enterprises/{scene.aster.client.enterprise.id}",
        f"/console/accounts/{scene.aster.client.enterprise.account.id}",
        f"/console/accounts/{scene.partner.enterprise.account.id}",
    ]


def test_first_page_says_what_needs_an_operator(visitor: Visitor, scene: Scene) -> None:
    page = visitor.sign_in(OPERATOR_TOKEN)

    assert "1 disputes to close" in page.text
    assert "aster" in page.text
    assert "0.3 too much" in page.text
    assert f"/console/disputes/{scene.dispute_id}" in page.links
    assert f"/console/settlements/{scene.open_id}" in page.links


def test_every_partner_whose_endpoint_fails_is_on_the_first_page(visitor: Visitor, testbed: Testbed) -> None:
    for number in range(10):
        testbed.network.partner(f"exchange-{number}", callbackUrl="https://exchange.example")
    with testbed.runtime.transaction() as tx:
        tx.run(
            "INSERT INTO partner_circuit (partner_id, failures, last_error) SELECT id, 3, 'refused' FROM partner"
            " ON CONFLICT (partner_id) DO UPDATE SET failures = 3"
        )
    visitor.sign_in(OPERATOR_TOKEN)
    assert visitor.get("/console").text.count("3 failures") == 10


def test_failed_settlement_is_on_the_first_page_until_it_is_tried_again(visitor: Visitor, testbed: Testbed) -> None:
    partner = testbed.network.partner("poor")
    client = testbed.network.funded(partner, {"ofcbtc": 10})
    settlement_id = stage(partner, {client.id: {"BTC": "5"}}, externalId="too-much")["id"]
    testbed.pass_minutes(30)
    assert testbed.state(settlement_id) == "failed"

    page = visitor.sign_in(OPERATOR_TOKEN)
    assert "1 settlements failed" in page.text
    assert "too-much" in page.text
    detail = visitor.get(f"/console/settlements/{settlement_id}")
    testbed.operator.deposit(partner.enterprise.account.id, "ofcbtc", 50)
    testbed.run_due()
    refused = visitor.send(detail, "/retry", reason="funded now")

    # The deposit has made it due, and the worker has executed it already: the form comes too late and says so.
    assert refused.status == 409
    assert "settlement_state" in refused.text
    assert "0 settlements failed" in visitor.get().text


def test_every_page_answers_and_hides_nothing_behind_a_script(visitor: Visitor, scene: Scene) -> None:
    visitor.sign_in(OPERATOR_TOKEN)
    for path in every_page(scene):
        page = visitor.get(path)
        assert page.status == 200, (path, page.text)
        assert "noscript" not in page.tags
        assert page.html.count("<h1") == 1


def test_settlement_has_its_whole_life_on_one_page(visitor: Visitor, scene: Scene) -> None:
    visitor.sign_in(OPERATOR_TOKEN)
    page = visitor.get(f"/console/settlements/{scene.disputed_id}")

    for text in (
        "day-1",
        "the first day",
        "Signed request: settlement",
        "Dispute window ended",
        "Top-up window ends",
        "Disputed on connection",
        "Event: settlement",
        "Journal: ",
        "All 2 transfers",
        "borealis",
    ):
        assert text in page.text, text
    assert scene.partner.enterprise.account.key_id not in page.html
    assert "The text" in page.text
    assert "settlementAmounts" in page.text


def test_transfers_come_in_pages(visitor: Visitor, testbed: Testbed) -> None:
    partner = testbed.network.partner("wide", deposits={"ofcbtc": 10})
    clients = [testbed.network.funded(partner, {"ofcbtc": 10, "ofcusd": 10}, name=f"c{n}") for n in range(2)]
    amounts = {each.id: {"BTC": "1", "USD": "-1"} for each in clients}
    settlement_id = stage(partner, amounts)["id"]
    visitor.sign_in(OPERATOR_TOKEN)

    first = visitor.get(f"/console/settlements/{settlement_id}/transfers?pageSize=3")
    following = next(link for link in first.links if "cursor=" in link)
    second = visitor.get(following)

    assert "3 shown, 4 in all" in first.text
    assert second.status == 200
    assert "1 shown" in second.text
    assert not any("cursor=" in link for link in second.links)


def test_dispute_shows_settled_expected_and_adjusted_side_by_side(visitor: Visitor, scene: Scene) -> None:
    visitor.sign_in(OPERATOR_TOKEN)
    page = visitor.get(f"/console/disputes/{scene.dispute_id}")

    assert 'value="-30"' in page.html
    assert 'value="-20"' in page.html
    assert 'value="10"' in page.html
    assert "not closed" in page.text


def test_dispute_is_closed_and_reviewed_by_two(
    visitor: Visitor, second: Visitor, scene: Scene, ada: StaffClient
) -> None:
    visitor.sign_in(OPERATOR_TOKEN)
    second.sign_in(ada.token_value)
    dispute = f"/console/disputes/{scene.dispute_id}"

    closed = visitor.send(visitor.get(dispute), "/close", **{"amount-ofcbtc": "-0.0000002", "notes": "as claimed"})
    assert "another operator reviews it now" in closed.text
    own = visitor.send(closed, "/review", decision="approved", notes="mine")
    assert own.status in {403, 422}
    assert "four_eyes" in own.text
    assert "mine" in own.html

    reviewed = second.send(second.get(dispute), "/review", decision="approved", notes="right")

    assert "The closure is approved" in reviewed.text
    assert "Ada" in reviewed.text
    closure = ok(scene.testbed.operator.get("/dispute-closures", disputeIds=scene.dispute_id))["disputeClosures"][0]
    assert closure["adjustedTransfers"] == {"ofcbtc": "-20"}
    assert closure["status"] == "approved"
    assert closure["reviewedBy"] == ada.id
    assert ada.id in {actor for _, actor in audited(scene.testbed.operator, closure["id"])}


@pytest.mark.parametrize(
    "amount",
    ["1e3", "0.000000001", "--1", "+-5", "-", "1,5", "\u0663", "NaN", "9" * 5_000],
    ids=lambda text: text[:12],
)
def test_amount_that_is_none_is_refused_and_stays_in_the_form(visitor: Visitor, scene: Scene, amount: str) -> None:
    visitor.sign_in(OPERATOR_TOKEN)
    page = visitor.get(f"/console/disputes/{scene.dispute_id}")

    refused = visitor.send(page, "/close", **{"amount-ofcbtc": amount, "notes": "a note to keep"})

    assert refused.status == 400
    assert "enter an amount in coins with at most 8 decimals" in refused.text
    assert refused.form("/close").fields["amount-ofcbtc"] == amount
    assert refused.form("/close").fields["notes"] == "a note to keep"


def test_second_click_closes_a_dispute_once(visitor: Visitor, scene: Scene) -> None:
    visitor.sign_in(OPERATOR_TOKEN)
    page = visitor.get(f"/console/disputes/{scene.dispute_id}")

    pages = [visitor.send(page, "/close", **{"amount-ofcbtc": "-0.0000002", "notes": "as claimed"}) for _ in "ab"]

    assert pages[0].status == 200
    closures = ok(scene.testbed.operator.get("/dispute-closures", disputeIds=scene.dispute_id))["disputeClosures"]
    assert len(closures) == 1


def test_review_needs_a_code_of_an_operator_who_has_a_second_factor(
    visitor: Visitor, scene: Scene, ada: StaffClient
) -> None:
    authenticator = Authenticator(visitor.base_url, ada.token_value)
    fields = {"adjustedTransfers": {"ofcbtc": "-20"}, "notes": "as claimed"}
    ok(scene.testbed.operator.post(f"/disputes/{scene.dispute_id}/close", fields))
    visitor.sign_in(ada.token_value)
    visitor.send(visitor.get(), "/sign-in/code", code=authenticator.next_code())
    page = visitor.get(f"/console/disputes/{scene.dispute_id}")

    assert "code" in page.form("/review").fields
    assert visitor.send(page, "/review", decision="approved", code="000000").status == 403
    approved = visitor.send(page, "/review", decision="approved", code=authenticator.next_code())

    assert "The closure is approved" in approved.text


def test_settlement_is_rejected_with_its_reason(visitor: Visitor, scene: Scene) -> None:
    visitor.sign_in(OPERATOR_TOKEN)
    page = visitor.get(f"/console/settlements/{scene.open_id}")

    rejected = visitor.send(page, "/reject", reason="the wrong day")

    assert "The settlement is rejected" in rejected.text
    assert scene.testbed.state(scene.open_id) == "rejected"
    assert "the wrong day" in rejected.text


def test_proposal_is_made_here_and_approved_by_another(
    visitor: Visitor,
    second: Visitor,
    scene: Scene,
    ada: StaffClient,
    runtime: Runtime,
    served_app: tuple[FastAPI, str],
) -> None:
    with watched(served_app[0], runtime), staff(runtime, visitor.base_url, "Ben") as ben:
        visitor.sign_in(ben.token_value)
        second.sign_in(ada.token_value)
        page = visitor.get(f"/console/settlements/{scene.disputed_id}")
        waiting = visitor.send(page, "/reject", reason="the exchange asked for it")
        assert "Another operator must approve" in waiting.text

        listed = second.get("/console/proposals")
        link = next(link for link in listed.links if "/console/proposals/" in link)
        mine = visitor.get(link)
        assert not mine.has_form("/approve")
        assert "Ben" in listed.text
        done = second.send(second.get(link), "/approve")

        assert "The proposal is approved" in done.text
        assert scene.testbed.state(scene.disputed_id) == "rejected"
        proposal = ben.proposal(link.rpartition("/")[2])
        assert proposal["status"] == "carried_out"


def test_proposal_is_withdrawn_by_its_proposer_and_rejected_by_others(
    visitor: Visitor,
    second: Visitor,
    scene: Scene,
    ada: StaffClient,
    runtime: Runtime,
    served_app: tuple[FastAPI, str],
) -> None:
    account = scene.aster.client.enterprise.account.id
    with watched(served_app[0], runtime), staff(runtime, visitor.base_url, "Ben") as ben:
        visitor.sign_in(ben.token_value)
        second.sign_in(ada.token_value)
        made = [proposed(ben.move("deposits", account, "ofcbtc", 5, f"r-{n}"))["id"] for n in range(2)]

        withdrawn = visitor.send(visitor.get(f"/console/proposals/{made[0]}"), "/withdraw", reason="a slip")
        rejected = second.send(second.get(f"/console/proposals/{made[1]}"), "/reject", reason="who is that?")

        assert "The proposal is withdrawn" in withdrawn.text
        assert "The proposal is rejected" in rejected.text
        assert "who is that?" in rejected.text


def test_viewer_sees_the_pages_and_no_forms(visitor: Visitor, scene: Scene, runtime: Runtime) -> None:
    with staff(runtime, visitor.base_url, "Vera", OperatorRole.VIEWER) as vera:
        visitor.sign_in(vera.token_value)
        for path in every_page(scene):
            page = visitor.get(path)
            assert page.status == 200, path
            sent = {form.action for form in page.forms if form.method == "post"}
            assert sent <= {"/console/sign-out", "/console/session/link"}, path
        token = visitor.get().form("/sign-out").fields["form"]
        refused = visitor.post(
            f"/console/settlements/{scene.open_id}/reject", {"form": token, "reason": "just because"}
        )

    assert refused.status == 403
    assert "role_forbids" in refused.text
    assert scene.testbed.state(scene.open_id) != "rejected"


def test_member_gets_no_page_of_operators(visitor: Visitor, scene: Scene) -> None:
    operator = scene.testbed.operator
    visitor.sign_in(operator.user_token(scene.aster.client.enterprise.id, "bea", scopes=(READ,)))

    for path in every_page(scene):
        page = visitor.get(path)
        if path in {"/console", "/console/session"}:
            assert page.status == 200
            assert "borealis" not in page.html
        else:
            assert page.status == 403, path
            assert "borealis" not in page.html
            assert "day-1" not in page.html
    token = visitor.get().form("/sign-out").fields["form"]
    refused = visitor.post(f"/console/settlements/{scene.open_id}/reject", {"form": token, "reason": "x"})
    assert refused.status == 403
    assert scene.testbed.state(scene.open_id) != "rejected"


@pytest.mark.parametrize(
    "path",
    [
        "settlements/0",
        "settlements/7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39",
        "settlements/7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39/transfers",
        "disputes/7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39",
        "disputes/x",
        "proposals/x",
        "enterprises/nobody",
        "accounts/x",
        "settlements?cursor=x",
        "settlements?statuses=odd",
        "settlements?externalIds=%00",
    ],
)
def test_address_of_nothing_is_an_error_with_its_cure(visitor: Visitor, path: str) -> None:
    visitor.sign_in(OPERATOR_TOKEN)

    page = visitor.get(f"/console/{path}")

    assert page.status in {400, 404}
    assert "What to do" in page.text


def test_hostile_text_is_shown_as_text(visitor: Visitor, testbed: Testbed) -> None:
    hostile = "\"'><script>alert(1)</script>{{7*7}}<img src=x onerror=alert(1)>"
    scene = scene_of(testbed, reason=hostile, external_id=hostile[:60])
    visitor.sign_in(OPERATOR_TOKEN)

    for path in every_page(scene):
        html = visitor.get(path).html
        assert "<script>" not in html, path
        assert "<img src=x" not in html, path
    assert "alert(1)" in visitor.get(f"/console/disputes/{scene.dispute_id}").text
