"""docs/settings.md, made from the settings themselves: ``python -m tests.settings_table`` writes it anew."""

from __future__ import annotations

from pathlib import Path

from pydantic_core import PydanticUndefined

from clearwindow.settings import CONFIG_FILE_VARIABLE, ENV_PREFIX, Settings

PAGE = Path(__file__).parent.parent / "docs" / "settings.md"

HEAD = f"""\
# Settings

Every setting is a variable in the environment, or a line `NAME=value` in the file that
`{CONFIG_FILE_VARIABLE}` names. A flag of a command comes before the environment, and the environment before the
file. A wrong value ends the command with 2 and one line that names the setting.

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
