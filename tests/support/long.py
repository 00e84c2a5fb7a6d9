"""Tests that `make test` leaves to `make test-long`: each takes long and says little more than its neighbours."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

long = pytest.mark.long


def long_unless(usual: Callable[[Any], bool], cases: Iterable[Any]) -> list[Any]:
    """Returns the cases of a parametrised test. All but the usual ones are long."""
    return [case if usual(case) else _long(case) for case in cases]


def _long(case: Any) -> Any:  # noqa: ANN401 - whatever a test takes
    values = case if isinstance(case, tuple) else (case,)
    return pytest.param(*values, marks=long)
