"""docs/reference/partner-checks.md, made from the checks: ``python -m tools.checks_page`` writes it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from clearwindow.simulator.partner_check.catalogue import as_markdown

PAGE: Final = Path(__file__).parents[1] / "docs" / "reference" / "partner-checks.md"
HEAD: Final = """\
# Checks of a partner's endpoint

Every check that `clearwindow partner-check` runs. This page is made from the code by
`python -m tools.checks_page`; [check your endpoint](../how-to/check-your-endpoint.md) shows how to run them.

*Level*: a failed `must` ends the command with 1, a failed `should` is a warning. *Later*: whether the check also
runs with `--answers-later`.

"""


def page() -> str:
    """Returns the page as the code has it now."""
    return HEAD + as_markdown().replace("\n### ", "\n## ").replace("### ", "## ", 1)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
