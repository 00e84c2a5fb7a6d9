"""How to open a network in earnest, word for word, except for the port."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.support.long import long
from tests.support.processes import command, environment, serving_folder

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "open-a-network.md"
BLOCKS = re.findall(r"```bash\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)


def run_steps(steps: str, folder: Path) -> str:
    ran = subprocess.run(  # noqa: S603 - the page's own words
        ["/bin/bash", "-euo", "pipefail", "-c", steps],
        cwd=folder,
        env=environment() | {"NO_PROXY": "127.0.0.1", "XDG_CONFIG_HOME": str(folder / "settings")},
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


@long
def test_every_step_works_and_the_door_is_shut_after_it(open_folder: Path) -> None:
    folder = open_folder / "earnest"
    folder.mkdir(mode=0o711)
    (folder / ".venv").symlink_to(sys.prefix)
    first, *others = BLOCKS
    assert run_steps(first, folder).count("Each token is shown only once") == 1
    assert not (folder / "first.tokens").exists()
    tokens = {name: (folder / f"{name}.token").read_text().strip() for name in ("ada", "ben")}
    # The token in the settings is there, and opens nothing.
    with serving_folder(folder / "data", approvals_needed="1", key_cool_off_hours="24") as served:
        assert (served.said["mode"], served.said["singleOperator"]) == ("earnest", False)
        steps = f'export PATH="$PWD/.venv/bin:$PATH"\n{"".join(others)}'
        printed = run_steps(steps.replace("http://127.0.0.1:8080", served.url), folder)
        assert served.get("/api/operator/v1/audit-log").status_code == 401
        assert served.get("/api/operator/v1/audit-log", tokens["ben"]).status_code == 200
    assert '"network":{"mode":"earnest","singleOperator":false}' in printed
    assert "\nIt waits: exit code 4\n" in printed
    assert "\nAda cannot approve it herself: exit code 1\n" in printed
    assert "own_proposal" in printed
    assert printed.count("carried_out") >= 3
    assert "\nCarl waits: exit code 4\nid " in printed
    assert "\nHis token waits: exit code 4\n" in printed
    assert "you are  the operator Carl (approver)\n" in printed
    assert "\nThe program waits: exit code 4\n" in printed
    assert "let a program deposit without further approval, as the operator Ada\n" in printed
    assert '"available":"500000"' in printed
    assert "token_for_deposits" in printed
    assert "\nthe program only deposits\n" in printed
    assert "\nEve is refused\n" in printed
    assert "\nEve is refused again\n" in printed
    for action in ("network.opened", "operator.created", "enterprise.created", "go_account.opened"):
        assert action in printed
    assert not any(token in printed for token in tokens.values())

    refused = command("serve", "--port", "0", "--data", str(folder / "data"), sandbox="1")
    assert refused.returncode == 2
    assert "opened in earnest" in refused.stderr


def test_make_serves_a_sandbox_unless_it_is_in_earnest() -> None:
    for given, sandbox in ((), "1"), (("SANDBOX=0",), "0"):
        said = subprocess.run(  # noqa: S603 - prints what it would run
            ["/usr/bin/env", "make", "--dry-run", "serve", *given],
            cwd=PAGE.parents[2],
            capture_output=True,
            text=True,
            check=True,
        )
        assert f"CLEARWINDOW_SANDBOX={sandbox} .venv/bin/clearwindow serve" in said.stdout
