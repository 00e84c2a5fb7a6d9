"""Addresses that the server is asked to call, in the spellings of places that are not for it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from typing import Final

import httpx2

from clearwindow.outbound.client import Outgoing
from clearwindow.outbound.models import NoAnswerError, Request
from tests.attack.stage import Stage
from tests.attack.tally import AttackClass, Tally
from tests.support.networks import CURRENCIES
from tests.support.refusals import nothing_written

_REFUSALS: Final = frozenset({400})
_PRIVATE: Final = ("127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "0.0.0.0")  # noqa: S104 - refused
_OF_VERSION_6: Final = ("::1", "::", "fd00::1", "fe80::1", "fe80::1%25eth0", "fec0::1", "ff02::1", "2001:db8::1")
_NAMES: Final = ("localhost", "localhost.", "LOCALHOST")


def attack(stage: Stage, tally: Tally) -> None:
    with _as_outside_a_sandbox(stage):
        with nothing_written(stage.testbed.runtime):
            for address in _written():
                _ask(stage, tally, address)
            for path in ("//10.0.0.1/x", "https://10.0.0.1/x", "@10.0.0.1/x", "/../x\r\nHost: a", "/x y", "x"):
                answered = _configure(stage, callbackUrl="https://a.example", callbackPaths={"allocations": path})
                tally.judge(f"callbackPaths: {path!r}", answered, _REFUSALS)
        _connections(stage, tally)
        good = {"url": "https://victim.example/hook?key=1"}
        tally.control("an address of the open internet", stage.victim.api.post("/webhook-endpoints", good))


def _ask(stage: Stage, tally: Tally, address: str) -> None:
    api, endpoint = stage.victim.api, stage.ids["endpointId"]
    tally.judge(f"webhook: {address!r}", api.post("/webhook-endpoints", {"url": address}), _REFUSALS)
    if stage.thorough:
        changed = api.patch(f"/webhook-endpoints/{endpoint}", {"url": address})
        tally.judge(f"changed webhook: {address!r}", changed, _REFUSALS)
    tally.judge(f"callback: {address!r}", _configure(stage, callbackUrl=address), _REFUSALS)


def _configure(stage: Stage, **settings: object) -> httpx2.Response:
    body = {"currencies": CURRENCIES, "amountUnit": "base", **settings}
    return stage.testbed.operator.put(f"/enterprises/{stage.exchange.enterprise.id}/partner-configuration", body)


def _written() -> Iterator[str]:
    """Yields addresses that their text alone must refuse."""
    for plain in _PRIVATE:
        number = int(IPv4Address(plain))
        first, *rest = plain.split(".")
        hosts = [plain, f"{plain}.", str(number), hex(number), f"0{number:o}"]
        hosts += [f"0x{int(first):x}.{'.'.join(rest)}", f"0{int(first):o}.{'.'.join(rest)}", f"{first}.{rest[-1]}"]
        hosts += [f"%{ord(plain[0]):x}{plain[1:]}", plain.replace(".", "\u3002"), plain.replace("0", "\uff10")]
        hosts += [
            f"[::ffff:{plain}]",
            f"[::{plain}]",
            f"[64:ff9b::{plain}]",
            f"[2002:{number >> 16:x}:{number & 0xFFFF:x}::]",
        ]
        for host in hosts:
            yield f"https://{host}/"
        yield f"https://a.example@{plain}/"
        yield f"https://{plain}#a.example/"
        yield f"https://{plain}\\.a.example/"
        yield f"http://{plain}/"
    for host in _OF_VERSION_6:
        yield f"https://[{host}]/"
    yield from (
        "file:///etc/passwd",
        "gopher://a.example/",
        "ftp://a.example/",
        "data:,a",
        "javascript:1",
        "//a.example",
    )
    yield "https://a.example\r\nHost: 10.0.0.1/"
    yield "https://a.example:0/"
    yield ""


def _connections(stage: Stage, tally: Tally) -> None:
    """Names that resolve to this machine: nobody connects to it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)  # noqa: FBT003 - the standard library's own
        port = listener.getsockname()[1]
        for name in _NAMES:
            answered = _is_answered(stage, f"https://{name}:{port}/")
            tally.require(f"connects to {name}", held=not answered, seen=name)
        try:
            listener.accept()
        except BlockingIOError:
            came = False
        else:
            came = True
        tally.require("a connection came", held=not came, seen=port)


def _is_answered(stage: Stage, url: str) -> bool:
    try:
        stage.testbed.runtime.outgoing.send(Request("POST", url, {}, b""), lane="attack")
    except NoAnswerError:
        return False
    return True


@contextmanager
def _as_outside_a_sandbox(stage: Stage) -> Iterator[None]:
    """Refuses private addresses, as every network in earnest does. The runtime of tests allows them."""
    runtime, allowing = stage.testbed.runtime, stage.testbed.runtime.outgoing
    refusing = Outgoing(allow_private=False)
    object.__setattr__(runtime, "outgoing", refusing)
    try:
        yield
    finally:
        object.__setattr__(runtime, "outgoing", allowing)
        refusing.close()


CLASS: Final = AttackClass("addresses", "webhooks and callbacks to places inside, in every spelling", attack)
