"""The tutorial "Settle from the command line", word for word, except for the port and the folder."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.support.long import long
from tests.support.processes import environment, serving_folder

PAGE = Path(__file__).parents[2] / "docs" / "tutorials" / "settle-from-the-command-line.md"


@long
def test_every_step_works_and_prints_what_the_page_shows(open_folder: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    steps = "".join(re.findall(r"```bash\n(.*?)```", page, flags=re.DOTALL))
    shown = re.findall(r"```text\n(.*?)```", page, flags=re.DOTALL)
    assert len(shown) > 5
    folder = open_folder / "command-line"
    folder.mkdir(mode=0o711)
    (folder / ".venv").symlink_to(sys.prefix)
    with serving_folder(folder / "data", sandbox="1") as served:
        steps = steps.replace("./tutorial", "./data").replace("http://127.0.0.1:8080", served.url)
        ran = subprocess.run(  # noqa: S603 - the page's own words
            ["/bin/bash", "-euo", "pipefail", "-c", steps],
            cwd=folder,
            env=environment() | {"NO_PROXY": "127.0.0.1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=400,
        )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    printed = iter(ran.stdout.splitlines())
    for line in "".join(shown).splitlines():
        assert line in printed, f"not printed after what stands before it: {line}\n{ran.stdout}"
