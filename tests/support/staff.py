"""Operators with roles, and a server on which others must approve what one of them asks for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import httpx2
from fastapi import FastAPI

from clearwindow.identity import rules, store
from clearwindow.identity.models import OperatorRecord, OperatorRole, TokenTerms
from clearwindow.identity.tokens import new_token
from clearwindow.runtime import Oversight, Runtime
from tests.support.operators import Json, OperatorClient

WATCHED = Oversight(approvals_needed=1, key_cool_off=timedelta(hours=24))


class StaffClient(OperatorClient):
    """An operator of its own, with its id and its token."""

    def __init__(self, base_url: str, token: str, operator_id: str) -> None:
        super().__init__(base_url, token)
        self.token_value = token
        self.id = operator_id

    def decide(self, proposal_id: str, decision: str, body: Json | None = None) -> httpx2.Response:
        return self.post(f"/proposals/{proposal_id}/{decision}", body)

    def proposal(self, proposal_id: str) -> Json:
        found: Json = self._ok(self.get(f"/proposals/{proposal_id}"))["proposal"]
        return found


def staff(
    runtime: Runtime, base_url: str, name: str, role: OperatorRole = OperatorRole.ADMINISTRATOR
) -> StaffClient:
    """Makes an operator as the command line does: no other operator has its token."""
    with runtime.transaction() as tx:
        record = OperatorRecord(tx.new_id(), name, tx.now(), role)
        assert store.insert_operator(tx, record)
        token = replace(new_token(tx, TokenTerms()), operator_id=record.id, operator_name=name)
        value = rules.new_token()
        store.insert_token(tx, token, rules.token_sha256(value))
    return StaffClient(base_url, value, str(record.id))


@contextmanager
def watched(app: FastAPI, runtime: Runtime, oversight: Oversight = WATCHED) -> Iterator[Runtime]:
    """Lets the server ask for approvals until the block ends."""
    app.state.runtime = replace(runtime, oversight=oversight)
    yield app.state.runtime
    app.state.runtime = runtime


def proposed(response: httpx2.Response) -> Json:
    """Returns the proposal in an answer."""
    assert response.status_code == 202, response.text
    proposal: Json = response.json()["proposal"]
    return proposal
