"""Sends valid and invalid requests, which Schemathesis makes from a document, to a running server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from random import Random
from typing import Any, Final, TypeAlias

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import APIOperation, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Err
from schemathesis.specs.openapi import checks as openapi_checks

from tests.fuzz.network import AnyCase, FuzzNetwork
from tests.support.exchanges import RECORDER

Json = dict[str, Any]
AnyOperation: TypeAlias = APIOperation[Any, Any, Any, Any]
TIMEOUT_SECONDS: Final = 60
_BELOW_HTTP: Final = b"Invalid HTTP request received."
_LARGEST_ERROR_CHARACTERS: Final = 50_000

CHECKS_OF_OWN: Final = [
    not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_headers_conformance,
    openapi_checks.response_schema_conformance,
]
"""Schemathesis checks the answers against our document, as the recorder does: two independent checks."""

CHECKS_OF_CONTRACT: Final = [not_a_server_error]
"""The contract has schemas that no value satisfies (a ``oneOf`` of equal schemas); the recorder handles them."""


@dataclass
class Outcome:
    """The requests and the failures of a run.

    Attributes:
        reached: the operations that were carried out at least once.
        below_http: how many requests the web server itself refused.
        failures: the first failure of each kind.
    """

    title: str
    operations: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    reached: set[str] = field(default_factory=set)
    below_http: int = 0
    failures: dict[tuple[str, str], str] = field(default_factory=dict)

    def line(self) -> str:
        kinds = Counter({f"{kind}xx": 0 for kind in (2, 4, 5)})
        for status, number in self.statuses.items():
            kinds[f"{status // 100}xx"] += number
        answered = ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
        return (
            f"fuzz {self.title}: {self.operations} operations ({len(self.reached)} carried out), "
            f"{self.statuses.total()} requests ({answered}), {len(self.failures)} failures"
        )


@dataclass(frozen=True)
class Fuzzer:
    """Tries the operations of a document."""

    base_url: str
    network: FuzzNetwork
    examples: int
    first_seed: int
    checks: list[Callable[..., bool | None]]

    def run(self, title: str, document: Json, mode: GenerationMode) -> Outcome:
        outcome = Outcome(f"{title}, {mode.value} data")
        schema = schemathesis.openapi.from_dict(document)
        with requests.Session() as session:
            session.trust_env = False
            for operation in _operations(schema):
                outcome.operations += 1
                self._try(operation, mode, outcome, session)
        return outcome

    def _try(
        self, operation: AnyOperation, mode: GenerationMode, outcome: Outcome, session: requests.Session
    ) -> None:
        @seed(self.first_seed)
        @settings(
            max_examples=self.examples,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(operation.as_strategy(generation_mode=mode), st.integers(0, 2**32))
        def each(case: AnyCase, number: int) -> None:
            self._send(case, Random(number), outcome, session)  # noqa: S311 - reproducible, not secret

        try:
            each()
        except Unsatisfiable:
            # An operation without input has no invalid input.
            return

    def _send(self, case: AnyCase, random: Random, outcome: Outcome, session: requests.Session) -> None:
        headers = self.network.complete(case, random)
        before = len(RECORDER.tally.mismatches)
        response = case.call(
            base_url=self.base_url, session=session, headers=headers, timeout=TIMEOUT_SECONDS, allow_redirects=False
        )
        if response.content == _BELOW_HTTP:
            # For example a request line of more than 64 KB; no application ever sees it.
            outcome.below_http += 1
            return
        outcome.statuses[response.status_code] += 1
        label = f"{case.method} {case.path}"
        if response.status_code < HTTPStatus.MULTIPLE_CHOICES:
            outcome.reached.add(label)
        found = RECORDER.tally.mismatches[before:]
        if response.status_code >= HTTPStatus.BAD_REQUEST and len(response.content) > _LARGEST_ERROR_CHARACTERS:
            found.append(f"an error of {len(response.content)} bytes")
        try:
            case.validate_response(response, checks=self.checks)
        except FailureGroup as failures:
            found += [f"{type(failure).__name__}: {failure}" for failure in failures.exceptions]
        for problem in found:
            kind = f"{response.status_code} {problem.partition(', but ')[2][:60] or problem[:60]}"
            outcome.failures.setdefault((label, kind), f"{problem}\n{case.as_curl_command(headers=headers)}")


def _operations(schema: schemathesis.BaseSchema) -> Iterator[AnyOperation]:
    for result in schema.get_all_operations():
        if isinstance(result, Err):
            raise result.err()
        yield result.ok()
