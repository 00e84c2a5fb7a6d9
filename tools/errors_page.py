"""docs/reference/errors.md, made from the registry of errors: ``make errors`` writes it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from clearwindow.core.error_registry import ErrorCode, error_codes

PAGE: Final = Path(__file__).parents[1] / "docs" / "reference" / "errors.md"
HEAD: Final = """\
# Errors

An error answer has `error`, a sentence for people; `name`, which programs read and which never changes;
`requestId`, which is also in our log and audit trail; `documentation`, the path of its entry at `/docs/errors` of
the server; and, for many errors, `details`. This page is made from `src/clearwindow/core/errors.toml` by
`make errors`.

Where two names mean the same, the entry says which one stays in the next version of the API.

"""


def page() -> str:
    return HEAD + "\n".join(map(_entry, error_codes().values()))


def _entry(code: ErrorCode) -> str:
    statuses = ", ".join(map(str, code.statuses))
    lines = [
        f"### {code.name}",
        "",
        f"{code.meaning} ({statuses})",
        "",
        f"- Cause: {code.cause}",
        f"- Cure: {code.cure}",
    ]
    if code.alias_of is not None:
        lines.append(f"- Same as `{code.alias_of}`, which stays.")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
