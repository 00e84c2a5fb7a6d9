"""One trace as a picture: what a request set in motion, and when, from the spans that a collector got."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tools.drawn import COLOURS, bar, drawing, line, text

_LEFT: Final = 300
_RIGHT: Final = 830
_ROW: Final = 20
_TOP: Final = 64
_KINDS: Final = ("POST", "job", "partner", "webhook")


@dataclass(frozen=True, slots=True)
class TimedSpan:
    """A span with its times, in seconds since 1970."""

    name: str
    trace_id: bytes
    id: bytes
    parent_id: bytes
    began: float
    ended: float


def timed_spans(bodies: Iterable[bytes]) -> list[TimedSpan]:
    """Returns the spans of what a collector got."""
    return [
        TimedSpan(
            span.name,
            span.trace_id,
            span.span_id,
            span.parent_span_id,
            span.start_time_unix_nano / 1e9,
            span.end_time_unix_nano / 1e9,
        )
        for body in bodies
        for resource in ExportTraceServiceRequest.FromString(_plain(body)).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _plain(body: bytes) -> bytes:
    return gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body


def longest_trace(spans: Sequence[TimedSpan], first: str) -> list[TimedSpan]:
    """Returns the trace with the most spans among those that begin with a request, in the order of their times."""
    begun = {span.trace_id for span in spans if span.name == first}
    counts = Counter(span.trace_id for span in spans if span.trace_id in begun)
    ((wanted, _),) = counts.most_common(1)
    return sorted((span for span in spans if span.trace_id == wanted), key=lambda span: (span.began, span.ended))


def trace_picture(spans: Sequence[TimedSpan]) -> str:
    """Returns the waterfall of one trace. A span is indented by the number of spans above it."""
    above = {span.id: span.parent_id for span in spans}
    began, ended = spans[0].began, max(span.ended for span in spans)
    scale = (_RIGHT - _LEFT) / (ended - began)
    height = _TOP + _ROW * len(spans) + 34
    parts = [
        text(20, 26, "One trace: a settlement is staged, and what follows", "bold"),
        text(20, 44, f"{len(spans)} spans, {ended - began:.1f} s from the request to the last webhook", "soft"),
    ]
    for second in range(int(ended - began) + 1):
        x = _LEFT + second * scale
        parts.append(line([(x, _TOP - 6), (x, height - 26)]))
        parts.append(text(x, height - 10, f"{second} s", "soft", "middle"))
    for row, span in enumerate(spans):
        y = _TOP + row * _ROW
        depth, parent = 0, span.parent_id
        while parent in above:
            depth, parent = depth + 1, above[parent]
        kind = next((n for n, each in enumerate(_KINDS) if span.name.startswith(each)), len(_KINDS))
        x, width = _LEFT + (span.began - began) * scale, max(3.0, (span.ended - span.began) * scale)
        parts.append(text(20 + depth * 14, y + 11, _short(span.name)))
        parts.append(bar(x, y + 2, width, 11, COLOURS[kind]))
        told = f"{(span.ended - span.began) * 1000:.0f} ms"
        near_end = x + width > _RIGHT - 10
        parts.append(
            text(x - 5 if near_end else x + width + 5, y + 11, told, "soft", "end" if near_end else "start")
        )
    described = (
        f"{len(spans)} spans over {ended - began:.1f} seconds, each below the span that made it necessary: "
        + ", ".join(_short(span.name) for span in spans)
    )
    return drawing(880, height, "One trace as a collector got it", described, parts)


def _short(name: str) -> str:
    return "POST …/partners/settlements" if name.startswith("POST ") else name
