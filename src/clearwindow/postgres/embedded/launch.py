"""Becomes the given user, makes this process end with its parent, and replaces it by the given program.

Run by path as `python -I -S launch.py PARENT_PID SIGNAL UID GID PROGRAM ARGUMENT...`; UID -1 changes nobody.

This is a separate program instead of `preexec_fn` and `user=` of `subprocess`, for three reasons. In a process with
threads, code between fork and exec may deadlock. The signal is lost when the user changes, so it must be set after
that. If the interpreter lies under /root, the unprivileged user cannot start Python, but a running Python can
become that user and then start PostgreSQL.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1
CANNOT_START = 126


def main(arguments: list[str]) -> None:
    """Never returns: this process becomes the program, or it ends with a message on stderr."""
    parent_pid, death_signal, uid, gid = map(int, arguments[:4])
    program = arguments[4:]
    try:
        if uid >= 0:
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
        os.umask(0o077)
        if sys.platform == "linux":
            _die_with_parent(death_signal)
        # If the parent died before the signal was set, nobody would ever send it.
        if os.getppid() != parent_pid:
            raise SystemExit(CANNOT_START)
        os.execv(program[0], program)  # noqa: S606 - becoming this program is the purpose
    except OSError as error:
        sys.stderr.write(f"cannot start {program[0]} as user {os.geteuid()}: {error}\n")
        raise SystemExit(CANNOT_START) from None


def _die_with_parent(death_signal: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")


if __name__ == "__main__":
    main(sys.argv[1:])
