"""The GRANTs in docs/how-to/prepare-the-database.md: ``python -m tools.grants_page`` writes them there."""

from __future__ import annotations

from pathlib import Path

from clearwindow.postgres.embedded.access import APPLICATION
from clearwindow.postgres.grants import FUNCTIONS, granted

PAGE = Path(__file__).parent.parent / "docs" / "how-to" / "prepare-the-database.md"
BEGIN, END = "<!-- grants -->\n", "<!-- end of grants -->\n"


def block() -> str:
    """Returns the statements that give the application's role what it needs, as a block of the page."""
    lines = [f"GRANT USAGE ON SCHEMA public TO {APPLICATION};"]
    for privileges in sorted({privileges for privileges in granted().values() if privileges}):
        tables = ",\n    ".join(table for table, held in granted().items() if held == privileges)
        lines.append(f"GRANT {', '.join(privileges)} ON\n    {tables}\nTO {APPLICATION};")
    lines += [f"GRANT EXECUTE ON FUNCTION {function}() TO {APPLICATION};" for function in FUNCTIONS]
    return f"{BEGIN}```sql\n" + "\n".join(lines) + f"\n```\n{END}"


def page() -> str:
    before, _, rest = PAGE.read_text().partition(BEGIN)
    return before + block() + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(page())
