"""docs/reference/settings.md, made from the settings: ``python -m tools.settings_page`` writes it."""

from __future__ import annotations

from pathlib import Path

from pydantic_core import PydanticUndefined

from clearwindow.capacity_settings import ENV_PREFIX
from clearwindow.settings import CONFIG_FILE_VARIABLE, Settings

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "settings.md"

HEAD = f"""\
# Settings

Every setting is a variable in the environment, or a line `NAME=value` in the file that
`{CONFIG_FILE_VARIABLE}` names. A flag of a command comes before the environment, and the environment before the
file. A setting that is empty counts as not set. A wrong value ends the command with 2 and one line that names the
setting and says what is allowed.

In the file, an empty line and a line that begins with `#` say nothing. A value is all that follows the first `=`,
without the spaces around it and without one pair of quotes around it. Every other character means itself: `$`, `#`
and `\\` too, so a comment needs its own line.

| setting | default | what |
| --- | --- | --- |
"""


def page() -> str:
    lines = []
    for name, field in Settings.model_fields.items():
        default = "" if field.default in (None, PydanticUndefined) else f"`{field.default}`"
        lines.append(f"| `{ENV_PREFIX}{name.upper()}` | {default} | {field.description} |\n")
    return HEAD + "".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page())
