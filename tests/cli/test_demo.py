"""The demo, with its output in a pipe."""

from __future__ import annotations

import re

import pytest

from clearwindow.simulator.server import temporary_folder
from tests.support.long import long
from tests.support.processes import command

LINES = (
    r"Meridian X +POST /api/network/v2/…/settlements  → 422 liabilities_exceed_balance",
    r"“Borealis Fund: liability 78,000, available 60,000, shortfall 18,000 USDC”",
    r"the same request again  → 200, the same answer, Idempotent-Replayed: true",
    r"Borealis Fund +POST …/disputes  → 200",
    r"settlement.top_up_required  → the exchange is short of 28,000 USDC",
    r"after +\d+\.\d s +executed: every final transfer, in one transaction",
    r"POST …/review of her own work  → 403 four_eyes",
    r"Operator Ben +POST …/review  → 200 approved",
    r"settlingDisputes  → Borealis's",
    r"the exchange needs 90,000 USDC and has 85,900 USDC",
    r"settlement.completed  → Cobalt has its 95,000 USDC",
    r"USDC +Borealis Fund +120,000 +0 +-77,400 +42,600",
    r"GET /ledger/check  → ok: true, findings: 0",
    r"BTC +6\.5 +1 +4\.1 +1\.4 +0",
    r"USDC +290,000 +0 +95,900 +194,100 +0",
    r"Every unit is accounted for\.",
)


@long
def test_the_demo_runs_to_balanced_books_on_a_poor_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    with temporary_folder("demo") as folder:
        temporary = folder / ("t" * 100) / 'ü, "x"'
        temporary.mkdir(parents=True)
        surroundings = {"TMPDIR": str(temporary), "ALL_PROXY": "socks5://127.0.0.1:1", "SSL_CERT_FILE": "/nowhere"}
        for name, value in surroundings.items():
            monkeypatch.setenv(name, value)
        # The user's settings must not lead the demo to a database that is in use.
        played = command("demo", database_url="postgresql://nobody@nowhere.invalid/nothing", data_dir="/nowhere")
    assert played.returncode == 0, played.stdout + played.stderr
    assert played.stderr == ""
    at = 0
    for line in LINES:
        found = re.compile(line).search(played.stdout, at)
        assert found, f"not found after the lines before it: {line}\n{played.stdout}"
        at = found.end()
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", played.stdout), "a pipe gets no control characters"
    assert max(map(len, played.stdout.splitlines())) <= 100
