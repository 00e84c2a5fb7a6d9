"""Settings, the secret key and logging, which every process needs first."""

from __future__ import annotations

import io
import json
import logging
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import structlog
from structlog.testing import capture_logs

from clearwindow import bootstrap, secret_key
from clearwindow.core import logs
from clearwindow.settings import Settings, SettingsError, load_settings
from tests.support.logs import own_logging
from tools.settings_page import PAGE, page

HEX_KEY = "ab" * 32
BASE64_KEY = "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s="


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("CLEARWINDOW_"):
            monkeypatch.delenv(name)


def test_page_of_settings_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "run: python -m tools.settings_page"


def test_flags_override_the_environment_and_it_overrides_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "settings"
    config.write_text("CLEARWINDOW_PORT=1\nCLEARWINDOW_HOST=from-file\nCLEARWINDOW_LOG_LEVEL=error\n")
    monkeypatch.setenv("CLEARWINDOW_CONFIG_FILE", str(config))
    monkeypatch.setenv("CLEARWINDOW_PORT", "2")
    monkeypatch.setenv("CLEARWINDOW_HOST", "from-environment")
    settings = load_settings(port=3, data_dir=None)
    assert (settings.port, settings.host, settings.log_level) == (3, "from-environment", "error")
    assert settings.data_dir == Path("data")


@pytest.mark.parametrize(
    ("name", "value"),
    [("OPERATOR_TOKEN", "hunter2"), ("PORT", "hunter2"), ("DATABASE_CONNECTIONS", "1"), ("LOG_LEVEL", "hunter2")],
)
def test_wrong_setting_is_named_without_its_value(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"CLEARWINDOW_{name}", value)
    with pytest.raises(SettingsError, match=rf"^CLEARWINDOW_{name}: ") as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)


def test_file_that_is_missing_or_has_an_unknown_setting_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "settings"
    monkeypatch.setenv("CLEARWINDOW_CONFIG_FILE", str(config))
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings()
    config.write_text("CLEARWINDOW_PROT=1\n")
    with pytest.raises(SettingsError, match="CLEARWINDOW_PROT"):
        load_settings()


@pytest.mark.parametrize("text", [HEX_KEY, HEX_KEY.upper(), BASE64_KEY, f" {BASE64_KEY}\n"])
def test_secret_key_is_hexadecimal_or_base64(text: str) -> None:
    assert secret_key.parse_secret_key(text, "it") == b"\xab" * 32


@pytest.mark.parametrize("text", ["", "hunter2", HEX_KEY[:-2], BASE64_KEY[:-4], "zz" * 32, "é" * 44])
def test_malformed_secret_key_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(SettingsError, match="it must hold 32 bytes") as caught:
        secret_key.parse_secret_key(text, "it")
    assert text == "" or text not in str(caught.value)


def test_secret_key_is_made_once(tmp_path: Path) -> None:
    assert secret_key.kept_key(tmp_path) is None
    with ThreadPoolExecutor(8) as threads:
        keys = set(threads.map(lambda _: secret_key.make_key(tmp_path), range(8)))
    assert keys == {secret_key.kept_key(tmp_path)}
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]
    assert stat.S_IMODE((tmp_path / "secret.key").stat().st_mode) == 0o600


def test_no_second_key_is_made_if_there_is_a_database(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    with (
        pytest.raises(SettingsError, match=r"a database but no .*secret\.key: restore the file"),
        bootstrap.opened_runtime(Settings(data_dir=tmp_path), share_running=False),
    ):
        pass


def test_database_by_url_needs_a_given_key(tmp_path: Path, dsn: str) -> None:
    settings = load_settings(database_url=dsn, data_dir=tmp_path)
    with (
        pytest.raises(SettingsError, match="Set CLEARWINDOW_SECRET_KEY"),
        bootstrap.opened_runtime(settings, share_running=False),
    ):
        pass
    (tmp_path / "secret.key").write_text(HEX_KEY)
    with bootstrap.opened_runtime(settings, share_running=False) as runtime:
        assert runtime.operator_token_sha256 is None


@pytest.fixture
def logged() -> io.StringIO:
    stream = io.StringIO()
    logs.configure_logging("info", stream)
    return stream


def test_test_leaves_no_logger_to_the_next_one_that_writes_elsewhere() -> None:
    log, stream = structlog.get_logger("anybody"), io.StringIO()
    with own_logging():
        logs.configure_logging("info", stream)
        log.info("inside")
    with capture_logs() as lines:
        log.info("outside")
    assert [line["event"] for line in lines] == ["outside"]
    assert "inside" in stream.getvalue()
    assert "outside" not in stream.getvalue()


def test_log_line_has_the_request_id_and_nothing_that_a_caller_sent(logged: io.StringIO, dsn: str) -> None:
    with structlog.contextvars.bound_contextvars(request_id="r-1"):
        try:
            with psycopg.connect(dsn) as connection:
                connection.execute("CREATE TABLE t (a text CHECK (a <> 'hunter2'))")
                connection.execute("INSERT INTO t VALUES ('hunter2')")
        except psycopg.Error:
            logging.getLogger("anybody").exception("it failed")
    (line,) = [json.loads(text) for text in logged.getvalue().splitlines()]
    assert (line["request_id"], line["event"], line["level"]) == ("r-1", "it failed", "error")
    assert "CheckViolation" in line["exception"]
    assert "DETAIL: (left out)" in line["exception"]
    assert "Failing row" not in line["exception"]
