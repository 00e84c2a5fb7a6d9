"""Installs the published JavaScript SDK once for all runs, and calls it in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import npm

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
PAGE = PROJECT / "docs" / "how-to" / "use-the-javascript-sdk.md"
DOCUMENTED_ROOT = "http://127.0.0.1:8080"
RUN_SECONDS = 60
Json = dict[str, Any]


class SdkError(Exception):
    """An error that the SDK threw."""

    def __init__(self, thrown: Json) -> None:
        super().__init__(thrown["message"])
        self.message: str = thrown["message"]
        self.status: int | None = thrown["status"]
        self.body: Json | None = thrown["body"]


def installed_modules() -> Path:
    """Returns the folder of the SDK. Skips the test with a reason if npm cannot install it."""
    return npm.installed_modules(HERE / "package.json", "the published JavaScript SDK")


@dataclass(frozen=True)
class Sdk:
    """A process that has loaded the SDK."""

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
    process = subprocess.Popen(  # noqa: S603 - the node on the path, with a script of our own
        [npm.node(), str(HERE / "driver.js")],
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
    """Runs the first program of the page against this server and returns its output."""
    program = PAGE.read_text(encoding="utf-8").split("```js\n")[1].split("```")[0]
    assert DOCUMENTED_ROOT in program
    done = subprocess.run(  # noqa: S603 - the node on the path, with the page's own program
        [npm.node(), "-"],
        input=program.replace(DOCUMENTED_ROOT, root),
        env={**os.environ, **given, "NODE_PATH": str(installed_modules())},
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
