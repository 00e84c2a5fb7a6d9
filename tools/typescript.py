"""``make typescript``: the package of the TypeScript client, with types made from our OpenAPI document.

The lock of npm fixes every program, so that the same document gives the same package. The types are not kept in the
repository: each build makes them.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from clearwindow import bootstrap
from clearwindow.web.app import create_app

ROOT: Final = Path(__file__).parent.parent
SOURCE: Final = ROOT / "clients" / "typescript"
WRITTEN: Final = ROOT / "dist"
STEP_SECONDS: Final = 300
"""How long one program may take, on a busy machine."""

Json = dict[str, Any]

_JSON: Final = "application/json"
_PROBLEM: Final = {"$ref": "#/components/schemas/Problem"}
_REFUSED: Final = {"description": "The server refused it.", "content": {_JSON: {"schema": _PROBLEM}}}
_NO_TYPES: Final = frozenset({"example", "examples", "headers"})
_NAMED: Final = frozenset({"properties", "schemas"})
"""What holds names of our own, which are never left out."""


class BuildError(RuntimeError):
    """A program failed. The message has its name and its last words."""


def document() -> Json:
    """Returns the part of our OpenAPI document that types follow from."""
    app = create_app(None, bootstrap.all_routers(60))  # type: ignore[arg-type]  # it answers no request
    return typed_part(app.openapi())


def typed_part(whole: Json) -> Json:
    """Returns what types follow from.

    It has no examples and headers, one answer for all usual errors, and of a list its JSON alone: exports are text.
    """
    slim: Json = _without(whole)
    for path in slim["paths"].values():
        for operation in path.values():
            operation["responses"] = _answers(operation["responses"])
    return slim


def build(folder: Path) -> None:
    """Makes the types and compiles the package in ``folder``, which holds its sources and ``node_modules``.

    Raises:
        BuildError: the types do not fit the sources, or a program is missing.
    """
    described = folder / "openapi.json"
    described.write_text(json.dumps(document()), encoding="utf-8")
    try:
        run_module(folder, "openapi-typescript", str(described), "--output", str(folder / "src" / "schema.ts"))
        run_module(folder, "tsc", "--project", str(folder))
    finally:
        described.unlink()


def run_module(folder: Path, program: str, *arguments: str) -> str:
    """Runs a program of the folder's ``node_modules``. Returns what it printed.

    Raises:
        BuildError: it failed.
    """
    return _run(folder, str(folder / "node_modules" / ".bin" / program), *arguments)


def _without(value: Any, *, named: bool = False) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, list):
        return [_without(one) for one in value]
    if not isinstance(value, Mapping):
        return value
    return {
        key: _without(one, named=key in _NAMED and not named)
        for key, one in value.items()
        if named or key not in _NO_TYPES
    }


def _answers(responses: Json) -> Json:
    """Returns the answers of one operation. Most of its errors have the same form: they become the default."""
    own: Json = {}
    for status, answer in responses.items():
        content = answer.get("content", {})
        if _JSON not in content:
            own[status] = answer
        elif content[_JSON].get("schema") != _PROBLEM:
            own[status] = {**answer, "content": {_JSON: content[_JSON]}}
    return own if len(own) == len(responses) else {**own, "default": _REFUSED}


def _run(folder: Path, *command: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - programs of the lock, with arguments of our own
            command, cwd=folder, capture_output=True, text=True, timeout=STEP_SECONDS, check=False
        )
    except FileNotFoundError:
        raise BuildError(f"{command[0]} is missing: install node and npm") from None
    if done.returncode != 0:
        raise BuildError(f"{command[0]} failed: {(done.stdout + done.stderr).strip()[-3000:]}")
    return done.stdout


def main() -> int:
    shutil.rmtree(SOURCE / "dist", ignore_errors=True)
    WRITTEN.mkdir(exist_ok=True)
    try:
        _run(SOURCE, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
        build(SOURCE)
        packed = _run(SOURCE, "npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", str(WRITTEN))
    except BuildError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"dist/{packed.strip()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
