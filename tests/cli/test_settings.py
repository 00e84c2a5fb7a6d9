"""A wrong setting: its name, what is wrong with it and what is allowed, in one line that never shows the value."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import get_args

import pytest

from clearwindow.settings import Settings, SettingsError, load_settings

HUGE = "9" * 5000
ONE_PROXY = (
    "must be addresses or networks such as 10.0.0.1 or 10.0.0.0/8, separated by commas; or * for every address"
)


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("CLEARWINDOW_"):
            monkeypatch.delenv(name)


def said() -> str:
    with pytest.raises(SettingsError) as refused:
        load_settings()
    return str(refused.value)


WRONG = [
    ("DATA_DIR", "~nobody-has-this-name/data", "begins with ~, and the home folder it means is not known"),
    ("POSTGRES_BIN_DIR", "~nobody-has-this-name", "begins with ~, and the home folder it means is not known"),
    ("OPERATOR_TOKEN", "hunter2", "must have at least 16 characters"),
    ("APPROVALS_NEEDED", "-1", "must be a whole number from 0 to 10"),
    ("PROPOSAL_DAYS", "0", "must be a number, more than 0 and at most 365"),
    ("KEY_COOL_OFF_HOURS", "-1", "must be a whole number from 0 to 8760"),
    ("CONSOLE_IDLE_MINUTES", "0", "must be a whole number from 1 to 1440"),
    ("CONSOLE_SESSION_HOURS", "0", "must be a number, more than 0 and at most 168"),
    ("PORT", "hunter2", "must be a whole number from 0 to 65535"),
    ("PORT", "65536", "must be a whole number from 0 to 65535"),
    ("TLS_CERTIFICATE", "~nobody-has-this-name/c.pem", "begins with ~, and the home folder it means is not known"),
    ("TLS_KEY", "~nobody-has-this-name/k.pem", "begins with ~, and the home folder it means is not known"),
    ("TLS_CLIENT_CA", "~nobody-has-this-name/a.pem", "begins with ~, and the home folder it means is not known"),
    ("TLS_HANDSHAKE_SECONDS_LIMIT", "0", "must be a number, more than 0 and at most 86400"),
    ("OPEN_CONNECTIONS_LIMIT", "0", "must be a whole number from 1 to 100000"),
    ("CONNECTIONS_PER_ADDRESS_LIMIT", "0", "must be a whole number from 1 to 100000"),
    ("REQUESTS_AT_ONCE_LIMIT", "0", "must be a whole number from 1 to 100000"),
    ("REQUEST_LINE_BYTES_LIMIT", "255", "must be a whole number from 256 to 1048576"),
    ("REQUEST_HEAD_BYTES_LIMIT", "1023", "must be a whole number from 1024 to 1048576"),
    ("REQUEST_HEADERS_LIMIT", "9", "must be a whole number from 10 to 10000"),
    ("REQUEST_HEAD_SECONDS_LIMIT", "0", "must be a number, more than 0 and at most 86400"),
    ("IDLE_CONNECTION_SECONDS_LIMIT", "0", "must be a number, more than 0 and at most 86400"),
    ("ANSWER_SECONDS_LIMIT", "0", "must be a number, more than 0 and at most 86400"),
    ("UNREAD_BODY_BYTES_LIMIT", "-1", "must be a whole number from 0 to 1073741824"),
    ("CHUNKS_PER_BODY_LIMIT", "0", "must be a whole number from 1 to 10000000"),
    ("RATE_LIMIT_STORE", " ", "must not be empty"),
    ("SIGNED_CALLS_VERSION_2", "maybe", "must be true or false"),
    ("SECOND_FACTOR_REQUIRED", "perhaps", "must be true or false"),
    ("LARGE_BODIES_AT_ONCE", "0", "must be a whole number from 1 to 1000"),
    ("DATABASE_CONNECTIONS", "1", "must be a whole number from 2 to 500"),
    ("DATABASE_CONNECTION_WAIT_SECONDS", "0", "must be a number, more than 0 and at most 60"),
    ("DATABASE_CONNECTIONS_WRITING", "0", "must be a whole number from 1 to 500"),
    ("DATABASE_LOCK_WAITS", "0", "must be a whole number from 1 to 500"),
    ("LOCK_WAIT_SECONDS", "0", "must be a number, more than 0 and at most 100"),
    ("WORKER_LOCK_WAIT_SECONDS", "101", "must be a number, more than 0 and at most 100"),
    ("CAPACITY_SHARE", "25%", "must be a number, more than 0 and at most 1"),
    ("CAPACITY_WAIT_SECONDS", "61", "must be a number, more than 0 and at most 60"),
    ("CAPACITY_LINE_SECONDS", "0", "must be a number, more than 0 and at most 60"),
    ("THREADS_READING", "1", "must be a whole number from 2 to 1000"),
    ("THREADS_WRITING", "0", "must be a whole number from 1 to 1000"),
    ("THREADS_SETTLEMENTS", "0", "must be a whole number from 1 to 1000"),
    ("THREADS_LARGE_BODIES", "0", "must be a whole number from 1 to 1000"),
    ("PARTNER_WAITS_AT_ONCE", "1", "must be a whole number from 2 to 1000"),
    ("PARTNER_WAITS_SILENT_SHARE", "2", "must be a number, more than 0 and at most 1"),
    ("BODY_BYTES_LIMIT", "1e6", "must be a whole number from 1024 to 1073741824"),
    ("BODY_BYTES_LIMIT", HUGE, "must be a whole number from 1024 to 1073741824"),
    ("PAYLOAD_BYTES_LIMIT", "1023", "must be a whole number from 1024 to 65536"),
    ("SETTLEMENT_BODY_BYTES_LIMIT", "32MiB", "must be a whole number from 1024 to 1073741824"),
    ("BODY_SECONDS_LIMIT", "0", "must be a number, more than 0 and at most 86400"),
    ("BODY_SECONDS_LIMIT", "soon", "must be a number, more than 0 and at most 86400"),
    ("BODY_SECONDS_LIMIT", "nan", "must be a number, more than 0 and at most 86400"),
    ("CONNECTIONS_PER_SETTLEMENT_LIMIT", "0", "must be a whole number from 1 to 1000000"),
    ("AMOUNTS_PER_SETTLEMENT_LIMIT", "0", "must be a whole number from 1 to 10000000"),
    ("PAGE_SIZE_LIMIT", "10001", "must be a whole number from 1 to 10000"),
    ("RATE_LIMIT_PER_MINUTE", "-1", "must be a whole number from 0 to 1000000000"),
    ("CONCURRENT_REQUESTS_LIMIT", "0", "must be a whole number from 1 to 100000"),
    ("CONCURRENT_REQUESTS_WAIT_SECONDS", "0", "must be a number, more than 0 and at most 86400"),
    ("WORKER_POLL_SECONDS", "61", "must be a number, more than 0 and at most 60"),
    ("WORKER_PROBE_HOST", " ", "must not be empty"),
    ("WORKER_PROBE_PORT", "65536", "must be a whole number from 0 to 65535"),
    ("WORKER_LAG_LIMIT_SECONDS", "-1", "must be a number, more than 0 and at most 86400"),
    ("SANDBOX", "maybe", "must be true or false"),
    ("ALLOW_PRIVATE_ADDRESSES", "2", "must be true or false"),
    ("PARTNER_CALL_TIMEOUT_SECONDS", "21", "must be a number, more than 0 and at most 20"),
    ("PARTNER_CALLS_AT_ONCE", "1001", "must be a whole number from 1 to 1000"),
    ("PARTNER_CALL_ATTEMPTS", "0", "must be a whole number from 1 to 10"),
    ("PARTNER_CALL_HEADER", "two words", "must be a header's name: 1 to 64 letters, digits and hyphens"),
    ("PARTNER_CALL_ISSUER", "a" * 256, "must have at most 255 characters"),
    ("WEBHOOK_TIMEOUT_SECONDS", "0", "must be a number, more than 0 and at most 60"),
    ("WEBHOOK_ATTEMPTS_KEPT_DAYS", "1.5", "must be a whole number from 1 to 3650"),
    ("SHUTDOWN_SECONDS", "0", "must be a number, more than 0 and at most 86400"),
    ("TELEMETRY_ENDPOINT", "127.0.0.1:4318", "must be an address such as http://127.0.0.1:4318, without a user"),
    ("TELEMETRY_TELLS_OTHERS", "maybe", "must be true or false"),
    ("LOG_LEVEL", "loud", "must be 'debug', 'info', 'warning' or 'error'"),
    ("SMTP_HOST", " ", "must not be empty"),
    ("SMTP_PORT", "0", "must be a whole number from 1 to 65535"),
    ("SMTP_TLS", "maybe", "must be 'starttls', 'tls' or 'none'"),
    ("SMTP_CA_FILE", "/srv/a\nb", "must not contain a line break"),
    ("SMTP_USER", " ", "must not be empty"),
    ("SMTP_PASSWORD_FILE", "/srv/a\nb", "must not contain a line break"),
    ("SMTP_FROM", "Desk <a@b.example>", "must be an e-mail address such as network@example.com"),
    ("NOTIFICATIONS_PER_HOUR", "0", "must be a whole number from 1 to 1000"),
    ("DATABASE_URL", " ", "must not be empty"),
    ("HOST", " ", "must not be empty"),
    ("MIGRATION_DATABASE_URL", " ", "must not be empty"),
    ("POSTGRES_USER", " ", "must not be empty"),
    ("SECRET_KEY", " ", "must not be empty"),
    ("SECRET_KEY_FILE", "/srv/a\nb", "must not contain a line break"),
    ("SECRET_KEY_COMMAND", " ", "must not be empty"),
    ("OTHER_SECRET_KEY", " ", "must not be empty"),
    ("OTHER_SECRET_KEY_FILE", "/srv/a\nb", "must not contain a line break"),
    ("OTHER_SECRET_KEY_COMMAND", " ", "must not be empty"),
    ("DATA_DIR", "/srv/a\nb", "must not contain a line break"),
    ("TRUSTED_PROXIES", "10.0.0.1, gateway", ONE_PROXY),
    ("TRUSTED_PROXIES", "10.0.0.1/8", ONE_PROXY),
    ("TRUSTED_PROXIES", "*, 10.0.0.1", ONE_PROXY),
]


@pytest.mark.parametrize(("name", "value", "problem"), WRONG, ids=lambda text: text[:40])
def test_wrong_setting_is_named_with_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, problem: str
) -> None:
    monkeypatch.setenv(f"CLEARWINDOW_{name}", value)
    assert said() == f"CLEARWINDOW_{name}: {problem}"


def test_every_setting_that_can_be_wrong_is_tested() -> None:
    assert {name for name, *_ in WRONG} == {name.upper() for name in Settings.model_fields}


def takes(name: str) -> set[type]:
    annotation = Settings.model_fields[name].annotation
    # A field such as `Folder | None` nests its type.
    inside = [kind for part in get_args(annotation) for kind in (part, *get_args(part))]
    return {kind for kind in (annotation, *inside) if isinstance(kind, type)}


NUMBERS = [name for name in Settings.model_fields if takes(name) & {int, float}]
NOT_IN_RANGE = [
    "soon",
    "nan",
    "inf",
    "-inf",
    "1e999",
    "-1e300",
    "1e300",
    "1" + "0" * 400,
    HUGE,
    "1,5",
    "0x10",
    "-1",
]


@pytest.mark.parametrize("value", NOT_IN_RANGE, ids=lambda text: text[:20])
@pytest.mark.parametrize("name", NUMBERS)
def test_every_number_is_finite_and_has_limits_that_are_told(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"CLEARWINDOW_{name.upper()}", value)
    number = "a whole number" if int in takes(name) else "a number"
    assert re.fullmatch(
        rf"CLEARWINDOW_{name.upper()}: must be {number}(, more than \d+ and at most \d+| from \d+ to \d+)", said()
    )


@pytest.mark.parametrize("name", Settings.model_fields)
def test_problem_of_every_setting_is_told_in_words_without_the_value(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    value = "\udcff hunter2 \t"
    monkeypatch.setenv(f"CLEARWINDOW_{name.upper()}", value)
    if Path in takes(name):
        # A folder may have any name.
        assert str(getattr(load_settings(), name)) == value
        return
    problem = said()
    assert re.match(rf"CLEARWINDOW_{name.upper()}: (must|begins|is|has)", problem)
    assert "Input" not in problem
    assert "hunter2" not in problem


@pytest.mark.parametrize("name", Settings.model_fields)
def test_empty_setting_counts_as_unset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    unset = load_settings()
    monkeypatch.setenv(f"CLEARWINDOW_{name.upper()}", "")
    assert load_settings() == unset
    config = tmp_path / "settings"
    config.write_text(f"CLEARWINDOW_{name.upper()}=\n")
    monkeypatch.setenv("CLEARWINDOW_CONFIG_FILE", str(config))
    assert load_settings() == unset


def test_empty_setting_leaves_that_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "settings"
    config.write_text("CLEARWINDOW_PORT=1\n")
    monkeypatch.setenv("CLEARWINDOW_CONFIG_FILE", str(config))
    monkeypatch.setenv("CLEARWINDOW_PORT", "")
    assert load_settings().port == 1


def test_empty_name_of_the_file_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEARWINDOW_CONFIG_FILE", "")
    assert load_settings().port == 8080


@pytest.mark.parametrize("name", ["data_dir", "database_url", "host"])
def test_empty_flag_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=rf"^CLEARWINDOW_{name.upper()}: must not be empty$"):
        load_settings(**{name: ""})


VALUES = ["$HOME", "${HOME}", "a$$b", "a#b", "a #b # c", "#a", "a\\nb", "a=b", "é€", "a'b", '"', "%s", "a;b `c`"]


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("line", ["{}", "  {}  \r", "'{}'", '"{}"'])
def test_characters_of_a_value_in_the_file_mean_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, line: str
) -> None:
    config = tmp_path / "settings"
    monkeypatch.setenv("CLEARWINDOW_CONFIG_FILE", str(config))
    config.write_text(
        f"# the issuer\n\nexport CLEARWINDOW_PARTNER_CALL_ISSUER = {line.format(value)}\n", encoding="utf-8"
    )
    assert load_settings().partner_call_issuer == value


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"CLEARWINDOW_PORT=1\n\nhunter2\n", "has no NAME=value in line 3"),
        (b"=hunter2", "has no NAME=value in line 1"),
        (b"CLEARWINDOW PORT=hunter2", "has no NAME=value in line 1"),
        (b"CLEARWINDOW_HOST=\xff", "is not text in UTF-8"),
    ],
)
def test_line_of_the_file_that_is_no_setting_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, problem: str
) -> None:
    config = tmp_path / "settings"
    config.write_bytes(content)
    monkeypatch.setenv("CLEARWINDOW_CONFIG_FILE", str(config))
    assert said() == f"CLEARWINDOW_CONFIG_FILE: {config} {problem}"


def test_all_wrong_settings_stand_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEARWINDOW_PORT", "http")
    monkeypatch.setenv("CLEARWINDOW_SANDBOX", "maybe")
    assert said() == (
        "CLEARWINDOW_PORT: must be a whole number from 0 to 65535; CLEARWINDOW_SANDBOX: must be true or false"
    )


@pytest.mark.parametrize("name", ["CLEARWINDOW_PROT", "PORT", "CLEARWINDOW_CONFIG_FILE"])
def test_unknown_setting_in_the_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    config = tmp_path / "settings"
    config.write_text(f"{name}=1\n")
    monkeypatch.setenv("CLEARWINDOW_CONFIG_FILE", str(config))
    assert said() == f"{name}: is not a setting of Clearwindow"


def test_file_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = tmp_path / "settings"
    monkeypatch.setenv("CLEARWINDOW_CONFIG_FILE", str(missing))
    assert said() == f"CLEARWINDOW_CONFIG_FILE: {missing} cannot be read: No such file or directory"
    missing.mkdir()
    assert said() == f"CLEARWINDOW_CONFIG_FILE: {missing} is a folder"
    monkeypatch.setenv("CLEARWINDOW_CONFIG_FILE", "~nobody-has-this-name/settings")
    assert said() == (
        "CLEARWINDOW_CONFIG_FILE: ~nobody-has-this-name/settings begins with ~, "
        "and the home folder it means is not known"
    )


def test_file_without_permission_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "settings"
    config.write_text("CLEARWINDOW_PORT=1\n")

    def denied(_path: Path) -> bytes:
        # Root, who runs the tests in a container, may read every file.
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "read_bytes", denied)
    monkeypatch.setenv("CLEARWINDOW_CONFIG_FILE", str(config))
    assert said() == f"CLEARWINDOW_CONFIG_FILE: {config} cannot be read: Permission denied"
