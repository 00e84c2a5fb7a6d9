from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clearwindow.cli.main import run
from clearwindow.simulator.server import temporary_folder

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def open_folder() -> Iterator[Path]:
    """A folder that PostgreSQL may enter if root runs the tests; pytest's own folders are closed to it."""
    with temporary_folder("test") as folder:
        yield folder


@pytest.fixture
def command(
    dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Command]:
    """Runs a command. Returns its exit code, standard output and standard error."""
    monkeypatch.setenv("CLEARWINDOW_DATABASE_URL", dsn)
    monkeypatch.setenv("CLEARWINDOW_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("CLEARWINDOW_SECRET_KEY", "ab" * 32)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["clearwindow", *arguments])
        with pytest.raises(SystemExit) as ended:
            run()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    yield call
    for number, handler in handlers.items():
        signal.signal(number, handler)
