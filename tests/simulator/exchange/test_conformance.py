"""The simulated exchange passes ``clearwindow partner-check``."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from clearwindow.cli.main import app
from clearwindow.simulator.partner_check.run import NOT_DECIDED
from tests.simulator.exchange.support import build, running
from tests.support.ports import reserved_port
from tests.support.settlements import Testbed


@pytest.mark.parametrize("later", [False, True])
def test_the_simulated_exchange_passes_partner_check(testbed: Testbed, base_url: str, *, later: bool) -> None:
    setup = build(testbed, base_url)
    with setup.operator, setup.partner, setup.trader:
        port = reserved_port()
        key_set_url = f"http://127.0.0.1:{port}/.well-known/jwks.json"
        checked = replace(setup, access=replace(setup.access, key_set_url=key_set_url))
        with running(checked, rounds=0, answers_later_seconds=0 if later else None):
            options = ["--url", str(setup.access.callback_url), "--jwks-port", str(port), "--json"]
            options += ["--answers-later", "--skip", "authentication"] if later else []
            ran = CliRunner().invoke(app, ["partner-check", *options])
    found = json.loads(ran.stdout)
    assert [check["id"] for check in found["checks"] if check["outcome"] not in {"passed", "not run"}] == []
    # The test calls it without TLS.
    not_run = [
        check["id"] for check in found["checks"] if check["outcome"] == "not run" and check["why"] != NOT_DECIDED
    ]
    assert not_run == ["transport.tls"]
    assert any(check.get("why") == NOT_DECIDED for check in found["checks"]) is later
    assert ran.exit_code == 0
