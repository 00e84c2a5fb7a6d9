"""A plugin of pytest for the runs of mutmut: only tests without a database, the quickest first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pytest

_TIMES: Final = Path("mutmut-stats.json")
"""What mutmut wrote in the folder in which it runs the tests. It is missing in its first run."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    config.hook.pytest_deselected(items=[item for item in items if _needs_database(item)])
    times = json.loads(_TIMES.read_text())["duration_by_test"] if _TIMES.is_file() else {}
    items[:] = sorted(
        (item for item in items if not _needs_database(item)), key=lambda item: float(times.get(item.nodeid, 0))
    )


def _needs_database(item: pytest.Item) -> bool:
    return "cluster" in getattr(item, "fixturenames", ())
