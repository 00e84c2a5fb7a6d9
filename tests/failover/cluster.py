"""PostgreSQL on three hosts under Patroni, which keeps its state in etcd on the same hosts."""

from __future__ import annotations

import json
import signal
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg

from tests.failover.hosts import Host, run

SCOPE: Final = "clearwindow"
PASSWORD: Final = "of-a-cluster-that-lives-for-ten-minutes"
LEASE_SECONDS: Final = 20
"""Patroni's `ttl`, the shortest it allows: after so long without a sign the leader's place is free."""
_LOOP_SECONDS: Final = 2
_LEADER_SECONDS: Final = 60
_WHOLE_SECONDS: Final = 240
_LOOK_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Programs:
    """Where the programs are that this machine must have."""

    postgres_bin: Path
    patroni: Path
    etcd: Path


class Cluster:
    """The three servers. Addresses name all of them, so that a client finds the one that takes writes."""

    def __init__(self, hosts: Sequence[Host], programs: Programs) -> None:
        self.hosts = hosts
        self._programs = programs

    def address(self, database: str, user: str) -> str:
        names = ",".join(host.address for host in self.hosts)
        ports = ",".join("5432" for _ in self.hosts)
        return f"postgresql://{user}:{PASSWORD}@/{database}?host={names}&port={ports}&sslmode=disable"

    def start(self, *, strict: bool = False) -> None:
        """Starts what does not run, and returns when a leader and two standbys that stream are there."""
        for host in self.hosts:
            if not host.processes("etcd"):
                self._start_etcd(host, state="new")
        for host in self.hosts:
            if not host.processes("patroni"):
                self.start_node(host, strict=strict)
        self.wait_until_whole()

    def _start_etcd(self, host: Host, state: str) -> None:
        members = ",".join(f"{one.name}=http://{one.address}:2380" for one in self.hosts)
        client, peer = f"http://{host.address}:2379", f"http://{host.address}:2380"
        command = [str(self._programs.etcd), "--name", host.name, "--data-dir", str(host.disk / "etcd")]
        command += ["--listen-client-urls", client, "--advertise-client-urls", client]
        command += ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer]
        command += ["--initial-cluster", members, "--initial-cluster-state", state]
        host.start("etcd", command)

    def start_etcd(self, host: Host) -> None:
        self._start_etcd(host, state="existing")

    def start_node(self, host: Host, *, strict: bool = False) -> None:
        settings = host.disk / "patroni.json"
        settings.write_text(json.dumps(self._settings(host, strict=strict), indent=1))
        host.start("patroni", [str(self._programs.patroni), str(settings)])

    def _settings(self, host: Host, *, strict: bool) -> dict[str, Any]:
        login = {"password": PASSWORD}
        parameters: dict[str, Any] = {
            "max_connections": 200,
            "shared_buffers": "64MB",
            "max_wal_size": "256MB",
            "wal_log_hints": "on",
        }
        parameters |= {"wal_compression": "off", "jit": "off"}
        shared: dict[str, Any] = {
            "ttl": LEASE_SECONDS,
            "loop_wait": _LOOP_SECONDS,
            "retry_timeout": 5,
            "synchronous_mode": True,
        }
        shared |= {
            "synchronous_mode_strict": strict,
            "postgresql": {"use_pg_rewind": True, "parameters": parameters},
        }
        return {
            "scope": SCOPE,
            "name": host.name,
            "restapi": {"listen": f"{host.address}:8008", "connect_address": f"{host.address}:8008"},
            "etcd3": {"hosts": [f"{one.address}:2379" for one in self.hosts]},
            "bootstrap": {"dcs": shared, "initdb": [{"encoding": "UTF8"}, "data-checksums"]},
            "postgresql": {
                "listen": f"{host.address}:5432",
                "connect_address": f"{host.address}:5432",
                "data_dir": str(host.disk / "data"),
                "bin_dir": str(self._programs.postgres_bin),
                # The hosts share the machine's folders, and the leader's parameters.
                "parameters": {"unix_socket_directories": str(host.disk)},
                "pg_hba": ["local all all trust", "host all all all trust", "host replication all all trust"],
                "authentication": {
                    "superuser": {"username": "postgres", **login},
                    "replication": {"username": "replicator", **login},
                    "rewind": {"username": "rewinder", **login},
                },
            },
        }

    def members(self) -> dict[str, dict[str, Any]]:
        """Returns what Patroni says of each host, by its name; nothing if no host answers."""
        for host in self.hosts:
            try:
                with urllib.request.urlopen(f"http://{host.address}:8008/cluster", timeout=2) as answer:
                    return {one["name"]: one for one in json.load(answer)["members"]}
            except (OSError, ValueError):
                continue
        return {}

    def leader(self) -> Host:
        """Returns the host that takes writes now, by asking PostgreSQL."""
        give_up_at = time.monotonic() + _LEADER_SECONDS
        while time.monotonic() < give_up_at:
            for host in self.hosts:
                if _takes_writes(host):
                    return host
            time.sleep(_LOOK_SECONDS)
        raise RuntimeError(f"no host takes writes: {self.members()}")

    def standbys(self) -> list[Host]:
        leader = self.leader()
        return [host for host in self.hosts if host != leader]

    def synchronous(self) -> Host:
        """Returns the standby that each commit waits for."""
        named = {name for name, one in self.members().items() if one["role"] in {"sync_standby", "quorum_standby"}}
        return next(host for host in self.hosts if host.name in named)

    def switch_over(self) -> None:
        """Hands leadership to the synchronous standby in order."""
        leader, candidate = self.leader(), self.synchronous()
        body = json.dumps({"leader": leader.name, "candidate": candidate.name}).encode()
        asked = urllib.request.Request(
            f"http://{leader.address}:8008/switchover", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(asked, timeout=60) as answer:  # noqa: S310 - the same
            answer.read()

    def wait_until_whole(self, seconds: float = _WHOLE_SECONDS) -> None:
        """Returns when there is one leader, and two standbys that follow it, one of them synchronous."""

        def whole() -> bool:
            members = self.members()
            states = sorted(one["state"] for one in members.values())
            roles = {one["role"] for one in members.values()}
            return states == ["running", "streaming", "streaming"] and bool(
                roles & {"sync_standby", "quorum_standby"}
            )

        _wait(whole, seconds, lambda: f"the cluster is not whole: {self.members()}")

    def freeze(self, host: Host) -> None:
        host.signal(signal.SIGSTOP)

    def thaw(self, host: Host) -> None:
        host.signal(signal.SIGCONT)


def _takes_writes(host: Host) -> bool:
    try:
        dsn = f"host={host.address} dbname=postgres user=postgres sslmode=disable connect_timeout=2"
        with psycopg.connect(dsn, autocommit=True) as connection:
            return connection.execute("SELECT NOT pg_is_in_recovery()").fetchone() == (True,)
    except psycopg.Error:
        return False


def _wait(done: Callable[[], bool], seconds: float, otherwise: str | Callable[[], str]) -> None:
    give_up_at = time.monotonic() + seconds
    while not done():
        if time.monotonic() > give_up_at:
            raise RuntimeError(otherwise if isinstance(otherwise, str) else otherwise())
        time.sleep(_LOOK_SECONDS)


def installed_patroni(patroni: Path) -> str:
    return run(str(patroni), "--version").strip()
