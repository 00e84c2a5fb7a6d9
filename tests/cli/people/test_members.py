"""Balances, connections, allocations, disputes, events and calls of members, by the real command."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar

import pytest

from clearwindow.cli.people.calling import signed_operation
from clearwindow.signing.intent import path_ids_of
from clearwindow.signing.models import Operation
from tests.cli.people.persons import Persons, terminal

EVENTS = "/api/network/v1/enterprises/{me}/events"


@pytest.fixture(scope="module")
def crane(persons: Persons) -> str:
    """A client with 8 BTC in custody and 2 BTC at Meridian."""
    persons.done("sandbox", "member", "crane", "--deposit", "10 BTC", "--profile", "ada")
    persons.done("connect", "meridian", "--name", "Crane's", "--profile", "crane", given="token of the exchange")
    persons.done("allocate", "Crane's", "2 BTC", "--yes", "--profile", "crane")
    return "crane"


def test_balances_are_shown_with_their_unit(persons: Persons, crane: str) -> None:
    shown = persons.done("balances", "--profile", crane)
    assert [line.split("  ") for line in shown.splitlines()][1:] == [
        ["custody", "", "", "8 BTC", "0 BTC"],
        ["Crane's", "", "", "2 BTC", "0 BTC"],
    ]
    assert "\x1b" not in shown
    assert persons.done("balances", "--profile", crane, "--csv").splitlines() == [
        "where,available,held",
        "custody,8 BTC,0 BTC",
        "Crane's,2 BTC,0 BTC",
    ]
    assert persons.json("balances", "--profile", crane)["balances"]["ofcbtc"]["available"] == "800000000"
    assert re.search("Crane's +2 BTC +0 BTC", persons.done("balances", "--profile", "meridian"))


def test_exchange_is_found_by_its_name_in_any_case(persons: Persons) -> None:
    named = ("--name", "any case", "--profile", "aster")
    persons.done("connect", "MERIDIAN", *named, given="token")
    missing = persons.fails(2, "connect", "Nobody", *named, given="token")
    assert re.search("There is no exchange named 'Nobody'. There are: .*meridian", missing)
    assert "There is no connection token" in persons.fails(2, "connect", "meridian", *named)


def test_exchange_tells_clients_with_one_name_for_a_connection_apart(persons: Persons) -> None:
    ids = []
    for name in ("one", "two"):
        persons.done("sandbox", "member", name, "--deposit", "1 BTC", "--profile", "ada")
        ids += [
            persons.json(
                "connect", "meridian", "--name", "Same", "--connection-token-file", "ada.token", "--profile", name
            )["id"]
        ]
        persons.done("allocate", "Same", "1 BTC", "-y", "--profile", name)
    shown = persons.done("balances", "--profile", "meridian")
    assert all(f"Same ({each})" in shown for each in ids)
    (persons.folder / "same.csv").write_text("connection,currency,amount\nSame,BTC,1\n")
    assert "2 connections are named 'Same'" in persons.fails(2, "settle", "same.csv", "-y", "--profile", "meridian")


READS = [
    ("balances",),
    ("settlements",),
    ("connections",),
    ("disputes", "list"),
    ("approvals",),
    ("webhooks", "list"),
]


@pytest.mark.parametrize("command", READS, ids=" ".join)
@pytest.mark.parametrize("profile", ["aster", "meridian"])
def test_each_list_is_a_table_json_or_csv(persons: Persons, command: tuple[str, ...], profile: str) -> None:
    if (command, profile) == (("approvals",), "meridian"):
        return
    persons.done(*command, "--profile", profile)
    assert isinstance(persons.json(*command, "--profile", profile), dict)
    heading = persons.done(*command, "--csv", "--profile", profile).splitlines()[0]
    assert len(heading.split(",")) >= 3


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


def in_custody(persons: Persons) -> int:
    return int(persons.json("balances", "--profile", "aster")["balances"]["ofcbtc"]["available"])


def test_same_reference_allocates_once(persons: Persons) -> None:
    before = in_custody(persons)
    refused = ("allocate", "meridian", "1 ETH", "--yes", "--profile", "aster", "--reference", "once")
    assert "(4" in persons.fails(1, *refused)
    asked = ("allocate", "meridian", "10000 base ofcbtc", "--profile", "aster", "--reference", "again")
    assert "say --yes" in persons.fails(2, *asked)
    allocated = (*asked, "--yes")
    assert "0.0001 BTC" in persons.done(*allocated)
    assert "it was done before" in persons.done(*allocated)
    assert before - in_custody(persons) == 10_000
    persons.done("deallocate", "meridian", "0.0001", "btc", "--yes", "--profile", "aster")
    assert in_custody(persons) == before


def test_key_may_be_in_the_environment_or_a_command(persons: Persons) -> None:
    token, key = ((persons.folder / f"aster.{kind}").read_text().strip() for kind in ("token", "key"))
    here = {"CLEARWINDOW_URL": persons.url, "CLEARWINDOW_TOKEN": token}
    moved = ("allocate", "meridian", "0.001 BTC", "--yes")
    assert "must be signed" in persons.fails(2, *moved, **here)
    persons.done(*moved, CLEARWINDOW_XPRV=key, **here)
    signing = "clearwindow sign --key-file aster.key"
    path = f"{os.path.dirname(os.sys.executable)}:{os.environ['PATH']}"  # type: ignore[attr-defined]  # noqa: PTH120
    persons.done("deallocate", "meridian", "0.001 BTC", "-y", CLEARWINDOW_SIGN_COMMAND=signing, PATH=path, **here)
    assert "ended with 1" in persons.fails(2, *moved, CLEARWINDOW_SIGN_COMMAND="false", **here)
    assert "cannot be run" in persons.fails(2, *moved, CLEARWINDOW_SIGN_COMMAND="/no/such", **here)


def test_call_signs_what_it_sends(persons: Persons) -> None:
    found = persons.json("connections", "--profile", "aster")["connections"]
    # Another test may have connected once more.
    connection = next(each for each in found if each["name"] == "meridian")
    path = f"/api/network/v1/enterprises/{{me}}/clients/connections/{connection['id']}/allocations"
    body = {"clientExternalId": "by hand", "amount": {"currency": "ofcbtc", "quantity": "1000"}}
    called = ("call", "post", path, "--data", json.dumps(body), "--profile", "aster")
    assert "400" in persons.fails(1, *called)
    # The network's clock is ahead of ours by more than a text is valid.
    persons.done("operator", "advance-clock", "20", "--profile", "ada")
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
    ("POST", "v1", "/partners/settlements/s/withdraw"),
    ("POST", "v1", "/clients/connections"),
    ("PUT", "v1", "/clients/connections/c"),
    ("PUT", "v1", "/clients/connections/c/loss-limits"),
    ("POST", "v1", "/clients/connections/c/allocations"),
    ("POST", "v1", "/clients/connections/c/deallocations"),
    ("PUT", "v1", "/clients/approval-thresholds"),
    ("PUT", "v1", "/clients/daily-approval-thresholds"),
    ("PUT", "v1", "/custodian-limits"),
    ("PUT", "v1", "/partners/allocations"),
    ("PUT", "v1", "/partners/deallocations"),
    ("POST", "v1", "/clients/settlements/s/disputes"),
    ("PUT", "v1", "/clients/settlements/disputes/d"),
    ("POST", "v1", "/clients/settlements/disputes/d/close"),
    ("POST", "v1", "/go-accounts/a/require-intent"),
    ("POST", "v1", "/go-accounts/a/standing-top-ups"),
    ("POST", "v1", "/webhook-endpoints"),
    ("PATCH", "v1", "/webhook-endpoints/w"),
    ("DELETE", "v1", "/webhook-endpoints/w"),
    ("POST", "v1", "/webhook-endpoints/w/rotate-secret"),
]


def test_each_signed_operation_can_be_called_with_the_ids_that_its_text_must_name() -> None:
    found = set()
    for method, version, path in PATHS:
        name, ids = signed_operation(method, f"/api/network/{version}/enterprises/e{path}")
        assert set(ids) == set(path_ids_of(Operation(name))), path
        found.add(name)
    assert found == set(Operation)


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
    shown = persons.done("watch", *everything).splitlines()
    assert "connection.created" in shown[0]
    assert "amount 2 BTC" in shown[1]
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
    trigger = ("webhooks", "trigger")
    assert persons.json(*trigger, "--profile", "aster")["eventId"]
    (newest, *_) = persons.json("call", "GET", f"{EVENTS}?types=allocation.cleared", "--profile", "aster")["events"]
    replayed = persons.json(*trigger, "allocation.cleared", "--endpoint", endpoint, "--profile", "aster")
    assert replayed["eventId"] == newest["id"]
    deliveries = f"{path}/{endpoint}/deliveries"
    listed = persons.json("call", "GET", deliveries, "--profile", "aster")["deliveries"]
    assert {each["eventType"]: each["replayed"] for each in listed}["allocation.cleared"] is True
    assert "404" in persons.fails(1, *trigger, "--endpoint", "0" * 32, "--profile", "aster")
    assert "There are 0 endpoints" in persons.fails(2, *trigger, "--profile", "meridian")
    assert "no event settlement.failed yet" in persons.fails(
        1, *trigger, "settlement.failed", "--endpoint", endpoint, "--profile", "aster"
    )
    assert "types: must be among" in persons.fails(1, *trigger, "no.such", "--profile", "aster")


def test_event_is_triggered_to_this_machine(persons: Persons, hook: str) -> None:
    sent = persons.json("webhooks", "trigger", "connection.created", "--forward-to", hook, "--profile", "aster")
    assert sent["answer"] == "204"
    assert [(headers["webhook-id"], body["type"]) for headers, body in Hook.got] == [
        (sent["eventId"], "connection.created")
    ]
    away = (
        "webhooks",
        "trigger",
        "connection.created",
        "--forward-to",
        "http://127.0.0.1:9/",
        "--profile",
        "aster",
    )
    tried = persons.run(*away)
    assert (tried.returncode, "no answer" in tried.stdout) == (1, True)


def test_events_are_watched_as_they_come_in_colours_that_only_a_terminal_gets(persons: Persons) -> None:
    watch = ("watch", "--every-seconds", "0.2", "--profile", "aster")
    for more, colour in (({}, "\x1b[36m"), ({"NO_COLOR": "1"}, "")):
        with terminal(persons, *watch, **more) as screen:
            screen.until("Waiting for events")
            persons.done("allocate", "meridian", "0.0001 BTC", "--yes", "--profile", "aster")
            screen.until("allocation.cleared")
            screen.until("amount 0.0001 BTC")
            screen.sends(signal.SIGINT)
            assert screen.end() == 130
        assert f"{colour}allocation.cleared" in screen.text
        assert ("\x1b" in screen.text) == bool(colour)


def test_texts_of_others_are_harmless_on_a_terminal_and_in_a_spreadsheet(persons: Persons) -> None:
    (persons.folder / "h.csv").write_text("connection,currency,amount\nmeridian,BTC,-0.01\n")
    named = ("--external-id", "=HYPERLINK(1)", "--notes", "\x1b[2J\x1b]0;owned\x07\u202eevil")
    persons.done("settle", "h.csv", *named, "--yes", "--no-follow", "--profile", "meridian")
    listed = persons.done("settlements", "--csv", "--profile", "aster")
    assert "'=HYPERLINK(1)" in listed
    settlement = persons.json("settlements", "=HYPERLINK(1)", "--profile", "meridian")["settlement"]
    assert settlement["notes"] == named[3]
    shown = persons.done("settlements", settlement["id"], "--profile", "aster")
    assert "owned" in shown
    assert not {"\x1b", "\x07", "\u202e"} & set(shown)


def test_second_person_approves_what_waits(persons: Persons) -> None:
    partner = ("call", "POST", "/api/network/v1/enterprises/{me}/partners", "--profile", "heron")
    persons.done("sandbox", "member", "heron", "--profile", "ada")
    persons.done("sandbox", "member", "egret", "--deposit", "10 BTC", "--profile", "ada")
    persons.done(
        "operator",
        "configure-partner",
        "heron",
        "--currencies",
        "BTC=ofcbtc",
        "--amount-unit",
        "base",
        "--profile",
        "ada",
    )
    body = {
        "name": "Heron",
        "broker": False,
        "institutionIdentifier": "heron",
        "connectionKeySchema": "token",
        "clientDisputeWindowMinutes": 30,
        "allocationPoliciesEnabled": True,
    }
    persons.done(*partner, "--data", json.dumps(body))
    persons.done("connect", "Heron", "--profile", "egret", given="token")
    limit = ("call", "PUT", "/api/network/v1/enterprises/{me}/clients/approval-thresholds", "--profile", "egret")
    persons.done(*limit, "--data", '{"thresholds": {"ofcbtc": "100000000"}}')
    allocate = ("allocate", "Heron", "1.5 BTC", "--yes", "--profile", "egret")
    assert "waits for the partner or for a second person" in persons.fails(4, *allocate)
    (waiting,) = persons.json("approvals", "--profile", "egret")["pendingApprovals"]
    assert re.search(rf"{waiting['id']} +allocation +1\.5 BTC", persons.done("approvals", "--profile", "egret"))
    approve = ("approvals", "approve", waiting["id"], "--profile")
    assert "(403" in persons.fails(1, *approve, "egret")
    persons.done(
        "operator",
        "enterprises",
        "create-user",
        "egret",
        "--name",
        "Second",
        "--user-id",
        "second@egret",
        "--role",
        "approver",
        "--profile",
        "ada",
    )
    scopes = ("--scopes", "settlement_network_read", "--scopes", "settlement_network_write")
    made = persons.json(
        "operator", "enterprises", "create-token", "egret", "--user-id", "second@egret", *scopes, "--profile", "ada"
    )
    (persons.folder / "second.token").write_text(made["value"])
    persons.done("profile", "add", "second", "--url", persons.url, "--token-file", "second.token")
    assert "Say which" in persons.fails(2, "approvals", "approve", "--profile", "second")
    persons.done(*approve, "second")
    assert "There is nothing to show" in persons.run("approvals", "--profile", "egret").stderr
    persons.fails(4, *allocate)
    (waiting,) = persons.json("approvals", "--profile", "egret")["pendingApprovals"]
    persons.done("approvals", "reject", waiting["id"], "--notes", "not twice", "--profile", "second")
    assert re.search("Heron +1.5 BTC", persons.done("balances", "--profile", "egret"))


def test_sandbox_member_is_completed_and_its_files_are_private(persons: Persons) -> None:
    before = (persons.folder / "aster.key").read_text()
    again = persons.json("sandbox", "member", "aster", "--deposit", "10 BTC", "--profile", "ada")
    assert (persons.folder / "aster.key").read_text() == before
    for kind in ("key", "token"):
        assert stat.S_IMODE((persons.folder / f"aster.{kind}").stat().st_mode) == 0o600
    held = persons.json("operator", "go-accounts", "balances", again["goAccount"], "--profile", "ada")
    # The deposit has the reference of the first one: it is the same deposit.
    assert held["go_accounts"]["ofceth"]["available"] == "5" + "0" * 18
