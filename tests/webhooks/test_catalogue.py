"""The catalogue of events is whole, and the page in the documentation is made of it."""

from __future__ import annotations

import pytest

from clearwindow.notices import catalogue
from clearwindow.notices.values import EventType
from tests.events_page import PAGE, page


def test_every_event_is_in_the_catalogue() -> None:
    assert set(catalogue.CATALOGUE) == set(EventType)


def test_the_page_is_made_of_the_catalogue() -> None:
    assert PAGE.read_text() == page(), "run python -m tests.events_page"


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        ({"webhookEndpointId": "x", "sentBy": "y"}, []),
        ({"webhookEndpointId": "x"}, ["webhook_endpoint.test: sentBy is missing"]),
        (
            {"webhookEndpointId": "x", "sentBy": "y", "more": 1},
            ["webhook_endpoint.test: more is not in the catalogue"],
        ),
    ],
)
def test_an_event_that_is_not_as_described_is_found(payload: dict[str, object], problem: list[str]) -> None:
    assert catalogue.problems(EventType.WEBHOOK_ENDPOINT_TEST, payload) == problem
