"""Checks, what they are about, and what came of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from uuid import UUID

from clearwindow.money import AmountUnit
from clearwindow.partnercalls.values import Endpoint

if TYPE_CHECKING:
    from clearwindow.conformance.network import Network

DEFAULT_CONNECTION_KEY: Final[Mapping[str, str]] = {"connectionToken": "partner-check"}


class WronglyAskedError(ValueError):
    """The kit cannot check what was named; the message says why, in one sentence."""


class Level(StrEnum):
    """``must`` fails the whole; ``should`` only warns."""

    MUST = "must"
    SHOULD = "should"


class Outcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    WARNED = "warned"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Terms:
    """The endpoint that is checked, and what it is told."""

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
    """Its answers say only that it has heard: what it decides, it says to the network by itself."""

    timeout_seconds: float = 10
    rotation_seconds: float = 8
    """How long a new key may stay unknown: an endpoint may well read the key set only every few seconds."""

    prompt_seconds: float = 2
    """What takes longer is warned of."""

    @property
    def url(self) -> str:
        return self.endpoint.callback_url or ""


@dataclass(frozen=True, slots=True)
class Call:
    """One call and what came back; never its signature."""

    method: str
    path: str
    body: bytes
    seconds: float
    status: int | None = None
    content_type: str = ""
    answer: bytes = b""
    silence: str = ""
    """Why nothing came that counts as an answer, where there is no ``status``."""


class CheckFailedError(Exception):
    """The endpoint did otherwise than it must. ``call`` is the one that shows it."""

    def __init__(self, why: str, expected: str, call: Call | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.expected = expected
        self.call = call


class NotApplicableError(Exception):
    """There is nothing to check here; the message says why."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that an endpoint must do. ``advice`` is what to do where it does not."""

    id: str
    title: str
    level: Level
    section: str
    advice: str
    needs: Sequence[str]
    probe: Callable[[Network], None]
    moves_funds: bool = False
    aside: bool = False
    """On a connection of its own, where there can be one: the endpoint may have its doubts about it afterwards."""

    at_once: bool = False
    """It judges a decision, or tells of one, which a partner that answers later has not made yet."""

    @property
    def group(self) -> str:
        return self.id.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Result:
    check: Check
    outcome: Outcome
    why: str = ""
    expected: str = ""
    call: Call | None = None
    stands_on: str = ""
    """The check before it that did not pass, where it was not run for that."""


class Group:
    """Checks of one kind, in the order in which they run."""

    def __init__(self, name: str, title: str, section: str) -> None:
        self.name = name
        self.title = title
        self.section = section
        self.checks: list[Check] = []

    def check(  # noqa: PLR0913 - each says something about the check
        self,
        name: str,
        title: str,
        advice: str,
        *,
        needs: Sequence[str] = (),
        level: Level = Level.MUST,
        moves_funds: bool = False,
        aside: bool = False,
        at_once: bool = False,
    ) -> Callable[[Callable[[Network], None]], Callable[[Network], None]]:
        """Makes a check of the function below."""

        def enter(probe: Callable[[Network], None]) -> Callable[[Network], None]:
            check_id = f"{self.name}.{name}"
            self.checks.append(
                Check(check_id, title, level, self.section, advice, needs, probe, moves_funds, aside, at_once)
            )
            return probe

        return enter


def of_decisions(checks: Iterable[Check]) -> frozenset[str]:
    """Those that a partner which answers later cannot be held to: each stands on what is decided at once.

    The checks come in the order in which they run.
    """
    found: set[str] = set()
    for check in checks:
        if check.at_once or not found.isdisjoint(check.needs):
            found.add(check.id)
    return frozenset(found)
