"""The trace of what one request sets in motion: its jobs, calls to partners and webhooks.

Nothing happens here until a process begins to trace (``telemetry.py``, the extra ``telemetry``). What comes later
continues the trace of the row that made it necessary, which has its ``traceparent``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from enum import StrEnum
from typing import Final, Protocol


class Kind(StrEnum):
    """What a span is: a request to us, a request of ours to somebody else, or a job of the worker."""

    SERVER = "server"
    CLIENT = "client"
    JOB = "job"


class Span(Protocol):
    """A part of a trace, while it lasts."""

    def call(self, name: str) -> None:
        """Gives it another name."""

    def tell(self, attributes: Mapping[str, str | int]) -> None:
        """Adds attributes. They are never what a caller sent, nor a secret."""

    def fail(self, why: str) -> None:
        """Marks it as failed."""


class Tracer(Protocol):
    """What makes spans. ``telemetry.py`` has one that hands them to a collector."""

    def span(self, name: str, kind: Kind, parent: str | None) -> AbstractContextManager[Span]: ...

    def traceparent(self) -> str | None:
        """Returns the present span as W3C's traceparent; None if there is none, or it is not recorded."""
        ...

    @property
    def tells_others(self) -> bool:
        """Whether requests to partners and webhook endpoints say which trace they belong to."""
        ...


class _NoSpan:
    def call(self, name: str) -> None:
        """Does nothing, as all of this class: no span is recorded."""

    def tell(self, attributes: Mapping[str, str | int]) -> None: ...

    def fail(self, why: str) -> None: ...


_NO_SPAN: Final = nullcontext(_NoSpan())
_tracer: Tracer | None = None


@contextmanager
def tracing_with(tracer: Tracer) -> Iterator[None]:
    """Lets this process trace until the block ends."""
    global _tracer  # noqa: PLW0603 - one for the process, as for its log and its metrics
    before, _tracer = _tracer, tracer
    try:
        yield
    finally:
        _tracer = before


def span(name: str, kind: Kind, *, parent: str | None = None) -> AbstractContextManager[Span]:
    """Makes the block a span of the trace of ``parent``, else of the span around it, else of a trace of its own."""
    return _NO_SPAN if _tracer is None else _tracer.span(name, kind, parent)


def no_span() -> AbstractContextManager[Span]:
    """Is for what is not worth a span."""
    return _NO_SPAN


def traceparent() -> str | None:
    """Returns the present span for a row, so that a later job continues its trace."""
    return None if _tracer is None else _tracer.traceparent()


def headers_for_others() -> Mapping[str, str]:
    """Returns what a request to a partner or a webhook endpoint says of its trace: mostly nothing.

    A setting decides. One request can lead to messages to several enterprises, and the id of its trace would show
    them that.
    """
    if _tracer is None or not _tracer.tells_others:
        return {}
    present = _tracer.traceparent()
    return {} if present is None else {"traceparent": present}
