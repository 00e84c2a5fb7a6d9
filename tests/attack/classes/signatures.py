"""Signatures that were bent, or that are of another text, key or kind."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Final

from btclib_secp256k1 import recovery

from clearwindow.signing.keys import PrivateKey
from clearwindow.signing.message import sign_message
from tests.attack.signed import PREPARE, Prepared
from tests.attack.stage import Stage
from tests.attack.tally import AttackClass, Tally
from tests.support.operators import make_key
from tests.support.refusals import nothing_written

_ORDER: Final = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
_REFUSALS: Final = frozenset({400, 401})
_BITS: Final = 65 * 8


def attack(stage: Stage, tally: Tally) -> None:
    for operation, prepare in PREPARE.items():
        prepared = prepare(stage)
        body = prepared.signed()
        with nothing_written(stage.testbed.runtime):
            for how, bent in _bent(stage, prepared, str(body["payload"]), str(body["signature"])):
                answered = prepared.send({**body, "signature": bent})
                tally.judge(f"{operation}: {how}", answered, _REFUSALS)
        tally.control(str(operation), prepared.send(body))


def _bent(stage: Stage, prepared: Prepared, payload: str, good: str) -> Iterator[tuple[str, str]]:
    key, header, r, s = prepared.sender.account.key, good[:2], good[2:66], good[66:]
    for bit in range(0, _BITS, stage.few(4, 61)):
        yield f"bit {bit}", f"{int(good, 16) ^ (1 << bit):0130x}"
    for other in sorted({*range(27, 43), 0, 255} - {int(header, 16)}):
        yield f"header {other}", f"{other:02x}{r}{s}"
    high = f"{_ORDER - int(s, 16):064x}"
    yield "high s", f"{header}{r}{high}"
    yield "high s, its header", f"{31 + ((int(header, 16) - 31) ^ 1):02x}{r}{high}"
    yield "r and s exchanged", f"{header}{s}{r}"
    for named, number in (("zero", 0), ("one", 1), ("order", _ORDER), ("above the order", 2**256 - 1)):
        yield f"r is {named}", f"{header}{number:064x}{s}"
        yield f"s is {named}", f"{header}{r}{number:064x}"
    yield from _spellings(good)
    for named, by in (("a stranger's", make_key(987)), ("the other side's", _other_side(stage, prepared))):
        yield f"key: {named}", sign_message(by, payload)
    for named, text in (("a space more", payload + " "), ("a line more", payload + "\n"), ("nothing", "")):
        yield f"text: {named}", sign_message(key, text)
    yield from _other_kinds(key, payload)


def _spellings(good: str) -> Iterator[tuple[str, str]]:
    yield "upper case", good.upper()
    yield "0x", f"0x{good}"
    yield "space before", f" {good}"
    yield "line after", f"{good}\n"
    yield "null after", f"{good}\0"
    yield "a digit less", good[:-1]
    yield "a byte less", good[:-2]
    yield "a byte more", f"{good}00"
    yield "twice", good * 2
    yield "base64", base64.b64encode(bytes.fromhex(good)).decode()
    yield "no letters of hex", "g" * 130
    yield "digits of another script", good[:-1] + "\u0661"
    yield "full width", good.replace("a", "\uff41", 1) if "a" in good else "\uff11" + good[1:]
    yield "zeros", "0" * 130


def _other_kinds(key: PrivateKey, payload: str) -> Iterator[tuple[str, str]]:
    """Signatures by the right key over the right text, as other protocols make them."""
    raw = payload.encode()
    digests = {
        "sha256": hashlib.sha256(raw).digest(),
        "sha256 twice": hashlib.sha256(hashlib.sha256(raw).digest()).digest(),
        "message without its length": _twice(b"\x18Bitcoin Signed Message:\n" + raw),
        "Litecoin": _twice(b"\x19Litecoin Signed Message:\n" + bytes([len(raw) & 0x7F]) + raw),
    }
    for named, digest in digests.items():
        signature, recovery_id = recovery.sign(digest, key.secret)
        yield f"digest: {named}", bytes([31 + recovery_id]).hex() + signature.hex()


def _twice(message: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(message).digest()).digest()


def _other_side(stage: Stage, prepared: Prepared) -> PrivateKey:
    victim, exchange = stage.victim.enterprise, stage.exchange.enterprise
    return (exchange if prepared.sender is victim else victim).account.key


CLASS: Final = AttackClass(
    "signatures", "each signed operation, with a signature that was bent or is another's", attack
)
