"""``make container``: builds the image of ``deploy/container`` with podman.

A base is named by its digest (``BASE=registry/image@sha256:…``). Without one, it is made of Debian's packages, so
that the image can be built where no registry of images is reached.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import ssl
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
IMAGE: Final = "localhost/clearwindow"
OWN_BASE: Final = "localhost/clearwindow-base"
_FILE: Final = ROOT / "deploy" / "container" / "Containerfile"
_CGROUPS: Final = Path("/sys/fs/cgroup")
_SUITE: Final = "bookworm"
_LEFT_OUT: Final = ("man/*", "locale/*", "doc/*")
# Perl comes with usrmerge, which has done its work by then. dpkg's own, perl-base, stays.
_TIDY: Final = 'rm -rf "$1"/usr/share/perl "$1"/usr/lib/*/perl "$1"/var/cache/* "$1"/var/log/*'


class MissingError(RuntimeError):
    """A program that is needed is not installed."""


def program(name: str) -> str:
    """Returns where a program is.

    Raises:
        MissingError: it is nowhere.
    """
    found = shutil.which(name)
    if found is None:
        raise MissingError(f"{name} is missing: make container INSTALL=1 installs it on Debian")
    return found


def with_own_cgroups(module: str) -> None:
    """Starts this program once more where podman can run, if it cannot run here.

    Its runtime refuses the first version of cgroups beside the second. So root gets a mount namespace of its own
    that has only the second one: nothing else on the machine sees that.
    """
    if os.geteuid() != 0 or (_CGROUPS / "cgroup.controllers").exists():
        return
    inside = f'mount -t cgroup2 none {_CGROUPS} && exec "$@"'
    words = [program("unshare"), "--mount", "sh", "-c", inside, "sh", sys.executable, "-m", module, *sys.argv[1:]]
    os.execv(words[0], words)  # noqa: S606 - this program once more


def podman(*words: str) -> str:
    """Runs podman to its end, and returns what it printed.

    Raises:
        RuntimeError: it failed. The message has what it said.
    """
    done = subprocess.run([program("podman"), *words], capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        raise RuntimeError(f"podman {' '.join(words)}\n{done.stdout}{done.stderr}")
    return done.stdout


def made_base() -> str:
    """Returns a base image of Debian's packages. It is made once, and kept."""
    if not _exists(OWN_BASE):
        sys.stdout.write(f"{OWN_BASE} is made of Debian's packages ({_SUITE})\n")
        without = [f"--dpkgopt=path-exclude=/usr/share/{each}" for each in _LEFT_OUT]
        making = [
            program("mmdebstrap"),
            "--quiet",
            "--variant=essential",
            '--aptopt=APT::Install-Recommends "false"',
        ]
        making += ["--include=python3-venv", *without, f"--customize-hook={_TIDY}", _SUITE, "-"]
        with subprocess.Popen(making, stdout=subprocess.PIPE) as debian:  # noqa: S603 - the words above
            importing = [program("podman"), "import", "--quiet", "-", OWN_BASE]
            subprocess.run(importing, stdin=debian.stdout, stdout=subprocess.DEVNULL, check=True)  # noqa: S603
        if debian.returncode != 0:
            podman("rmi", OWN_BASE)
            raise RuntimeError("mmdebstrap failed")
    return OWN_BASE


def build(base: str) -> None:
    """Builds the image, with the certificates and the pip.conf of this machine, which do not stay in it."""
    secrets = {"ca.crt": ssl.get_default_verify_paths().cafile, "pip.conf": "/etc/pip.conf"}
    words = [
        "build",
        "--quiet",
        "--format=docker",
        "--isolation=chroot",
        f"--build-arg=BASE={base}",
        f"--tag={IMAGE}",
    ]
    words += [f"--secret=id={name},src={file}" for name, file in secrets.items() if file and Path(file).exists()]
    words += [f"--label=org.opencontainers.image.version={version('clearwindow')}", "--layers"]
    words += [f"--ignorefile={_FILE}.dockerignore", f"--file={_FILE}", str(ROOT)]
    podman(*words)


def size_bytes(image: str) -> int:
    """Returns the bytes of an image with all of its layers."""
    return int(json.loads(podman("image", "inspect", image))[0]["Size"])


def _exists(image: str) -> bool:
    looking = [program("podman"), "image", "exists", image]
    return subprocess.run(looking, check=False).returncode == 0  # noqa: S603 - the words above


def main() -> None:
    with_own_cgroups("tools.container")
    parser = argparse.ArgumentParser(prog="make container", description=__doc__)
    parser.add_argument("--base", default="", help="an image with Python, by digest (default: one made here)")
    base = parser.parse_args().base or made_base()
    began = time.monotonic()
    build(base)
    whole, below = (size_bytes(image) / 1e6 for image in (IMAGE, base))
    seconds = time.monotonic() - began
    sys.stdout.write(f"{IMAGE}: {whole:.0f} MB, of which the base has {below:.0f} MB; built in {seconds:.0f} s\n")


if __name__ == "__main__":
    try:
        main()
    except (MissingError, RuntimeError, subprocess.CalledProcessError) as error:
        raise SystemExit(str(error)) from None
