"""``clearwindow trader``: what is wrong with what it is started with is said in a line."""

from __future__ import annotations

from pathlib import Path

import pytest

from clearwindow.cli.main import run
from clearwindow.sandbox.network.file import Network, Trader, write_network


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
        (("--url", "http://127.0.0.1:1", "--enterprise", "x"), 1, "No token: name a --token-file, or set"),
        (("--network", "nowhere.json", "--faults", "slow,fast"), 2, "slow"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    arguments: tuple[str, ...],
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("CLEARWINDOW_TOKEN", raising=False)
    ended, told = ended_with(monkeypatch, capsys, *arguments)
    assert ended == code
    assert said in told


def test_a_key_that_is_none_is_named_by_its_owner_and_not_shown(
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
    ended, told = ended_with(monkeypatch, capsys, "--network", str(file))
    assert ended == 1
    assert "The key of trader-001 in the network file cannot be used" in told
    assert "no-key-at-all" not in told
