"""The steps of the how-to page run as they stand, in their order."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import pytest

from tests.conftest import OPERATOR_TOKEN
from tests.pauses.conftest import World
from tests.support.settlements import stage

PAGE: Final = Path(__file__).parents[2] / "docs" / "how-to" / "stop-in-an-emergency.md"


def test_steps_of_the_page_run(
    world: World,
    base_url: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    third = world.operator.operator("third")
    names: dict[str, Any] = {
        "operator_token": OPERATOR_TOKEN,
        "second_operator_token": world.operator.operator_token(third["id"]),
        "partner_id": world.exchange.id,
    }
    request.getfixturevalue("two_needed")
    stage(world.exchange, {world.connection.id: {"BTC": "-5"}})
    steps = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    for number, step in enumerate(steps):
        exec(step.replace("https://network.example", base_url), names)  # noqa: S102 - our own page
        if number == 0:
            # Time passes, and the windows end.
            world.testbed.pass_minutes(11)
            world.testbed.pass_minutes(11)
    assert capsys.readouterr().out.splitlines() == [
        "partner paused",
        "1 steps wait",
        "rejected",
        "paused",
        "resumed",
    ]
    for name in ("operator", "second"):
        names[name].close()
    assert world.connection.balances()["ofcbtc"] == (1_000, 0)
