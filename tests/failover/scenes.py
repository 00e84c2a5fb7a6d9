"""What goes wrong, one scene after the other. Each begins and ends with a cluster that is whole."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from tests.failover.application import Application
from tests.failover.cluster import LEASE_SECONDS, Cluster

FROZEN_SECONDS: Final = LEASE_SECONDS + 12
_CALM_SECONDS: Final = 8.0
CLOCK_SECONDS: Final = 5


@dataclass(frozen=True, slots=True)
class Stage:
    """What a scene is played on."""

    cluster: Cluster
    application: Application


@dataclass(frozen=True, slots=True)
class Scene:
    """Something that goes wrong while the block runs, and is mended when it ends."""

    name: str
    play: Callable[[Stage], Iterator[None]]

    @contextmanager
    def played(self, stage: Stage) -> Iterator[None]:
        with contextmanager(self.play)(stage):
            yield
        stage.cluster.start()


def nothing(_: Stage) -> Iterator[None]:
    time.sleep(_CALM_SECONDS)
    yield


def leader_killed(stage: Stage) -> Iterator[None]:
    leader = stage.cluster.leader()
    for word in ("patroni", "postgres"):
        leader.signal(signal.SIGKILL, word)
    stage.cluster.leader()
    yield
    stage.cluster.start_node(leader)


def switchover(stage: Stage) -> Iterator[None]:
    stage.cluster.switch_over()
    yield


def leader_frozen(stage: Stage) -> Iterator[None]:
    """Its lease ends while it is frozen. When it wakes up, it still takes itself for the leader."""
    leader = stage.cluster.leader()
    stage.cluster.freeze(leader)
    try:
        time.sleep(FROZEN_SECONDS)
    finally:
        stage.cluster.thaw(leader)
    yield


def packets_dropped(stage: Stage) -> Iterator[None]:
    """The leader's host loses its network, so that nobody hears from it, and nothing is closed."""
    leader = stage.cluster.leader()
    leader.unplug()
    try:
        time.sleep(FROZEN_SECONDS)
    finally:
        leader.plug_in()
    yield


def standby_lost(stage: Stage) -> Iterator[None]:
    """The standby that each commit waits for."""
    standby = stage.cluster.synchronous()
    for word in ("patroni", "postgres"):
        standby.signal(signal.SIGKILL, word)
    time.sleep(_CALM_SECONDS)
    yield
    stage.cluster.start_node(standby)


def both_standbys_lost(stage: Stage) -> Iterator[None]:
    """In strict synchronous mode nothing is written until one is back. Otherwise the leader goes on alone."""
    standbys = stage.cluster.standbys()
    for standby in standbys:
        for word in ("patroni", "postgres"):
            standby.signal(signal.SIGKILL, word)
    time.sleep(_CALM_SECONDS)
    for standby in standbys:
        stage.cluster.start_node(standby)
    yield


def etcd_member_lost(stage: Stage) -> Iterator[None]:
    leader = stage.cluster.leader()
    leader.signal(signal.SIGKILL, "etcd")
    time.sleep(_CALM_SECONDS)
    yield
    stage.cluster.start_etcd(leader)


def everything_restarted(stage: Stage) -> Iterator[None]:
    for host in stage.cluster.hosts:
        host.kill()
    stage.cluster.start()
    yield


def disk_full(stage: Stage) -> Iterator[None]:
    leader = stage.cluster.leader()
    leader.fill_disk()
    try:
        time.sleep(_CALM_SECONDS + LEASE_SECONDS)
    finally:
        leader.empty_disk()
    yield


def clock_ahead(stage: Stage) -> Iterator[None]:
    """The host of the second worker is 5 s ahead. It must not end a window early."""
    stage.application.set_clock_of_a_worker(CLOCK_SECONDS)
    time.sleep(_CALM_SECONDS)
    stage.application.set_clock_of_a_worker(0)
    yield


SCENES: Final = (
    Scene("nothing goes wrong", nothing),
    Scene("leader killed", leader_killed),
    Scene("switchover", switchover),
    Scene(f"leader frozen for {FROZEN_SECONDS} s", leader_frozen),
    Scene(f"leader's packets dropped for {FROZEN_SECONDS} s", packets_dropped),
    Scene("synchronous standby lost", standby_lost),
    Scene("both standbys lost", both_standbys_lost),
    Scene("member of etcd lost", etcd_member_lost),
    Scene("everything restarted", everything_restarted),
    Scene("disk full on the leader", disk_full),
    Scene(f"a worker's clock {CLOCK_SECONDS} s ahead", clock_ahead),
)
