"""Who decides about a proposal, and when, without a database. Protocol §12."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

import pytest

from clearwindow.core.errors import ConflictError, PermissionDeniedError, RequestError
from clearwindow.identity.acts import ProposalStatus
from clearwindow.identity.models import Operator, OperatorRecord, OperatorRole
from clearwindow.proposals import rules
from clearwindow.proposals.models import COLLECT_WITHIN, ProposalApproval
from tests.support.prototypes import NOW, PROPOSAL, an_id, minute

PROPOSER, OTHER, THIRD, CLIENT = an_id(13), an_id(21), an_id(22), an_id(23)


def operator(
    operator_id: UUID = OTHER, role: OperatorRole = OperatorRole.APPROVER, token_made_by: UUID | None = None
) -> Operator:
    return Operator(operator_id, "somebody", "request", role, token_made_by)


def approval(operator_id: UUID, token_made_by: UUID | None = None, *, counts: bool = True) -> ProposalApproval:
    return ProposalApproval(PROPOSAL.id, operator_id, token_made_by, NOW, counts)


def refusal(error: pytest.ExceptionInfo[RequestError]) -> tuple[str, object]:
    return error.value.name, error.value.details


@pytest.mark.parametrize(
    ("status", "now", "told"),
    [
        (ProposalStatus.PENDING, minute(9.99), None),
        (ProposalStatus.PENDING, minute(10), ProposalStatus.EXPIRED),
        (ProposalStatus.REJECTED, minute(0), ProposalStatus.REJECTED),
        (ProposalStatus.CARRIED_OUT, minute(11), ProposalStatus.CARRIED_OUT),
    ],
)
def test_proposal_waits_until_it_has_ended_or_expired(
    status: ProposalStatus, now: datetime, told: ProposalStatus | None
) -> None:
    proposal = replace(PROPOSAL, status=status)
    if told is None:
        rules.require_open(proposal, now)
        return
    with pytest.raises(ConflictError, match=told.replace("_", " ")) as error:
        rules.require_open(proposal, now)
    assert refusal(error) == ("proposal_ended", {"status": told})


def test_only_the_same_end_by_the_same_operator_is_a_repeat() -> None:
    ended = replace(PROPOSAL, status=ProposalStatus.REJECTED, ended_by=OTHER, reason="no")
    assert rules.is_repeat(ended, operator(OTHER), ProposalStatus.REJECTED, "no")
    assert not rules.is_repeat(ended, operator(THIRD), ProposalStatus.REJECTED, "no")
    assert not rules.is_repeat(ended, operator(OTHER), ProposalStatus.WITHDRAWN, "no")
    assert not rules.is_repeat(ended, operator(OTHER), ProposalStatus.REJECTED, None)


@pytest.mark.parametrize("role", OperatorRole)
def test_only_approvers_and_administrators_decide(role: OperatorRole) -> None:
    if role in {OperatorRole.APPROVER, OperatorRole.ADMINISTRATOR}:
        rules.require_other_hands(PROPOSAL, operator(role=role))
        return
    with pytest.raises(PermissionDeniedError, match="approver or administrator") as error:
        rules.require_other_hands(PROPOSAL, operator(role=role))
    assert refusal(error) == ("approver_needed", None)


@pytest.mark.parametrize(
    ("made_by", "decider"),
    [
        (None, operator(PROPOSER)),
        (None, operator(OTHER, token_made_by=PROPOSER)),
        (OTHER, operator(OTHER)),
    ],
)
def test_nobody_decides_about_its_own_proposal(made_by: UUID | None, decider: Operator) -> None:
    with pytest.raises(PermissionDeniedError) as error:
        rules.require_other_hands(replace(PROPOSAL, token_made_by=made_by), decider)
    assert refusal(error) == ("own_proposal", None)


@pytest.mark.parametrize("standing", [approval(OTHER), approval(THIRD, OTHER)])
def test_nobody_approves_twice_under_two_names(standing: ProposalApproval) -> None:
    with pytest.raises(PermissionDeniedError, match="another operator must") as error:
        rules.require_other_hands(PROPOSAL, operator(OTHER), [approval(CLIENT), standing])
    assert refusal(error) == ("same_approver", None)
    rules.require_other_hands(PROPOSAL, operator(OTHER), [approval(CLIENT)])


def test_who_can_act_as_the_client_does_not_decide() -> None:
    for decider in (operator(CLIENT), operator(OTHER, token_made_by=CLIENT)):
        with pytest.raises(PermissionDeniedError) as error:
            rules.require_no_client_hands(decider, [THIRD, CLIENT])
        assert refusal(error) == ("acted_as_client", None)
    rules.require_no_client_hands(operator(OTHER, token_made_by=PROPOSER), [THIRD, CLIENT])
    rules.require_no_client_hands(operator(OTHER), [])


def test_proposer_must_still_be_one_who_may_propose() -> None:
    record = OperatorRecord(PROPOSER, "somebody", NOW)
    rules.require_in_office(record, "deposit")
    rules.require_in_office(replace(record, role=OperatorRole.OPERATOR), "deposit")
    for proposer in (None, replace(record, role=OperatorRole.VIEWER)):
        with pytest.raises(ConflictError) as error:
            rules.require_in_office(proposer, "deposit")
        assert refusal(error) == ("proposer_not_in_office", None)


def test_only_the_proposer_withdraws_and_collects() -> None:
    rules.require_proposer(PROPOSAL, operator(PROPOSER))
    with pytest.raises(PermissionDeniedError, match="only the operator who made the proposal") as error:
        rules.require_proposer(PROPOSAL, operator(OTHER))
    assert refusal(error) == ("not_the_proposer", None)


def test_what_changed_is_named_with_what_it_was_and_is() -> None:
    rules.require_unchanged(PROPOSAL, {"name": None, "active": "true"})
    with pytest.raises(ConflictError, match=r"^active, limit, name: changed") as error:
        rules.require_unchanged(PROPOSAL, {"name": "new", "limit": "5"})
    assert refusal(error) == (
        "proposal_target_changed",
        {
            "changed": {
                "active": {"proposed": "true", "now": None},
                "limit": {"proposed": None, "now": "5"},
                "name": {"proposed": None, "now": "new"},
            }
        },
    )


def test_what_is_the_same_is_not_named() -> None:
    with pytest.raises(ConflictError, match=r"^name: changed"):
        rules.require_unchanged(PROPOSAL, {"name": "new", "active": "true"})


def test_value_can_be_collected_for_a_day_after_the_end() -> None:
    ended = replace(PROPOSAL, sealed_value=b"sealed", ended_at=minute(5))
    assert rules.collectable_until(ended) == minute(5) + COLLECT_WITHIN
    assert rules.collectable_until(replace(ended, sealed_value=None)) is None
    assert rules.collectable_until(replace(ended, ended_at=None)) is None


def test_only_approvals_that_count_are_counted() -> None:
    two = replace(PROPOSAL, approvals_needed=2)
    assert not rules.is_approved(two, [approval(OTHER)])
    assert not rules.is_approved(two, [approval(OTHER), approval(THIRD, counts=False)])
    assert rules.is_approved(two, [approval(OTHER), approval(THIRD)])
    assert rules.is_approved(two, [approval(OTHER), approval(THIRD), approval(CLIENT)])


def test_what_has_ended_stays_so() -> None:
    for status, following in rules.TRANSITIONS.items():
        assert following == (set(ProposalStatus) - {status} if status is ProposalStatus.PENDING else set())
