"""The kit finds nothing in a partner that is right, and in one that is wrong exactly what is wrong."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Collection, Iterator
from decimal import Decimal
from types import ModuleType
from typing import TypeAlias

import pytest

from clearwindow.conformance import catalogue
from clearwindow.conformance.keys import KeySet, fresh_key, serving
from clearwindow.conformance.network import Network
from clearwindow.conformance.run import LATER, is_conformant, run
from clearwindow.conformance.values import Outcome, Result, Terms, of_decisions
from clearwindow.outgoing.client import Outgoing
from clearwindow.outgoing.values import NoAnswerError, Reply, Request
from clearwindow.partnercalls.signatures import SigningKey
from clearwindow.partnercalls.values import Endpoint
from tests.conformance import credulous, hostile, later, otherwise, wrong_books
from tests.conformance.exemplary import Exemplary, read
from tests.conformance.hostile import TIMEOUT_SECONDS, Hangs
from tests.support.partners import HEADER, Reaction, answering

Check: TypeAlias = Callable[..., list[Result]]
HTTP_ONLY = {"transport.tls": "the address is http, which a network calls only where private addresses are allowed"}
URL = "http://checked.example"


class Direct:
    """Carries calls to a partner without a network in between."""

    def __init__(self, partner: Exemplary) -> None:
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
    """Making keys takes longer than checking a partner."""
    return [fresh_key() for _ in range(3)]


def terms(url: str = URL, *, prompt_seconds: float = 10, answers_later: bool = False) -> Terms:
    endpoint = Endpoint("checked", url)
    return Terms(
        endpoint,
        "BTC",
        Decimal("0.5"),
        timeout_seconds=TIMEOUT_SECONDS,
        rotation_seconds=0,
        answers_later=answers_later,
        prompt_seconds=prompt_seconds,
    )


@pytest.fixture
def check(pool: list[SigningKey]) -> Check:
    def checked(
        kind: type[Exemplary],
        *,
        only: Collection[str] = (),
        skip: Collection[str] = (),
        prompt_seconds: float = 10,
        answers_later: bool = False,
    ) -> list[Result]:
        keys = KeySet(make=itertools.cycle(pool).__next__)
        partner = kind(URL)
        partner.read_key_set = keys.document
        asked = terms(prompt_seconds=prompt_seconds, answers_later=answers_later)
        return run(Network(asked, keys, Direct(partner)), catalogue.chosen(only, skip))

    return checked


@pytest.fixture(scope="module")
def at_an_address(pool: list[SigningKey]) -> Iterator[Check]:
    """The same over HTTP."""
    outgoing = Outgoing(allow_private=True)

    def checked(kind: type[Exemplary]) -> list[Result]:
        keys = KeySet(make=itertools.cycle(pool).__next__)
        with answering(kind) as partner, serving(keys, "127.0.0.1", 0) as key_set_url:
            partner.read_key_set = lambda: read(key_set_url)
            return run(Network(terms(partner.url), keys, outgoing), catalogue.all_checks())

    yield checked
    outgoing.close()


def _classes(module: ModuleType) -> list[type[Exemplary]]:
    """The partners of a module; what has others made of it is none itself."""
    kinds = [kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, Exemplary)]
    return [kind for kind in kinds if kind is not Exemplary and not kind.__subclasses__()]


CREDULOUS = _classes(credulous)
DEFECTS = [*_classes(wrong_books), *CREDULOUS, Hangs]
ANSWER_LATER = [later.AnswersLater, *_classes(later)]
HOSTILE = [kind for kind in _classes(hostile) if kind is not Hangs]


def found(results: list[Result]) -> set[str]:
    """The checks that found something."""
    return {result.check.id for result in results if result.outcome in (Outcome.FAILED, Outcome.WARNED)}


def test_nothing_is_found_where_all_is_right(at_an_address: Check) -> None:
    results = at_an_address(Exemplary)
    assert {result.check.id: result.why for result in results if result.outcome is not Outcome.PASSED} == HTTP_ONLY
    assert is_conformant(results)


def test_what_is_slow_is_warned_of(check: Check) -> None:
    results = check(Exemplary, prompt_seconds=0)
    assert found(results) == {"form.promptly"}
    assert is_conformant(results)


@pytest.mark.parametrize("kind", _classes(otherwise))
def test_what_the_protocol_leaves_open_is_right_too(check: Check, kind: type[Exemplary]) -> None:
    assert found(check(kind)) == set()


@pytest.mark.parametrize("kind", DEFECTS)
def test_a_defect_is_found_by_the_checks_that_are_about_it(check: Check, kind: type[Exemplary]) -> None:
    # What a partner believes has nothing to do with its books.
    believes = kind in CREDULOUS
    results = check(kind, only=["authentication"]) if believes else check(kind, skip=["authentication"])
    assert found(results) == set(kind.finds)
    for result in results:
        if result.outcome in (Outcome.FAILED, Outcome.WARNED):
            assert result.why
            assert result.expected
            assert result.call is not None


def test_what_stands_on_a_check_that_does_not_apply_is_said_not_to_have_been_run(check: Check) -> None:
    why = {result.check.id: result.why for result in check(otherwise.NeverStaged, only=["finalize"])}
    assert why["finalize.repeated"] == "it stands on finalize.acknowledged, which was not run"


@pytest.mark.parametrize("kind", ANSWER_LATER)
def test_who_answers_later_is_held_to_what_can_be_said_at_once(check: Check, kind: type[Exemplary]) -> None:
    results = check(kind, answers_later=True)
    assert found(results) == set(kind.finds)
    said_later = {result.check.id for result in results if result.why == LATER}
    assert said_later == of_decisions(catalogue.all_checks())
    assert {"allocations.cleared", "deallocations.held", "order.clear-first", "robustness.large"} < said_later
    assert not {"allocations.repeated", "authentication.no-effect", "finalize.repeated"} & said_later
    assert is_conformant(results) is not bool(kind.finds)


def test_who_answers_later_is_told_no_outcome(check: Check) -> None:
    told: list[str] = []

    class Listens(later.AnswersLater):
        def react(self, method: str, path: str, signature: str | None, raw: bytes) -> Reaction:
            told.extend([path] * (method == "PUT" and signature is not None))
            return super().react(method, path, signature, raw)

    check(Listens, answers_later=True)
    assert told == []


def test_a_new_key_that_is_not_taken_up_spoils_nothing_else(check: Check) -> None:
    assert found(check(credulous.ReadsKeysOnce)) == {"authentication.rotated"}


@pytest.mark.parametrize("kind", HOSTILE)
def test_an_answer_that_is_none_ends_the_run_soon(at_an_address: Check, kind: type[Exemplary]) -> None:
    results = at_an_address(kind)
    assert found(results) == set(kind.finds)
    assert all(result.outcome is not Outcome.PASSED for result in results if result.check.group != "form")


def test_every_check_finds_something() -> None:
    """A check that no defect needs checks nothing. Those that are missing here have tests of their own."""
    wrong: list[type[Exemplary]] = [*DEFECTS, *HOSTILE]
    needed = {name for kind in wrong for name in kind.finds}
    assert {check.id for check in catalogue.all_checks()} - needed == {"transport.tls", "form.promptly"}
