"""A shell that types what a page says, word for word. ``clearwindow`` runs in this process, without a new start."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.cli.people.persons import TIMEOUT_SECONDS, Persons

_OURS: Final = "CLEARWINDOW_"
# What stands for the command: it hands its words over, and prints the answer.
_STAND_IN: Final = """#!{python} -IS
import json, os, socket, sys
asked = {{"words": sys.argv[1:], "settings": {{k: v for k, v in os.environ.items() if k.startswith("{ours}")}}}}
with socket.socket(socket.AF_UNIX) as to:
    to.connect({path!r})
    to.sendall(json.dumps(asked).encode())
    to.shutdown(socket.SHUT_WR)
    code, out, err = json.loads(to.makefile().read())
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(code)
"""


def typed(persons: Persons, steps: str) -> str:
    """Runs the steps in bash, in the folder of the persons, and returns what they printed.

    Raises:
        AssertionError: a step fails.
    """
    # The path of a socket may have about a hundred letters.
    with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as commands:
        commands.bind(f"{short}/commands")
        commands.listen()
        commands.settimeout(0.05)
        stand_in = Path(short) / "clearwindow"
        stand_in.write_text(_STAND_IN.format(python=sys.executable, ours=_OURS, path=f"{short}/commands"))
        stand_in.chmod(0o700)
        printed = persons.folder / "printed"
        with printed.open("wb") as out:
            shell = subprocess.Popen(  # noqa: S603 - the page's own words
                ["/bin/bash", "-euo", "pipefail", "-c", steps],
                cwd=persons.folder,
                env=persons.environment(PATH=f"{short}:{os.environ['PATH']}"),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
            try:
                _answer(commands, persons, shell)
                code = shell.wait(TIMEOUT_SECONDS)
            finally:
                shell.kill()
                shell.wait()
        text = printed.read_text(encoding="utf-8")
        assert code == 0, text
        return text


def _answer(commands: socket.socket, persons: Persons, shell: subprocess.Popen[bytes]) -> None:
    """Runs the commands that the shell asks for, one after the other, until it ends."""
    while shell.poll() is None:
        try:
            connection, _ = commands.accept()
        except TimeoutError:
            continue
        with connection, connection.makefile("rw", encoding="utf-8") as stream:
            connection.settimeout(TIMEOUT_SECONDS)
            asked = json.loads(stream.read())
            settings: Mapping[str, str] = asked["settings"]
            ran = persons.run(*asked["words"], **settings)
            stream.write(json.dumps((ran.returncode, ran.stdout, ran.stderr)))
