"""``clearwindow exchange`` as it is started: from a network file or by itself, and ended by a signal."""

from __future__ import annotations

from pathlib import Path

import pytest

from clearwindow.cli.main import run
from clearwindow.sandbox.network.file import Exchange, Network, write_network
from tests.sandbox.exchange.support import NAMES, build
from tests.support.operators import make_key
from tests.support.processes import running
from tests.support.settling import Floor


def test_it_starts_from_a_network_file_and_ends_cleanly(floor: Floor, base_url: str, tmp_path: Path) -> None:
    market = build(floor, base_url)
    with market.operator, market.partner, market.trader:
        access = market.access
        own = Exchange(
            name="exchange-001",
            enterprise_id=access.enterprise_id,
            partner_id=market.partner_id,
            go_account_id=market.partner_account,
            token=access.token,
            xprv=make_key(0).xprv,
            callback_url=access.callback_url,
            currencies=NAMES,
            amount_unit="decimal",
        )
        file = tmp_path / "network.json"
        write_network(file, Network(url=base_url, operators=(), exchanges=(own,), traders=()))
        named = ("--network", str(file), "--name", "exchange-001")
        with running(tmp_path, "exchange", *named, "--answers-later", "1") as started:
            assert (started.said["event"], started.said["address"]) == ("listening", access.callback_url)
            connection = market.connect()
            assert connection.partners_connection_id == f"account-{connection.id}"
            code, seconds = started.end()
        assert (code, started.log.read_text()) == (0, "")
        assert seconds < 10


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "--network and --name, or --url and --enterprise"),
        (("--network", "nowhere.json", "--name", "x"), 1, "The network file nowhere.json cannot be read"),
        (("--url", "http://127.0.0.1:1", "--enterprise", "x"), 1, "No token: name a --token-file, or set"),
        (("--url", "http://127.0.0.1:1", "--enterprise", "x", "--token-file", "nowhere"), 1, "cannot be read"),
        (
            ("--url", "http://127.0.0.1:1", "--enterprise", "x", "--faults", "slow,fast"),
            2,
            "there are slow, error-500",
        ),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    arguments: tuple[str, ...],
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.argv", ["clearwindow", "exchange", *arguments])
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("CLEARWINDOW_TOKEN", raising=False)
    if "--faults" in arguments:
        monkeypatch.setenv("CLEARWINDOW_TOKEN", "t")
        monkeypatch.setenv("CLEARWINDOW_XPRV", make_key(0).xprv)
    with pytest.raises(SystemExit) as ended:
        run()
    assert ended.value.code == code
    assert said in capsys.readouterr().err
