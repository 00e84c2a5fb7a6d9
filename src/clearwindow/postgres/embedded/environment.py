"""The environment of PostgreSQL's programs. Ours holds secrets, and nothing of it is theirs by default."""

import os
from collections.abc import Mapping
from typing import Final

KEPT: Final = (
    "PATH",
    # Where a program finds its libraries if they lie in no usual place.
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "DYLD_FALLBACK_LIBRARY_PATH",
)
"""The variables that PostgreSQL's programs get from us, if they are set."""


def server_environment() -> Mapping[str, str]:
    """Returns the environment for PostgreSQL's programs: the kept variables, and messages in English."""
    return {name: os.environ[name] for name in KEPT if name in os.environ} | {"LC_ALL": "C"}
