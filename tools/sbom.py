"""``make sbom``: the CycloneDX list of all that the lock installs, with licences, and a table of them.

The TypeScript client has a list of its own. Each follows from its lock alone, so the same lock gives the same file.
"""

from __future__ import annotations

import sys
import tomllib
from collections import Counter
from pathlib import Path
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.dependency import Dependency
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from rich.console import Console
from rich.table import Table

from tools.licences import Choices, choices, is_allowed, licence_of
from tools.locked import LOCK, PROJECT, Locked, locked_packages, needed_at_runtime, needed_directly
from tools.npm_sbom import NPM_LOCK, npm_packages, npm_sbom, refused_of_npm

ROOT: Final = Path(__file__).parent.parent
WRITTEN: Final = ROOT / "dist" / "clearwindow.cdx.json"
CLIENT_WRITTEN: Final = ROOT / "dist" / "clearwindow-client.cdx.json"


def sbom(lock: str) -> str:
    """Returns the list as CycloneDX 1.6 in JSON."""
    packages, chosen = locked_packages(lock), choices()
    runtime = needed_at_runtime(packages)
    components = {_ref(one): _component(one, chosen, runtime=one.name in runtime) for one in packages}
    project = _project()
    bom = Bom(components=components.values(), serial_number=uuid5(NAMESPACE_URL, lock))
    bom.metadata.component = project
    bom.dependencies = [
        Dependency(
            part.bom_ref, [Dependency(components[_ref(n)].bom_ref) for n in needed_directly(part.name, packages)]
        )
        for part in (project, *components.values())
    ]
    return JsonV1Dot6(bom).output_as_string(indent=1)


def refused(lock: str) -> dict[str, str | None]:
    """Returns the packages of the product whose licence is unknown or not allowed, with the licence."""
    packages, chosen = locked_packages(lock), choices()
    found = {name: licence_of(name, chosen) for name in sorted(needed_at_runtime(packages))}
    return {name: licence for name, licence in found.items() if not is_allowed(licence, chosen)}


def _project() -> Component:
    described = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return Component(
        name=PROJECT,
        version=described["version"],
        type=ComponentType.APPLICATION,
        description=described["description"],
        licenses=[LicenseExpression(described["license"])],
        bom_ref=PROJECT,
    )


def _ref(one: Locked) -> str:
    return str(PackageURL("pypi", name=one.name, version=one.version))


def _component(one: Locked, chosen: Choices, *, runtime: bool) -> Component:
    address = _ref(one)
    licence = licence_of(one.name, chosen)
    files = [HashType(alg=HashAlgorithm.SHA_256, content=digest) for digest in one.sha256]
    return Component(
        name=one.name,
        version=one.version,
        scope=ComponentScope.REQUIRED if runtime else ComponentScope.EXCLUDED,
        licenses=[LicenseExpression(licence)] if licence else [],
        purl=PackageURL.from_string(address),
        bom_ref=address,
        external_references=[
            ExternalReference(type=ExternalReferenceType.DISTRIBUTION, url=XsUri(address), hashes=files)
        ],
        properties=[Property(name="clearwindow:marker", value=one.marker)] if one.marker else [],
    )


def _table(lock: str) -> Table:
    packages, chosen = locked_packages(lock), choices()
    runtime = needed_at_runtime(packages)
    counts = {used: Counter[str]() for used in (True, False)}
    for one in packages:
        counts[one.name in runtime][licence_of(one.name, chosen) or "unknown"] += 1
    table = Table("licence", "packages of the product", "only for development", title="Licences of the lock")
    for licence in sorted(counts[True] | counts[False]):
        table.add_row(licence, *(str(counts[used][licence] or "") for used in (True, False)))
    table.add_section()
    table.add_row("all", *(str(counts[used].total()) for used in (True, False)))
    return table


def main() -> None:
    lock, npm_lock = LOCK.read_text(encoding="utf-8"), NPM_LOCK.read_text(encoding="utf-8")
    WRITTEN.parent.mkdir(exist_ok=True)
    WRITTEN.write_text(sbom(lock) + "\n", encoding="utf-8")
    CLIENT_WRITTEN.write_text(npm_sbom(npm_lock) + "\n", encoding="utf-8")
    Console().print(_table(lock))
    wrong = {**refused(lock), **refused_of_npm(npm_lock)}
    for name, licence in wrong.items():
        sys.stderr.write(f"{name}: the licence {licence or 'is unknown and'} is not in tools/licences.toml\n")
    client = npm_packages(npm_lock)
    with_it = sum(one.runtime for one in client)
    sys.stdout.write(f"{WRITTEN.relative_to(ROOT)}\n")
    sys.stdout.write(
        f"{CLIENT_WRITTEN.relative_to(ROOT)}: {with_it} packages, and {len(client) - with_it} that build it\n"
    )
    if wrong:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
