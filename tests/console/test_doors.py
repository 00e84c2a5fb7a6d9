"""What the console lets in and gives out: forms of its own pages alone, limits, headers, files, errors as pages."""

from __future__ import annotations

import re
import ssl
from pathlib import Path

import httpx2
import pytest

from clearwindow import bootstrap
from clearwindow.api.limits import CallerLimits
from clearwindow.console.assets import assets
from clearwindow.runtime import Runtime
from clearwindow.web.app import create_app
from clearwindow.web.server import Terms
from clearwindow.web.tls import TlsFiles
from tests.conftest import OPERATOR_TOKEN
from tests.console.browsing import Visitor
from tests.support.asgi import listening
from tests.support.certificates import self_signed
from tests.support.operators import OperatorClient
from tests.support.server import serving

FOREIGN = "https://elsewhere.example"
PART = b"--x\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n--x--\r\n"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": FOREIGN, "Sec-Fetch-Site": "cross-site"},
        {"Origin": FOREIGN, "Sec-Fetch-Site": "same-origin"},
        {"Origin": "null", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": ""},
    ],
)
def test_form_of_another_site_is_refused(visitor: Visitor, headers: dict[str, str]) -> None:
    visitor.sign_in(OPERATOR_TOKEN)
    form = visitor.get().form("/sign-out")

    answer = visitor.http.post(form.action, data=form.fields, headers=headers)

    assert answer.status_code == 403
    assert "form_foreign" in answer.text
    assert "bootstrap" in visitor.get().text


def test_browser_that_does_not_say_where_a_form_is_from_is_refused(visitor: Visitor) -> None:
    assert visitor.http.post("/console/sign-in", data={"token": OPERATOR_TOKEN}).status_code == 403
    assert not visitor.http.cookies


def test_operators_have_no_session_where_a_proxy_lets_members_in(
    visitor: Visitor, second: Visitor, operator: OperatorClient
) -> None:
    token = operator.operator_token(operator.operator("Ada")["id"])
    visitor.sign_in(OPERATOR_TOKEN)
    made = visitor.send(visitor.get("/console/session"), "/session/link").text
    link = re.search(r"link\?value=(\S+)", made)
    assert link
    outside = {"Clearwindow-Console": "members"}

    seen = visitor.get("/console", **outside)
    for fields, path in (
        ({"token": OPERATOR_TOKEN}, "sign-in"),
        ({"token": token}, "sign-in"),
        ({"value": link[1]}, "link"),
    ):
        refused = second.post(f"/console/{path}", fields, None, **outside)
        assert (refused.status, "console_for_members" in refused.text) == (403, True), path
    asked = second.http.post("/console/links", headers={"Authorization": f"Bearer {token}", **outside})

    assert (seen.status, "console_for_members" in seen.text) == (403, True)
    assert (asked.status_code, asked.json()["name"]) == (403, "console_for_members")
    assert not second.http.cookies
    assert visitor.get("/console").status == 200
    assert second.post("/console/link", {"value": link[1]}).path == "/console", "the refusal has not used it up"


def test_old_browser_that_names_the_origin_alone_is_let_in(visitor: Visitor) -> None:
    answer = visitor.http.post(
        "/console/sign-in", data={"token": OPERATOR_TOKEN}, headers={"Origin": visitor.origin}
    )

    assert answer.status_code == 303


def test_form_of_another_session_is_refused(visitor: Visitor, second: Visitor) -> None:
    visitor.sign_in(OPERATOR_TOKEN)
    second.sign_in(OPERATOR_TOKEN)

    page = visitor.post("/console/sign-out", second.get().form("/sign-out").fields)

    assert page.status == 403
    assert "bootstrap" in visitor.get().text


@pytest.mark.parametrize("fields", [{}, {"form": ""}, {"form": "\udcff"}, {"form": "x" * 500}])
def test_form_without_its_token_is_refused(visitor: Visitor, fields: dict[str, str]) -> None:
    visitor.sign_in(OPERATOR_TOKEN)
    sent = {name: value.encode("utf-8", "replace").decode() for name, value in fields.items()}

    # Without any field there is not even a form.
    assert visitor.post("/console/sign-out", sent).status == (403 if sent else 415)
    assert "bootstrap" in visitor.get().text


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [
        (b"{}", "application/json", 415),
        (b"token=%ff", "application/x-www-form-urlencoded", 400),
        (b"token=\xff", "application/x-www-form-urlencoded", 400),
        (b"token=%00", "application/x-www-form-urlencoded", 400),
        (b"&".join(b"a=1" for _ in range(300)), "application/x-www-form-urlencoded", 400),
        (b"token=" + b"x" * 70_000, "application/x-www-form-urlencoded", 413),
        (b"--x\r\n", "multipart/form-data; boundary=x", 400),
        (b"--x--\r\n", "multipart/form-data", 400),
        (b"x" * 100, "multipart/form-data; boundary=x", 400),
        (PART % (b'x; name="token"', b"\xff"), "multipart/form-data; boundary=x", 400),
        (PART % (b'x; name="token"', b"a\0b"), "multipart/form-data; boundary=x", 400),
        (PART % (b"x", b"nameless"), "multipart/form-data; boundary=x", 400),
        ((PART % (b'x; name="a"', b"1"))[:-7] * 300, "multipart/form-data; boundary=x", 400),
        (PART % (b'x; name="token"', b"x" * 70_000), "multipart/form-data; boundary=x", 413),
    ],
)
def test_body_that_is_no_form_of_ours_is_refused(
    visitor: Visitor, content: bytes, media_type: str, status: int
) -> None:
    headers = {"Content-Type": media_type, "Origin": visitor.origin}

    answer = visitor.http.post("/console/sign-in", content=content, headers=headers)

    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")


def test_pages_load_nothing_from_elsewhere_and_have_no_scripts_inside(visitor: Visitor) -> None:
    visitor.sign_in(OPERATOR_TOKEN)
    page = visitor.get()

    policy = page.answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert page.answer.headers["cache-control"] == "no-store"
    assert not re.search(r"https?://", page.html)
    assert not re.search(r"\son\w+=|\sstyle=|<style|<script>", page.html)


def test_files_are_kept_by_browsers_and_change_their_names_with_their_content(visitor: Visitor) -> None:
    page = visitor.get("/console/sign-in")
    for asset in assets().values():
        assert asset.path in page.html
        answer = visitor.http.get(asset.path)
        assert answer.content == asset.content
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["content-type"].startswith(asset.media_type)

    assert visitor.get("/console/assets/console.000000000000.css").status == 404
    assert visitor.get("/console/assets/..%2fqueries.sql").status == 404


def test_address_without_a_page_says_so(visitor: Visitor) -> None:
    page = visitor.get("/console/nowhere/<script>")

    assert page.status == 404
    assert "there is no such page" in page.text
    assert "<script>" not in page.html
    assert visitor.http.delete("/console/nowhere").status_code == 404
    assert visitor.http.get("/consoles").headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "wanted", ["https://elsewhere.example", "//elsewhere.example", "/console/../x//y", "/console/\\x", "/api", ""]
)
def test_after_signing_in_nobody_is_sent_elsewhere(visitor: Visitor, wanted: str) -> None:
    page = visitor.send(visitor.get("/console/sign-in"), "/sign-in", token=OPERATOR_TOKEN, next=wanted)

    assert page.path == "/console"


def test_after_signing_in_the_page_that_was_wanted_comes(visitor: Visitor) -> None:
    page = visitor.send(visitor.get("/console/session?x=1"), "/sign-in", token=OPERATOR_TOKEN)

    assert page.path == "/console/session?x=1"


def test_wrong_tokens_are_counted_and_those_signed_in_do_not_wait(
    runtime: Runtime, operator: OperatorClient
) -> None:
    operator.enterprise("north")
    token = operator.user_token("north", "bea")
    app = create_app(runtime, bootstrap.all_routers(60), CallerLimits(requests_per_minute=12))
    with serving(app) as url, Visitor(url) as inside, Visitor(url) as outside:
        inside.sign_in(token)
        statuses = [outside.post("/console/sign-in", {"token": f"cwt_{number}"}).status for number in range(15)]
        refused = outside.get("/console/sign-in")

        assert 401 in statuses
        assert statuses[-1] == refused.status == 429
        assert refused.answer.headers["retry-after"]
        assert "<h1>" in refused.html
        assert inside.get().status == 200
        assert outside.http.get(assets()["console.css"].path).status_code == 200


def test_session_of_a_member_has_a_count_of_its_own(runtime: Runtime, operator: OperatorClient) -> None:
    operator.enterprise("north")
    token = operator.user_token("north", "bea")
    app = create_app(runtime, bootstrap.all_routers(60), CallerLimits(requests_per_minute=12))
    with serving(app) as url, Visitor(url) as visitor, Visitor(url) as another:
        visitor.sign_in(token)
        statuses = [visitor.get().status for _ in range(14)]
        another.sign_in(token)

        assert statuses[0] == 200
        assert statuses[-1] == 429
        assert another.get().status == 200


def test_defect_is_a_page_without_details(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    visitor.sign_in(OPERATOR_TOKEN)

    def broken(*_: object) -> None:
        raise ZeroDivisionError("inner words")

    monkeypatch.setattr("clearwindow.console.routing.sessions.note_seen", broken)
    page = visitor.get()

    assert page.status == 500
    assert "inner words" not in page.html
    assert page.answer.headers["x-request-id"] in page.html


def test_over_tls_the_cookie_is_guarded_and_the_former_one_is_none(runtime: Runtime, tmp_path: Path) -> None:
    certificate = self_signed("server.example", tmp_path)
    context = ssl.create_default_context(cafile=certificate)
    context.check_hostname = False
    app = create_app(runtime, bootstrap.all_routers(60))
    with (
        listening(app, Terms(tls=TlsFiles(certificate, certificate))) as url,
        httpx2.Client(base_url=url, verify=context, trust_env=False) as http,
    ):
        answer = http.post("/console/sign-in", data={"token": OPERATOR_TOKEN}, headers={"Origin": url})
        cookie = answer.headers["set-cookie"]
        value = cookie.partition("=")[2].partition(";")[0]

        assert cookie.startswith("__Host-clearwindow-console=")
        assert "; Secure" in cookie
        assert http.get("/console").status_code == 200
        http.cookies.clear()
        assert http.get("/console", headers={"Cookie": f"clearwindow-console={value}"}).status_code == 303
