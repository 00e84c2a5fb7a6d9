"""Three hosts on one machine, each with its own network and its own disk: a member of etcd, Patroni and PostgreSQL.

A host is a network namespace behind a bridge. Its disk is a file system in memory, of a fixed size.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clearwindow.postgres.embedded.account import Account

BRIDGE: Final = "cwfailover"
GATEWAY: Final = "10.213.7.1"
DISK_MEGABYTES: Final = 1024
_USER: Final = "nobody"
_GROUP: Final = "nogroup"
_LOOK_SECONDS: Final = 0.05
_PIECE: Final = 64 * 1024


class MissingError(RuntimeError):
    """This machine lacks something. The message says what, and how it is installed."""


def unprivileged() -> Account:
    """Returns the user of the hosts' processes."""
    entry = pwd.getpwnam(_USER)
    return Account(entry.pw_uid, entry.pw_gid)


def run(*command: str, check: bool = True) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)  # noqa: S603 - ours
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stdout}{done.stderr}")
    return done.stdout


@dataclass(frozen=True, slots=True)
class Host:
    """One of the hosts. Its processes run as an unprivileged user."""

    number: int
    folder: Path

    @property
    def name(self) -> str:
        return f"cwfailover{self.number}"

    @property
    def address(self) -> str:
        return f"10.213.7.{10 + self.number}"

    @property
    def disk(self) -> Path:
        return self.folder / self.name

    @property
    def _link(self) -> str:
        return f"cwfo{self.number}"

    def make(self) -> None:
        run("ip", "netns", "add", self.name)
        run("ip", "link", "add", self._link, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        run("ip", "link", "set", self._link, "master", BRIDGE, "up")
        for command in (["addr", "add", f"{self.address}/24", "dev", "eth0"], ["link", "set", "eth0", "up"]):
            run("ip", "-n", self.name, *command)
        run("ip", "-n", self.name, "link", "set", "lo", "up")
        self.disk.mkdir()
        run("mount", "-t", "tmpfs", "-o", f"size={DISK_MEGABYTES}m,mode=0755", "none", str(self.disk))
        shutil.chown(self.disk, _USER, _GROUP)

    def remove(self) -> None:
        run("umount", "-l", str(self.disk), check=False)
        # With its namespace it would end, too, but a moment later, when its name may be wanted again.
        run("ip", "link", "del", self._link, check=False)
        run("ip", "netns", "del", self.name, check=False)

    def unplug(self) -> None:
        """From now on all its packets are lost, in both directions."""
        run("ip", "link", "set", self._link, "down")

    def plug_in(self) -> None:
        run("ip", "link", "set", self._link, "up")

    def fill_disk(self) -> None:
        """Writes until there is no room. PostgreSQL may write at the same time."""
        with (self.disk / "filling").open("wb", buffering=0) as filling, suppress(OSError):
            while True:
                filling.write(bytes(_PIECE))

    def empty_disk(self) -> None:
        (self.disk / "filling").unlink(missing_ok=True)

    def start(self, name: str, command: Sequence[str]) -> subprocess.Popen[bytes]:
        """Starts a program on this host. Its log is ``name.log`` beside the disk."""
        entered = [
            "ip",
            "netns",
            "exec",
            self.name,
            "setpriv",
            "--reuid",
            _USER,
            "--regid",
            _GROUP,
            "--clear-groups",
        ]
        with (self.folder / f"{self.name}-{name}.log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - the programs of this run
                [*entered, *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env={"PATH": os.environ.get("PATH", ""), "HOME": str(self.disk), "LANG": "C.UTF-8"},
                start_new_session=True,
            )

    def processes(self, word: str = "") -> list[int]:
        """Returns its processes whose command line or title has this word."""
        found = []
        for pid in map(int, run("ip", "netns", "pids", self.name, check=False).split()):
            with suppress(OSError):
                if word.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(pid)
        return found

    def signal(self, number: signal.Signals, word: str = "") -> None:
        for pid in self.processes(word):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self) -> None:
        """Ends all its processes at once, and returns when they are gone."""
        give_up_at = time.monotonic() + 60
        while self.processes():
            self.signal(signal.SIGKILL)
            time.sleep(_LOOK_SECONDS)
            if time.monotonic() > give_up_at:
                raise RuntimeError(f"processes of {self.name} do not end: {self.processes()}")


def made(folder: Path) -> Iterator[list[Host]]:
    """Makes three hosts and their network, and removes them at the end."""
    if os.geteuid() != 0:
        raise MissingError("network namespaces and file systems in memory need root: sudo make failover")
    hosts = [Host(number, folder) for number in (1, 2, 3)]
    try:
        run("ip", "link", "add", BRIDGE, "type", "bridge")
        run("ip", "addr", "add", f"{GATEWAY}/24", "dev", BRIDGE)
        run("ip", "link", "set", BRIDGE, "up")
        for host in hosts:
            host.make()
        yield hosts
    finally:
        for host in hosts:
            host.kill()
            host.remove()
        run("ip", "link", "del", BRIDGE, check=False)
