"""What an allocation may do, and what a partner's answer about it means, without a database. Protocol §4."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest

from clearwindow.allocations import rules
from clearwindow.allocations.models import (
    Allocation,
    AllocationStatus,
    AllocationType,
    Clear,
    Decision,
    Parties,
    PolicyResult,
    Refusal,
    Release,
    RequestedAllocation,
    Unanswered,
    Verdict,
    Wait,
)
from clearwindow.core.errors import ConflictError, InvalidRequestError
from clearwindow.core.money import AmountUnit
from clearwindow.ledger.models import Balance, EntryKind
from clearwindow.network.models import CurrencyMap, MappedCurrency
from clearwindow.partner_calls.models import Accepted, Answer, NotCalled, Refused, Silent
from clearwindow.pauses.models import Touched
from tests.support.prototypes import ALLOCATION, CLIENT, CONNECTION, CURRENCIES, NOW, PARTNER, an_id, minute

ALLOCATE, DEALLOCATE = AllocationType.ALLOCATION, AllocationType.DEALLOCATION
PARTIES = Parties(CLIENT, PARTNER, CONNECTION, CURRENCIES)
NOT_CONFIRMED = replace(CONNECTION, partners_client_id=None, partners_connection_id=None)
DONE = replace(ALLOCATION, status=AllocationStatus.CLEARED)
ASKED = RequestedAllocation(ALLOCATE, CONNECTION.id, "ofcbtc", 150_000_000, "first", "a note")


def test_pause_of_a_partner_does_not_stop_a_deallocation() -> None:
    sides = {"client_ids": [CLIENT.id], "currencies": ["ofcbtc"], "go_account_ids": [CLIENT.go_account_id]}
    assert rules.touched(ALLOCATE, "ofcbtc", PARTIES) == Touched(partner_ids=[PARTNER.id], **sides)  # type: ignore[arg-type]  # a dict of all
    assert rules.touched(DEALLOCATE, "ofcbtc", PARTIES) == Touched(partner_ids=[], **sides)  # type: ignore[arg-type]  # the same


def test_currency_must_be_one_that_the_partner_accepts() -> None:
    assert rules.require_mapped("btc", CURRENCIES) == "ofcbtc"
    with pytest.raises(InvalidRequestError, match=r"^amount\.currency: the partner does not accept doge") as error:
        rules.require_mapped("doge", CURRENCIES)
    assert error.value.name == "currency_not_supported"


def test_deallocation_needs_a_currency_of_the_network() -> None:
    assert rules.require_known("btc", ["ofcbtc"]) == "ofcbtc"
    with pytest.raises(InvalidRequestError, match=r"^amount\.currency: the network does not know doge") as error:
        rules.require_known("doge", ["ofcbtc"])
    assert error.value.name == "currency_not_supported"


@pytest.mark.parametrize(
    ("asked", "fields"),
    [
        (ASKED, []),
        (replace(ASKED, currency="ofceth"), ["amount.currency"]),
        (replace(ASKED, quantity=150_000_001), ["amount.quantity"]),
        (replace(ASKED, notes=None), ["notes"]),
        (replace(ASKED, notes="b", quantity=1), ["amount.quantity", "notes"]),
    ],
)
def test_second_request_must_be_the_first_one(asked: RequestedAllocation, fields: list[str]) -> None:
    assert rules.differing_fields(ALLOCATION, asked) == fields
    if not fields:
        rules.require_same_request(ALLOCATION, asked)
        return
    with pytest.raises(InvalidRequestError, match=rf"^clientExternalId: .* allocation {ALLOCATION.id}") as error:
        rules.require_same_request(ALLOCATION, asked)
    assert error.value.name == "client_external_id_taken"
    assert error.value.details == {"fields": fields, "allocationId": str(ALLOCATION.id)}


@pytest.mark.parametrize(
    ("parties", "allocate", "deallocate"),
    [
        (PARTIES, None, None),
        (replace(PARTIES, client=replace(CLIENT, active=False)), Refusal.CLIENT_INACTIVE, None),
        (replace(PARTIES, partner=replace(PARTNER, active=False)), Refusal.PARTNER_INACTIVE, None),
        (replace(PARTIES, connection=replace(CONNECTION, active=False)), Refusal.CONNECTION_INACTIVE, None),
        (
            replace(PARTIES, connection=NOT_CONFIRMED),
            Refusal.CONNECTION_NOT_INITIALIZED,
            Refusal.CONNECTION_NOT_INITIALIZED,
        ),
    ],
)
def test_only_what_leads_back_goes_on_with_an_inactive_party(
    parties: Parties, allocate: Refusal | None, deallocate: Refusal | None
) -> None:
    for kind, expected in ((ALLOCATE, allocate), (DEALLOCATE, deallocate)):
        sides = (parties.client, parties.partner, parties.connection)
        assert rules.refusal(kind, *sides, Balance(7, 0), 7) is expected
        assert rules.refusal(kind, *sides, Balance(6, 9), 7) is (expected or Refusal.INSUFFICIENT_FUNDS)


def test_policy_is_for_allocations_to_a_partner_with_policies() -> None:
    with_policies = replace(PARTNER, allocation_policies_enabled=True)
    assert rules.is_evaluated(ALLOCATE, with_policies)
    assert not rules.is_evaluated(DEALLOCATE, with_policies)
    assert not rules.is_evaluated(ALLOCATE, PARTNER)


def test_allocation_after_its_policy_and_its_approval() -> None:
    passed = rules.passed(ALLOCATION, an_id(20))
    assert passed == replace(ALLOCATION, evaluation_id=an_id(20), policy_result=PolicyResult.APPROVED)
    waits = rules.held_for_approval(ALLOCATION, an_id(20), an_id(21))
    assert waits == replace(
        ALLOCATION,
        evaluation_id=an_id(20),
        pending_approval_id=an_id(21),
        reason=rules.WAITS_FOR_APPROVAL,
        retriable=False,
    )
    assert rules.approved(waits) == replace(waits, policy_result=PolicyResult.APPROVED, reason=None)
    assert rules.rejected(waits) == replace(waits, policy_result=PolicyResult.REJECTED)


def test_released_allocation_says_why() -> None:
    ended = replace(ALLOCATION, status=AllocationStatus.RELEASED, retriable=False, updated_at=minute(1))
    assert rules.released(ALLOCATION, Refusal.PAUSED, minute(1)) == replace(
        ended, refusal=Refusal.PAUSED, reason="something of it is paused"
    )
    assert rules.released(ALLOCATION, Refusal.PARTNER_REFUSED, minute(1), "not today") == replace(
        ended, refusal=Refusal.PARTNER_REFUSED, reason="not today"
    )


def test_cleared_allocation_has_no_reason() -> None:
    waits = rules.waiting(ALLOCATION, "asked", minute(1), retriable=False)
    assert waits == replace(ALLOCATION, reason="asked", retriable=False, updated_at=minute(1))
    assert rules.cleared(rules.waiting(waits, "asked", minute(1), retriable=True), minute(2)) == replace(
        ALLOCATION, status=AllocationStatus.CLEARED, retriable=False, updated_at=minute(2)
    )


@pytest.mark.parametrize(
    "step",
    [
        lambda done: rules.cleared(done, NOW),
        lambda done: rules.released(done, Refusal.PAUSED, NOW),
        lambda done: rules.waiting(done, "asked", NOW, retriable=True),
    ],
)
def test_ended_allocation_stays_as_it_is(step: Callable[[Allocation], Allocation]) -> None:
    for status in (AllocationStatus.CLEARED, AllocationStatus.RELEASED):
        with pytest.raises(AssertionError):
            step(replace(ALLOCATION, status=status))


def test_partners_own_id_is_kept_once_known() -> None:
    named = rules.named(ALLOCATION, "theirs")
    assert named == replace(ALLOCATION, partner_external_id="theirs")
    assert rules.named(named, None) == named


@pytest.mark.parametrize(
    ("currencies", "amount"),
    [
        (CURRENCIES, {"currency": "BTC", "quantity": "1.5"}),
        (CurrencyMap(AmountUnit.DECIMAL, {}), {"currency": "ofcbtc", "quantity": "150000000"}),
    ],
)
def test_question_is_in_the_partners_names_and_unit(currencies: CurrencyMap, amount: dict[str, str]) -> None:
    assert rules.question(ALLOCATION, CONNECTION, currencies) == {
        "allocationId": str(ALLOCATION.id),
        "amount": amount,
        "clientId": str(CLIENT.id),
        "connectionId": str(CONNECTION.id),
        "partnersClientId": "their client",
        "partnersConnectionId": "their connection",
    }


QUESTION = rules.question(ALLOCATION, CONNECTION, CURRENCIES)
OWN = {"allocationId": str(ALLOCATION.id), "partnersAllocationId": "theirs"}


@pytest.mark.parametrize(
    ("answer", "at_once", "later"),
    [
        (Silent("no answer"), Unanswered("no answer"), Unanswered("no answer")),
        (Refused(422, "not today"), Release("not today"), Release("not today")),
        (NotCalled(), Clear(None), Wait(None)),
        (Accepted(OWN), Clear("theirs"), Wait("theirs")),
        (
            Accepted({"partnersAllocationId": "theirs"}),
            Unanswered("the answer has no allocationId or no partnersAllocationId"),
            Wait("theirs"),
        ),
        (
            Accepted({"allocationId": str(ALLOCATION.id)}),
            Unanswered("the answer has no allocationId or no partnersAllocationId"),
            Wait(None),
        ),
        (
            Accepted({**OWN, "clientId": "another"}),
            Unanswered("the answer's clientId is not the one that was sent"),
            Unanswered("the answer's clientId is not the one that was sent"),
        ),
    ],
)
def test_funds_move_only_if_the_answer_repeats_the_question(
    answer: Answer, at_once: Verdict, later: Verdict
) -> None:
    assert rules.verdict(ALLOCATE, answer, QUESTION, decides_later=False) == at_once
    assert rules.verdict(ALLOCATE, answer, QUESTION, decides_later=True) == later


def test_answer_about_a_deallocation_has_its_own_names() -> None:
    asked = {"deallocationId": str(ALLOCATION.id)}
    answer = Accepted({**asked, "partnersDeallocationId": "theirs"})
    assert rules.verdict(DEALLOCATE, answer, asked, decides_later=False) == Clear("theirs")
    assert isinstance(rules.verdict(DEALLOCATE, Accepted(OWN), asked, decides_later=False), Unanswered)


EVALUATED = replace(
    ALLOCATION,
    evaluation_id=an_id(20),
    pending_approval_id=an_id(21),
    policy_result=PolicyResult.APPROVED,
    partner_external_id="theirs",
)
ECHOED = {
    "clientId": str(CLIENT.id),
    "connectionId": str(CONNECTION.id),
    "partnersClientId": "their client",
    "partnersConnectionId": "their connection",
    "evaluationId": str(an_id(20)),
    "pendingApprovalId": str(an_id(21)),
    "policyResult": "approved",
}
DECISION = Decision(
    type=ALLOCATE,
    allocation_id=ALLOCATION.id,
    currency="BTC",
    quantity="1.5",
    echoed=ECHOED,
    partners_allocation_id="theirs",
    status=AllocationStatus.CLEARED,
    reject_reason=None,
)


def agree(decision: Decision, recorded: Allocation = EVALUATED, currencies: CurrencyMap = CURRENCIES) -> None:
    rules.require_agreement(recorded, decision, CONNECTION, currencies)


def entry_that_differs(
    decision: Decision, recorded: Allocation = EVALUATED, currencies: CurrencyMap = CURRENCIES
) -> object:
    with pytest.raises(ConflictError, match="differs from the allocation with this id") as error:
        agree(decision, recorded, currencies)
    assert error.value.name == "allocation_differs"
    details = error.value.details or {}
    assert error.value.message.startswith(f"{details['entry']}: ")
    return details["entry"]


def test_decision_that_repeats_the_question_agrees() -> None:
    agree(DECISION)
    agree(replace(DECISION, echoed={}))
    agree(replace(DECISION, echoed=dict.fromkeys(ECHOED)))
    # Its own id is new as long as none is known.
    agree(replace(DECISION, partners_allocation_id="new"), replace(EVALUATED, partner_external_id=None))


@pytest.mark.parametrize("name", ECHOED)
def test_each_id_that_differs_is_named(name: str) -> None:
    assert entry_that_differs(replace(DECISION, echoed={**ECHOED, name: "another"})) == name


@pytest.mark.parametrize("name", ["evaluationId", "pendingApprovalId", "policyResult"])
def test_id_that_the_allocation_does_not_have_differs(name: str) -> None:
    decision = replace(DECISION, echoed={name: ECHOED[name]})
    assert entry_that_differs(decision, replace(ALLOCATION, partner_external_id="theirs")) == name


def test_partners_own_id_may_not_change() -> None:
    assert entry_that_differs(replace(DECISION, partners_allocation_id="new")) == "partnersAllocationId"


@pytest.mark.parametrize(
    ("currency", "quantity"),
    [("BTC", "1.50000001"), ("BTC", "1.500000001"), ("ETH", "1.5"), ("ofcbtc", "150000000")],
)
def test_amount_that_differs_is_refused(currency: str, quantity: str) -> None:
    both = CurrencyMap(AmountUnit.DECIMAL, {**CURRENCIES.mapped, "ETH": MappedCurrency("ofceth", 8, "eth")})
    decision = replace(DECISION, currency=currency, quantity=quantity)
    if currency == "ofcbtc":
        agree(decision, currencies=both)  # our name, in base units: so the question was before the map had it
    else:
        assert entry_that_differs(decision, currencies=both) == "amount"


@pytest.mark.parametrize(("currency", "quantity"), [("ofcbtc", "1.5"), ("ofceth", "150000000")])
def test_amount_in_our_names_must_be_the_same_too(currency: str, quantity: str) -> None:
    assert entry_that_differs(replace(DECISION, currency=currency, quantity=quantity)) == "amount"


def test_allocation_that_waits_for_its_approval_is_not_decided() -> None:
    rules.require_approved(ALLOCATION)
    with pytest.raises(ConflictError) as error:
        rules.require_approved(rules.held_for_approval(ALLOCATION, an_id(20), an_id(21)))
    assert (error.value.name, error.value.details) == ("approval_pending", None)


def test_decision_about_an_ended_allocation_repeats_its_end() -> None:
    rules.require_same_end(DONE, DECISION)
    with pytest.raises(ConflictError, match="is already cleared") as error:
        rules.require_same_end(DONE, replace(DECISION, status=AllocationStatus.RELEASED))
    assert (error.value.name, error.value.details) == ("allocation_decided", {"status": "cleared"})


def test_notice_repeats_the_question_and_tells_the_end() -> None:
    assert rules.outcome_notice(QUESTION, DONE) == {**QUESTION, "status": "cleared"}
    released = replace(ALLOCATION, status=AllocationStatus.RELEASED, reason="paused", partner_external_id="theirs")
    assert rules.outcome_notice(QUESTION, released) == {
        **QUESTION,
        "partnersAllocationId": "theirs",
        "status": "released",
        "reason": "paused",
    }


def test_each_step_of_each_kind_is_an_entry_of_its_own() -> None:
    kinds = [rules.ENTRY_KINDS[kind, status] for kind in AllocationType for status in AllocationStatus]
    assert len(set(kinds)) == len(kinds) == len(rules.ENTRY_KINDS)
    for (kind, status), entry in rules.ENTRY_KINDS.items():
        assert entry is EntryKind(f"{kind}_{status}")


@pytest.mark.parametrize("kind", AllocationType)
def test_funds_go_from_one_account_to_the_other(kind: AllocationType) -> None:
    source, destination = PARTIES.ends(kind, "ofcbtc")
    accounts: tuple[UUID, UUID] = (CLIENT.go_account_id, CONNECTION.network_account_id)
    assert (source.account_id, destination.account_id) == (accounts if kind is ALLOCATE else accounts[::-1])
    assert source.currency == destination.currency == "ofcbtc"
