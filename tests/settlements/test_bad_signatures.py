"""A signature must be of the partner's key, over exactly the request, in its one valid form. Protocol §3."""

from __future__ import annotations

import json
from uuid import uuid4

from clearwindow.signing.message import sign_message
from tests.support.networks import sign_body
from tests.support.operators import make_key
from tests.support.refusals import staging
from tests.support.settlements import CUTOFF, Testbed, fields_of

CURVE_ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141


def malleated(signature: str) -> str:
    """Returns the signature with the high s, which plain ECDSA also accepts for this message and key."""
    header, r, s = signature[:2], signature[2:66], int(signature[66:], 16)
    recovery_id = (int(header, 16) - 31) ^ 1
    return f"{31 + recovery_id:02x}{r}{CURVE_ORDER - s:064x}"


def test_signature_in_another_spelling_is_refused(testbed: Testbed) -> None:
    desk = staging(testbed)
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


def test_forged_signature_is_refused(testbed: Testbed) -> None:
    desk = staging(testbed)
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


def test_revoked_key_is_refused_and_a_new_key_accepted(testbed: Testbed) -> None:
    desk = staging(testbed)
    account = desk.partner.enterprise.account
    new_key = make_key(777)
    assert testbed.operator.post(f"/go-accounts/{account.id}/keys", {"pub": new_key.xpub}).status_code == 200
    assert testbed.operator.delete(f"/go-accounts/{account.id}/keys/{account.key_id}").status_code == 204
    desk.refuses(desk.signed(), "signature_invalid", status=401)
    desk.accepts(sign_body(desk.fields, new_key))


def test_payload_that_differs_from_the_body_is_refused(testbed: Testbed) -> None:
    desk = staging(testbed)
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


def test_field_only_in_body_or_only_in_payload_is_refused(testbed: Testbed) -> None:
    desk = staging(testbed)
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


def test_enterprise_id_in_the_payload_must_match_the_path(testbed: Testbed) -> None:
    desk = staging(testbed)
    rival = testbed.network.enterprise("rival")
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


def test_payload_is_compared_by_values_and_signed_as_bytes(testbed: Testbed) -> None:
    desk = staging(testbed)
    payload = json.dumps(dict(reversed(desk.fields.items())), indent=1).replace("fifth", "\\u0066ifth")
    signed = {**desk.fields, "payload": payload, "signature": sign_message(desk.key, payload)}
    desk.refuses({**signed, "payload": payload.replace("\n", "")}, "signature_invalid", status=401)
    desk.refuses({**signed, "payload": json.dumps(desk.fields)}, "signature_invalid", status=401)
    desk.accepts(signed)


def test_signed_request_of_another_partner_is_refused(testbed: Testbed) -> None:
    desk = staging(testbed)
    rival = testbed.network.partner("rival")
    connection = testbed.network.connect(desk.connection.client, rival)
    theirs = rival.enterprise.sign(fields_of({connection.id: {"BTC": "1"}}, externalId=uuid4().hex))
    desk.refuses(theirs, "connection_unknown")
    desk.refuses({**desk.fields, "payload": theirs["payload"], "signature": theirs["signature"]}, "payload_differs")
    desk.refuses(sign_body(desk.fields, rival.enterprise.account.key), "signature_invalid", status=401)
    desk.accepts()
