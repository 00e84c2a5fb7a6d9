"""Runs classes of attacks, each on a network of its own."""

from __future__ import annotations

from typing import Final

from tests.attack.classes import addresses, alone, bodies, callers, ids, intent, races, signatures, texts
from tests.attack.known_open import KNOWN_OPEN
from tests.attack.stage import build
from tests.attack.tally import AttackClass, Tally
from tests.support.settlements import Testbed

CLASSES: Final = (
    callers.CLASS,
    ids.CLASS,
    signatures.CLASS,
    texts.CLASS,
    intent.CLASS,
    bodies.CLASS,
    races.CLASS,
    addresses.CLASS,
    alone.CLASS,
)


def tally_of(attacks: AttackClass) -> Tally:
    """Returns an empty tally, which knows what is open in this class."""
    return Tally(KNOWN_OPEN.get(attacks.name, {}))


def run(attacks: AttackClass, testbed: Testbed, tally: Tally, *, thorough: bool) -> None:
    """Builds the network, attacks it, and checks that its books and evidence are whole afterwards."""
    stage = build(testbed, thorough=thorough)
    attacks.run(stage, tally)
    testbed.assert_proven()
    testbed.assert_signed()
