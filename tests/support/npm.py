"""Published npm packages at hand: installed once for all runs, in a folder that no commit has."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

CACHE: Final = Path(__file__).parents[2] / ".sdk"
INSTALL_SECONDS: Final = 180
NPM_OPTIONS: Final = (
    "--no-save",
    "--no-package-lock",
    "--no-audit",
    "--no-fund",
    "--ignore-scripts",
    "--loglevel=error",
)


def node() -> str:
    return shutil.which("node") or "node"


def installed_modules(manifest: Path, what: str) -> Path:
    """The folder that the packages of a ``package.json`` are in; skips the test where npm cannot put them there.

    ``what`` was not tried then, which is what the skipped test says.
    """
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip(f"{what} was not tried: node and npm are not at hand")
    folder = CACHE / hashlib.sha256(manifest.read_bytes()).hexdigest()[:16]
    complete = folder / "complete"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        # Workers that run tests side by side install it once.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            shutil.copy(manifest, folder)
            _install(npm, folder, what)
            complete.touch()
    return folder / "node_modules"


def _install(npm: str, folder: Path, what: str) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - the npm on the path, with arguments of our own
            [npm, "install", *NPM_OPTIONS], cwd=folder, capture_output=True, timeout=INSTALL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"{what} was not tried: npm took more than {INSTALL_SECONDS} seconds")
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()
        pytest.skip(f"{what} was not tried: npm cannot install it here: {said[-500:]}")
