"""The catalogue in docs/webhooks.md, made from the code: ``python -m tests.events_page`` writes it anew."""

from __future__ import annotations

from pathlib import Path

from clearwindow.notices.catalogue import as_markdown

PAGE = Path(__file__).parent.parent / "docs" / "webhooks.md"
HEADING = "## Events\n\n"


def page() -> str:
    """The page with the catalogue as it is now; what stands before it is written by hand."""
    by_hand, heading, _ = PAGE.read_text().partition(HEADING)
    if not heading:
        raise LookupError(f"{PAGE.name} has no heading for the events")
    return by_hand + heading + as_markdown()


if __name__ == "__main__":
    PAGE.write_text(page())
