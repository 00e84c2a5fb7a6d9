"""A program that becomes another user and tries to connect to a server. It prints what came of each try.

Run by path with one JSON argument.
"""

import json
import os
import sys

import psycopg


def attempt(dsn: str) -> str:
    try:
        psycopg.connect(dsn).close()
    except psycopg.OperationalError as error:
        return str(error)
    return "connected"


def main(uid: int, gid: int, addresses: list[str]) -> None:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    sys.stdout.write(json.dumps([attempt(dsn) for dsn in addresses]))


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
