"""``clearwindow trader``: errors in its options are reported in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from clearwindow.cli.main import run
from clearwindow.simulator.network.file import Network, Trader, write_network


def ended_with(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[object, str]:
    monkeypatch.setattr("sys.argv", ["clearwindow", "trader", *arguments])
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as ended:
        run()
    return ended.value.code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "--network, or --url and --enterprise"),
        (("--network", "nowhere.json"), 1, "The network file nowhere.json cannot be read"),
        (
            ("--url", "http://127.0.0.1:1", "--enterprise", "x"),
            1,
            "There is no token: name its file with --token-file, or set",
        ),
        (("--network", "nowhere.json", "--faults", "slow,fast"), 2, "unknown fault fast; the faults are slow"),
    ],
)
def test_wrong_options_get_a_one_line_error(
    arguments: tuple[str, ...],
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("CLEARWINDOW_TOKEN", raising=False)
    ended, printed = ended_with(monkeypatch, capsys, *arguments)
    assert ended == code
    assert said in printed


def test_an_invalid_key_is_named_by_its_owner_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trader = Trader(
        name="trader-001",
        enterprise_id="trader-001",
        client_id="client",
        go_account_id="account",
        token="t",
        xprv="no-key-at-all",
        connections=(),
    )
    file = tmp_path / "network.json"
    write_network(file, Network(url="http://127.0.0.1:1", operators=(), exchanges=(), traders=(trader,)))
    ended, printed = ended_with(monkeypatch, capsys, "--network", str(file))
    assert ended == 1
    assert "The key of trader-001 in the network file cannot be used" in printed
    assert "no-key-at-all" not in printed
