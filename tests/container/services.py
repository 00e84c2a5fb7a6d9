"""Services of the Compose file as containers of podman.

Networks are the host's, because the database of this run is a process beside them. There are no bounds for memory,
processors and processes: where the tests run, cgroups cannot be set.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

from tools.container import IMAGE, podman, program

COMPOSE: Final = Path(__file__).parents[2] / "deploy" / "compose" / "compose.yaml"
_LEFT_OUT: Final = {"image", "restart", "networks", "ports", "sysctls", "depends_on", "deploy", "logging"}
_READ: Final = {
    *("user", "read_only", "tmpfs", "cap_drop", "security_opt", "environment", "secrets", "command"),
    *("healthcheck", "stop_grace_period"),
}
_STOP_SECONDS: Final = 60


def compose_file(replaced: Mapping[str, str]) -> dict[str, Any]:
    """Returns the Compose file, with these texts replaced."""
    text = COMPOSE.read_text(encoding="utf-8")
    for old, new in replaced.items():
        assert old in text, f"the Compose file does not have {old!r} any more"
        text = text.replace(old, new)
    read: dict[str, Any] = YAML(typ="safe").load(text)
    return read


def options(service: Mapping[str, Any], etc: Path) -> list[str]:
    """Returns the words of ``podman run`` for a service of ours, without the image and the command."""
    unknown = set(service) - _READ - _LEFT_OUT
    assert not unknown, f"services.py does not know {sorted(unknown)}"
    words = [f"--user={service['user']}", *(f"--cap-drop={each}" for each in service["cap_drop"])]
    words += ["--read-only", "--read-only-tmpfs=false"] if service["read_only"] else []
    words += [f"--tmpfs={each}" for each in service["tmpfs"]]
    words += [f"--security-opt={each.removesuffix(':true')}" for each in service["security_opt"]]
    words += [f"--env={name}={value}" for name, value in service["environment"].items()]
    words += [f"--volume={etc / each}:/run/secrets/{each}:ro" for each in service["secrets"]]
    if test := service["healthcheck"].get("test"):
        # Only when it is asked for: its timer would be systemd's.
        words += [f"--health-cmd={shlex.join(test[1:])}", "--health-interval=disable"]
    else:
        words.append("--no-healthcheck")
    return words


class Services:
    """Containers of podman, by the names of their services."""

    def __init__(self, file: Mapping[str, Any], etc: Path, socket_dir: Path, more: Mapping[str, str]) -> None:
        """``more``: environment of each of them."""
        self._services: Mapping[str, Any] = file["services"]
        self._etc = etc
        self._common = [
            "--network=host",
            "--cgroups=disabled",
            "--ulimit=nofile=4096:4096",
            "--ulimit=nproc=4096:4096",
        ]
        self._common += [f"--volume={socket_dir}:/run/postgresql"]
        self._common += [f"--env={name}={value}" for name, value in more.items()]

    def run(self, service: str) -> str:
        """Runs one to its end, and returns what it printed."""
        return podman("run", "--rm", *self._words(service))

    @contextmanager
    def running(self, service: str) -> Iterator[str]:
        """Runs one until the block ends, which it must do with code 0, and yields the name of its container."""
        name = f"clearwindow-{service}-{os.getpid()}"
        podman("run", "--detach", f"--name={name}", *self._words(service))
        try:
            yield name
            podman("stop", f"--time={_STOP_SECONDS}", name)
            code = podman("inspect", "--format={{.State.ExitCode}}", name).strip()
            assert code == "0", f"{service} ended with {code}: {log(name)}"
        except BaseException:
            print(log(name))  # noqa: T201 - what it said is all that tells why
            raise
        finally:
            podman("rm", "--force", "--time=0", name)

    def _words(self, service: str) -> list[str]:
        found = self._services[service]
        return [*self._common, *options(found, self._etc), IMAGE, *map(str, found["command"])]


def inside(container: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Runs a command in a container."""
    command = [program("podman"), "exec", container, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - the words above


def log(container: str) -> str:
    done = subprocess.run(  # noqa: S603 - the words here
        [program("podman"), "logs", container], capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr
