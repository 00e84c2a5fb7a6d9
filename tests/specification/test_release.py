"""The wheel has all that the product reads, the version is in one place, and a build can be repeated."""

from __future__ import annotations

import re
import subprocess
import sys
from email import message_from_string
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from tests.specification.test_links import links
from tests.support.wheels import Wheel, built_wheel
from tools.distributions import ROOT, build, faults_of_changelog, version_of
from tools.locked import locked_packages
from tools.package_metadata import PackageMetadata, readme_of_package
from tools.release import requirements

_UNRELEASED = "# Changelog\n\n## Unreleased\n"
_LARGEST_BYTES = 3_000_000


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Wheel:
    return built_wheel(tmp_path_factory.mktemp("release"))


def test_wheel_has_every_file_of_the_product_and_nothing_else(wheel: Wheel) -> None:
    source, packed = (
        {file.relative_to(folder): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
        for folder in (ROOT / "src" / "clearwindow", wheel.unpacked / "clearwindow")
    )
    assert packed == {name: text for name, text in source.items() if "__pycache__" not in name.parts}
    assert {name.suffix for name in packed} >= {".sql", ".toml", ".html", ".css"}
    assert {each.name.split("-")[0] for each in wheel.unpacked.iterdir()} == {"clearwindow"}
    assert wheel.file.stat().st_size < _LARGEST_BYTES


def test_version_is_the_one_of_pyproject(wheel: Wheel) -> None:
    (described,) = wheel.unpacked.glob("*.dist-info/METADATA")
    metadata = message_from_string(described.read_text(encoding="utf-8"))
    assert metadata["Version"] == version_of(ROOT) == version("clearwindow")
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert set(metadata.get_all("Provides-Extra", [])) == {"server", "shared-limits", "telemetry"}


def test_readme_of_the_package_has_no_link_that_leads_nowhere(wheel: Wheel) -> None:
    (described,) = wheel.unpacked.glob("*.dist-info/METADATA")
    metadata = message_from_string(described.read_text(encoding="utf-8"))
    shown = metadata.get_payload()
    assert isinstance(shown, str)
    assert links(shown) == []
    # While no address is decided, none is told, and nothing but links is lost.
    assert metadata.get_all("Project-URL") is None
    assert "The exchange settles gains and losses with one signed request." in shown
    assert "You are new here: your first settlement, with a dispute" in shown


def test_readme_of_a_package_with_an_address_leads_to_the_files_of_its_tag() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = readme_of_package(readme, "https://forge.example/clearwindow", "1.2.0")
    files = re.findall(r"\]\(https://forge\.example/clearwindow/(blob|raw)/v1\.2\.0/([^)]+)\)", shown)
    assert links(shown) == []
    assert sorted(target for _, target in files) == sorted(links(readme))
    assert {kind for kind, target in files if target.endswith(".png")} == {"raw"}
    hook = PackageMetadata(str(ROOT), {"repository": "https://forge.example/clearwindow/"})
    metadata: dict[str, Any] = {"version": "1.2.0"}
    hook.update(metadata)
    assert metadata["readme"] == {"content-type": "text/markdown", "text": shown}
    assert metadata["urls"]["Source"] == "https://forge.example/clearwindow"
    assert all((ROOT / url.partition("/v1.2.0/")[2]).exists() for url in metadata["urls"].values())


def test_wheel_runs_without_the_repository(wheel: Wheel, tmp_path: Path) -> None:
    # -P and a folder elsewhere: nothing is found but in the wheel, and in the packages that it needs.
    code = (
        f"import sys; sys.path.insert(0, {str(wheel.unpacked)!r}); import clearwindow; print(clearwindow.__file__);"
        "sys.argv = ['clearwindow', '--version']; from clearwindow.__main__ import run; run()"
    )
    ran = subprocess.run(  # noqa: S603 - the words here
        [sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.stdout.splitlines() == [str(wheel.unpacked / "clearwindow" / "__init__.py"), version_of(ROOT)], ran


def test_another_build_of_the_wheel_has_the_same_bytes(wheel: Wheel, tmp_path: Path) -> None:
    unpacked = wheel.sdist.parents[1] / "unpacked" / wheel.sdist.name.removesuffix(".tar.gz")
    _, file = build(unpacked, tmp_path / "elsewhere", epoch=1_800_000_000)
    assert file.read_bytes() == wheel.file.read_bytes()


def test_changelog_has_the_packages_version() -> None:
    assert faults_of_changelog((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), version_of(ROOT)) == []


@pytest.mark.parametrize(
    ("headings", "faults"),
    [
        ("", []),
        ("## 1.2.0 - 2026-11-30\n## 1.1.0 - 2026-10-01\n", []),
        ("## 1.3.0 - 2026-11-30\n", ["its newest version is 1.3.0, and the package's 1.2.0"]),
        ("## 1.1.0 - 2026-11-30\n", ["its newest version is 1.1.0, and the package's 1.2.0"]),
        ("## 1.2.0 - 2026-11-30\n## 1.10.0 - 2026-10-01\n", ["its versions do not go down"]),
        ("## 1.2.0\n", ["the heading '## 1.2.0' has another form"]),
    ],
)
def test_fault_of_a_changelog_is_found(headings: str, faults: list[str]) -> None:
    assert faults_of_changelog(_UNRELEASED + headings, "1.2.0") == faults


def test_changelog_without_a_place_for_the_next_changes_is_found() -> None:
    assert faults_of_changelog("## 1.2.0 - 2026-11-30\n", "1.2.0") == ["it does not begin with Unreleased"]


def test_release_is_installed_with_the_hashes_of_the_lock(wheel: Wheel) -> None:
    first, *others = requirements(wheel.file, "1.2.0").splitlines()
    assert first.startswith("clearwindow==1.2.0 --hash=sha256:")
    image = (ROOT / "deploy" / "container" / "requirements.lock").read_text(encoding="utf-8")
    assert {line.split("==")[0] for line in others} > {one.name for one in locked_packages(image)}
    assert all("--hash=sha256:" in line for line in others)
