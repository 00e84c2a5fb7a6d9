"""The expressions of the dashboard, as Prometheus answers them, as a picture. Grafana draws them in another way."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from tools.drawn import COLOURS, box, drawing, line, named, text

DASHBOARD: Final = Path(__file__).parent.parent / "deploy" / "grafana" / "clearwindow.json"
_UNITS: Final = {"s": " s", "ops": "/s", "reqps": "/s", "percentunit": "", "short": "", "bytes": " MB"}
_BYTES_PER_MB: Final = 1e6
_COLUMNS: Final = 3
_WIDTH: Final = 284
_HEIGHT: Final = 150
_GAP_SECONDS: Final = 1.5
"""After a longer time without a point, a new line begins."""

_NAME: Final = 32
_LINE: Final = 44
"""How many letters a name has at most, and all below a chart."""

Points = Sequence[tuple[float, float]]
Ask = Callable[[str], Sequence[tuple[Mapping[str, str], Points]]]
"""Asks Prometheus for an expression over the time of the picture: the labels and the points of each series."""


@dataclass(frozen=True, slots=True)
class Panel:
    title: str
    unit: str
    expressions: tuple[str, ...]


def panels() -> list[Panel]:
    """Returns the charts of the dashboard, with a value for each of its variables."""
    read = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    return [_panel(each) for each in read if each["type"] == "timeseries"]


def _panel(read: Mapping[str, Any]) -> Panel:
    given = [
        each["expr"].replace("$__rate_interval", "10s").replace("$job", "clearwindow.*") for each in read["targets"]
    ]
    return Panel(read["title"], read["fieldConfig"]["defaults"].get("unit", "short"), tuple(given))


def dashboard_picture(ask: Ask, began: float, ended: float) -> str:
    """Returns the picture of all charts, each with its largest value and the names of its largest series."""
    shown = panels()
    rows = -(-len(shown) // _COLUMNS)
    parts = [
        text(14, 24, "The charts of the dashboard: deploy/grafana/clearwindow.json", "bold"),
        text(
            14,
            42,
            f"as Prometheus answers for them, over {ended - began:.0f} s of a sandbox; Grafana did not draw them",
            "soft",
        ),
    ]
    for number, panel in enumerate(shown):
        x, y = 8 + number % _COLUMNS * (_WIDTH + 6), 54 + number // _COLUMNS * (_HEIGHT + 6)
        parts += _chart(panel, [one for each in panel.expressions for one in ask(each)], x, y, began, ended)
    described = f"{len(shown)} charts: " + "; ".join(panel.title for panel in shown)
    return drawing(884, 58 + rows * (_HEIGHT + 6), "The dashboard, from a running network", described, parts)


def _chart(
    panel: Panel, series: Sequence[tuple[Mapping[str, str], Points]], x: float, y: float, began: float, ended: float
) -> list[str]:
    parts = [box(x, y, _WIDTH, _HEIGHT), text(x + 10, y + 18, panel.title, "bold")]
    known = sorted(
        ((labels, points) for labels, points in series if points),
        key=lambda one: -max(value for _, value in one[1]),
    )
    if not known:
        return [*parts, text(x + 10, y + 40, "nothing of it happened", "soft")]
    top = max(value for _, points in known for _, value in points)
    left, right, low, high = x + 10, x + _WIDTH - 10, y + _HEIGHT - 34, y + 40
    parts.append(line([(left, low), (right, low)]))
    parts.append(text(x + 10, y + 33, f"most: {_told(top, panel.unit)}", "soft"))
    for number, (_, points) in enumerate(known):
        way = [
            (
                left + (at - began) / (ended - began) * (right - left),
                low - (value / top if top else 0) * (low - high),
            )
            for at, value in points
        ]
        breaks = [n for n in range(1, len(points)) if points[n][0] - points[n - 1][0] > _GAP_SECONDS]
        for first, last in pairwise([0, *breaks, len(points)]):
            parts.append(line(way[first:last], COLOURS[number % len(COLOURS)]))
    names = _that_fit([", ".join(labels.values()) for labels, _ in known if labels])
    return [*parts, named(x + 10, y + _HEIGHT - 12, names)] if names else parts


def _told(value: float, unit: str) -> str:
    shown = value / _BYTES_PER_MB if unit == "bytes" else value
    return f"{shown:.3g}{_UNITS.get(unit, '')}"


def _that_fit(names: Sequence[str]) -> list[str]:
    """Returns the first names that fit below a chart. Of a long one, the end says most."""
    kept: list[str] = []
    for name in names:
        short = name if len(name) <= _NAME else f"…{name[-_NAME:]}"
        if sum(map(len, kept)) + 3 * len(kept) + len(short) > _LINE:
            break
        kept.append(short)
    return kept
