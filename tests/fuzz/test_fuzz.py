"""Valid and invalid requests never get a 500, nor a status or a body that the documents do not describe.

The number of requests is small here; ``make fuzz`` sends far more, with a new seed each time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any, Final

import pytest
from schemathesis import GenerationMode

from tests.fuzz.network import build_fuzz_network
from tests.fuzz.runner import CHECKS_OF_CONTRACT, CHECKS_OF_OWN, Fuzzer
from tests.support.descriptions import CONTRACT
from tests.support.long import long
from tests.support.settlements import Testbed
from tests.support.summary import LINES
from tests.web.test_openapi import OURS, fields_of_body

EXAMPLES: Final = int(os.environ.get("CLEARWINDOW_FUZZ_EXAMPLES", "1"))
SEED: Final = int(os.environ.get("CLEARWINDOW_FUZZ_SEED", "20260105"))
NOT_SERVED: Final = frozenset({"/healthz", "/readyz", "/metrics"})
"""The test server does not include the part of the program that serves these."""


def documents() -> Iterator[tuple[str, dict[str, Any]]]:
    yield "contract", json.loads(CONTRACT.read_text(encoding="utf-8"))
    paths = {path: methods for path, methods in OURS["paths"].items() if path not in NOT_SERVED}
    yield "our document", {**OURS, "paths": paths}


@pytest.mark.parametrize(
    ("title", "mode"),
    [
        # Our document has the contract's operations, too.
        pytest.param("contract", GenerationMode.POSITIVE, marks=long),
        pytest.param("contract", GenerationMode.NEGATIVE, marks=long),
        ("our document", GenerationMode.POSITIVE),
        ("our document", GenerationMode.NEGATIVE),
    ],
    ids=str,
)
def test_server_answers_every_request_as_documented(testbed: Testbed, title: str, mode: GenerationMode) -> None:
    network = build_fuzz_network(testbed)
    network.fields = {
        f"{method.upper()} {path}": frozenset(fields_of_body(operation.get("requestBody", {}), OURS))
        for path, methods in OURS["paths"].items()
        for method, operation in methods.items()
    }
    checks = CHECKS_OF_CONTRACT if title == "contract" else CHECKS_OF_OWN
    fuzzer = Fuzzer(testbed.operator.base_url, network, EXAMPLES, SEED, checks)
    outcome = fuzzer.run(title, dict(documents())[title], mode)
    LINES.append(f"{outcome.line()} (seed {SEED})")
    testbed.assert_proven()
    assert not outcome.failures, "\n\n".join(f"{key}: {text}" for key, text in outcome.failures.items())
