"""The list in docs/partner-check.md, made from the code: ``python -m tests.checks_page`` writes it anew."""

from __future__ import annotations

from pathlib import Path

from clearwindow.conformance.catalogue import as_markdown

PAGE = Path(__file__).parent.parent / "docs" / "partner-check.md"
HEADING = "## The checks\n\n"


def page() -> str:
    """The page with the checks as they are now; what stands before them is written by hand."""
    by_hand, heading, _ = PAGE.read_text(encoding="utf-8").partition(HEADING)
    if not heading:
        raise LookupError(f"{PAGE.name} has no heading for the checks")
    return by_hand + heading + as_markdown()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
