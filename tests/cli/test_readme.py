"""The README's first steps, word for word, except for the port and a shorter window."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.support.processes import environment, serving_folder

ROOT = Path(__file__).parents[2]
WINDOW = "--dispute-minutes 0.5"
BLOCKS = re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)


def test_first_steps_work_word_for_word(open_folder: Path) -> None:
    steps = "\n".join(BLOCKS)
    assert WINDOW in steps
    with serving_folder(open_folder / "data", sandbox="1") as served:
        assert served.said["mode"] == "sandbox"
        steps = steps.replace("http://127.0.0.1:8080", served.url).replace(WINDOW, f"{WINDOW[:-3]}0.02")
        (open_folder / ".venv").mkdir()
        (open_folder / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
        ran = subprocess.run(  # noqa: S603 - the README's own words
            ["/bin/bash", "-euo", "pipefail", "-c", steps],
            cwd=open_folder,
            env=environment() | {"XDG_CONFIG_HOME": str(open_folder / "settings")},
            capture_output=True,
            text=True,
            check=False,
            timeout=400,
        )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(r"state +completed", ran.stdout), ran.stdout
    trader, exchange = re.findall(r"where +available +held\n((?:.+ BTC\n)+)", ran.stdout)
    assert re.search(r"custody +8 BTC +0 BTC\n.*aster +0\.5 BTC +0 BTC", trader), trader
    assert re.search(r"custody +1\.5 BTC +0 BTC", exchange), exchange
    assert "The ledger is in order" in ran.stdout
