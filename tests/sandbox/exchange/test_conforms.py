"""The simulated exchange does what ``clearwindow partner-check`` wants of any exchange."""

from __future__ import annotations

import json
from dataclasses import replace

from typer.testing import CliRunner

from clearwindow.cli.main import app
from tests.sandbox.exchange.support import build, free_port, running
from tests.support.settling import Floor


def test_it_conforms(floor: Floor, base_url: str) -> None:
    market = build(floor, base_url)
    with market.operator, market.partner, market.trader:
        port = free_port()
        key_set_url = f"http://127.0.0.1:{port}/.well-known/jwks.json"
        checked = replace(market, access=replace(market.access, key_set_url=key_set_url))
        with running(checked, rounds=0):
            options = ["--url", str(market.access.callback_url), "--jwks-port", str(port), "--json"]
            ran = CliRunner().invoke(app, ["partner-check", *options])
    found = json.loads(ran.stdout)
    assert [check["id"] for check in found["checks"] if check["outcome"] not in {"passed", "not run"}] == []
    # It is not reached by TLS here.
    assert [check["id"] for check in found["checks"] if check["outcome"] == "not run"] == ["transport.tls"]
    assert ran.exit_code == 0
