"""``make sbom``: the CycloneDX list of all that the lock installs, with licences, and a table of them.

The list follows from the lock alone, so the same lock gives the same file.
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

ROOT: Final = Path(__file__).parent.parent
WRITTEN: Final = ROOT / "dist" / "clearwindow.cdx.json"


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
    lock = LOCK.read_text(encoding="utf-8")
    WRITTEN.parent.mkdir(exist_ok=True)
    WRITTEN.write_text(sbom(lock) + "\n", encoding="utf-8")
    Console().print(_table(lock))
    for name, licence in refused(lock).items():
        sys.stderr.write(f"{name}: the licence {licence or 'is unknown and'} is not in tools/licences.toml\n")
    sys.stdout.write(f"{WRITTEN.relative_to(ROOT)}\n")
    if refused(lock):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
