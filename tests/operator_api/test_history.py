"""Operators read the audit trail, the journal and events, filtered and in pages."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from tests.conftest import OPERATOR_TOKEN
from tests.support.http import loopback_client
from tests.support.operators import PREFIX, OperatorClient

LISTS = {"/audit-log": "records", "/ledger/entries": "entries", "/events": "events"}


@pytest.fixture
def accounts(operator: OperatorClient) -> tuple[str, str]:
    """Two accounts of two enterprises, with three deposits and one."""
    operator.enterprise("acme")
    operator.enterprise("beta")
    first, second = operator.go_account("acme").id, operator.go_account("beta").id
    for number in range(3):
        operator.deposit(first, "ofcbtc", number + 1, f"wire-{number}")
    operator.deposit(second, "ofceth", 9)
    return first, second


def test_lists_are_paged_and_counted(operator: OperatorClient, accounts: tuple[str, str]) -> None:  # noqa: ARG001
    for path, name in LISTS.items():
        everything = operator.get(path)
        rows: list[Any] = everything.json()[name]
        total = str(len(rows))
        assert everything.headers["X-Total-Count"] == total
        paged = []
        for number in range(len(rows)):
            page = operator.get(path, pageSize=1, pageNumber=number)
            assert page.headers["X-Total-Count"] == total
            paged += page.json()[name]
        assert paged == rows
        beyond = operator.get(path, pageSize=100, pageNumber=7)
        assert (beyond.json()[name], beyond.headers["X-Total-Count"]) == ([], total)


def test_the_journal_shows_both_sides_of_an_entry(operator: OperatorClient, accounts: tuple[str, str]) -> None:
    first, second = accounts
    entry = operator.entries(accountId=second)[0]
    assert entry == {
        "id": entry["id"],
        "kind": "deposit",
        "causeId": entry["id"],
        "reference": entry["reference"],
        "createdAt": "2026-01-05T12:00:00.000Z",
        "postings": [
            {"accountKind": "outside", "currency": "ofceth", "bucket": "available", "quantity": "-9"},
            {
                "accountKind": "go",
                "accountId": second,
                "currency": "ofceth",
                "bucket": "available",
                "quantity": "9",
            },
        ],
    }
    assert operator.entries(causeId=entry["id"]) == [entry]
    assert len(operator.entries(accountId=first)) == 3
    assert operator.entries(accountId="0" * 31 + "1") == []


def test_events_are_filtered(operator: OperatorClient, accounts: tuple[str, str]) -> None:
    first, _ = accounts
    assert len(operator.events(enterpriseId="acme")) == 3
    assert len(operator.events(subjectId=first, types="balance.changed,settlement.failed")) == 3
    assert operator.events(enterpriseId="acme", types=["settlement.failed", "dispute.created"]) == []


def test_filters_may_come_as_a_body(operator: OperatorClient, accounts: tuple[str, str]) -> None:
    headers = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
    with loopback_client(base_url=operator.base_url + PREFIX, headers=headers) as client:
        body = {"accountId": accounts[0], "pageSize": 2}
        found = client.request("GET", "/ledger/entries", json=body)
        assert (len(found.json()["entries"]), found.headers["X-Total-Count"]) == (2, "3")
        twice = client.request("GET", "/ledger/entries", params={"pageSize": 1}, json=body)
        assert (twice.status_code, twice.json()["name"]) == (400, "filter_twice")


WITHOUT_BODY = {"confirm", "withhold", "release", "reset", "approve", "collect", "second-factor", "test"}


def test_api_description_is_complete(base_url: str) -> None:
    """Every change describes its body and its errors. Every reference has its definition."""
    description = httpx2.get(f"{base_url}/openapi.json", timeout=60, trust_env=False).json()
    known = {
        f"{kind}/{name}" for kind in ("schemas", "headers", "examples") for name in description["components"][kind]
    }
    for path, operations in description["paths"].items():
        if not path.startswith(PREFIX):
            continue
        for method, operation in operations.items():
            assert operation["summary"]
            assert "401" in operation["responses"]
            if method in {"post", "patch"} and path.rpartition("/")[2] not in WITHOUT_BODY:
                assert operation["requestBody"]["content"]["application/json"]["schema"]["properties"]
    for reference in _references(description):
        assert reference.removeprefix("#/components/") in known


def _references(part: object) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if "$ref" in part else []
        return own + [found for value in part.values() for found in _references(value)]
    return [found for value in part for found in _references(value)] if isinstance(part, list) else []
