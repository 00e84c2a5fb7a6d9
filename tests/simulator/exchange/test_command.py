"""``clearwindow exchange``: start with a network file or with options, and stop by a signal."""

from __future__ import annotations

from pathlib import Path

import pytest

from clearwindow.cli.main import run
from clearwindow.simulator.network.file import Exchange, Network, write_network
from tests.simulator.exchange.support import NAMES, build
from tests.support.operators import make_key
from tests.support.processes import running
from tests.support.settlements import Testbed


def test_it_starts_with_a_network_file_and_stops_by_signal(testbed: Testbed, base_url: str, tmp_path: Path) -> None:
    setup = build(testbed, base_url)
    with setup.operator, setup.partner, setup.trader:
        access = setup.access
        own = Exchange(
            name="exchange-001",
            enterprise_id=access.enterprise_id,
            partner_id=setup.partner_id,
            go_account_id=setup.exchange.enterprise.account.id,
            token=access.token,
            xprv=setup.exchange.enterprise.account.key.xprv,
            callback_url=access.callback_url,
            currencies=NAMES,
            amount_unit="decimal",
        )
        file = tmp_path / "network.json"
        write_network(file, Network(url=base_url, operators=(), exchanges=(own,), traders=()))
        named = ("--network", str(file), "--name", "exchange-001")
        with running(tmp_path, "exchange", *named, "--answers-later", "1") as started:
            assert (started.said["event"], started.said["address"]) == ("listening", access.callback_url)
            connection = setup.connect()
            assert connection.partners_connection_id == f"account-{connection.id}"
            code, seconds = started.end()
        assert (code, started.log.read_text()) == (0, "")
        assert seconds < 60


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "--network and --name, or --url and --enterprise"),
        (("--network", "nowhere.json", "--name", "x"), 1, "The network file nowhere.json cannot be read"),
        (
            ("--url", "http://127.0.0.1:1", "--enterprise", "x"),
            1,
            "There is no token: name its file with --token-file, or set",
        ),
        (("--url", "http://127.0.0.1:1", "--enterprise", "x", "--token-file", "nowhere"), 1, "cannot be read"),
        (
            ("--url", "http://127.0.0.1:1", "--enterprise", "x", "--faults", "slow,fast"),
            2,
            "unknown fault fast; the faults are slow, error-500",
        ),
    ],
)
def test_wrong_options_get_a_one_line_error(
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
