"""``clearwindow lost-requests``: which lines of a log count, and which of them are lost."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clearwindow.cli.lost_requests import MARGIN, Acknowledged, acknowledged_writes, lost_of
from tests.support.databases import as_application
from tests.support.networks import Network
from tests.support.operators import OperatorClient
from tests.support.processes import command

START = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
LINE = {
    "event": "request",
    "method": "POST",
    "path": "/api/operator/v1/operators",
    "route": "/api/operator/v1/operators",
    "status": 200,
    "timestamp": "2026-01-05T12:00:00.000001Z",
    "request_id": "r-1",
}


def answered(request_id: str, seconds: float) -> Acknowledged:
    return Acknowledged(START + timedelta(seconds=seconds), request_id, "POST", "/", 200)


def test_answered_writes_are_read() -> None:
    (found,) = acknowledged_writes([json.dumps(LINE)])
    assert found == Acknowledged(
        datetime(2026, 1, 5, 12, 0, 0, 1, UTC), "r-1", "POST", "/api/operator/v1/operators", 200
    )


@pytest.mark.parametrize(
    "change",
    [
        {"event": "refused"},
        {"method": "GET"},
        {"status": 409},
        {"status": 503},
        {"status": "200"},
        {"route": "/clients/connections/signing"},
        {"route": "/partners/settlements-signing"},
        {"route": None},
        {"timestamp": "yesterday"},
        {"timestamp": 7},
        {"method": ["POST"]},
    ],
)
def test_other_lines_are_passed_over(change: dict[str, object]) -> None:
    assert list(acknowledged_writes([json.dumps(LINE | change)])) == []


@pytest.mark.parametrize(
    "line", ["", "{", "null", "[]", "7", '"request"', "{}", "Traceback (most recent call last):"]
)
def test_lines_that_are_no_requests_are_passed_over(line: str) -> None:
    assert list(acknowledged_writes([line])) == []


def test_unknown_requests_are_lost_from_the_end_of_the_known_ones() -> None:
    long_ago = -MARGIN.total_seconds() - 1
    log = [answered("c", 3), answered("repeat", long_ago), answered("a", 0), answered("b", -1), answered("d", 2)]
    assert [one.request_id for one in lost_of(log, {"a"})] == ["b", "d", "c"]
    assert lost_of(log, {"a", "b", "c", "d", "repeat"}) == []


def test_everything_is_lost_if_nothing_is_known() -> None:
    assert [one.request_id for one in lost_of([answered("b", 1), answered("a", 0)], set())] == ["a", "b"]
    assert lost_of([], set()) == []


def test_requests_are_compared_with_the_audit_trail(
    operator: OperatorClient, network: Network, dsn: str, tmp_path: Path
) -> None:
    enterprise = network.client().enterprise
    records = operator.get("/audit-log", enterpriseId=enterprise.id).json()["records"]
    known = records[0]["requestId"]
    log = tmp_path / "server.log"
    log.write_text("\n".join(json.dumps(LINE | {"request_id": one}) for one in (known, "lost")))
    settings = {"database_url": as_application(dsn), "secret_key": "11" * 32}
    found = command("lost-requests", str(log), **settings)
    assert found.returncode == 1, found.stderr
    assert found.stdout.splitlines() == [
        "2026-01-05 12:00:00  lost  200  POST /api/operator/v1/operators",
        "2 answered requests are in the logs. 1 of them are lost.",
    ]
    log.write_text(json.dumps(LINE | {"request_id": known}))
    none = command("lost-requests", str(log), "--json", **settings)
    assert (none.returncode, json.loads(none.stdout)) == (0, {"compared": 1, "lost": []})
    missing = command("lost-requests", str(tmp_path / "none.log"), **settings)
    assert (missing.returncode, missing.stdout) == (1, "")
    assert "No such file" in missing.stderr
