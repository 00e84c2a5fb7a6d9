"""Pictures of the pages: a text for people who do not see them, dark colours; and what `make pictures` draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

import pytest

from tools.dashboard_picture import Points, dashboard_picture, panels
from tools.trace_picture import TimedSpan, longest_trace, trace_picture

IMAGES: Final = Path(__file__).parents[2] / "docs" / "images"
SVG: Final = "{http://www.w3.org/2000/svg}"
_LARGEST_BYTES: Final = 100_000


def words(picture: str) -> list[str]:
    return ["".join(each.itertext()) for each in ET.fromstring(picture).iter(f"{SVG}text")]  # noqa: S314 - our own


@pytest.mark.parametrize("file", sorted(IMAGES.glob("*.svg")), ids=lambda file: file.name)
def test_picture_is_small_has_a_text_and_dark_colours(file: Path) -> None:
    picture = file.read_text(encoding="utf-8")
    root = ET.fromstring(picture)  # noqa: S314 - our own
    labelled = str(root.get("aria-labelledby")).split()
    told = {each.get("id"): each.text for each in root if each.get("id") in labelled}
    assert all(told[name] for name in ("title", "desc"))
    assert "prefers-color-scheme: dark" in picture
    assert len(picture) < _LARGEST_BYTES


def test_every_chart_of_the_dashboard_is_drawn_from_its_expressions() -> None:
    asked: list[str] = []

    def ask(expression: str) -> Sequence[tuple[Mapping[str, str], Points]]:
        asked.append(expression)
        return [({"stage": "failed"}, [(0, 1), (5, 3), (10, 2)])] if "late_seconds" in expression else []

    picture = dashboard_picture(ask, 0, 10)
    shown = words(picture)
    assert len(panels()) > 15
    assert {panel.title for panel in panels()} <= set(shown)
    assert asked == [each for panel in panels() for each in panel.expressions]
    assert "most: 3 s" in shown
    assert "failed" in shown
    assert shown.count("nothing of it happened") == len(panels()) - 1
    assert not any("$" in each for each in asked)


def test_trace_with_the_most_spans_is_drawn_with_its_times() -> None:
    spans = [
        TimedSpan("POST /a", b"1", b"a", b"", 0, 0.25),
        TimedSpan("webhook", b"1", b"c", b"b", 2, 2.002),
        TimedSpan("job settlements", b"1", b"b", b"a", 1, 1.5),
        TimedSpan("POST /a", b"2", b"x", b"", 0, 1),
        TimedSpan("POST /b", b"3", b"y", b"", 0, 1),
        *(TimedSpan("job other", b"3", bytes([n]), b"y", 0, 1) for n in range(9)),
    ]
    traced = longest_trace(spans, "POST /a")
    assert [span.id for span in traced] == [b"a", b"b", b"c"]
    shown = words(trace_picture(traced))
    assert {"250 ms", "500 ms", "2 ms", "job settlements", "webhook", "0 s", "1 s", "2 s"} <= set(shown)
    assert "3 s" not in shown
