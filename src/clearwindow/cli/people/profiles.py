"""The file of profiles: who a person is at which network. It names files of tokens and keys, and never has them."""

from __future__ import annotations

import json
import os
import re
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Final

from clearwindow.cli.people.problems import EndError, usage

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_PRIVATE: Final = stat.S_IRUSR | stat.S_IWUSR


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How to reach a network as somebody. Without ``enterprise`` it is an operator's, or the token says which."""

    url: str
    enterprise: str | None = None
    token_file: str | None = None
    token_command: str | None = None
    key_file: str | None = None
    sign_command: str | None = None


@dataclass(frozen=True, slots=True)
class Profiles:
    """All profiles by name, and the name of the one that is used if none is named."""

    default: str | None = None
    named: Mapping[str, Profile] = field(default_factory=dict)

    def get(self, name: str) -> Profile:
        """Returns a profile.

        Raises:
            EndError: there is none of this name.
        """
        found = self.named.get(name)
        if found is None:
            known = ", ".join(sorted(self.named)) or "none"
            raise usage(f"There is no profile {name!r}: there are {known}. clearwindow profile add makes one.")
        return found

    def with_profile(self, name: str, profile: Profile) -> Profiles:
        """Returns them with another one. The first one becomes the default."""
        return Profiles(self.default or name, {**self.named, name: profile})

    def without(self, name: str) -> Profiles:
        """Returns them without one. Nothing takes the place of a removed default."""
        self.get(name)
        left = {each: profile for each, profile in self.named.items() if each != name}
        return Profiles(None if self.default == name else self.default, left)


def profiles_file() -> Path:
    """Returns where the file is: CLEARWINDOW_PROFILES, else in the folder of settings that XDG names."""
    given = os.environ.get("CLEARWINDOW_PROFILES")
    if given:
        return Path(given)
    home = os.environ.get("XDG_CONFIG_HOME", "")
    # The XDG specification says to ignore a relative path.
    folder = Path(home) if Path(home).is_absolute() else Path.home() / ".config"
    return folder / "clearwindow" / "profiles.json"


def require_name(name: str) -> None:
    """Refuses a name that could not be typed again."""
    if not _NAME.fullmatch(name):
        raise usage(f"{name!r} is no name of a profile: use up to 64 letters, digits and . _ @ -, not first")


def read_profiles() -> Profiles:
    """Reads the file; there are no profiles if there is none.

    Raises:
        EndError: it is not a file of profiles.
    """
    path = profiles_file()
    try:
        written = json.loads(path.read_text(encoding="utf-8"))
        named = {str(name): _profile(given) for name, given in written["profiles"].items()}
        default = written.get("default")
    except FileNotFoundError:
        return Profiles()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise usage(f"{path} is not a file of profiles: remove it, and add the profiles again.") from None
    return Profiles(default if default in named else None, named)


def completed_profiles(incomplete: str) -> list[str]:
    """Returns the names that begin so, for the completion of a shell; none if the file cannot be read."""
    try:
        named = read_profiles().named
    except (EndError, OSError):
        return []
    return [name for name in sorted(named) if name.startswith(incomplete)]


def write_profiles(profiles: Profiles) -> None:
    """Replaces the file as a whole. Only its owner can read it."""
    path = profiles_file()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    written = {
        "default": profiles.default,
        "profiles": {
            name: {part: value for part, value in asdict(profile).items() if value is not None}
            for name, profile in sorted(profiles.named.items())
        },
    }
    # A temporary file is private from the start.
    descriptor, made = tempfile.mkstemp(dir=path.parent, prefix=".profiles-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(written, file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        Path(made).chmod(_PRIVATE)
        Path(made).replace(path)
    except BaseException:
        Path(made).unlink(missing_ok=True)
        raise


def _profile(given: object) -> Profile:
    if not isinstance(given, dict) or not isinstance(given.get("url"), str):
        raise TypeError
    known = {part.name for part in fields(Profile)}
    if not all(name in known and isinstance(value, str) for name, value in given.items()):
        raise TypeError
    return Profile(**given)
