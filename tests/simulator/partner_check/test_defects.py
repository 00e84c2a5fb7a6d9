"""partner-check finds nothing wrong in correct partners, and exactly the defect in partners with one defect."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Collection, Iterator
from decimal import Decimal
from types import ModuleType
from typing import TypeAlias

import pytest

from clearwindow.outbound.client import Outgoing
from clearwindow.outbound.models import NoAnswerError, Reply, Request
from clearwindow.partner_calls.models import Endpoint
from clearwindow.partner_calls.signatures import SigningKey
from clearwindow.simulator.partner_check import catalogue
from clearwindow.simulator.partner_check.keys import KeySet, fresh_key, serving
from clearwindow.simulator.partner_check.models import Outcome, Result, Terms, needing_decision
from clearwindow.simulator.partner_check.network import Network
from clearwindow.simulator.partner_check.run import NOT_DECIDED, is_conformant, run
from tests.simulator.partner_check import (
    call_defects,
    correct_variants,
    invalid_answers,
    later_answers,
    signature_defects,
)
from tests.simulator.partner_check.correct_partner import CorrectPartner, read
from tests.simulator.partner_check.invalid_answers import TIMEOUT_SECONDS, Hangs
from tests.support.partners import HEADER, Reaction, answering

Check: TypeAlias = Callable[..., list[Result]]
HTTP_ONLY = {"transport.tls": "the URL is http, which a network calls only if it allows private addresses"}
URL = "http://checked.example"


class Direct:
    """Sends calls to a partner in the same process."""

    def __init__(self, partner: CorrectPartner) -> None:
        self.partner = partner

    def send(self, request: Request, *, lane: str, timeout_seconds: float | None = None) -> Reply:
        assert lane == "partner-check"
        path = request.url.removeprefix(URL)
        reaction = self.partner.react(request.method, path, request.headers.get(HEADER), request.body)
        if timeout_seconds is not None and reaction.delay_seconds > timeout_seconds:
            raise NoAnswerError("no answer in time")
        body = reaction.body if isinstance(reaction.body, bytes) else json.dumps(reaction.body).encode()
        return Reply(reaction.status, body, None, dict(reaction.headers).get("Content-Type", ""))


@pytest.fixture(scope="module")
def pool() -> list[SigningKey]:
    """Makes keys once for all tests, because that is slow."""
    return [fresh_key() for _ in range(3)]


def terms(
    url: str = URL,
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
    prompt_seconds: float = 10,
    answers_later: bool = False,
) -> Terms:
    endpoint = Endpoint("checked", url)
    return Terms(
        endpoint,
        "BTC",
        Decimal("0.5"),
        timeout_seconds=timeout_seconds,
        rotation_seconds=0,
        answers_later=answers_later,
        prompt_seconds=prompt_seconds,
    )


@pytest.fixture
def check(pool: list[SigningKey]) -> Check:
    def checked(
        kind: type[CorrectPartner],
        *,
        only: Collection[str] = (),
        skip: Collection[str] = (),
        prompt_seconds: float = 10,
        answers_later: bool = False,
    ) -> list[Result]:
        keys = KeySet(make=itertools.cycle(pool).__next__)
        partner = kind(URL)
        partner.read_key_set = keys.document
        options = terms(prompt_seconds=prompt_seconds, answers_later=answers_later)
        return run(Network(options, keys, Direct(partner)), catalogue.chosen(only, skip))

    return checked


@pytest.fixture(scope="module")
def check_over_http(pool: list[SigningKey]) -> Iterator[Check]:
    """Checks a partner over HTTP."""
    outgoing = Outgoing(allow_private=True)

    def checked(kind: type[CorrectPartner]) -> list[Result]:
        keys = KeySet(make=itertools.cycle(pool).__next__)
        with answering(kind) as partner, serving(keys, "127.0.0.1", 0) as key_set_url:
            partner.read_key_set = lambda: read(key_set_url)
            # On a busy machine a partner that answers may need longer than one that does not is waited for.
            timeout_seconds = TIMEOUT_SECONDS if "form.in-time" in kind.finds else 60
            options = terms(partner.url, timeout_seconds=timeout_seconds, prompt_seconds=60)
            return run(Network(options, keys, outgoing), catalogue.all_checks())

    yield checked
    outgoing.close()


def _classes(module: ModuleType) -> list[type[CorrectPartner]]:
    """Returns the partners of a module, without base classes."""
    kinds = [kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, CorrectPartner)]
    return [kind for kind in kinds if kind is not CorrectPartner and not kind.__subclasses__()]


SIGNATURE_DEFECTS = _classes(signature_defects)
DEFECTS = [*_classes(call_defects), *SIGNATURE_DEFECTS, Hangs]
LATER_PARTNERS = [later_answers.AnswersLater, *_classes(later_answers)]
INVALID_ANSWERS = [kind for kind in _classes(invalid_answers) if kind is not Hangs]


def found(results: list[Result]) -> set[str]:
    """Returns the ids of the checks that failed or warned."""
    return {result.check.id for result in results if result.outcome in (Outcome.FAILED, Outcome.WARNED)}


def test_a_correct_partner_passes_all_checks(check_over_http: Check) -> None:
    results = check_over_http(CorrectPartner)
    assert {result.check.id: result.why for result in results if result.outcome is not Outcome.PASSED} == HTTP_ONLY
    assert is_conformant(results)


def test_a_slow_answer_is_a_warning(check: Check) -> None:
    results = check(CorrectPartner, prompt_seconds=0)
    assert found(results) == {"form.promptly"}
    assert is_conformant(results)


@pytest.mark.parametrize("kind", _classes(correct_variants))
def test_variants_that_the_protocol_allows_pass_all_checks(check: Check, kind: type[CorrectPartner]) -> None:
    assert found(check(kind)) == set()


@pytest.mark.parametrize("kind", DEFECTS)
def test_each_defect_is_found_by_exactly_its_checks(check: Check, kind: type[CorrectPartner]) -> None:
    # Signature defects concern only the authentication checks, other defects only the others.
    is_signature_defect = kind in SIGNATURE_DEFECTS
    results = check(kind, only=["authentication"]) if is_signature_defect else check(kind, skip=["authentication"])
    assert found(results) == set(kind.finds)
    for result in results:
        if result.outcome in (Outcome.FAILED, Outcome.WARNED):
            assert result.why
            assert result.expected
            assert result.call is not None


def test_a_check_that_needs_a_check_that_does_not_apply_is_not_run(check: Check) -> None:
    why = {result.check.id: result.why for result in check(correct_variants.NeverStaged, only=["finalize"])}
    assert why["finalize.repeated"] == "it needs finalize.acknowledged, which was not run"


@pytest.mark.parametrize("kind", LATER_PARTNERS)
def test_a_partner_that_answers_later_gets_only_checks_without_decisions(
    check: Check, kind: type[CorrectPartner]
) -> None:
    results = check(kind, answers_later=True)
    assert found(results) == set(kind.finds)
    undecided = {result.check.id for result in results if result.why == NOT_DECIDED}
    assert undecided == needing_decision(catalogue.all_checks())
    assert {"allocations.cleared", "deallocations.held", "order.clear-first", "robustness.large"} < undecided
    assert not {"allocations.repeated", "authentication.no-effect", "finalize.repeated"} & undecided
    assert is_conformant(results) is not bool(kind.finds)


def test_a_partner_that_answers_later_gets_no_outcomes(check: Check) -> None:
    outcomes: list[str] = []

    class RecordsOutcomes(later_answers.AnswersLater):
        def react(self, method: str, path: str, signature: str | None, raw: bytes) -> Reaction:
            outcomes.extend([path] * (method == "PUT" and signature is not None))
            return super().react(method, path, signature, raw)

    check(RecordsOutcomes, answers_later=True)
    assert outcomes == []


def test_a_partner_that_ignores_new_keys_fails_only_that_check(check: Check) -> None:
    assert found(check(signature_defects.ReadsKeysOnce)) == {"authentication.rotated"}


@pytest.mark.parametrize("kind", INVALID_ANSWERS)
def test_after_an_invalid_answer_to_the_connection_the_other_checks_do_not_run(
    check_over_http: Check, kind: type[CorrectPartner]
) -> None:
    results = check_over_http(kind)
    assert found(results) == set(kind.finds)
    assert all(result.outcome is not Outcome.PASSED for result in results if result.check.group != "form")


def test_every_check_finds_a_defect() -> None:
    """Each check has a partner whose defect it finds. The two exceptions have their own tests."""
    wrong: list[type[CorrectPartner]] = [*DEFECTS, *INVALID_ANSWERS]
    needed = {name for kind in wrong for name in kind.finds}
    assert {check.id for check in catalogue.all_checks()} - needed == {"transport.tls", "form.promptly"}
