"""``make release``: builds a release of this commit, checks it, and rehearses to publish and install it.

Nothing leaves this machine: the index is a server on loopback, and the key that signs the checksums is made for the
rehearsal. What publishing needs beyond it is in docs/how-to/release.md.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Final

from tools.distributions import ROOT, build, faults_of_changelog, version_of
from tools.locked import LOCK, locked_packages, needed_at_runtime
from tools.npm_sbom import NPM_LOCK, npm_sbom
from tools.sbom import sbom

RELEASE: Final = ROOT / "dist" / "release"
_PROGRAMS: Final = Path(".venv-release") / "bin"
_PYTHONS: Final = ("3.11", "3.12", "3.13", "3.14")
_START_SECONDS: Final = 30
_PASSWORD: Final = "of-the-rehearsal"  # noqa: S105 - of a server that lives for this run
_SDK: Final = "from clearwindow.client import Client; import sys; print(len(sys.modules))"


class ReleaseError(RuntimeError):
    """The release cannot be made. The message says why."""


def run(*words: str | Path, folder: Path = ROOT, more: Mapping[str, str] | None = None) -> str:
    """Runs a program to its end, and returns what it printed.

    Raises:
        ReleaseError: it failed. The message has what it said.
    """
    given = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(  # noqa: S603 - words of this file
        [str(word) for word in words],
        cwd=folder,
        env={**given, **(more or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ReleaseError(f"{' '.join(map(str, words))}\n{done.stdout}{done.stderr}")
    return done.stdout


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def built_twice(folder: Path) -> Sequence[Path]:
    """Builds the commit in two places, and returns the sdist and the wheel of one.

    Raises:
        ReleaseError: the two differ.
    """
    epoch = int(run("git", "log", "-1", "--format=%ct"))
    commit = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, capture_output=True, check=True).stdout  # noqa: S607
    made = []
    for name in ("one", "a-folder-with-another-name"):
        with tarfile.open(fileobj=BytesIO(commit)) as packed:
            packed.extractall(folder / name / "source", filter="data")
        made.append(build(folder / name / "source", folder / name / "made", epoch=epoch))
    for first, second in zip(*made, strict=True):
        if first.read_bytes() != second.read_bytes():
            raise ReleaseError(f"{first.name} has other bytes when it is built again")
    return made[0]


def sign(release: Path, folder: Path) -> None:
    """Signs the checksums with a key of the rehearsal, and checks that another file would be found."""
    key, public, sums = folder / "key.pem", release / "SHA256SUMS.pub", release / "SHA256SUMS"
    run("openssl", "genpkey", "-algorithm", "ed25519", "-out", key)
    run("openssl", "pkey", "-in", key, "-pubout", "-out", public)
    signature = release / "SHA256SUMS.sig"
    run("openssl", "pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", sums, "-out", signature)
    verify = ("openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", public, "-sigfile", signature, "-in")
    run(*verify, sums)
    run("sha256sum", "--check", "--strict", sums.name, folder=release)
    changed = folder / "changed"
    changed.write_text(sums.read_text().replace("a", "b"))
    try:
        run(*verify, changed)
    except ReleaseError:
        return
    raise ReleaseError("the signature also holds for other checksums")


@contextmanager
def index(folder: Path) -> Iterator[str]:
    """Runs an index of packages on loopback until the block ends, and yields its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder.mkdir()
    command = [str(ROOT / _PROGRAMS / "pypi-server"), "run", "--interface", "127.0.0.1", "--port", str(port)]
    command += ["--disable-fallback", "--authenticate", ".", "--passwords", ".", str(folder)]
    with (folder.parent / "index.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603 - the words above
    try:
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + _START_SECONDS
        while not _answers(address):
            if time.monotonic() > deadline or server.poll() is not None:
                raise ReleaseError((folder.parent / "index.log").read_text())
            time.sleep(0.1)
        yield address
    finally:
        server.terminate()
        server.wait()


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5):  # noqa: S310 - our own server
            return True
    except (urllib.error.URLError, OSError):
        return False


def requirements(wheel: Path, version: str) -> str:
    """Returns what an installation of the server consists of, each with its hashes, and this wheel with its own."""
    packages = locked_packages(LOCK.read_text(encoding="utf-8"))
    runtime = needed_at_runtime(packages)
    lines = [f"clearwindow=={version} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}"]
    for one in packages:
        if one.name in runtime:
            marker = f" ; {one.marker}" if one.marker else ""
            lines.append(
                f"{one.name}=={one.version}{marker} " + " ".join(f"--hash=sha256:{each}" for each in one.sha256)
            )
    return "\n".join(lines) + "\n"


def install(uv: str, address: str, wheel: Path, version: str, folder: Path) -> None:
    """Installs the release from the index with pip, pipx and uv, and runs it outside of the repository."""
    away = folder / "away"
    away.mkdir()
    simple = f"{address}/simple/"
    listed = folder / "requirements.txt"
    listed.write_text(requirements(wheel, version))
    run(uv, "venv", "--quiet", "--python", sys.executable, folder / "server")
    python = folder / "server" / "bin" / "python"
    run(uv, "pip", "install", "--quiet", "--python", python, "--require-hashes", "--index", simple, "-r", listed)
    began = time.monotonic()
    played = run(python.with_name("clearwindow"), "demo", folder=away)
    if "Every unit is accounted for." not in played:
        raise ReleaseError(played)
    say(f"installed from {address} with hashes; clearwindow demo ends well after {time.monotonic() - began:.0f} s")
    named = f"clearwindow[server]=={version}"
    ways: dict[str, Sequence[str | Path]] = {
        "uvx": (uv, "tool", "run", "--isolated", "--index", simple, "--from", named, "clearwindow", "--version"),
        "pipx": (
            *(ROOT / _PROGRAMS / "pipx", "run", "--no-cache"),
            *(f"--pip-args=--extra-index-url {simple}", "--spec", named, "clearwindow", "--version"),
        ),
    }
    for name, words in ways.items():
        said = run(*words, folder=away).strip()
        if said.splitlines()[-1:] != [version]:
            raise ReleaseError(f"{name}: {said}")
        say(f"{name}: clearwindow --version says {version}")
    for number in _PYTHONS:
        say(f"the SDK with pip on Python {number}: {_sdk(uv, number, simple, version, folder, away)}")


def _sdk(uv: str, number: str, simple: str, version: str, folder: Path, away: Path) -> str:
    try:
        interpreter = run(uv, "python", "find", "--no-python-downloads", number, folder=away).strip()
    except ReleaseError:
        return "not on this machine"
    place = folder / f"sdk-{number}"
    run(interpreter, "-m", "venv", place)
    pip = (place / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check")
    run(*pip, "--extra-index-url", simple, f"clearwindow=={version}", folder=away)
    modules = run(place / "bin" / "python", "-I", "-c", _SDK, folder=away).strip()
    packages = len(run(place / "bin" / "pip", "freeze", folder=away).splitlines())
    return f"{packages} packages; import clearwindow.client loads {modules} modules"


def main() -> None:
    uv = shutil.which("uv") or str(ROOT / ".uv" / "bin" / "uv")
    if run("git", "status", "--porcelain"):
        raise ReleaseError("there are changes that are in no commit: a release is made of a commit")
    version = version_of(ROOT)
    if faults := faults_of_changelog((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), version):
        raise ReleaseError(f"CHANGELOG.md: {'; '.join(faults)}")
    shutil.rmtree(RELEASE, ignore_errors=True)
    RELEASE.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="clearwindow-release-") as made:
        folder = Path(made)
        files = [Path(shutil.copy(file, RELEASE)) for file in built_twice(folder)]
        say("\n".join(f"{file.name}: {file.stat().st_size / 1e6:.1f} MB, twice the same bytes" for file in files))
        run(ROOT / _PROGRAMS / "twine", "check", "--strict", *files)
        (RELEASE / "clearwindow.cdx.json").write_text(
            sbom(LOCK.read_text(encoding="utf-8")) + "\n", encoding="utf-8"
        )
        (RELEASE / "clearwindow-client.cdx.json").write_text(
            npm_sbom(NPM_LOCK.read_text(encoding="utf-8")) + "\n", encoding="utf-8"
        )
        listed = sorted(file for file in RELEASE.iterdir())
        sums = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in listed]
        (RELEASE / "SHA256SUMS").write_text("".join(sums))
        sign(RELEASE, folder)
        say("twine finds nothing, the list of packages is written, a key of the rehearsal signs the checksums")
        with index(folder / "index") as address:
            account = {"TWINE_USERNAME": "rehearsal", "TWINE_PASSWORD": _PASSWORD}
            run(
                ROOT / _PROGRAMS / "twine",
                "upload",
                "--non-interactive",
                "--repository-url",
                address,
                *files,
                more=account,
            )
            install(uv, address, files[1], version, folder)
    say(f"{RELEASE.relative_to(ROOT)}: {', '.join(sorted(file.name for file in RELEASE.iterdir()))}")


if __name__ == "__main__":
    try:
        main()
    except ReleaseError as error:
        raise SystemExit(str(error)) from None
