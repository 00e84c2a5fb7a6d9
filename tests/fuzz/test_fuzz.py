"""Whatever is sent, right or wrong: no 500, no status and no body that the documents do not describe.

Bounded here; ``make fuzz`` tries far more, with a new seed each time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any, Final

import pytest
from schemathesis import GenerationMode

from tests.edge.test_openapi import OURS, fields_of_body
from tests.fuzz.fuzzing import CHECKS_OF_CONTRACT, CHECKS_OF_OWN, Fuzzing
from tests.fuzz.world import build_world
from tests.support.descriptions import CONTRACT
from tests.support.settling import Floor
from tests.support.summary import LINES

EXAMPLES: Final = int(os.environ.get("CLEARWINDOW_FUZZ_EXAMPLES", "4"))
SEED: Final = int(os.environ.get("CLEARWINDOW_FUZZ_SEED", "20260105"))
NOT_OURS: Final = frozenset({"/healthz", "/readyz", "/metrics"})
"""They are served by another part of the program than the test server is made of."""


def documents() -> Iterator[tuple[str, dict[str, Any]]]:
    yield "contract", json.loads(CONTRACT.read_text(encoding="utf-8"))
    paths = {path: methods for path, methods in OURS["paths"].items() if path not in NOT_OURS}
    yield "our document", {**OURS, "paths": paths}


@pytest.mark.parametrize("mode", list(GenerationMode), ids=str)
@pytest.mark.parametrize("title", ["contract", "our document"])
def test_a_server_bears_whatever_is_sent(floor: Floor, title: str, mode: GenerationMode) -> None:
    world = build_world(floor)
    world.fields = {
        f"{method.upper()} {path}": frozenset(fields_of_body(operation.get("requestBody", {}), OURS))
        for path, methods in OURS["paths"].items()
        for method, operation in methods.items()
    }
    checks = CHECKS_OF_CONTRACT if title == "contract" else CHECKS_OF_OWN
    fuzzing = Fuzzing(floor.operator.base_url, world, EXAMPLES, SEED, checks)
    outcome = fuzzing.run(title, dict(documents())[title], mode)
    LINES.append(f"{outcome.line()} (seed {SEED})")
    floor.assert_proven()
    assert not outcome.failures, "\n\n".join(f"{key}: {text}" for key, text in outcome.failures.items())
