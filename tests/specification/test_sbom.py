"""`make sbom`: what the lock installs, with licences that may be there; and `make` installs only what is pinned."""

from __future__ import annotations

import json
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tools.licences import choices, is_allowed, licence_of
from tools.locked import LOCK, locked_packages, needed_at_runtime
from tools.npm_sbom import NPM_LOCK, npm_packages, npm_sbom, refused_of_npm
from tools.sbom import refused, sbom

ROOT: Final = Path(__file__).parents[2]
LOCKED: Final = LOCK.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def listed() -> dict[str, Any]:
    written: dict[str, Any] = json.loads(sbom(LOCKED))
    return written


def test_the_list_names_every_locked_package_with_its_version_and_hashes(listed: dict[str, Any]) -> None:
    # Counted in the lock without our reader of it.
    pinned = re.findall(r"^([a-z0-9-]+)==([^ ]+)", LOCKED, re.MULTILINE)
    assert sorted((one["name"], one["version"]) for one in listed["components"]) == sorted(pinned)
    files = [one["externalReferences"][0]["hashes"] for one in listed["components"]]
    assert sum(map(len, files)) == LOCKED.count("--hash=sha256:")
    assert listed["metadata"]["component"]["version"] == version("clearwindow")


def test_the_list_is_valid_cyclonedx_and_the_same_for_the_same_lock(listed: dict[str, Any]) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(listed)) is None
    assert {**json.loads(sbom(LOCKED)), "metadata": ""} == {**listed, "metadata": ""}


def test_the_list_says_what_needs_what(listed: dict[str, Any]) -> None:
    needs = {one["ref"].partition("@")[0]: one.get("dependsOn", []) for one in listed["dependencies"]}
    assert any(one.startswith("pkg:pypi/starlette@") for one in needs["pkg:pypi/fastapi"])
    assert any(one.startswith("pkg:pypi/psycopg@") for one in needs["clearwindow"])
    scopes = {one["name"]: one["scope"] for one in listed["components"]}
    assert (scopes["psycopg"], scopes["starlette"], scopes["ruff"]) == ("required", "required", "excluded")


def test_licences_of_all_packages_of_the_product_are_known_and_allowed() -> None:
    assert refused(LOCKED) == {}
    assert len(needed_at_runtime(locked_packages(LOCKED))) >= 50
    # A package that is not installed here, on this system, is listed with its licence all the same.
    assert all(licence_of(one.name, choices()) for one in locked_packages(LOCKED))


def test_a_licence_that_was_not_chosen_is_refused() -> None:
    chosen = choices()
    assert is_allowed("Apache-2.0 AND (MIT OR BSD-3-Clause)", chosen)
    for refused_licence in (None, "", "AGPL-3.0-only", "MIT AND GPL-3.0-or-later", "AND"):
        assert not is_allowed(refused_licence, chosen), refused_licence
    assert licence_of("a-package-that-nobody-has", chosen) is None


def test_a_lock_of_another_form_is_refused() -> None:
    with pytest.raises(ValueError, match="another form"):
        locked_packages("aiohttp @ https://files.example/aiohttp.whl\n")


def test_the_typescript_client_has_a_list_of_its_own() -> None:
    lock = NPM_LOCK.read_text(encoding="utf-8")
    written = npm_sbom(lock)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(written) is None
    listed = json.loads(written)
    # Counted in the lock without our reader of it.
    assert len(listed["components"]) == lock.count('"integrity": ')
    manifest = json.loads(NPM_LOCK.with_name("package.json").read_text(encoding="utf-8"))
    versions = {one["name"]: one["version"] for one in listed["components"]}
    named = {**manifest["dependencies"], **manifest["devDependencies"]}
    assert {name: versions[name] for name in named} == named
    required = {one["name"] for one in listed["components"] if one["scope"] == "required"}
    assert required >= set(manifest["dependencies"])
    assert required.isdisjoint(manifest["devDependencies"])
    needs = {one["ref"].partition("@1")[0]: one.get("dependsOn", []) for one in listed["dependencies"]}
    assert len(needs["clearwindow-client"]) == len(manifest["dependencies"])
    assert any(one.startswith("pkg:npm/%40noble/hashes@") for one in needs["pkg:npm/%40noble/curves"])


def test_licences_that_come_with_the_typescript_client_are_allowed() -> None:
    lock = NPM_LOCK.read_text(encoding="utf-8")
    assert refused_of_npm(lock) == {}
    other = lock.replace('"license": "MIT"', '"license": "GPL-3.0-only"')
    assert set(refused_of_npm(other).values()) == {"GPL-3.0-only"}
    assert set(refused_of_npm(other)) == {one.name for one in npm_packages(lock) if one.runtime}


@pytest.mark.parametrize(
    ("old", "new"),
    [('"lockfileVersion": 3', '"lockfileVersion": 2'), ('"integrity": "sha512-', '"integrity": "sha1-')],
)
def test_a_lock_of_npm_of_another_form_is_refused(old: str, new: str) -> None:
    with pytest.raises(ValueError, match="another form"):
        npm_packages(NPM_LOCK.read_text(encoding="utf-8").replace(old, new))


def test_make_installs_only_pinned_files() -> None:
    """uv itself too: it is what checks the hashes of everything else."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (pinned,) = re.findall(r"^UV_VERSION := (.+)$", makefile, re.MULTILINE)
    locked = (ROOT / "requirements-uv.lock").read_text(encoding="utf-8")
    assert re.findall(r"^([^ #].*?) \\$", locked, re.MULTILINE) == [f"uv=={pinned}"]
    assert locked.count("--hash=sha256:") >= 10
    # What newest versions do is tried in an environment that nothing else uses.
    trial = re.search(r"^newest:.*\n(?:\t.*\n)+", makefile, re.MULTILINE)
    assert trial is not None
    assert trial[0].count(".venv-newest/") == makefile.count(".venv-newest/")
    for line in re.findall(r"^\t.*pip (?:install|sync) .*$", makefile.replace(trial[0], ""), re.MULTILINE):
        assert "--require-hashes" in line or "--no-deps --no-build-isolation --editable ." in line, line
