"""The published SDK at hand: installed once for all runs, and driven in a process of its own."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
CACHE = PROJECT / ".sdk"
PAGE = PROJECT / "docs" / "javascript-sdk.md"
DOCUMENTED_ROOT = "http://127.0.0.1:8080"
INSTALL_SECONDS = 180
RUN_SECONDS = 60
NPM_OPTIONS = ("--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
Json = dict[str, Any]


class SdkError(Exception):
    """What the SDK threw."""

    def __init__(self, thrown: Json) -> None:
        super().__init__(thrown["message"])
        self.message: str = thrown["message"]
        self.status: int | None = thrown["status"]
        self.body: Json | None = thrown["body"]


def installed_modules() -> Path:
    """The folder that the SDK is in; skips the test, saying why, where npm cannot put it there."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("the published JavaScript SDK was not tried: node and npm are not at hand")
    wanted = (HERE / "package.json").read_bytes()
    folder = CACHE / hashlib.sha256(wanted).hexdigest()[:16]
    complete = folder / "complete"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        # Workers that run tests side by side install it once.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            shutil.copy(HERE / "package.json", folder)
            _install(npm, folder)
            complete.touch()
    return folder / "node_modules"


def _install(npm: str, folder: Path) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - the npm on the path, with arguments of our own
            [npm, "install", *NPM_OPTIONS], cwd=folder, capture_output=True, timeout=INSTALL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"the published JavaScript SDK was not tried: npm took more than {INSTALL_SECONDS} seconds")
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()
        pytest.skip(f"the published JavaScript SDK was not tried: npm cannot install it here: {said[-500:]}")


@dataclass(frozen=True)
class Sdk:
    """A process that has the SDK loaded."""

    process: subprocess.Popen[str]
    root: str

    def ask(self, what: str, **asked: object) -> Any:  # noqa: ANN401 - what the SDK gave
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"does": what, **asked}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the process of the SDK ended"
        answer = json.loads(line)
        if "error" in answer:
            raise SdkError(answer["error"])
        return answer["result"]

    def make_key(self, passphrase: str) -> Json:
        key: Json = self.ask("makeKey", root=self.root, passphrase=passphrase)
        return key

    def open(self, wallet: str, token: str, auth_version: int = 2) -> Desk:
        opened = self.ask("open", root=self.root, wallet=wallet, token=token, authVersion=auth_version)
        return Desk(self, opened["desk"], opened)


@dataclass(frozen=True)
class Desk:
    """One user of the SDK, with a trading account and its network."""

    sdk: Sdk
    number: int
    opened: Json

    def network(self, method: str, params: object = None, /, **named: object) -> Any:  # noqa: ANN401 - see ask
        given = params if params is not None else named or None
        asked = {} if given is None else {"params": given}
        return self.sdk.ask("network", desk=self.number, method=method, **asked)

    def ask(self, what: str, **asked: object) -> Any:  # noqa: ANN401 - see ask
        return self.sdk.ask(what, desk=self.number, **asked)


@contextmanager
def running_sdk(modules: Path, root: str) -> Iterator[Sdk]:
    node = shutil.which("node") or "node"
    process = subprocess.Popen(  # noqa: S603 - the node on the path, with a script of our own
        [node, str(HERE / "driver.js")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "NODE_PATH": str(modules)},
    )
    try:
        yield Sdk(process, root)
    finally:
        process.kill()
        process.communicate()


def run_documented(root: str, given: Mapping[str, str]) -> str:
    """What the first program of the page prints, run against this server."""
    program = PAGE.read_text(encoding="utf-8").split("```js\n")[1].split("```")[0]
    assert DOCUMENTED_ROOT in program
    done = subprocess.run(  # noqa: S603 - the node on the path, with the page's own program
        [shutil.which("node") or "node", "-"],
        input=program.replace(DOCUMENTED_ROOT, root),
        env={**os.environ, **given, "NODE_PATH": str(installed_modules())},
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
