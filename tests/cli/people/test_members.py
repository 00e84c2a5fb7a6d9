"""Balances, connections, allocations, disputes, events and calls of members, by the real command."""

from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar

import pytest

from clearwindow.cli.people.calling import signed_operation
from clearwindow.signing.intent import path_ids_of
from clearwindow.signing.models import Operation
from tests.cli.people.persons import Persons


def test_balances_are_shown_with_their_unit(persons: Persons) -> None:
    shown = persons.done("balances", "--profile", "aster")
    assert "custody       8 BTC  0 BTC" in shown
    assert "meridian      2 BTC  0 BTC" in shown
    assert "\x1b" not in shown
    assert persons.done("balances", "--profile", "aster", "--csv").splitlines()[:2] == [
        "where,available,held",
        "custody,8 BTC,0 BTC",
    ]
    assert persons.json("balances", "--profile", "aster")["balances"]["ofcbtc"]["available"] == "800000000"
    assert "2 BTC" in persons.done("balances", "--profile", "meridian")


@pytest.mark.parametrize(
    ("amount", "told"),
    [
        ("2", "has no unit"),
        ("1,5 BTC", "has a comma"),
        ("1e3 BTC", "is no amount"),
        ("0.123456789 BTC", "more than 8 decimals"),
        ("9" * 79 + " BTC", "is no amount"),
        ("1" + "0" * 77 + " BTC", "larger than any amount"),
        ("1 XYZ", "is no currency of this network"),
        ("0 BTC", "must be above 0"),
        ("-- -1 BTC", "must be above 0"),
    ],
)
def test_amount_that_is_none_is_told_and_allocates_nothing(persons: Persons, amount: str, told: str) -> None:
    assert told in persons.fails(2, "allocate", "meridian", "--profile", "aster", *amount.split(" ", 1))


def test_same_reference_allocates_once(persons: Persons) -> None:
    allocated = ("allocate", "meridian", "1 ETH", "--profile", "aster", "--reference", "once")
    assert "(4" in persons.fails(1, *allocated)
    allocated = ("allocate", "meridian", "10000 base ofcbtc", "--profile", "aster", "--reference", "again")
    assert "0.0001 BTC" in persons.done(*allocated)
    persons.done("deallocate", "meridian", "0.0001", "btc", "--profile", "aster")
    assert "custody       8 BTC  0 BTC" in persons.done("balances", "--profile", "aster")


def test_key_may_be_in_the_environment_or_a_command(persons: Persons) -> None:
    token, key = ((persons.folder / f"aster.{kind}").read_text().strip() for kind in ("token", "key"))
    here = {"CLEARWINDOW_URL": persons.url, "CLEARWINDOW_TOKEN": token}
    moved = ("allocate", "meridian", "0.001 BTC")
    assert "must be signed" in persons.fails(2, *moved, **here)
    persons.done(*moved, CLEARWINDOW_XPRV=key, **here)
    signing = "clearwindow sign --key-file aster.key"
    path = f"{os.path.dirname(os.sys.executable)}:{os.environ['PATH']}"  # type: ignore[attr-defined]  # noqa: PTH120
    persons.done("deallocate", "meridian", "0.001 BTC", CLEARWINDOW_SIGN_COMMAND=signing, PATH=path, **here)
    assert "ended with 1" in persons.fails(2, *moved, CLEARWINDOW_SIGN_COMMAND="false", **here)
    assert "cannot be run" in persons.fails(2, *moved, CLEARWINDOW_SIGN_COMMAND="/no/such", **here)


def test_call_signs_what_it_sends(persons: Persons) -> None:
    (connection,) = persons.json("connections", "--profile", "aster")["connections"]
    path = f"/api/network/v1/enterprises/{{me}}/clients/connections/{connection['id']}/allocations"
    body = {"clientExternalId": "by hand", "amount": {"currency": "ofcbtc", "quantity": "1000"}}
    called = ("call", "post", path, "--data", json.dumps(body), "--profile", "aster")
    assert "400" in persons.fails(1, *called)
    answer = json.loads(persons.done(*called, "--sign", "--amount-unit", "base"))
    assert answer["allocation"]["status"] == "cleared"
    (record, *_) = json.loads(
        persons.done("call", "GET", "/api/network/v1/enterprises/{me}/signed-requests", "--profile", "aster")
    )["signedRequests"]
    whole = f"/api/network/v1/enterprises/{{me}}/signed-requests/{record['id']}"
    payload = json.loads(
        json.loads(persons.done("call", "GET", whole, "--profile", "aster"))["signedRequest"]["payload"]
    )
    assert payload["operation"] == "allocation"
    assert payload["connectionId"] == connection["id"]
    assert {"expiresAt", "enterpriseId", "amountUnit", "nonce"} <= set(payload)
    assert "not signed" in persons.fails(2, "call", "GET", path, "--sign", "--profile", "aster")
    assert "must begin with /api/" in persons.fails(2, "call", "GET", "http://x/", "--profile", "aster")


PATHS = [
    ("POST", "v2", "/partners/settlements"),
    ("POST", "v1", "/partners/settlements"),
    ("POST", "v1", "/partners/settlements/onchain"),
    ("POST", "v1", "/partners/settlements/onchain/deposits"),
    ("POST", "v1", "/clients/connections"),
    ("PUT", "v1", "/clients/connections/c"),
    ("POST", "v1", "/clients/connections/c/allocations"),
    ("POST", "v1", "/clients/connections/c/deallocations"),
    ("PUT", "v1", "/partners/allocations"),
    ("PUT", "v1", "/partners/deallocations"),
    ("POST", "v1", "/clients/settlements/s/disputes"),
    ("PUT", "v1", "/clients/settlements/disputes/d"),
    ("POST", "v1", "/clients/settlements/disputes/d/close"),
    ("POST", "v1", "/go-accounts/a/require-intent"),
    ("POST", "v1", "/webhook-endpoints"),
    ("PATCH", "v1", "/webhook-endpoints/w"),
    ("DELETE", "v1", "/webhook-endpoints/w"),
    ("POST", "v1", "/webhook-endpoints/w/rotate-secret"),
]


def test_each_signed_path_is_known_with_the_ids_that_its_text_must_name() -> None:
    found = set()
    for method, version, path in PATHS:
        name, ids = signed_operation(method, f"/api/network/{version}/enterprises/e{path}")
        assert set(ids) == set(path_ids_of(Operation(name))), path
        found.add(name)
    assert len(found) == len(PATHS)


class Hook(BaseHTTPRequestHandler):
    got: ClassVar[list[tuple[dict[str, str], Any]]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.got.append((dict(self.headers), body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hook() -> Iterator[str]:
    Hook.got.clear()
    server = HTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hook"
    server.shutdown()
    server.server_close()


def test_events_are_watched_and_forwarded_to_this_machine_without_a_secret(persons: Persons, hook: str) -> None:
    types = ("--type", "connection.created", "--type", "allocation.reserved")
    everything = ("--since", "2020-01-01T00:00:00Z", "--count", "2", "--profile", "aster", *types)
    lines = [json.loads(line) for line in persons.done("watch", *everything, "--json").splitlines()]
    assert [line["type"] for line in lines] == ["connection.created", "allocation.reserved"]
    assert "connection.created" in persons.done("watch", *everything)
    printed = persons.done("webhooks", "listen", "--forward-to", hook, *everything)
    assert printed.splitlines()[0].endswith(": 204")
    assert [body["type"] for _, body in Hook.got] == ["connection.created", "allocation.reserved"]
    headers, body = Hook.got[0]
    assert (set(body), headers["webhook-id"]) == ({"type", "timestamp", "data"}, lines[0]["id"])
    assert (persons.folder / "aster.token").read_text().strip() not in json.dumps(Hook.got)
    assert "on this machine" in persons.fails(
        2, "webhooks", "listen", "--forward-to", "http://example.com/", *everything
    )


def test_webhook_endpoint_gets_a_test(persons: Persons) -> None:
    path = "/api/network/v1/enterprises/{me}/webhook-endpoints"
    made = persons.done("call", "POST", path, "--data", '{"url": "http://127.0.0.1:9/"}', "--profile", "aster")
    endpoint = json.loads(made)["webhookEndpoint"]["id"]
    assert endpoint in persons.done("webhooks", "list", "--profile", "aster")
    assert persons.json("webhooks", "trigger", endpoint, "--profile", "aster")["eventId"]
    assert "404" in persons.fails(1, "webhooks", "trigger", "0" * 32, "--profile", "aster")


def test_sandbox_member_is_completed_and_its_files_are_private(persons: Persons) -> None:
    before = (persons.folder / "aster.key").read_text()
    again = persons.json("sandbox", "member", "aster", "--deposit", "10 BTC", "--profile", "ada")
    assert (persons.folder / "aster.key").read_text() == before
    for kind in ("key", "token"):
        assert stat.S_IMODE((persons.folder / f"aster.{kind}").stat().st_mode) == 0o600
    held = persons.json("operator", "go-accounts", "balances", again["goAccount"], "--profile", "ada")
    # The deposit has the reference of the first one: it is the same deposit.
    assert held["go_accounts"]["ofceth"]["available"] == "5" + "0" * 18
