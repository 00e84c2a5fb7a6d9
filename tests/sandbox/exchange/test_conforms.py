"""The simulated exchange does what ``clearwindow partner-check`` wants of any exchange."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from clearwindow.cli.main import app
from clearwindow.conformance.run import LATER
from tests.sandbox.exchange.support import build, free_port, running
from tests.support.settling import Floor


@pytest.mark.parametrize("later", [False, True])
def test_it_conforms(floor: Floor, base_url: str, *, later: bool) -> None:
    market = build(floor, base_url)
    with market.operator, market.partner, market.trader:
        port = free_port()
        key_set_url = f"http://127.0.0.1:{port}/.well-known/jwks.json"
        checked = replace(market, access=replace(market.access, key_set_url=key_set_url))
        with running(checked, rounds=0, answers_later_seconds=0 if later else None):
            options = ["--url", str(market.access.callback_url), "--jwks-port", str(port), "--json"]
            options += ["--answers-later", "--skip", "authentication"] if later else []
            ran = CliRunner().invoke(app, ["partner-check", *options])
    found = json.loads(ran.stdout)
    assert [check["id"] for check in found["checks"] if check["outcome"] not in {"passed", "not run"}] == []
    # It is not reached by TLS here.
    not_run = [check["id"] for check in found["checks"] if check["outcome"] == "not run" and check["why"] != LATER]
    assert not_run == ["transport.tls"]
    assert any(check.get("why") == LATER for check in found["checks"]) is later
    assert ran.exit_code == 0
