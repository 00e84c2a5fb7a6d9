"""The wheel of this code, as a user gets it: built from the sdist, and unpacked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

from tools.distributions import ROOT, build


@dataclass(frozen=True)
class Wheel:
    """A wheel and the folder where it is unpacked."""

    sdist: Path
    file: Path
    unpacked: Path


def built_wheel(folder: Path) -> Wheel:
    """Builds it in an empty folder."""
    sdist, file = build(ROOT, folder / "built", epoch=1_800_000_000)
    unpacked = folder / "wheel"
    with ZipFile(file) as packed:
        packed.extractall(unpacked)
    return Wheel(sdist, file, unpacked)
