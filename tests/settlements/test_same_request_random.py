"""A request is the same if its values are: the database against a plain-Python model. Protocol §2."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Final
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from clearwindow.signing.message import sign_message
from tests.settlements.test_random_input import try_at_random
from tests.support.networks import ConnectionHandle, Json, PartnerHandle, new_nonce
from tests.support.refusals import nothing_written
from tests.support.settlements import CUTOFF, Testbed, post

DECIMALS: Final = {"BTC": 8, "XBT": 8, "USD": 2}
OURS: Final = {"BTC": "ofcbtc", "XBT": "ofcbtc", "USD": "ofcusd"}
CUTOFFS: Final = {
    CUTOFF: 0,
    "2026-01-05T12:59:00+01:00": 0,
    "2026-01-05T11:59:00.0009Z": 0,
    "2026-01-05t11:58:59.999z": 1,
}

Amounts = dict[int, dict[str, int]]
"""By the number of the connection and the partner's currency, in base units."""

quantities = st.integers(-200, 200).filter(bool)
amounts_of_all = st.dictionaries(
    st.integers(0, 2), st.dictionaries(st.sampled_from(sorted(DECIMALS)), quantities, min_size=1), min_size=1
)
notes_given = st.none() | st.sampled_from(["day one", "Day one", "day one "])


def spelled(quantity: int, currency: str, zeros: int) -> str:
    """Returns base units as a decimal, with up to this many zeros at its end."""
    decimals = DECIMALS[currency]
    text = f"{Decimal(quantity).scaleb(-decimals):f}"
    return text if zeros == 0 else text + ("" if "." in text else ".") + "0" * zeros


def meant(amounts: Amounts) -> tuple[set[str], Counter[tuple[int, str, int]]]:
    """The model: the names that are used, and each transfer in our terms, as often as it is there."""
    names = {name for given in amounts.values() for name in given}
    transfers = [(who, OURS[name], quantity) for who, given in amounts.items() for name, quantity in given.items()]
    return names, Counter(transfers)


class Desk:
    def __init__(self, testbed: Testbed) -> None:
        self.partner: PartnerHandle = testbed.network.partner(amountUnit="decimal", currencies=OURS)
        self.connections: list[ConnectionHandle] = [
            testbed.network.funded(self.partner, {"ofcbtc": 10**9, "ofcusd": 10**9}, name=name)
            for name in ("ann", "bob", "cid")
        ]

    def body(self, data: st.DataObject, external_id: str, amounts: Amounts, notes: str | None, cutoff: str) -> Json:
        """Returns the request, signed, with spelling, order and white space drawn."""
        fields: Json = {
            "externalId": external_id,
            "nonce": new_nonce(),
            "cutoffAt": cutoff,
            "settlementAmounts": {
                self.connections[who].id: {
                    name: spelled(quantity, name, data.draw(st.integers(0, 3)))
                    for name, quantity in _shuffled(data, given)
                }
                for who, given in _shuffled(data, amounts)
            },
        }
        if notes is not None:
            fields["notes"] = notes
        if data.draw(st.booleans()):
            fields["enterpriseId"] = self.partner.enterprise.id
        fields = dict(_shuffled(data, fields))
        payload = json.dumps(fields, indent=data.draw(st.sampled_from([None, 0, 2])))
        signature = sign_message(self.partner.enterprise.account.key, payload)
        return {**fields, "payload": payload, "signature": signature}


def _shuffled(data: st.DataObject, given: Mapping) -> list[tuple]:  # type: ignore[type-arg]  # keys of any kind
    return data.draw(st.permutations(list(given.items())))


def changed(data: st.DataObject, amounts: Amounts) -> Amounts:
    """Returns the amounts with one of them changed, renamed, moved, removed or added."""
    other = {who: dict(given) for who, given in amounts.items()}
    who = data.draw(st.sampled_from(sorted(other)))
    name = data.draw(st.sampled_from(sorted(other[who])))
    quantity = other[who].pop(name)
    how = data.draw(st.sampled_from(["quantity", "sign", "name", "connection", "removed"]))
    if how == "quantity":
        other[who][name] = data.draw(quantities)
    elif how == "sign":
        other[who][name] = -quantity
    elif how == "name":
        other[who][data.draw(st.sampled_from(sorted(DECIMALS)))] = quantity
    elif how == "connection":
        other.setdefault(data.draw(st.integers(0, 2)), {})[name] = quantity
    return {one: given for one, given in other.items() if given} or amounts


def test_same_values_are_the_same_request_and_others_are_not(testbed: Testbed) -> None:
    desk = Desk(testbed)

    @try_at_random(60)
    @given(amounts=amounts_of_all, notes=notes_given, data=st.data())
    def check(amounts: Amounts, notes: str | None, data: st.DataObject) -> None:
        external_id = uuid4().hex
        first = post(desk.partner, desk.body(data, external_id, amounts, notes, CUTOFF))
        assert first.status_code == 200, first.text
        again = post(desk.partner, desk.body(data, external_id, amounts, notes, CUTOFF))
        assert (again.status_code, again.content) == (200, first.content), again.text

        asked = changed(data, amounts) if data.draw(st.booleans()) else amounts
        other_notes, cutoff = data.draw(notes_given), data.draw(st.sampled_from(sorted(CUTOFFS)))
        expected = {
            "notes": other_notes != notes,
            "cutoffAt": CUTOFFS[cutoff] != 0,
            "settlementAmounts": meant(asked) != meant(amounts),
        }
        body = desk.body(data, external_id, asked, other_notes, cutoff)
        if not any(expected.values()):
            third = post(desk.partner, body)
            assert (third.status_code, third.content) == (200, first.content), third.text
            return
        with nothing_written(testbed.runtime):
            refused = post(desk.partner, body)
        assert refused.status_code == 409, refused.text
        assert refused.json()["details"]["fields"] == [name for name, differs in expected.items() if differs]

    check()
    testbed.assert_proven()
