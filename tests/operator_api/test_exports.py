"""Exports of lists: the whole list in one stream, for those who may read it, and visibly cut off if it ends early.

A test that counts the pages of an export looks at what the list of enterprises is asked for.
"""

from __future__ import annotations

import csv
import io
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from clearwindow import bootstrap
from clearwindow.api.exports import columns_of, listed_in
from clearwindow.core.clock import ManualClock
from clearwindow.core.errors import UnavailableError
from clearwindow.identity import store
from clearwindow.identity.directory import views
from clearwindow.identity.directory.models import EnterpriseFilter
from clearwindow.identity.directory.schemas import EnterprisesAnswer
from clearwindow.identity.models import Enterprise, TrustOrg
from clearwindow.postgres.paging import Listing, Slice
from clearwindow.runtime import Limits, Runtime, ServerLimits
from clearwindow.web.app import create_app
from clearwindow.web.server import Terms
from tests.conftest import OPERATOR_TOKEN
from tests.support.asgi import listening
from tests.support.http import loopback_client
from tests.support.operators import PREFIX, OperatorClient
from tests.support.signed_calls import SignedCaller, name_of
from tests.support.unavailable import becomes

Json = dict[str, Any]
PAGE = 7
ROWS = 3 * PAGE + 2
LARGE_PAGES = 10
HEADERS = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def lines(text: str) -> list[Json]:
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def insert(runtime: Runtime, names: list[str]) -> None:
    with runtime.transaction() as tx:
        for name in names:
            at = tx.now()
            store.insert_enterprise(
                tx, Enterprise(str(uuid4()), name, TrustOrg.TRUST, licensed=True, created_at=at, updated_at=at)
            )


def pages_read(monkeypatch: pytest.MonkeyPatch, during: Callable[[int], None] = lambda _page: None) -> list[Slice]:
    """Returns the pages of enterprises that are read from now on. ``during`` is told the number of each."""
    read: list[Slice] = []
    original = views.list_enterprises

    def noting(runtime: Runtime, wanted: EnterpriseFilter, part: Slice) -> Listing[Enterprise]:
        found = original(runtime, wanted, part)
        read.append(part)
        during(len(read))
        return found

    monkeypatch.setattr(views, "list_enterprises", noting)
    return read


def read_until_cut_off(response: httpx2.Response) -> str:
    """Returns what arrived before the body was cut off."""
    seen: list[str] = []
    with pytest.raises(httpx2.RemoteProtocolError):
        seen.extend(response.iter_text())
    return "".join(seen)


def insert_large(runtime: Runtime) -> None:
    """Makes a list that is longer than what the system keeps for a reader."""
    insert(runtime, [f"{number} {'x' * 200_000}" for number in range(LARGE_PAGES * PAGE)])


def watched(runtime: Runtime) -> tuple[ASGIApp, threading.Event]:
    """Returns an application, and what is set when it has answered a request, to the end or not."""
    app = create_app(runtime, bootstrap.all_routers(60))
    ended = threading.Event()

    async def watching(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        finally:
            if scope["type"] == "http":
                ended.set()

    return watching, ended


@contextmanager
def asking_for_export(url: str, version: str = "1.1") -> Iterator[socket.socket]:
    """Sends a request for an export, and gives the connection after the first bytes of the answer."""
    place = httpx2.URL(url)
    assert place.port is not None
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        connection.settimeout(60)
        connection.connect((place.host, place.port))
        head = [f"GET {PREFIX}/enterprises?format=jsonl HTTP/{version}", "Host: x"]
        head += [f"{name}: {value}" for name, value in HEADERS.items()]
        connection.sendall("\r\n".join([*head, "", ""]).encode())
        assert connection.recv(5) == b"HTTP/"
        yield connection


@pytest.fixture
def small_pages(runtime: Runtime) -> Runtime:
    return replace(runtime, limits=Limits(page_size=PAGE))


@pytest.fixture
def address(small_pages: Runtime) -> Iterator[str]:
    """A server whose exports read few rows at once."""
    app = create_app(small_pages, bootstrap.all_routers(60))
    with listening(app) as url:
        yield url + PREFIX


@pytest.fixture
def http(address: str) -> Iterator[httpx2.Client]:
    with loopback_client(base_url=address, headers=HEADERS, timeout=60) as client:
        yield client


def test_an_export_has_all_rows_of_the_list_in_its_order(runtime: Runtime, http: httpx2.Client) -> None:
    insert(runtime, [f"enterprise {number}" for number in range(ROWS)])
    listed: list[Json] = []
    address: str | None = f"{PREFIX}/enterprises"
    while address:
        page = http.get(f"{http.base_url.copy_with(path=address.partition('?')[0])}?{address.partition('?')[2]}")
        listed += page.json()["enterprises"]
        address = page.links.get("next", {}).get("url")
    assert len(listed) == ROWS
    whole = http.get("/enterprises", params={"format": "jsonl"})
    assert whole.headers["Content-Type"] == "application/x-ndjson; charset=utf-8"
    assert whole.headers["Content-Disposition"] == 'attachment; filename="enterprises.jsonl"'
    assert lines(whole.text) == listed
    as_csv = http.get("/enterprises", headers={"Accept": "text/csv"})
    assert as_csv.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
    rows = table(as_csv.text)
    assert list(rows[0]) == columns_of(listed_in(EnterprisesAnswer)[1])
    assert [(row["id"], row["name"], row["licensed"]) for row in rows] == [
        (entry["id"], entry["name"], "true") for entry in listed
    ]


def test_an_export_has_the_filters_of_the_list(operator: OperatorClient, clock: ManualClock) -> None:
    operator.enterprise("first")
    clock.advance(minutes=1)
    operator.enterprise("second", licensed=False)
    for filters, expected in [
        ({"licensed": "true"}, ["first"]),
        ({"createdOnOrAfter": "2026-01-05T12:01:00Z"}, ["second"]),
        ({"names": "nobody"}, []),
    ]:
        rows = table(operator.get("/enterprises", format="csv", **filters).text)
        assert [row["id"] for row in rows] == expected, filters
    assert operator.get("/enterprises", format="jsonl", names="nobody").text == ""
    refused = operator.get("/enterprises", format="csv", createdBefore="2026-01-05", createdOnOrAfter="x")
    assert (refused.status_code, refused.json()["name"]) == (400, "request_invalid")


def test_an_export_may_begin_at_a_cursor(runtime: Runtime, http: httpx2.Client) -> None:
    insert(runtime, [f"enterprise {number}" for number in range(ROWS)])
    whole = lines(http.get("/enterprises", params={"format": "jsonl"}).text)
    cursor = httpx2.URL(http.get("/enterprises", params={"pageSize": 2}).links["next"]["url"]).params["cursor"]
    rest = http.get("/enterprises", params={"format": "jsonl", "cursor": cursor})
    assert lines(rest.text) == whole[2:]
    other = http.get("/users", params={"format": "jsonl", "cursor": cursor})
    assert (other.status_code, name_of(other)) == (400, "cursor_invalid")


def test_what_is_added_meanwhile_moves_nothing(
    runtime: Runtime, http: httpx2.Client, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert(runtime, [f"enterprise {number}" for number in range(ROWS)])
    expected = [entry["id"] for entry in lines(http.get("/enterprises", params={"format": "jsonl"}).text)]

    def add(_page: int) -> None:
        clock.advance(minutes=1)
        insert(runtime, ["new"] * 3)

    pages_read(monkeypatch, add)
    exported = [entry["id"] for entry in lines(http.get("/enterprises", params={"format": "jsonl"}).text)]
    assert exported == expected


def test_an_export_reads_page_by_page_and_counts_nothing(
    runtime: Runtime, http: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert(runtime, [f"enterprise {number}" for number in range(ROWS)])
    read = pages_read(monkeypatch)
    assert http.get("/enterprises", params={"format": "csv"}).status_code == 200
    assert [(part.limit, part.counted, part.offset) for part in read] == [(PAGE, False, 0)] * 4


def test_a_byte_order_mark_comes_only_if_it_is_asked_for(operator: OperatorClient) -> None:
    operator.enterprise("acme")
    assert not operator.get("/enterprises", format="csv").content.startswith(b"\xef\xbb\xbf")
    assert operator.get("/enterprises", format="csv", bom="true").content.startswith(b"\xef\xbb\xbfid,")
    for wrong in ({"format": "jsonl"}, {"format": "json"}, {}):
        refused = operator.get("/enterprises", bom="true", **wrong)
        assert (refused.status_code, refused.json()["name"]) == (400, "request_invalid")


def test_what_makes_no_sense_is_refused(operator: OperatorClient) -> None:
    asked: list[Json] = [
        {"format": "xlsx"},
        {"format": "CSV"},
        {"format": ""},
        {"format": ["csv", "jsonl"]},
        {"format": "csv", "pageNumber": "0"},
        {"format": "csv", "pageSize": "10"},
        {"format": "csv", "bom": "yes"},
        {"format": "csv", "cursor": ""},
    ]
    for wrong in asked:
        refused = operator.get("/enterprises", **wrong)
        assert (refused.status_code, refused.json()["name"]) == (400, "request_invalid"), wrong


def test_hostile_texts_are_harmless_in_csv_and_exact_in_json(operator: OperatorClient) -> None:
    hostile = ['=HYPERLINK("https://evil.example")', "@SUM(1)", "+1+1", "-2+3", "\uff1d1", 'a",\r\n"=1']
    for name in hostile:
        operator.enterprise(name=name)
    rows = table(operator.get("/enterprises", format="csv").text)
    assert {row["name"] for row in rows} == {*(f"'{name}" for name in hostile[:-1]), hostile[-1]}
    exact = lines(operator.get("/enterprises", format="jsonl").text)
    assert {entry["name"] for entry in exact} == set(hostile)


def test_a_stream_that_cannot_be_read_on_is_visibly_cut_off(
    runtime: Runtime, http: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert(runtime, [f"enterprise {number}" for number in range(ROWS)])

    def fail(page: int) -> None:
        if page == 3:
            raise RuntimeError("the third page cannot be read")

    pages_read(monkeypatch, fail)
    with http.stream("GET", "/enterprises", params={"format": "csv"}) as response:
        assert response.status_code == 200
        seen = read_until_cut_off(response)
    assert len(table(seen)) == 2 * PAGE
    # The connection is closed; the server goes on.
    assert http.get("/enterprises").status_code == 200


def test_a_server_that_is_busy_for_a_moment_does_not_cut_an_export_off(
    runtime: Runtime, http: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert(runtime, [f"enterprise {number}" for number in range(ROWS)])

    def refuse_twice(page: int) -> None:
        if page in {2, 3}:
            raise UnavailableError("server_busy", "no thread is free", retry_after_seconds=1)

    read = pages_read(monkeypatch, refuse_twice)
    exported = lines(http.get("/enterprises", params={"format": "jsonl"}).text)
    assert len({entry["id"] for entry in exported}) == len(exported) == ROWS
    assert len(read) == 4 + 2


def test_a_token_that_is_revoked_reads_no_further_page(
    runtime: Runtime, operator: OperatorClient, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert(runtime, [f"enterprise {number}" for number in range(ROWS)])
    made = operator.operator("auditor", role="viewer")
    token = operator.post(f"/operators/{made['id']}/tokens", {}).json()["token"]

    def revoke(_page: int) -> None:
        assert operator.delete(f"/tokens/{token['id']}").status_code == 204

    pages_read(monkeypatch, revoke)
    headers = {"Authorization": f"Bearer {token['value']}"}
    with (
        loopback_client(base_url=address, headers=headers, timeout=60) as client,
        client.stream("GET", "/enterprises", params={"format": "csv"}) as response,
    ):
        seen = read_until_cut_off(response)
    assert len(table(seen)) == PAGE


def test_the_first_page_fails_as_any_request(address: str, operator: OperatorClient) -> None:
    refused = httpx2.get(f"{address}/enterprises?format=csv")
    assert (refused.status_code, name_of(refused)) == (401, "token_missing")
    operator.enterprise("acme")
    token = operator.user_token("acme", "ada")
    headers = {"Authorization": f"Bearer {token}"}
    refused = httpx2.get(f"{address}/enterprises?format=csv", headers=headers)
    assert (refused.status_code, name_of(refused)) == (401, "not_an_operator")


def test_a_reader_that_leaves_ends_the_reading(
    runtime: Runtime, small_pages: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert_large(runtime)
    read = pages_read(monkeypatch)
    app, ended = watched(small_pages)
    with listening(app) as url, asking_for_export(url) as connection:
        connection.close()
        assert ended.wait(60)
    assert len(read) < LARGE_PAGES


def idle_in_transaction(runtime: Runtime) -> int:
    with runtime.transaction() as tx:
        (found,) = tx.scalars(
            int,
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND state LIKE 'idle in transaction%%'",
        )
    return found


def test_a_reader_that_does_not_read_is_cut_off_and_holds_no_connection(
    runtime: Runtime, small_pages: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert_large(runtime)
    read = pages_read(monkeypatch)
    app, ended = watched(small_pages)
    with listening(app, Terms(ServerLimits(answer_seconds=5))) as url, asking_for_export(url):
        # A page may be read just now. A connection that is held would not be free before the reader is cut off.
        becomes(lambda: idle_in_transaction(runtime) == 0, seconds=60)
        assert not ended.is_set()
        assert ended.wait(60)
    assert len(read) < LARGE_PAGES


def test_head_has_the_headers_and_reads_one_page(
    runtime: Runtime, http: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert(runtime, [f"enterprise {number}" for number in range(ROWS)])
    read = pages_read(monkeypatch)
    answer = http.head("/enterprises", params={"format": "csv"})
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert len(read) == 1


def test_http_1_0_has_no_exports(address: str) -> None:
    with asking_for_export(address, "1.0") as connection:
        answer = b""
        while piece := connection.recv(10_000):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"1.1 400 ")
    assert json.loads(body)["name"] == "export_not_chunked"


def test_a_signed_call_has_no_exports(operator: OperatorClient) -> None:
    operator.enterprise("acme")
    caller = SignedCaller(operator.base_url, operator.user_token("acme", "ada", kind="v2x"))
    path = "/api/network/v1/enterprises/acme/tokens?format=csv"
    refused = caller.get(path)
    assert (refused.status_code, name_of(refused)) == (400, "export_not_signed")
    assert caller.is_signed(refused, path)
