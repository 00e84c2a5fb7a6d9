"""Schemathesis makes requests of a document, right ones and wrong ones; a live server must bear all of them."""

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

from tests.fuzz.world import AnyCase, World
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
"""Schemathesis's own judgement, beside that of the recorder: a second opinion on our document."""

CHECKS_OF_CONTRACT: Final = [not_a_server_error]
"""The contract has schemas that no value satisfies (a ``oneOf`` of twins); the recorder knows them."""


@dataclass
class Outcome:
    """What a run tried and found."""

    title: str
    operations: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    reached: set[str] = field(default_factory=set)
    """The operations that were carried out at least once."""

    below_http: int = 0
    """Requests that the web server itself took for none."""

    failures: dict[tuple[str, str], str] = field(default_factory=dict)
    """The first of each kind."""

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
class Fuzzing:
    """How a document is tried."""

    base_url: str
    world: World
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
            # There is no wrong input for an operation that takes none.
            return

    def _send(self, case: AnyCase, random: Random, outcome: Outcome, session: requests.Session) -> None:
        headers = self.world.dress(case, random)
        before = len(RECORDER.tally.mismatches)
        response = case.call(
            base_url=self.base_url, session=session, headers=headers, timeout=TIMEOUT_SECONDS, allow_redirects=False
        )
        if response.content == _BELOW_HTTP:
            # A request line of more than 64 KB, say; no application ever sees it.
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
