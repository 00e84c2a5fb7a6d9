"""docs/reference/events.md, made from the catalogue of events: ``python -m tools.events_page`` writes it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from clearwindow.events.catalogue import as_markdown

PAGE: Final = Path(__file__).parents[1] / "docs" / "reference" / "events.md"
HEAD: Final = """\
# Events

Every event that a [webhook](webhooks.md) endpoint can receive, and the fields of its `data`. This page is made
from `src/clearwindow/events/catalogue.py` by `python -m tools.events_page`.

"""


def page() -> str:
    """Returns the page as the code has it now."""
    return HEAD + as_markdown().replace("\n### ", "\n## ").replace("### ", "## ", 1)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
