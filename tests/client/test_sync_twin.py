"""Both shapes of the SDK come from one source."""

from __future__ import annotations

import inspect

import pytest

from clearwindow import client
from tools import sync_twin


@pytest.mark.parametrize("name", sync_twin.modules())
def test_synchronous_module_equals_generated_module(name: str) -> None:
    made = (sync_twin.TWIN / name).read_text(encoding="utf-8")
    assert made == sync_twin.twin(name), "say make sdk"


def test_every_synchronous_module_has_a_source() -> None:
    there = {path.name for path in sync_twin.TWIN.glob("*.py")} - sync_twin.BY_HAND
    assert there == set(sync_twin.modules())


@pytest.mark.parametrize("name", ["Client", "Partner", "Operator"])
def test_both_shapes_have_the_same_methods_and_arguments(name: str) -> None:
    both = [_surface(getattr(client, prefix + name)) for prefix in ("", "Async")]
    assert both[0] == both[1]
    assert both[0]


def _surface(kind: type) -> dict[str, list[str]]:
    names = {"aclose": "close"}
    return {
        names.get(name, name): list(inspect.signature(member).parameters) if callable(member) else []
        for name, member in inspect.getmembers(kind)
        if not name.startswith("_")
    }
