"""Installs published npm packages once for all runs, in a folder outside of version control."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

CACHE: Final = Path(__file__).parents[2] / ".sdk"
INSTALL_SECONDS: Final = 180
NPM_OPTIONS: Final = ("--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
INSTALL: Final = ("install", "--no-save", "--no-package-lock")
INSTALL_LOCKED: Final = ("ci",)


def node() -> str:
    return shutil.which("node") or "node"


def installed_modules(manifest: Path, what: str) -> Path:
    """Returns the folder with the packages of a ``package.json``. Fails the test if npm cannot install them.

    Args:
        manifest: the ``package.json``. If a lock lies beside it, exactly what it names is installed.
        what: the subject of the test, for the reason of the failure.
    """
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.fail(f"{what} was not tried: install node and npm (.ci/run has the packages)")
    lock_file = manifest.with_name("package-lock.json")
    given = [manifest, lock_file] if lock_file.exists() else [manifest]
    folder = CACHE / hashlib.sha256(b"".join(one.read_bytes() for one in given)).hexdigest()[:16]
    complete = folder / "complete"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        # Parallel test workers install it once.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            for one in given:
                shutil.copy(one, folder)
            _install(npm, folder, what, INSTALL_LOCKED if lock_file in given else INSTALL)
            complete.touch()
    return folder / "node_modules"


def _install(npm: str, folder: Path, what: str, command: Sequence[str]) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - the npm on the path, with arguments of our own
            [npm, *command, *NPM_OPTIONS], cwd=folder, capture_output=True, timeout=INSTALL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.fail(f"{what} was not tried: npm took more than {INSTALL_SECONDS} seconds")
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()
        pytest.fail(f"{what} was not tried: npm cannot install it here: {said[-500:]}")
