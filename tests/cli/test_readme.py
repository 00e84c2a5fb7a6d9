"""The README's first steps, word for word, except for the port, the folder and a shorter window."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import environment, serving_folder

ROOT = Path(__file__).parents[2]
WINDOW = '"clientDisputeWindowMinutes": 0.5'
BLOCKS = re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
LOOP_SECONDS = 30
"""The loop asks once a second; one that does not end is stopped long before the test run notices."""


def run_steps(steps: str, folder: Path, seconds: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - the README's own words
        ["/bin/bash", "-euo", "pipefail", "-c", steps],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )


def test_first_steps_work_word_for_word(open_folder: Path) -> None:
    steps = "\n".join(BLOCKS)
    assert WINDOW in steps
    with serving_folder(open_folder / "data", sandbox="1") as served:
        assert served.said["mode"] == "sandbox"
        steps = steps.replace("http://127.0.0.1:8080", served.url).replace(WINDOW, f"{WINDOW[:-3]}0.02")
        (open_folder / ".venv").mkdir()
        (open_folder / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
        ran = run_steps(steps, open_folder, 240)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert '"ofcbtc":{"available":"50000000","held":"150000000"}' in ran.stdout
    assert "The settlement is completed" in ran.stdout
    assert '{"balances":{"ofcbtc":{"available":"150000000","held":"0"}}}' in ran.stdout
    assert "The ledger is in order" in ran.stdout


@pytest.mark.parametrize(
    ("answer", "settlement", "printed"),
    [
        ("""echo '{"settlement": {"status": "failed"}}'""", "id", "The settlement is failed"),
        ("""echo '{"settlement": {"status": "rejected"}}'""", "id", "The settlement is rejected"),
        ("return 22", "id", "The settlement is unknown"),
        ("echo '{}'", "", "The settlement is unknown"),
    ],
    ids=["settlement failed", "settlement rejected", "server does not answer", "settlement was not staged"],
)
def test_last_loop_ends_unless_the_settlement_is_pending(
    tmp_path: Path, answer: str, settlement: str, printed: str
) -> None:
    field = next(line for block in BLOCKS for line in block.splitlines() if line.startswith("field()"))
    loop = BLOCKS[-1].split("\nas $ADA")[0]
    given = f"as() {{ {answer}; }}; ADA=token OPERATOR=/api SETTLEMENT={settlement}"
    ran = run_steps(f"{field}\n{given}\n{loop}", tmp_path, LOOP_SECONDS)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == printed + "\n"
