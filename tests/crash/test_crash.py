"""Kills at every step of a settlement, and everything that must hold afterwards. ``make crash`` kills more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final

import pytest

from tests.crash.scenario import Place, open_place
from tests.crash.servers import Target
from tests.crash.steps import STEPS, Step

WHOLE_STEPS: Final = ("staging: move of the liabilities", "staging: committed, not answered")
OTHER_KILLS: Final = [
    *((Target.EVERYTHING, step) for step in (*WHOLE_STEPS, "execution: move of the balances")),
    *((Target.BACKEND, step) for step in (*WHOLE_STEPS, "finalisation: committed, not noticed")),
    *((Target.POSTMASTER, step) for step in (*WHOLE_STEPS, "execution: completion")),
]


class Places:
    """One place for many tests, and a new one after a test that failed, which may have left anything behind."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._place: Place | None = None

    def crash(self, step: Step, target: Target) -> None:
        if self._place is None:
            self._open.close()
            self._place = self._open.enter_context(open_place(seed=1_067, thorough=False))
        place, self._place = self._place, None
        place.crash(step, target)
        self._place = place

    def close(self) -> None:
        if self._place is not None:
            self._place.settle_in_peace()
        self._open.close()


@pytest.fixture(scope="session")
def places() -> Iterator[Places]:
    places = Places()
    yield places
    places.close()


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.id)
def test_a_killed_server_has_lost_nothing_and_doubles_nothing(places: Places, step: Step) -> None:
    places.crash(step, Target.SERVER)


@pytest.mark.parametrize(("target", "step"), OTHER_KILLS)
def test_nor_has_a_killed_database(places: Places, target: Target, step: str) -> None:
    places.crash(next(one for one in STEPS if one.id == step), target)
