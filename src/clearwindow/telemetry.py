"""Hands spans to an OpenTelemetry collector, over OTLP/HTTP. Needs the extra ``telemetry``.

The variables of OpenTelemetry itself count too: ``OTEL_TRACES_SAMPLER``, ``OTEL_EXPORTER_OTLP_HEADERS`` and so on.
Spans are sent by a thread in the background. While the collector is away, at most 2048 of them are kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import Final

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from clearwindow.core.tracing import Kind, Span, tracing_with

_W3C: Final = TraceContextTextMapPropagator()
_TRACEPARENT: Final = "traceparent"
_EXPORT_SECONDS: Final = 5
_KINDS: Final[Mapping[Kind, trace.SpanKind]] = {
    Kind.SERVER: trace.SpanKind.SERVER,
    Kind.CLIENT: trace.SpanKind.CLIENT,
    Kind.JOB: trace.SpanKind.CONSUMER,
}


@contextmanager
def exporting(endpoint: str, service: str, *, tells_others: bool) -> Iterator[None]:
    """Traces this process until the block ends, and hands over what is left then.

    Args:
        endpoint: the collector's address, such as ``http://127.0.0.1:4318``.
        service: the name under which the process is shown.
        tells_others: requests to partners and webhook endpoints say which trace they belong to.
    """
    told = Resource.create({SERVICE_NAME: service, SERVICE_VERSION: version("clearwindow")})
    provider = TracerProvider(resource=told, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=_EXPORT_SECONDS)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    try:
        with tracing_with(_Tracer(provider.get_tracer("clearwindow"), tells_others=tells_others)):
            yield
    finally:
        provider.shutdown()


class _Tracer:
    def __init__(self, tracer: trace.Tracer, *, tells_others: bool) -> None:
        self._tracer = tracer
        self.tells_others = tells_others

    @contextmanager
    def span(self, name: str, kind: Kind, parent: str | None) -> Iterator[Span]:
        context = None if parent is None else _W3C.extract({_TRACEPARENT: parent})
        # The text of an exception may quote what a caller sent, so that none is recorded.
        with self._tracer.start_as_current_span(
            name, context, _KINDS[kind], record_exception=False, set_status_on_exception=False
        ) as started:
            span = _Span(started)
            try:
                yield span
            except BaseException as error:
                span.fail(type(error).__name__)
                raise

    def traceparent(self) -> str | None:
        carrier: dict[str, str] = {}
        present = trace.get_current_span().get_span_context()
        if present.is_valid and present.trace_flags.sampled:
            _W3C.inject(carrier)
        return carrier.get(_TRACEPARENT)


class _Span:
    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def call(self, name: str) -> None:
        self._span.update_name(name)

    def tell(self, attributes: Mapping[str, str | int]) -> None:
        self._span.set_attributes(attributes)

    def fail(self, why: str) -> None:
        self._span.set_status(trace.StatusCode.ERROR, why)
