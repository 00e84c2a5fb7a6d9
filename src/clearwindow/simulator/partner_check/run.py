"""Running the checks against one endpoint."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from clearwindow.conformance import steps
from clearwindow.conformance.connecting import aside
from clearwindow.conformance.keys import KeySet, serving
from clearwindow.conformance.network import Network
from clearwindow.conformance.values import (
    Check,
    CheckFailedError,
    Level,
    NotApplicableError,
    Outcome,
    Result,
    Terms,
    WronglyAskedError,
    of_decisions,
)
from clearwindow.outgoing import exchange as _http  # noqa: F401 - loaded here, so that no call is timed with it
from clearwindow.outgoing.addresses import is_public
from clearwindow.outgoing.client import Outgoing

_CONNECT_SECONDS: Final = 5
LATER: Final = "the partner answers later: nothing is decided yet"


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be run; ``key_set_at`` is the host and port that the key set is served at, if it is."""

    terms: Terms
    keys: KeySet
    checks: Sequence[Check]
    key_set_at: tuple[str, int] | None
    allow_private: bool


@contextmanager
def opened(job: Job) -> Iterator[tuple[Network, str | None]]:
    """The network as it plays before the endpoint, and the address of its key set, until the block ends.

    Raises:
        WronglyAskedError: the endpoint cannot be reached, or the key set not be served.
    """
    require_reachable(job.terms.url, allow_private=job.allow_private)
    with ExitStack() as stack:
        key_set_url = None
        if job.key_set_at is not None:
            key_set_url = stack.enter_context(serving(job.keys, *job.key_set_at))
        outgoing = Outgoing(allow_private=job.allow_private, timeout_seconds=job.terms.timeout_seconds)
        stack.callback(outgoing.close)
        yield Network(job.terms, job.keys, outgoing), key_set_url


def require_reachable(url: str, *, allow_private: bool) -> None:
    """Connects once and says nothing.

    Raises:
        WronglyAskedError: nobody listens there, or it may not be called.
    """
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        with socket.create_connection((parts.hostname or "", port), _CONNECT_SECONDS) as connected:
            address = str(connected.getpeername()[0])
    except OSError as error:
        reason = error.strerror or "nothing answers"
        raise WronglyAskedError(f"There is nobody at {url}: {reason}.") from None
    if not allow_private and not is_public(address):
        raise WronglyAskedError(f"{url} is in a private range, which takes --allow-private.")


def run(network: Network, checks: Sequence[Check], heard: Callable[[Result], object] | None = None) -> list[Result]:
    """The result of each check, as it comes and all together."""
    results: dict[str, Result] = {}
    answers_later = network.terms.answers_later
    undecided = of_decisions(checks) if answers_later else frozenset()
    for check in checks:
        missing = [name for name in check.needs if not _is_passed(results.get(name))]
        if check.id in undecided:
            result = Result(check, Outcome.NOT_RUN, LATER)
        elif missing:
            why = f"it stands on {missing[0]}, which {became(results.get(missing[0]))}"
            result = Result(check, Outcome.NOT_RUN, why, stands_on=missing[0])
        else:
            result = _tried(network, check)
        results[check.id] = result
        if heard is not None:
            heard(result)
    if network.is_connected and not answers_later:
        steps.sweep(network)
    return list(results.values())


def became(result: Result | None) -> str:
    """Of a check that others stand on and that has not passed."""
    return "was not run" if result is None or result.outcome is Outcome.NOT_RUN else "did not pass"


def is_conformant(results: Sequence[Result]) -> bool:
    """Nothing that must be is otherwise; what was not run has a failure before it, or does not apply."""
    return all(result.outcome is not Outcome.FAILED for result in results)


def _is_passed(result: Result | None) -> bool:
    return result is not None and result.outcome in (Outcome.PASSED, Outcome.WARNED)


def _tried(network: Network, check: Check) -> Result:
    try:
        with aside(network) if check.aside else nullcontext():
            if check.moves_funds:
                steps.sweep(network)
            check.probe(network)
    except NotApplicableError as error:
        return Result(check, Outcome.NOT_RUN, str(error))
    except CheckFailedError as error:
        outcome = Outcome.FAILED if check.level is Level.MUST else Outcome.WARNED
        return Result(check, outcome, network.shown(error.why), network.shown(error.expected), error.call)
    return Result(check, Outcome.PASSED)
