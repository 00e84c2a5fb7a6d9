"""Builds the TypeScript client once for all runs, and compiles and runs programs that use it as a package."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.support import npm
from tools import typescript

RUN_SECONDS: Final = 120
_GENERATED: Final = "schema.ts"
_OPTIONS: Final = {"rootDir": ".", "outDir": "compiled", "types": ["node"], "declaration": False}


def built() -> Path:
    """Returns the folder of the built package. A change of its sources, its lock or our document builds it anew."""
    modules = npm.installed_modules(typescript.SOURCE / "package.json", "the TypeScript client")
    sources = [one for one in sorted((typescript.SOURCE / "src").glob("*.ts")) if one.name != _GENERATED]
    parts = [one.read_bytes() for one in (*sources, typescript.SOURCE / "tsconfig.json")]
    parts += [json.dumps(typescript.document()).encode(), bytes(modules)]
    folder = npm.CACHE / f"typescript-{hashlib.sha256(b''.join(parts)).hexdigest()[:16]}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        # Parallel test workers build it once.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            left_out = shutil.ignore_patterns("node_modules", "dist", _GENERATED)
            shutil.copytree(typescript.SOURCE, folder, dirs_exist_ok=True, ignore=left_out)
            if not (folder / "node_modules").is_symlink():
                (folder / "node_modules").symlink_to(modules)
            typescript.build(folder)
            (folder / "complete").touch()
    return folder


def compile_programs(package: Path, folder: Path, programs: Mapping[str, str]) -> None:
    """Compiles programs, by their names, in a project of their own that has the package installed.

    Raises:
        BuildError: they have an error of types.
    """
    modules = folder / "node_modules"
    modules.mkdir()
    (modules / "clearwindow-client").symlink_to(package)
    (modules / "@types").symlink_to(package / "node_modules" / "@types")
    (folder / "package.json").write_text('{"type": "module"}')
    options = {"extends": str(package / "tsconfig.json"), "compilerOptions": _OPTIONS, "include": ["*.ts"]}
    (folder / "tsconfig.json").write_text(json.dumps(options))
    for name, text in programs.items():
        (folder / f"{name}.ts").write_text(text, encoding="utf-8")
    typescript.run_module(package, "tsc", "--project", str(folder))


def run(folder: Path, name: str, **given: str) -> str:
    """Runs a compiled program with these environment variables. Returns what it printed."""
    done = subprocess.run(  # noqa: S603 - the node on the path, with a program of our own
        [npm.node(), str(folder / "compiled" / f"{name}.js")],
        env={**os.environ, **given},
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
