"""The event catalogue is complete, and its page in the documentation is up to date."""

from __future__ import annotations

import pytest

from clearwindow.events import catalogue
from clearwindow.events.models import EventType
from tools.events_page import PAGE, page


def test_every_event_is_in_the_catalogue() -> None:
    assert set(catalogue.CATALOGUE) == set(EventType)


def test_page_equals_the_catalogue() -> None:
    assert PAGE.read_text() == page(), "run python -m tools.events_page"


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
def test_event_that_differs_from_its_description_is_found(payload: dict[str, object], problem: list[str]) -> None:
    assert catalogue.problems(EventType.WEBHOOK_ENDPOINT_TEST, payload) == problem
