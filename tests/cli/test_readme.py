"""The README's first steps, word for word, with a port, a folder and a shorter window of the test's own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.support.processes import environment, serving_folder

ROOT = Path(__file__).parents[2]
WINDOW = '"clientDisputeWindowMinutes": 0.5'


def test_the_first_steps_work_word_for_word(open_folder: Path) -> None:
    text = (ROOT / "README.md").read_text()
    steps = "\n".join(re.findall(r"```bash\n(.*?)```", text, flags=re.DOTALL))
    assert WINDOW in steps
    with serving_folder(open_folder / "data") as served:
        steps = steps.replace("http://127.0.0.1:8080", served.url).replace(WINDOW, f"{WINDOW[:-3]}0.02")
        (open_folder / ".venv").mkdir()
        (open_folder / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
        ran = subprocess.run(  # noqa: S603 - the README's own words
            ["/bin/bash", "-euo", "pipefail", "-c", steps],
            cwd=open_folder,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert '"ofcbtc":{"available":"50000000","held":"150000000"}' in ran.stdout
    assert '{"balances":{"ofcbtc":{"available":"150000000","held":"0"}}}' in ran.stdout
    assert "The ledger is in order" in ran.stdout
