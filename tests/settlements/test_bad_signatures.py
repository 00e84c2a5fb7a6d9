"""What was signed is what is carried out, by the partner's own key, spelled in one way. Protocol §3."""

from __future__ import annotations

import json
from uuid import uuid4

from clearwindow.signing.message import sign_message
from tests.support.networks import sign_body
from tests.support.operators import make_key
from tests.support.refusing import staging
from tests.support.settling import CUTOFF, Floor, fields_of

CURVE_ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141


def malleated(signature: str) -> str:
    """The other signature, with the high s, that plain ECDSA takes for the same message and key."""
    header, r, s = signature[:2], signature[2:66], int(signature[66:], 16)
    recovery_id = (int(header, 16) - 31) ^ 1
    return f"{31 + recovery_id:02x}{r}{CURVE_ORDER - s:064x}"


def test_a_signature_in_another_spelling_is_refused(floor: Floor) -> None:
    desk = staging(floor)
    body = desk.signed()
    signature = body["signature"]
    header, rest = int(signature[:2], 16), signature[2:]
    for spelling in (
        signature.upper(),
        signature[:-1],
        signature[:-2],
        signature + "0",
        signature + "00",
        f"0x{signature}",
        f" {signature}",
        f"{signature}\n",
        signature[:-1] + "g",
        signature[:-1] + "\u0661",
        f"{header - 4:02x}{rest}",
        f"{35:02x}{rest}",
        "x",
    ):
        desk.refuses({**body, "signature": spelling}, "signature_malformed")
    desk.accepts()


def test_a_signature_that_no_key_of_the_account_made_is_refused(floor: Floor) -> None:
    desk = staging(floor)
    body = desk.signed()
    signature = body["signature"]
    r, s = signature[2:66], signature[66:]
    forgeries = [f"{header:02x}{r}{s}" for header in range(31, 35) if f"{header:02x}" != signature[:2]]
    forgeries += [
        malleated(signature),
        signature[:2] + malleated(signature)[2:],
        signature[:2] + s + r,
        signature[:2] + "0" * 64 + s,
        signature[:2] + r + "0" * 64,
        signature[:2] + "f" * 64 + s,
        f"{signature[:2]}{CURVE_ORDER:064x}{s}",
        signature[:2] + "0" * 128,
        sign_message(make_key(987), body["payload"]),
        sign_message(desk.connection.client.enterprise.account.key, body["payload"]),
        sign_message(desk.key, body["payload"] + " "),
    ]
    for forged in forgeries:
        desk.refuses({**body, "signature": forged}, "signature_invalid", status=401)
    desk.accepts()


def test_a_revoked_key_signs_nothing_and_a_new_one_does(floor: Floor) -> None:
    desk = staging(floor)
    account = desk.partner.enterprise.account
    new_key = make_key(777)
    assert floor.operator.post(f"/go-accounts/{account.id}/keys", {"pub": new_key.xpub}).status_code == 200
    assert floor.operator.delete(f"/go-accounts/{account.id}/keys/{account.key_id}").status_code == 204
    desk.refuses(desk.signed(), "signature_invalid", status=401)
    desk.accepts(sign_body(desk.fields, new_key))


def test_a_payload_that_says_another_thing_is_refused(floor: Floor) -> None:
    desk = staging(floor)
    own = desk.connection.id
    for field, value in (
        ("externalId", "another"),
        ("nonce", "another"),
        ("notes", "of the sixth of January"),
        ("notes", "of the fifth of January "),
        ("cutoffAt", CUTOFF.replace("59", "58")),
        ("cutoffAt", "2026-01-05T11:59:00Z"),
        ("settlementAmounts", {own: {"BTC": "-8"}}),
        ("settlementAmounts", {own: {"BTC": "7"}}),
        ("settlementAmounts", {own: {"BTC": "-7", "ETH": "1"}}),
        ("settlementAmounts", {own: {"ETH": "-7"}}),
        ("settlementAmounts", {}),
    ):
        signed_otherwise = desk.signed(**{field: value})
        envelope = {name: signed_otherwise[name] for name in ("payload", "signature")}
        desk.refuses({**desk.fields, **envelope}, "payload_differs", field)
    desk.accepts()


def test_a_field_on_one_side_only_is_refused(floor: Floor) -> None:
    desk = staging(floor)
    for field in ("externalId", "nonce", "notes", "cutoffAt", "settlementAmounts"):
        short = desk.without(field)
        desk.refuses(
            {**desk.fields, **short}, "payload_differs", f"{field} is in the request but not in the payload"
        )
    unnoted = {name: value for name, value in desk.signed().items() if name != "notes"}
    desk.refuses(unnoted, "payload_differs", "notes is in the payload but not in the request")
    for name, value in (("extra", 1), ("payload", "{}"), ("signature", "00"), ("notes ", "x")):
        payload = json.dumps({**desk.fields, name: value})
        signed = {**desk.fields, "payload": payload, "signature": sign_message(desk.key, payload)}
        desk.refuses(signed, "payload_differs", f"{name} is in the payload but not in the request")
    desk.accepts()


def test_an_enterprise_that_the_payload_names_is_the_one_of_the_path(floor: Floor) -> None:
    desk = staging(floor)
    rival = floor.network.enterprise("rival")
    for other in (rival.id, "nobody", "", desk.partner.enterprise.id.upper()):
        payload = json.dumps({**desk.fields, "enterpriseId": other})
        signed = {**desk.fields, "payload": payload, "signature": sign_message(desk.key, payload)}
        desk.refuses(signed, "payload_differs", "enterpriseId", desk.partner.enterprise.id)
    desk.refuses(desk.signed(enterpriseId=rival.id), "payload_differs", "enterpriseId")
    own = desk.partner.enterprise.id
    named = desk.signed(enterpriseId=own)
    in_payload = {name: value for name, value in named.items() if name != "enterpriseId"}
    desk.accepts(in_payload)
    amounts = desk.fields["settlementAmounts"]
    desk.accepts(sign_body(fields_of(amounts, enterpriseId=own), desk.key))
    desk.accepts({**sign_body(fields_of(amounts), desk.key), "enterpriseId": own})


def test_a_payload_is_compared_as_values_and_signed_as_bytes(floor: Floor) -> None:
    desk = staging(floor)
    payload = json.dumps(dict(reversed(desk.fields.items())), indent=1).replace("fifth", "\\u0066ifth")
    signed = {**desk.fields, "payload": payload, "signature": sign_message(desk.key, payload)}
    desk.refuses({**signed, "payload": payload.replace("\n", "")}, "signature_invalid", status=401)
    desk.refuses({**signed, "payload": json.dumps(desk.fields)}, "signature_invalid", status=401)
    desk.accepts(signed)


def test_another_partners_signed_request_is_of_no_use(floor: Floor) -> None:
    desk = staging(floor)
    rival = floor.network.partner("rival")
    connection = floor.network.connect(desk.connection.client, rival)
    theirs = rival.enterprise.sign(fields_of({connection.id: {"BTC": "1"}}, externalId=uuid4().hex))
    desk.refuses(theirs, "connection_unknown")
    desk.refuses({**desk.fields, "payload": theirs["payload"], "signature": theirs["signature"]}, "payload_differs")
    desk.refuses(sign_body(desk.fields, rival.enterprise.account.key), "signature_invalid", status=401)
    desk.accepts()
