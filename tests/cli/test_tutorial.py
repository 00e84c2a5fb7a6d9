"""The tutorial "Your first settlement", typed into a shell and a Python session as its reader does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.support.processes import environment, serving_folder

PAGE = Path(__file__).parents[2] / "docs" / "tutorials" / "first-settlement.md"


def test_every_step_works_and_prints_what_the_page_shows(open_folder: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    (shell,) = re.findall(r"```bash\n(.*?)```", page, flags=re.DOTALL)
    blocks = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    shown = re.findall(r"```text\n(.*?)```", page, flags=re.DOTALL)
    assert len(blocks) > len(shown) > 1
    folder = open_folder / "tutorial"
    folder.mkdir()
    (folder / ".venv").symlink_to(sys.prefix)
    with serving_folder(folder / "data", sandbox="1") as served:
        shell = shell.replace("./tutorial", "./data").removesuffix("python3\n") + "python3 -i"
        ran = subprocess.run(  # noqa: S603 - the page's own words
            ["/bin/bash", "-euo", "pipefail", "-c", shell],
            cwd=folder,
            env=environment() | {"NO_PROXY": "127.0.0.1"},
            input="\n".join(blocks).replace("http://127.0.0.1:8080", served.url) + "\n",
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
    assert "Error" not in ran.stderr, ran.stderr
    assert ran.returncode == 0
    # Python also prints the records that calls answer; the page shows what ``print`` prints.
    printed = iter(ran.stdout.splitlines())
    for line in "".join(shown).splitlines():
        assert line in printed, f"not printed after what stands before it: {line}\n{ran.stdout}"
