"""The members' page: what is open for an exchange and for a trader, and nothing of others."""

from __future__ import annotations

from tests.console.browsing import Visitor
from tests.console.scenes import Scene, scene_of
from tests.support.operators import READ
from tests.support.settlements import Testbed, stage


def token_of(scene: Scene, enterprise_id: str, user: str = "bea") -> str:
    return scene.testbed.operator.user_token(enterprise_id, user, scopes=(READ,))


def test_trader_sees_what_is_about_to_be_taken_and_until_when(visitor: Visitor, testbed: Testbed) -> None:
    scene = scene_of(testbed)
    stage(scene.partner, {scene.aster.id: {"USD": "-40"}}, externalId="day-3")
    page = visitor.sign_in(token_of(scene, scene.aster.client.enterprise.id))

    assert page.path == "/console"
    assert "day-3" in page.text
    assert 'value="-40"' in page.html
    assert "in 10 min 00 s" in page.text
    assert "meridian" in page.text
    assert "day-2" not in page.html, "a settlement with borealis alone"
    assert scene.borealis.id not in page.html


def test_exchange_sees_what_to_top_up_by_when(visitor: Visitor, testbed: Testbed) -> None:
    scene = scene_of(testbed)
    stage(scene.partner, {scene.borealis.id: {"BTC": "700"}}, externalId="day-3")
    page = visitor.sign_in(token_of(scene, scene.partner.enterprise.id))

    assert "Your open settlements" in page.text
    assert "for day-3" in page.text
    assert "If everybody disputes" in page.text


def test_enterprise_that_trades_nothing_yet_is_told_so(visitor: Visitor, testbed: Testbed) -> None:
    testbed.network.enterprise("new")
    token = testbed.operator.user_token("new", "bea", scopes=(READ,))

    assert "neither an exchange nor a client yet" in visitor.sign_in(token).text


def test_operator_has_no_page_of_members(visitor: Visitor, testbed: Testbed) -> None:
    scene = scene_of(testbed)
    token = testbed.operator.operator_token(testbed.operator.operator("Ada")["id"])
    visitor.sign_in(token)

    assert visitor.get("/console/today").status == 403
    assert scene.open_id
