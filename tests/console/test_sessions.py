"""Sessions of the console: how they begin, what ends them, and what they leave in the audit trail."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from fastapi import FastAPI

from clearwindow.core.clock import ManualClock
from clearwindow.runtime import ConsoleTerms, Runtime
from tests.conftest import OPERATOR_TOKEN, START
from tests.console.browsing import Page, Visitor
from tests.console.factors import Authenticator
from tests.support.operators import READ, OperatorClient


@pytest.fixture
def wall(runtime: Runtime, base_url: str, served_app: tuple[FastAPI, str]) -> ManualClock:
    """The clock of sessions, which stands still until the test moves it."""
    del base_url
    wall = ManualClock(START)
    served_app[0].state.runtime = replace(runtime, console=ConsoleTerms(wall=wall))
    return wall


def test_operator_signs_in_and_sees_who_they_are(visitor: Visitor, operator: OperatorClient) -> None:
    token = operator.operator_token(operator.operator("Ada Okafor", role="viewer")["id"])

    page = visitor.sign_in(token)

    assert page.status == 200
    assert "Ada Okafor" in page.text
    assert "viewer" in page.text


def test_member_signs_in_for_the_enterprise_of_the_token(visitor: Visitor, operator: OperatorClient) -> None:
    operator.enterprise("north")
    token = operator.user_token("north", "bea", scopes=(READ,))

    page = visitor.sign_in(token)

    assert "north" in page.text
    assert "bea" in page.text


def test_token_of_the_settings_signs_in(visitor: Visitor) -> None:
    assert "bootstrap" in visitor.sign_in(OPERATOR_TOKEN).text


@pytest.mark.parametrize("token", ["", "   ", "cwt_unknown", "x" * 2_000, "<b>"])
def test_wrong_token_is_refused_and_not_shown(visitor: Visitor, token: str) -> None:
    page = visitor.sign_in(token)

    assert page.status in {400, 401}
    assert page.has_form("/sign-in")
    assert len(token.strip()) < 3 or token not in page.html
    assert not visitor.http.cookies


def test_token_of_a_program_does_not_sign_in(visitor: Visitor, operator: OperatorClient) -> None:
    made = operator.operator("Nightly")
    token = operator.operator_token(made["id"], program=True)

    page = visitor.sign_in(token)

    assert page.status == 403
    assert "program" in page.text


def test_v2x_token_is_never_taken_as_it_is(visitor: Visitor, operator: OperatorClient) -> None:
    operator.enterprise("north")
    token = operator.user_token("north", "bea", kind="v2x")

    page = visitor.sign_in(token)

    assert page.status == 401
    assert "v2x" in page.text


def test_session_ends_with_its_token(visitor: Visitor, operator: OperatorClient) -> None:
    operator.enterprise("north")
    user = operator.user("north", "bea")
    made = operator.token("north", user["id"])
    visitor.sign_in(made["value"])

    operator.delete(f"/tokens/{made['id']}")

    assert "Your token has expired or was revoked" in visitor.get().text


def test_role_of_the_token_counts_as_it_is_now(visitor: Visitor, operator: OperatorClient) -> None:
    made = operator.operator("Ada", role="operator")
    visitor.sign_in(operator.operator_token(made["id"]))

    operator.patch(f"/operators/{made['id']}", {"role": "viewer"})

    assert "an operator, viewer" in visitor.get("/console/session").text


def test_sign_out_ends_the_session_for_good(visitor: Visitor) -> None:
    visitor.sign_in(OPERATOR_TOKEN)
    kept = dict(visitor.http.cookies)

    page = visitor.send(visitor.get(), "/sign-out")

    assert "You are signed out" in page.text
    visitor.http.cookies.update(kept)
    assert visitor.get().has_form("/sign-in")


def test_session_ends_when_nobody_uses_it(visitor: Visitor, wall: ManualClock) -> None:
    visitor.sign_in(OPERATOR_TOKEN)
    wall.advance(minutes=29)
    assert "bootstrap" in visitor.get().text
    wall.advance(minutes=29)
    assert "bootstrap" in visitor.get().text

    wall.advance(minutes=30)

    assert "Your session has ended" in visitor.get().text


def test_parts_that_refresh_themselves_keep_no_session(visitor: Visitor, wall: ManualClock) -> None:
    visitor.sign_in(OPERATOR_TOKEN)
    for _ in range(2):
        wall.advance(minutes=10)
        assert visitor.get(**{"Clearwindow-Live": "1"}).status == 200

    wall.advance(minutes=10)

    assert visitor.get(**{"Clearwindow-Live": "1"}).status == 401


def test_session_ends_at_last_however_much_it_is_used(visitor: Visitor, wall: ManualClock) -> None:
    visitor.sign_in(OPERATOR_TOKEN)
    for _ in range(12 * 3 - 1):
        wall.advance(minutes=20)
        assert "bootstrap" in visitor.get().text

    wall.advance(minutes=20)

    assert "Your session has ended" in visitor.get().text


def test_sessions_that_are_over_are_removed(visitor: Visitor, second: Visitor, wall: ManualClock, dsn: str) -> None:
    visitor.sign_in(OPERATOR_TOKEN)
    wall.advance(minutes=31)
    second.sign_in(OPERATOR_TOKEN)

    with psycopg.connect(dsn) as connection:
        found = connection.execute("SELECT count(*) FROM console_session").fetchone()
    assert found == (1,)


def test_another_token_in_the_settings_ends_its_sessions(
    visitor: Visitor, runtime: Runtime, served_app: tuple[FastAPI, str]
) -> None:
    visitor.sign_in(OPERATOR_TOKEN)

    served_app[0].state.runtime = replace(runtime, operator_token_sha256=b"x" * 32)

    assert visitor.get().has_form("/sign-in")


def test_neither_token_nor_session_is_stored(visitor: Visitor, dsn: str) -> None:
    visitor.sign_in(OPERATOR_TOKEN)
    value = next(iter(visitor.http.cookies.values()))

    with psycopg.connect(dsn) as connection:
        rows = str(connection.execute("SELECT * FROM console_session").fetchall())
    assert value not in rows
    assert OPERATOR_TOKEN not in rows


def test_second_factor_is_asked_for_before_anything_is_shown(visitor: Visitor, operator: OperatorClient) -> None:
    made = operator.operator("Ada")
    token = operator.operator_token(made["id"])
    authenticator = Authenticator(visitor.base_url, token)

    page = visitor.sign_in(token)

    assert page.has_form("/sign-in/code")
    assert visitor.get("/console/session").has_form("/sign-in/code")
    assert visitor.send(visitor.get(), "/sign-in/code", code="000000").status == 403
    assert "Ada" in visitor.send(visitor.get(), "/sign-in/code", code=authenticator.next_code()).text
    assert not visitor.get("/console/session").has_form("/sign-in/code")


def test_audit_trail_has_who_signed_in_and_out(visitor: Visitor, operator: OperatorClient) -> None:
    made = operator.operator("Ada")
    visitor.sign_in(operator.operator_token(made["id"]))
    visitor.send(visitor.get(), "/sign-out")

    records = operator.get("/audit-log", actorId=made["id"]).json()["records"]

    assert [record["action"] for record in records] == ["console.signed_out", "console.signed_in"]
    assert records[0]["subjectId"] == records[1]["subjectId"]
    assert records[0]["requestId"] != records[1]["requestId"]


def test_cookie_is_for_this_server_alone(visitor: Visitor) -> None:
    page = visitor.get("/console/sign-in")
    answer = visitor.http.post(
        page.form("/sign-in").action,
        data={"token": OPERATOR_TOKEN},
        headers={"Origin": visitor.origin},
    )

    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie
    assert "Max-Age" not in cookie


def test_time_of_a_sandbox_does_not_end_sessions(visitor: Visitor, clock: ManualClock) -> None:
    visitor.sign_in(OPERATOR_TOKEN)

    clock.advance(minutes=timedelta(days=30) / timedelta(minutes=1))

    assert "bootstrap" in visitor.get().text


def test_link_signs_another_browser_in_once(visitor: Visitor, second: Visitor, operator: OperatorClient) -> None:
    made = operator.operator("Ada")
    visitor.sign_in(operator.operator_token(made["id"]))
    address = link_on(visitor.send(visitor.get("/console/session"), "/session/link"))

    assert second.get(address).has_form("/link")
    assert second.get(address).has_form("/link"), "opening it uses nothing up"
    assert "Ada" in second.send(second.get(address), "/link").text
    with Visitor(visitor.base_url) as third:
        refused = third.send(third.get(address), "/link")
        assert refused.status == 401
        assert "link_over" in refused.text
    actions = [each["action"] for each in operator.get("/audit-log", actorId=made["id"]).json()["records"]]
    assert actions == ["console.signed_in", "console.link_made", "console.signed_in"]


def test_link_of_a_command_line(visitor: Visitor, operator: OperatorClient) -> None:
    operator.enterprise("north")
    headers = {"Authorization": f"Bearer {operator.user_token('north', 'bea')}"}

    answer = visitor.http.post("/console/links", headers=headers)

    assert answer.text.startswith(f"{visitor.base_url}/console/link?value=")
    assert "bea" in visitor.send(visitor.get(answer.text.strip()), "/link").text
    for wrong in ({}, {"Authorization": "Bearer cwt_x"}, {"Authorization": "Basic x"}):
        assert visitor.http.post("/console/links", headers=wrong).status_code == 401


def test_link_ends_after_five_minutes(visitor: Visitor, second: Visitor, wall: ManualClock) -> None:
    visitor.sign_in(OPERATOR_TOKEN)
    address = link_on(visitor.send(visitor.get("/console/session"), "/session/link"))
    wall.advance(minutes=5)

    assert second.send(second.get(address), "/link").status == 401


def test_links_make_no_session_longer(visitor: Visitor, second: Visitor, wall: ManualClock) -> None:
    visitor.sign_in(OPERATOR_TOKEN)
    for _ in range(35):
        wall.advance(minutes=20)
        visitor.get()
    address = link_on(visitor.send(visitor.get("/console/session"), "/session/link"))
    assert "bootstrap" in second.send(second.get(address), "/link").text

    wall.advance(minutes=20)

    assert "Your session has ended" in second.get().text


def test_link_ends_with_its_token(visitor: Visitor, second: Visitor, operator: OperatorClient) -> None:
    operator.enterprise("north")
    made = operator.token("north", operator.user("north", "bea")["id"])
    visitor.sign_in(made["value"])
    address = link_on(visitor.send(visitor.get("/console/session"), "/session/link"))
    operator.delete(f"/tokens/{made['id']}")

    assert second.send(second.get(address), "/link").status == 401


def test_link_asks_for_the_second_factor_again(visitor: Visitor, second: Visitor, operator: OperatorClient) -> None:
    token = operator.operator_token(operator.operator("Ada")["id"])
    authenticator = Authenticator(visitor.base_url, token)
    visitor.sign_in(token)
    visitor.send(visitor.get(), "/sign-in/code", code=authenticator.next_code())
    address = link_on(visitor.send(visitor.get("/console/session"), "/session/link"))

    assert second.send(second.get(address), "/link").has_form("/sign-in/code")


def link_on(page: Page) -> str:
    found = re.search(r"http://\S+/console/link\?value=[\w-]+", page.text)
    assert found, page.text
    return found[0]
