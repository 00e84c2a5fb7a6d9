"""Every command in every environment: it works, or it ends with one line and another exit code than 0."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx2
import pytest

from clearwindow.client import Client, UnusableEnvironmentError
from clearwindow.postgres.embedded.home import has_cluster
from clearwindow.simulator.server import temporary_folder
from tests.support.http import loopback_client
from tests.support.long import long_unless
from tests.support.ports import reserved_port
from tests.support.processes import COMMAND, command, environment, serving_folder

TIMEOUT_SECONDS: Final = 120
ASCII: Final = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
NOWHERE: Final = "http://127.0.0.1:1"
ELSEWHERE: Final = "http://clearwindow.invalid:1"


@dataclass(frozen=True)
class Place:
    """An environment. None removes a variable; ``closed`` are the standard descriptors that are not open."""

    variables: Mapping[str, str | None] = field(default_factory=dict)
    closed: tuple[int, ...] = ()
    unread: tuple[int, ...] = ()
    full: tuple[int, ...] = ()


STREAMS: Final = {
    "ASCII": Place(ASCII),
    "ASCII terminal": Place({"PYTHONIOENCODING": "ascii", "FORCE_COLOR": "1", "TERM": "dumb"}),
    "no terminal's size and kind": Place({"TERM": None, "COLUMNS": "0", "LINES": "x", "HOME": None}),
    "no standard input, Latin-1": Place({"PYTHONIOENCODING": "latin-1"}, closed=(0,)),
    "no streams": Place(closed=(0, 1, 2)),
    "nobody reads the output": Place(unread=(1,)),
    "nobody reads the errors": Place(unread=(2,)),
    "full disk": Place(full=(1,)),
}
"""What a command reads and writes."""
SURROUNDINGS: Final = {
    "no home, no temporary folder, no certificates": Place(
        {
            "HOME": "/nowhere",
            "TMPDIR": "/nowhere",
            "TZ": "Nowhere/Never",
            "SSL_CERT_FILE": "/nowhere.pem",
            "SSL_CERT_DIR": "/nowhere",
        }
    ),
    "SOCKS proxy": Place({"ALL_PROXY": "socks5://127.0.0.1:1", "HTTP_PROXY": "socks5h://127.0.0.1:1"}),
    "wrong proxy": Place({"ALL_PROXY": "hunter2://:x", "HTTP_PROXY": "::", "NO_PROXY": "[::1,*.x,,:99999"}),
}
"""What a command finds around it."""
ENVIRONMENTS: Final = STREAMS | SURROUNDINGS
USUAL: Final = {"no home, no temporary folder, no certificates"}


@dataclass(frozen=True)
class Ended:
    code: int
    out: bytes
    err: str


def run(arguments: list[str | bytes], place: Place, data: Path, **settings: str) -> Ended:
    """Runs a command in an environment, and requires that it works or fails in one line."""
    given = environment(sandbox="1", **settings)
    for name, value in place.variables.items():
        given.pop(name, None)
        if value is not None:
            given[name] = value
    with (data.parent / "out").open("w+b") as out, (data.parent / "err").open("w+b") as err:
        streams = {1: out.fileno(), 2: err.fileno()}
        opened = []
        for number in place.unread:
            reader, writer = os.pipe()
            os.close(reader)
            opened.append(writer)
            streams[number] = writer
        for number in place.full:
            opened.append(os.open("/dev/full", os.O_WRONLY))
            streams[number] = opened[-1]
        done = subprocess.run(  # noqa: S603 - this very program
            [*_shell(place.closed), *COMMAND, *arguments],
            env=given,
            stdin=subprocess.DEVNULL,
            stdout=streams[1],
            stderr=streams[2],
            check=False,
            timeout=TIMEOUT_SECONDS,
        )
        for number in opened:
            os.close(number)
        out.seek(0)
        err.seek(0)
        ended = Ended(done.returncode, out.read(), err.read().decode(errors="replace"))
    assert "Traceback" not in ended.err, ended.err
    assert "Exception ignored" not in ended.err, ended.err
    assert ended.code in {0, 1, 2}, ended
    if ended.code and 2 not in (*place.closed, *place.unread):
        last = ended.err.splitlines()[-1:]
        # A wrong option is shown in a box.
        assert place.unread or (last and last[0].strip()), ended
    return ended


def _shell(closed: tuple[int, ...]) -> list[str]:
    redirections = "".join(f" {number}<&-" for number in closed)
    return ["/bin/sh", "-c", f'exec "$@"{redirections}', "sh"] if closed else []


@dataclass(frozen=True)
class Ground:
    """A running server's data folder, and files for the offline commands."""

    data: Path
    key: Path
    payload: Path
    token: Path


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    with temporary_folder("environments") as folder:
        files = folder / "files"
        files.mkdir()
        given = Ground(folder / "data", files / "key", files / "payload", files / "token")
        assert command("keys", "generate", "--out", str(given.key)).returncode == 0
        given.payload.write_bytes('{"a": "é…"}'.encode())
        given.token.write_text("v2x")
        with serving_folder(given.data, sandbox="1"):
            yield given


@pytest.mark.parametrize("name", long_unless(USUAL.__contains__, ENVIRONMENTS))
def test_every_command_works_or_ends_in_one_line(ground: Ground, name: str) -> None:
    place = ENVIRONMENTS[name]
    at = ["--data", str(ground.data)]
    member = ["--enterprise", "é…", "--token-file", str(ground.token), "--key-file", str(ground.key)]
    hidden = 1 in (*place.closed, *place.unread, *place.full)
    works = not (place.full or place.unread)
    everywhere: dict[tuple[str, ...], bool] = {("check", *at): works}
    # Every command writes in the same way, and these write all that there is to write.
    of_streams = {
        ("keys", "generate", "--json"): works,
        ("sign", "--key-file", str(ground.key), "--payload-file", str(ground.payload)): works,
        ("sandbox", "reset", *at): False,
        ("nonsense",): False,
    }
    # These look for other servers, files and folders.
    of_surroundings = {
        ("token", "create", "--operator", "ada", "--json", *at): works,
        ("exchange", "--url", "nonsense", *member): False,
        ("sandbox", "seed", "--url", ELSEWHERE, "--operator-token", "x" * 20, "--out", "/nowhere/n.json"): False,
        ("trader", "--url", "nonsense", *member, "--port", "0"): False,
        # A whole rehearsal takes longer than all of these; tests/simulator/rehearsal runs one.
        ("rehearsal", "--rounds", "0"): False,
        ("partner-check", "--url", NOWHERE, "--jwks-port", "0", "--only", "transport", "--json"): False,
    }
    expected = everywhere | (of_streams if name in STREAMS else of_surroundings)
    for arguments, is_done in expected.items():
        ended = run(list(arguments), place, ground.data)
        # To write notes to nobody is no failure of every command.
        if is_done or not works:
            assert (ended.code == 0) <= (not hidden or 1 in place.closed), arguments
        if is_done:
            assert ended.code == 0, (arguments, ended)
        elif works:
            assert ended.code != 0, arguments
        if "sign" in arguments and not hidden:
            assert ended.out.endswith(ground.payload.read_bytes())
        if "--json" in arguments and ended.code == 0 and not hidden:
            assert ended.out.isascii()


ODD: Final = 'it\'s "odd", ü %s \\ $x'
BYTES: Final = os.fsdecode(b"\xff")


@pytest.mark.parametrize(
    ("name", "variables"),
    long_unless(lambda _: False, [(f"{ODD}/a,b/ x ", ASCII), (f"{'t' * 120}/{BYTES}", {})]),
    ids=["odd, with a comma, between spaces", "long, no text"],
)
def test_server_works_in_any_place(name: str, variables: dict[str, str]) -> None:
    with temporary_folder("place") as folder:
        temporary = folder / "tmp" / name
        temporary.mkdir(parents=True)
        temporary.chmod(0o777)
        place = Place(variables | {"TMPDIR": str(temporary)})
        data = folder / name / "data"
        at = ("--data", os.fsencode(data))
        with _serving(data, place) as url:
            # Another TMPDIR than the server's.
            assert run(["token", "create", "--operator", "ada", *at], Place(variables), folder / "x").code == 0
            with loopback_client(base_url=url) as client:
                assert client.get("/readyz").status_code == 200
        assert run(["check", *at], place, folder / "x").code == 0


@contextmanager
def _serving(data: Path, place: Place) -> Iterator[str]:
    """Runs ``serve`` in an environment, on a port that is known before."""
    port = reserved_port()
    given = environment(sandbox="1") | {name: value for name, value in place.variables.items() if value is not None}
    arguments: list[str | bytes] = ["serve", "--port", str(port), "--data", os.fsencode(data)]
    with subprocess.Popen(  # noqa: S603 - this very program
        [*COMMAND, *arguments], env=given, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            _await(url, process)
            yield url
        finally:
            process.send_signal(signal.SIGTERM)
            written, _ = process.communicate(timeout=TIMEOUT_SECONDS)
        assert process.returncode == 0
        assert b"listens on" in written


def _await(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + TIMEOUT_SECONDS
    with loopback_client(base_url=url) as client:
        while time.monotonic() < until and process.poll() is None:
            try:
                client.get("/healthz")
            except httpx2.TransportError:
                time.sleep(0.1)
            else:
                return
    pytest.fail("the server did not start")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("serve", "--host", "a" * 300), 1, "There is no address aaa"),
        (("serve", "--host", ""), 2, "CLEARWINDOW_HOST: must not be empty"),
        (
            ("serve", "--port", "0", "--data", "/dev/null/x"),
            2,
            "The secret key /dev/null/x/secret.key cannot be read: Not a",
        ),
        (("migrate", "--data", "~nobody-has-this-name/x"), 2, "CLEARWINDOW_DATA_DIR: begins with ~, and the home"),
        (("migrate", "--data", ""), 2, "CLEARWINDOW_DATA_DIR: must not be empty"),
        (("sandbox", "day", "--network", "~nobody-has-this-name/n"), 1, "The network file ~nobody-has-this-name/n"),
        (
            ("sign", "--key-file", "~nobody-has-this-name/k"),
            1,
            "The key file ~nobody-has-this-name/k cannot be read",
        ),
        (
            ("token", "create", "--operator", b"\xff"),
            2,
            "--operator: must have characters that are seen, and single spaces between words",
        ),
        (
            ("token", "create", "--operator", "ada", "--label", b"\xff"),
            2,
            "An argument, a variable or a file has bytes that are no text",
        ),
    ],
    ids=lambda given: " ".join(map(str, given))[:40] if isinstance(given, tuple) else None,
)
def test_wrong_place_ends_the_command_in_one_line(
    ground: Ground, arguments: tuple[str | bytes, ...], code: int, said: str
) -> None:
    in_folder = ("--data", str(ground.data)) if "token" in arguments else ()
    ended = run([*arguments, *in_folder], Place(), ground.data)
    assert (ended.code, ended.out) == (code, b"")
    line = ended.err.splitlines()[-1]
    assert line.removeprefix("clearwindow: ").startswith(said)
    assert len(ended.err.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("check",),
        ("token", "create", "--operator", "ada"),
        ("token", "create", "--enterprise", "acme", "--user", "u1"),
        ("sandbox", "clock"),
        ("sandbox", "reset", "--yes"),
        ("worker",),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("folders", [("data",), ()], ids=["empty", "missing"])
def test_command_that_needs_a_database_makes_none(
    tmp_path: Path, arguments: tuple[str, ...], folders: tuple[str, ...]
) -> None:
    data = tmp_path / "data"
    for name in folders:
        (tmp_path / name).mkdir()
    done = command(*arguments, "--data", str(data))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        f"clearwindow: There is no database in the data folder {data}: name the folder of your server with --data, "
        "or make a database with clearwindow serve or clearwindow migrate.\n"
    )
    assert not has_cluster(data)
    assert not folders or list(data.iterdir()) == []


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"ALL_PROXY": "socks5://127.0.0.1:1"}, "needs the package socksio"),
        ({"ALL_PROXY": "hunter2://x"}, "names a proxy that cannot be used"),
        ({"SSL_CERT_FILE": "/nowhere.pem"}, "cannot be read from SSL_CERT_FILE: No such file or directory"),
    ],
)
def test_sdk_tells_what_the_environment_has_wrong(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], said: str
) -> None:
    from clearwindow.client.options import _system_context  # noqa: PLC0415 - the certificates are read once

    _system_context.cache_clear()
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UnusableEnvironmentError, match=said) as refused:
        Client("https://clearwindow.invalid", "token", "acme")
    assert "hunter2" not in str(refused.value)
    _system_context.cache_clear()


def test_sdk_calls_this_machine_without_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")
    for host in ("127.0.0.1", "127.1.2.3", "[::1]", "localhost", "sandbox.localhost"):
        Client(f"http://{host}:1", "token", "acme").close()
