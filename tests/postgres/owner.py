"""A program that owns an embedded PostgreSQL until its standard input ends.

Run by path with one JSON argument. It prints one line of JSON when the server takes connections, or the error.
"""

import ctypes
import itertools
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from clearwindow.postgres.embedded import cluster, database, postmaster
from clearwindow.postgres.embedded.account import Account

CAP_DAC_READ_SEARCH = 2
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAPABILITY_VERSION_3 = 0x20080522


def become(account: Account) -> None:
    """Becomes a normal user who can read the interpreter and the programs even under /root."""
    libc = ctypes.CDLL(None, use_errno=True)
    needs_help = not account.reaches(Path(sys.executable).resolve().parent)
    libc.prctl(PR_SET_KEEPCAPS, int(needs_help), 0, 0, 0)
    os.setgroups([])
    os.setgid(account.gid)
    os.setuid(account.uid)
    if needs_help:
        mask = 1 << CAP_DAC_READ_SEARCH
        header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
        sets = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)
        if libc.capset(header, sets) or libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_READ_SEARCH, 0, 0):
            raise OSError(ctypes.get_errno(), "cannot let a normal user read the interpreter")


def let_server_outlive_us() -> None:
    """Behaves as on systems that send no signal when the parent dies."""
    launch = postmaster.launch_command

    def without_death_signal(
        program: Sequence[str], account: Account | None, death_signal: signal.Signals
    ) -> list[str]:
        command = launch(program, account, death_signal)
        command[command.index(str(int(death_signal)), 4)] = "0"
        return command

    postmaster.launch_command = without_death_signal


def die_in(step: str) -> None:
    """Ends this process with SIGKILL in the middle of a step that brings a former release's folder up to date."""

    def after(times: int, function: Callable[..., Any]) -> Callable[..., Any]:
        calls = itertools.count(1)

        def counted(*arguments: object, **options: object) -> object:
            result = function(*arguments, **options)
            if next(calls) == times:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return counted

    if step == "files":
        os.chown = after(100, os.chown)
    elif step == "roles":
        database.make_role = after(1, database.make_role)
    else:
        # Its transaction is not committed yet.
        database.hand_over = after(1, database.hand_over)


def main(request: dict[str, str]) -> None:
    if "uid" in request:
        become(Account(int(request["uid"]), int(request["gid"])))
    if "outlive" in request:
        let_server_outlive_us()
    if "die_in" in request:
        die_in(request["die_in"])
    try:
        server = cluster.start_embedded(
            Path(request["data_dir"]),
            binaries_path=Path(request["binaries"]) if "binaries" in request else None,
            durable="durable" in request,
            share_running="share" in request,
        )
    except cluster.EmbeddedPostgresError as error:
        sys.stdout.write(json.dumps({"error": str(error), "kind": type(error).__name__}) + "\n")
        return
    with server:
        answer = {"dsn": server.dsn, "major": server.major, "shared": server.shared}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
