"""Drawings as SVG, in the colours of the pictures of ``docs/images``, light and dark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

COLOURS: Final = ("#2b7a6b", "#b3402e", "#3667a6", "#96690f", "#7a4ea3", "#5a6b7b")
"""Of the lines of a chart, one after the other."""

_STYLE: Final = """  <style>
    text { fill: #1d2a35; font-size: 12px }
    .bold { font-weight: 600 }
    .soft { fill: #4a5a68; font-size: 10.5px }
    .names { font-size: 10.5px }
    .paper { fill: #ffffff }
    .box { fill: #f4f6f8 }
    .axis { stroke: #90a0b0; stroke-width: 1; fill: none }
    .line { fill: none; stroke-width: 1.6 }
    @media (prefers-color-scheme: dark) {
      text { fill: #e8edf1 }
      .soft { fill: #b3c0cb }
      .paper { fill: #161d24 }
      .box { fill: #1f2831 }
      .line, .bar, .names { filter: brightness(1.5) }
    }
  </style>"""


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    styled = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}"{styled}>{escape(words)}</text>'


def box(x: float, y: float, width: float, height: float) -> str:
    return f'<rect class="box" x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{height:.0f}" rx="6"/>'


def bar(x: float, y: float, width: float, height: float, colour: str) -> str:
    sizes = f'width="{width:.1f}" height="{height:.0f}"'
    return f'<rect class="bar" x="{x:.1f}" y="{y:.1f}" {sizes} rx="2" fill="{colour}"/>'


def named(x: float, y: float, names: Sequence[str]) -> str:
    """Returns names in the colours of the lines of a chart."""
    colours = [COLOURS[n % len(COLOURS)] for n in range(len(names))]
    parts = [f'<tspan fill="{colour}">{escape(name)}</tspan>' for name, colour in zip(names, colours, strict=True)]
    return f'<text x="{x:.0f}" y="{y:.0f}" class="names">{" · ".join(parts)}</text>'


def line(points: Sequence[tuple[float, float]], colour: str = "") -> str:
    """Returns a line, without points in the middle of a level part. Without a colour it is an axis."""
    kept = [
        point
        for n, point in enumerate(points)
        if n in {0, len(points) - 1} or not points[n - 1][1] == point[1] == points[n + 1][1]
    ]
    way = " ".join(f"{x:.1f},{y:.1f}" for x, y in kept)
    kind = f'class="line" stroke="{colour}"' if colour else 'class="axis"'
    return f'<polyline {kind} points="{way}"/>'


def drawing(width: int, height: int, title: str, described: str, parts: Iterable[str]) -> str:
    """Returns a whole picture. ``described`` is read to people who do not see it."""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"'
    return "\n".join(
        (
            f'{head} aria-labelledby="title desc" font-family="system-ui, sans-serif">',
            f'  <title id="title">{escape(title)}</title>',
            f'  <desc id="desc">{escape(described)}</desc>',
            _STYLE,
            f'  <rect class="paper" width="{width}" height="{height}" rx="8"/>',
            *(f"  {part}" for part in parts),
            "</svg>\n",
        )
    )
