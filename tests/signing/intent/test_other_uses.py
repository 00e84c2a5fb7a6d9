"""A text signed for one request is refused for every other one. Protocol §11."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from tests.signing.intent.scenes import SCENES, Scene, require_intent
from tests.support.races import at_once
from tests.support.refusals import nothing_written
from tests.support.settlements import Testbed

EVERY = pytest.mark.parametrize("make", SCENES, ids=lambda make: make.__name__)
Make = Callable[[Testbed], Scene]


@EVERY
def test_text_that_was_accepted_serves_nothing_else_ever(testbed: Testbed, make: Make) -> None:
    scene = make(testbed)
    body = scene.text()
    first = scene.right(body)
    assert first.is_success, first.text
    with nothing_written(testbed.runtime):
        refused = scene.wrong(body)
        assert (refused.status_code, refused.json()["name"]) == (scene.status, scene.used)
        if scene.used == "text_already_used":
            assert "details" not in refused.json()
        again = scene.right(body)
    assert (again.json(), again.headers["Idempotent-Replayed"]) == (first.json(), "true")
    testbed.pass_minutes(60 * 24 * 40)
    refused = scene.wrong(body)
    assert not refused.is_success
    testbed.assert_proven()
    testbed.assert_signed()


@EVERY
def test_text_that_says_what_it_is_for_is_refused_elsewhere_and_accepted_there(
    testbed: Testbed, make: Make
) -> None:
    scene = make(testbed)
    body = scene.intended()
    with nothing_written(testbed.runtime):
        refused = scene.wrong(body)
        assert (refused.status_code, refused.json()["name"]) == (400, scene.contradiction), refused.text
        late = scene.right(scene.intended(expiresAt="2026-01-05T12:00:00.000Z"))
        assert not late.is_success
    accepted = scene.right(body)
    assert accepted.is_success, accepted.text
    testbed.assert_signed()


@EVERY
def test_account_that_requires_intent_accepts_no_text_without_it(testbed: Testbed, make: Make) -> None:
    scene = make(testbed)
    assert require_intent(scene.owner, expiresAt="2026-02-01T00:00:00Z").status_code == 200
    body = scene.text()
    with nothing_written(testbed.runtime):
        for send in (scene.right, scene.wrong) if scene.contradiction == "intent_wrong" else (scene.right,):
            refused = send(body)
            assert (refused.status_code, refused.json()["name"]) == (400, "intent_missing"), refused.text
        missing = scene.right(body).json()["details"]["missing"]
        assert missing == ["operation", "enterpriseId", *scene.ids, "expiresAt"]
        for name in missing:
            incomplete = scene.right(scene.intended(**{name: None}))
            assert (incomplete.status_code, incomplete.json()["name"]) == (400, "intent_missing"), name
            assert incomplete.json()["details"]["missing"] == [name]
    accepted = scene.right(scene.intended(expiresAt="2026-02-01T00:00:00Z"))
    assert accepted.is_success, accepted.text


@EVERY
def test_text_without_intent_serves_one_of_the_requests_that_it_fits(testbed: Testbed, make: Make) -> None:
    """What stays open without intent: the other request, once, and nothing after it."""
    scene = make(testbed)
    body = scene.text()
    taken = scene.wrong(body)
    assert taken.is_success, taken.text
    with nothing_written(testbed.runtime):
        refused = scene.right(body)
    assert (refused.status_code, refused.json()["name"]) == (scene.status, scene.used)


@EVERY
def test_two_uses_at_the_same_instant_are_one(testbed: Testbed, make: Make) -> None:
    scene = make(testbed)
    body = scene.text()
    answers = at_once([partial(send, body) for send in (scene.right, scene.wrong) for _ in range(6)])
    names = {answer.json().get("name") for answer in answers if not answer.is_success}
    assert names == {scene.used}
    assert sum(answer.is_success for answer in answers) == 6
    assert len({answer.text for answer in answers if answer.is_success}) == 1
    testbed.assert_proven()
    testbed.assert_signed()
