"""Hatchling calls this when it builds a package: what an index of packages shows of the project.

The README's links lead to files of the repository, which an index does not have. ``repository`` in pyproject.toml
says where the repository can be read: then links lead to the files of this version there, and the package names its
addresses. While it is empty there is no such place, and a link is replaced by its words. Nothing else of ours is
imported, because a build has only this file.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINK: Final = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)")
_PICTURE: Final = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)\n*")
_OUTSIDE: Final = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_WITHOUT_LINKS: Final = "\nThe pages that are named here are in the source distribution of this version.\n"


def readme_of_package(text: str, repository: str, version: str) -> str:
    """Returns the README without a link that is relative. ``repository`` may be empty."""

    def of_link(found: re.Match[str]) -> str:
        words, target = found.groups()
        if _OUTSIDE.match(target):
            return found[0]
        return f"[{words}]({repository}/blob/v{version}/{target})" if repository else words

    def of_picture(found: re.Match[str]) -> str:
        if _OUTSIDE.match(found[2]):
            return found[0]
        return f"![{found[1]}]({repository}/raw/v{version}/{found[2]})\n\n" if repository else ""

    return _LINK.sub(of_link, _PICTURE.sub(of_picture, text)) + ("" if repository else _WITHOUT_LINKS)


def addresses(repository: str, version: str) -> dict[str, str]:
    """Returns the addresses of the project, by the labels that indexes know."""
    if not repository:
        return {}
    files = f"{repository}/blob/v{version}"
    return {
        "Source": repository,
        "Documentation": f"{files}/docs/README.md",
        "Changelog": f"{files}/CHANGELOG.md",
        "Security": f"{files}/SECURITY.md",
    }


class PackageMetadata(MetadataHookInterface):
    """Gives a package its README and its addresses."""

    def update(self, metadata: dict[str, Any]) -> None:
        repository, version = str(self.config["repository"]).rstrip("/"), str(metadata["version"])
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": readme_of_package(text, repository, version),
        }
        metadata["urls"] = addresses(repository, version)
