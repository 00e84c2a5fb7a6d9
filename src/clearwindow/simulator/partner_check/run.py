"""Runs the checks against an endpoint."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from clearwindow.outbound import transport as _http  # noqa: F401 - loaded here, so that its import does not slow the first call
from clearwindow.outbound.addresses import is_public
from clearwindow.outbound.client import Outgoing
from clearwindow.simulator.partner_check import steps
from clearwindow.simulator.partner_check.connections import another_connection
from clearwindow.simulator.partner_check.keys import KeySet, serving
from clearwindow.simulator.partner_check.models import (
    Check,
    CheckFailedError,
    InvalidOptionError,
    Level,
    NotApplicableError,
    Outcome,
    Result,
    Terms,
    needing_decision,
)
from clearwindow.simulator.partner_check.network import Network

_CONNECT_SECONDS: Final = 5
NOT_DECIDED: Final = "the partner answers later, so there is no decision to check yet"


@dataclass(frozen=True, slots=True)
class Job:
    """What to run. ``key_set_at`` is the host and port to serve the key set on, None to not serve it."""

    terms: Terms
    keys: KeySet
    checks: Sequence[Check]
    key_set_at: tuple[str, int] | None
    allow_private: bool


@contextmanager
def open_network(job: Job) -> Iterator[tuple[Network, str | None]]:
    """Opens the network that calls the endpoint, and yields it with the address of its key set.

    Raises:
        InvalidOptionError: the endpoint cannot be reached, or the key set cannot be served.
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
    """Connects to the endpoint once, without a request.

    Raises:
        InvalidOptionError: nothing listens there, or its address may not be called.
    """
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        with socket.create_connection((parts.hostname or "", port), _CONNECT_SECONDS) as connected:
            address = str(connected.getpeername()[0])
    except OSError as error:
        reason = error.strerror or "no answer"
        raise InvalidOptionError(f"Cannot connect to {url}: {reason}.") from None
    if not allow_private and not is_public(address):
        raise InvalidOptionError(f"{url} has a private address; allow it with --allow-private.")


def run(
    network: Network, checks: Sequence[Check], on_result: Callable[[Result], object] | None = None
) -> list[Result]:
    """Runs the checks. Calls ``on_result`` with each result, and returns all of them."""
    results: dict[str, Result] = {}
    answers_later = network.terms.answers_later
    undecided = needing_decision(checks) if answers_later else frozenset()
    for check in checks:
        missing = [name for name in check.needs if not _is_passed(results.get(name))]
        if check.id in undecided:
            result = Result(check, Outcome.NOT_RUN, NOT_DECIDED)
        elif missing:
            why = f"it needs {missing[0]}, which {failure_text(results.get(missing[0]))}"
            result = Result(check, Outcome.NOT_RUN, why, blocked_by=missing[0])
        else:
            result = _run_check(network, check)
        results[check.id] = result
        if on_result is not None:
            on_result(result)
    if network.is_connected and not answers_later:
        steps.deallocate_leftovers(network)
    return list(results.values())


def failure_text(result: Result | None) -> str:
    """Returns what happened to a check that others need."""
    return "was not run" if result is None or result.outcome is Outcome.NOT_RUN else "did not pass"


def is_conformant(results: Sequence[Result]) -> bool:
    """Returns whether no check failed. A check that was not run needs a failed one, or does not apply."""
    return all(result.outcome is not Outcome.FAILED for result in results)


def _is_passed(result: Result | None) -> bool:
    return result is not None and result.outcome in (Outcome.PASSED, Outcome.WARNED)


def _run_check(network: Network, check: Check) -> Result:
    try:
        with another_connection(network) if check.own_connection else nullcontext():
            if check.moves_funds:
                steps.deallocate_leftovers(network)
            check.probe(network)
    except NotApplicableError as error:
        return Result(check, Outcome.NOT_RUN, str(error))
    except CheckFailedError as error:
        outcome = Outcome.FAILED if check.level is Level.MUST else Outcome.WARNED
        return Result(check, outcome, network.shown(error.why), network.shown(error.expected), error.call)
    return Result(check, Outcome.PASSED)
