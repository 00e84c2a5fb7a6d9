"""The CycloneDX list of the TypeScript client, from its lock of npm. ``make sbom`` and ``make release`` use it."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.dependency import Dependency
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from tools.licences import choices, is_allowed

NPM_LOCK: Final = Path(__file__).parent.parent / "clients" / "typescript" / "package-lock.json"
_FOLDER: Final = "node_modules/"
_DIGEST: Final = "sha512-"


@dataclass(frozen=True, slots=True)
class NpmPackage:
    """A package of the lock. ``runtime``: it is installed with the client, and not only to build it."""

    name: str
    version: str
    licence: str
    sha512: str
    runtime: bool
    needs: tuple[str, ...]

    @property
    def purl(self) -> PackageURL:
        namespace, _, name = self.name.rpartition("/")
        return PackageURL("npm", namespace or None, name, self.version)


def npm_packages(text: str) -> list[NpmPackage]:
    """Returns the packages of a lock of npm.

    Raises:
        ValueError: it is of another form, or has a package without a digest of its file.
    """
    read = json.loads(text)
    if read["lockfileVersion"] != 3:  # noqa: PLR2004 - the number of the form that is read here
        raise ValueError("the lock of npm has another form")
    return [_package(path, one) for path, one in read["packages"].items() if path]


def _package(path: str, one: dict[str, Any]) -> NpmPackage:
    name, digest = path.removeprefix(_FOLDER), str(one.get("integrity", ""))
    if _FOLDER in name or not digest.startswith(_DIGEST):
        raise ValueError(f"{path} of the lock of npm has another form")
    return NpmPackage(
        name=name,
        version=one["version"],
        licence=one.get("license", ""),
        sha512=base64.b64decode(digest.removeprefix(_DIGEST)).hex(),
        runtime=not one.get("dev"),
        needs=tuple(one.get("dependencies", ())),
    )


def npm_sbom(text: str) -> str:
    """Returns the list as CycloneDX 1.6 in JSON. The same lock gives the same list."""
    packages = npm_packages(text)
    components = {one.name: _component(one) for one in packages}
    described = json.loads(text)["packages"][""]
    client = Component(
        name=described["name"],
        version=described["version"],
        type=ComponentType.LIBRARY,
        licenses=[LicenseExpression(described["license"])],
        bom_ref=described["name"],
    )
    bom = Bom(components=components.values(), serial_number=uuid5(NAMESPACE_URL, text))
    bom.metadata.component = client
    needed = {client.bom_ref: tuple(described["dependencies"])}
    needed |= {components[one.name].bom_ref: one.needs for one in packages}
    bom.dependencies = [
        Dependency(ref, [Dependency(components[name].bom_ref) for name in names if name in components])
        for ref, names in needed.items()
    ]
    return JsonV1Dot6(bom).output_as_string(indent=1)


def refused_of_npm(text: str) -> dict[str, str]:
    """Returns the packages that come with the client and whose licence is not allowed, with the licence."""
    chosen = choices()
    return {
        one.name: one.licence
        for one in npm_packages(text)
        if one.runtime and not is_allowed(one.licence or None, chosen)
    }


def _component(one: NpmPackage) -> Component:
    address = str(one.purl)
    return Component(
        name=one.name,
        version=one.version,
        scope=ComponentScope.REQUIRED if one.runtime else ComponentScope.EXCLUDED,
        licenses=[LicenseExpression(one.licence)] if one.licence else [],
        purl=one.purl,
        bom_ref=address,
        external_references=[
            ExternalReference(
                type=ExternalReferenceType.DISTRIBUTION,
                url=XsUri(address),
                hashes=[HashType(alg=HashAlgorithm.SHA_512, content=one.sha512)],
            )
        ],
    )
