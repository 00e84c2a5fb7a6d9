"""Checks, their options and their results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from uuid import UUID

from clearwindow.core.money import AmountUnit
from clearwindow.partner_calls.models import Endpoint

if TYPE_CHECKING:
    from clearwindow.simulator.partner_check.network import Network

DEFAULT_CONNECTION_KEY: Final[Mapping[str, str]] = {"connectionToken": "partner-check"}


class InvalidOptionError(ValueError):
    """An option is not valid, or the endpoint cannot be reached; the message says why in one sentence."""


class Level(StrEnum):
    """A failed ``must`` fails the run; a failed ``should`` is a warning."""

    MUST = "must"
    SHOULD = "should"


class Outcome(StrEnum):
    """The outcome of a check."""

    PASSED = "passed"
    FAILED = "failed"
    WARNED = "warned"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Terms:
    """The endpoint to check, and what to send to it."""

    endpoint: Endpoint
    currency: str
    quantity: Decimal
    unit: AmountUnit = AmountUnit.DECIMAL
    issuer: str = "clearwindow"
    audience: str = ""
    header: str = "X-BitGo-Signature"
    client_id: UUID | None = None
    connection_key: Mapping[str, str] = field(default_factory=lambda: DEFAULT_CONNECTION_KEY, repr=False)
    settlement: Mapping[str, object] | None = None
    answers_later: bool = False
    """Whether its answers only acknowledge requests. It sends its decisions to the network later."""

    timeout_seconds: float = 10
    rotation_seconds: float = 8
    """How long a new key may stay unknown, because an endpoint may read the key set only every few seconds."""

    prompt_seconds: float = 2
    """Slower answers cause a warning."""

    @property
    def url(self) -> str:
        return self.endpoint.callback_url or ""


@dataclass(frozen=True, slots=True)
class Call:
    """A call and its answer, without the signature."""

    method: str
    path: str
    body: bytes
    seconds: float
    status: int | None = None
    content_type: str = ""
    answer: bytes = b""
    silence: str = ""
    """Why there is no answer; set only if there is no ``status``."""


class CheckFailedError(Exception):
    """The endpoint did not do what it must. ``call`` shows it."""

    def __init__(self, why: str, expected: str, call: Call | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.expected = expected
        self.call = call


class NotApplicableError(Exception):
    """The check does not apply; the message says why."""


@dataclass(frozen=True, slots=True)
class Check:
    """One requirement on an endpoint. ``advice`` says what to do if the check fails."""

    id: str
    title: str
    level: Level
    section: str
    advice: str
    needs: Sequence[str]
    probe: Callable[[Network], None]
    moves_funds: bool = False
    own_connection: bool = False
    """Whether it uses a separate connection, if possible, because it may leave the balances unclear."""

    needs_decision: bool = False
    """Whether it needs an immediate decision, which a partner that answers later does not make."""

    @property
    def group(self) -> str:
        return self.id.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a check."""

    check: Check
    outcome: Outcome
    why: str = ""
    expected: str = ""
    call: Call | None = None
    blocked_by: str = ""
    """The id of the check that must pass first and did not, if this one was not run because of it."""


class Group:
    """A group of checks, in the order in which they run."""

    def __init__(self, name: str, title: str, section: str) -> None:
        self.name = name
        self.title = title
        self.section = section
        self.checks: list[Check] = []

    def check(  # noqa: PLR0913 - each is a property of the check
        self,
        name: str,
        title: str,
        advice: str,
        *,
        needs: Sequence[str] = (),
        level: Level = Level.MUST,
        moves_funds: bool = False,
        own_connection: bool = False,
        needs_decision: bool = False,
    ) -> Callable[[Callable[[Network], None]], Callable[[Network], None]]:
        """Registers the decorated function as a check."""

        def enter(probe: Callable[[Network], None]) -> Callable[[Network], None]:
            check_id = f"{self.name}.{name}"
            self.checks.append(
                Check(
                    check_id,
                    title,
                    level,
                    self.section,
                    advice,
                    needs,
                    probe,
                    moves_funds,
                    own_connection,
                    needs_decision,
                )
            )
            return probe

        return enter


def needing_decision(checks: Iterable[Check]) -> frozenset[str]:
    """Returns the checks that do not apply to a partner that answers later, because they need a decision at once.

    The checks must be in the order in which they run.
    """
    found: set[str] = set()
    for check in checks:
        if check.needs_decision or not found.isdisjoint(check.needs):
            found.add(check.id)
    return frozenset(found)
