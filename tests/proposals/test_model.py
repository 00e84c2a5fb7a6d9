"""Random decisions about a proposed withdrawal, against a plain-Python model of the states. Protocol §12."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from uuid import UUID

import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clearwindow.core.errors import RequestError
from clearwindow.custody.acts import WITHDRAWAL
from clearwindow.custody.models import CustodyRequest
from clearwindow.identity.acts import Asked, Proposal, ProposalStatus, perform
from clearwindow.identity.models import Operator, OperatorRole
from clearwindow.ledger.check.service import check_ledger
from clearwindow.proposals import jobs, service, views
from clearwindow.runtime import Oversight, Runtime
from tests.proposals.conftest import Desk
from tests.support.networks import ok
from tests.support.runtimes import open_runtime
from tests.support.staff import WATCHED, proposed

LIFETIME = timedelta(days=7)
PEOPLE = ("ada", "ben", "carl", "dora")
MAY_APPROVE = {"ben", "dora"}
STEPS = st.lists(
    st.tuples(st.sampled_from(["approve", "reject", "withdraw", "wait", "expire"]), st.sampled_from(PEOPLE)),
    max_size=6,
)
numbers = count()


@dataclass
class Model:
    """What must be true of a proposal of Ada's that needs so many approvals."""

    needed: int
    status: str = "pending"
    late: bool = False
    approved_by: set[str] = field(default_factory=set)
    ended_by: str | None = None

    def step(self, what: str, who: str) -> bool:
        """Returns whether the step is accepted."""
        if what == "wait":
            self.late = True
            return True
        if what == "expire":
            expires = self.late and self.status == "pending"
            self.status = "expired" if expires else self.status
            return expires
        ends = {"reject": "rejected", "withdraw": "withdrawn"}
        same_end = self.ended_by == who and self.status == ends.get(what)
        if same_end or (what == "approve" and who in self.approved_by):
            return True
        allowed = who == "ada" if what == "withdraw" else who in MAY_APPROVE
        if not allowed or self.late or self.status != "pending":
            return False
        if what == "approve":
            self.approved_by.add(who)
            if len(self.approved_by) < self.needed:
                return True
        self.status, self.ended_by = ends.get(what, "carried_out"), who
        return True


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=STEPS, needed=st.integers(1, 2))
def test_states_follow_the_model(desk: Desk, runtime: Runtime, steps: list[tuple[str, str]], needed: int) -> None:
    watched = replace(runtime, oversight=Oversight(needed, LIFETIME))
    roles = {"ada": OperatorRole.ADMINISTRATOR, "ben": OperatorRole.APPROVER, "dora": OperatorRole.ADMINISTRATOR}
    people = {
        name: Operator(UUID(getattr(desk, name).id), name, "model", roles.get(name, OperatorRole.OPERATOR))
        for name in PEOPLE
    }
    before = desk.balance()
    request = CustodyRequest("ofcbtc", 1, f"model-{next(numbers)}")
    made = perform(watched, people["ada"], WITHDRAWAL, Asked(desk.account, request))
    assert isinstance(made, Proposal)
    model = Model(needed)
    for what, who in steps:
        accepted = model.step(what, who)
        assert _take(desk, watched, made.id, what, people[who]) is accepted, (what, who, model)
        assert views.get_proposal(watched, made.id).proposal.status == model.status
        gone, held = int(model.status == "carried_out"), int(model.status == "pending")
        assert desk.balance() == (before[0] - gone - held, held)
    if model.status == "pending":
        service.withdraw(replace(watched), people["ada"], made.id, None) if not model.late else _expire(
            watched, made
        )
    with runtime.transaction() as tx:
        assert check_ledger(tx) == []


def _take(desk: Desk, runtime: Runtime, proposal_id: UUID, what: str, who: Operator) -> bool:
    if what == "wait":
        desk.clock.advance(minutes=7 * 24 * 60)
        return True
    if what == "expire":
        return _expired(runtime, proposal_id)
    try:
        if what == "approve":
            service.approve(runtime, who, proposal_id)
        elif what == "reject":
            service.reject(runtime, who, proposal_id, None)
        else:
            service.withdraw(runtime, who, proposal_id, None)
    except RequestError:
        return False
    return True


def _expired(runtime: Runtime, proposal_id: UUID) -> bool:
    work = jobs.ProposalWork()
    return proposal_id in work.due(runtime, 10) and work.perform(runtime, proposal_id)


def _expire(runtime: Runtime, made: Proposal) -> None:
    assert _expired(runtime, made.id)


def test_proposal_survives_a_restart(desk: Desk, dsn: str, served_app: tuple[FastAPI, str]) -> None:
    body = {"userId": f"user-of-{desk.enterprise.id}", "scopes": ["settlement_network_read"]}
    token = proposed(desk.ada.post(f"/enterprises/{desk.enterprise.id}/tokens", body))
    payout = proposed(desk.ada.move("withdrawals", desk.account, "ofcbtc", 400, "payout-1"))
    before = served_app[0].state.runtime
    with open_runtime(dsn, desk.clock, oversight=WATCHED) as after:
        served_app[0].state.runtime = after
        ok(desk.ben.decide(payout["id"], "approve"))
        ok(desk.ben.decide(token["id"], "approve"))
    served_app[0].state.runtime = before
    assert desk.balance() == (600, 0)
    assert ok(desk.ada.decide(token["id"], "collect"))["value"].startswith("cwt_")
    assert desk.ada.proposal(payout["id"])["status"] == ProposalStatus.CARRIED_OUT


@pytest.mark.parametrize("status", [status for status in ProposalStatus if status is not ProposalStatus.PENDING])
def test_database_refuses_a_second_end(desk: Desk, runtime: Runtime, status: ProposalStatus) -> None:
    made = proposed(desk.ada.move("withdrawals", desk.account, "ofcbtc", 400, "payout-1"))
    ok(desk.ben.decide(made["id"], "reject"))
    statement = "UPDATE proposal SET status = %(status)s, reason = 'again' WHERE id = %(id)s"
    if status is ProposalStatus.REJECTED:
        statement = "UPDATE proposal SET status = 'pending' WHERE id = %(id)s"
    with pytest.raises(Exception, match="cannot go from rejected"), runtime.transaction() as tx:
        tx.connection.execute(statement, {"status": status, "id": made["id"]})


def test_database_refuses_an_end_without_approvals(desk: Desk, runtime: Runtime) -> None:
    made = proposed(desk.ada.move("withdrawals", desk.account, "ofcbtc", 400, "payout-1"))
    statement = (
        "UPDATE proposal SET status = 'carried_out', due_at = NULL, ended_at = now(), ended_by = %(who)s,"
        " result = '{}' WHERE id = %(id)s"
    )
    with pytest.raises(Exception, match="needs its approvals"), runtime.transaction() as tx:
        tx.run(statement, who=desk.ben.id, id=made["id"])
    insert = (
        "INSERT INTO proposal_approval (proposal_id, operator_id, proposed_by, approved_at)"
        " VALUES (%(id)s, %(who)s, %(who)s, now())"
    )
    with pytest.raises(Exception, match="proposal_approval_four_eyes"), runtime.transaction() as tx:
        tx.run(insert, id=made["id"], who=desk.ada.id)
