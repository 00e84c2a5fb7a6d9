"""Ids of others: in each path, in bodies and in filters. They are answered as ids of nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import httpx2

from clearwindow.web.openapi import operations
from tests.attack.stage import ANY, IN_PATH, Stage, answer_without_ids
from tests.attack.tally import AttackClass, Tally
from tests.support.descriptions import own_document
from tests.support.networks import EnterpriseHandle, Json, new_nonce
from tests.support.refusals import nothing_written
from tests.support.settlements import fields_at_once, fields_of

_REFUSALS: Final = frozenset({400, 404})
_FOR_MEMBERS: Final = ("/api/network/", "/api/v2/ofc/")
_PUBLIC: Final = frozenset({"enterpriseId", "partnerId", "walletId", "depositId", "operatorId", "tokenId"})
"""Who is a partner may be known. The others name what the caller could not have asked for, or nothing."""


def attack(stage: Stage, tally: Tally) -> None:
    senders = (stage.stranger.enterprise, stage.rival.enterprise)
    tokens = [stage.testbed.operator.user_token(sender.id) for sender in senders]
    with nothing_written(stage.testbed.runtime), stage.http() as http:
        for sender, token in zip(senders, tokens, strict=True):
            http.headers["Authorization"] = f"Bearer {token}"
            _in_paths(stage, tally, sender, http)
            _in_filters(stage, tally, sender, http)
        _in_bodies(stage, tally)
        _of_another_parent(stage, tally)
    tally.control("own connection", stage.victim.api.get(f"/clients/connections/{stage.ids['connectionId']}"))
    tally.control("own allocation", stage.victim.api.get(f"/clients/allocations/{stage.ids['allocationId']}"))


def without_ids(stage: Stage) -> set[str]:
    """Returns the path parameters of members' operations for which the attacked have nothing to be attacked."""
    named = {name for _, template, _ in _of_members() for name in IN_PATH.findall(template)}
    return named - set(stage.ids)


def _in_paths(stage: Stage, tally: Tally, sender: EnterpriseHandle, http: httpx2.Client) -> None:
    for method, template, _ in _of_members():
        names = [name for name in IN_PATH.findall(template) if name != "enterpriseId" and name in stage.ids]
        if not names:
            continue
        body = _body(stage, sender, template) if method != "GET" or template.endswith("/signing") else None
        foreign = {name: stage.ids[name] for name in names}
        nothing = {name: ANY.replace("-", "") if name == "walletId" else ANY for name in names}
        answers = [
            http.request(method, stage.path(template, **{**ids, "enterpriseId": sender.id}), json=body)
            for ids in (foreign, nothing)
        ]
        name = f"{sender.id}: {method} {template}"
        tally.judge(name, answers[0], _REFUSALS | {403})
        said = [answer_without_ids(answer, *foreign.values(), *nothing.values()) for answer in answers]
        tally.require(f"{name}: tells what exists", held=said[0] == said[1], seen=said)


def _in_filters(stage: Stage, tally: Tally, sender: EnterpriseHandle, http: httpx2.Client) -> None:
    """Lists show nothing of others, whatever they are asked for."""
    hidden = {name: value for name, value in stage.ids.items() if name not in _PUBLIC and value != ANY}
    for method, template, operation in _of_members():
        if method != "GET" or IN_PATH.findall(template) != ["enterpriseId"]:
            continue
        filters = [one["name"] for one in operation.get("parameters", []) if one["in"] == "query"]
        queries: list[dict[str, str]] = [{}]
        queries += [{name: stage.ids[name.removesuffix("s")]} for name in filters if name[:-1] in stage.ids]
        for query in queries:
            path = stage.path(template, enterpriseId=sender.id)
            shown = http.get(path, params=query)
            leaked = [name for name, value in hidden.items() if value in shown.text and value not in query.values()]
            entries = shown.text.count(next(iter(query.values()))) if query and shown.status_code == 200 else 0
            is_public = bool(query) and next(iter(query))[:-1] in _PUBLIC
            held = not leaked and (is_public or entries == 0)
            tally.require(f"{sender.id}: GET {template} {query}", held=held, seen=(leaked, shown.text))


def _in_bodies(stage: Stage, tally: Tally) -> None:
    """Signed by a key of the sender, and right but for the id of something that is another's."""
    rival, stranger = stage.rival.enterprise, stage.stranger.enterprise
    their, own = stage.ids["connectionId"], stage.at_rival
    for given in (their, stage.at_spot.id):
        amounts = {given: {"BTC": "-1"}}
        for version, fields in ((2, fields_of(amounts)), (1, fields_at_once(amounts))):
            sent = rival.api.post("/partners/settlements", rival.sign(fields), version=version)
            tally.judge(f"settles {given} by version {version}", sent, _REFUSALS | {403})
        both = fields_of({own.id: {"BTC": "-1"}, **amounts})
        sent = rival.api.post("/partners/settlements", rival.sign(both), version=2)
        tally.judge(f"settles {given} beside its own", sent, _REFUSALS)
    for what in ("allocation", "deallocation"):
        sent = rival.api.put(f"/partners/{what}s", rival.sign(_decision(stage, what)))
        tally.judge(f"decides another partner's {what}", sent, _REFUSALS)
    raised = f"/clients/settlements/{stage.ids['settlementId']}/disputes"
    for connection in (their, own.id):
        fields = {"connectionId": connection, "expectedTransfers": {}}
        tally.judge("disputes another's settlement", stranger.api.post(raised, stranger.sign(fields)), _REFUSALS)
    endpoint = {"eventId": stage.ids["settlementId"]}
    path = f"/webhook-endpoints/{stage.ids['endpointId']}/replay"
    tally.judge("replays to another's endpoint", stranger.api.post(path, endpoint), _REFUSALS)


def _of_another_parent(stage: Stage, tally: Tally) -> None:
    """An operator who names a key beneath the wrong account takes nothing away."""
    wrong = stage.stranger.enterprise.account.id
    gone = stage.testbed.operator.delete(f"/go-accounts/{wrong}/keys/{stage.ids['keyId']}")
    tally.judge("a key beneath another account", gone, _REFUSALS)


def _decision(stage: Stage, what: str) -> Json:
    return {
        f"{what}Id": stage.ids["allocationId"],
        "amount": {"currency": "BTC", "quantity": "200"},
        "clientId": stage.ids["clientId"],
        "connectionId": stage.ids["connectionId"],
        "partnersClientId": stage.ids["clientId"],
        "partnersConnectionId": stage.ids["connectionId"],
        f"partners{what.capitalize()}Id": "mine",
        "status": "released",
    }


def _body(stage: Stage, sender: EnterpriseHandle, template: str) -> Json:
    """Returns a body that is right for the operation, so that only the id is left to refuse."""
    fields = stage.at_rival.allocation_fields("ofcbtc", 1)
    own = {"connectionId": stage.at_rival.id, "nonce": new_nonce()}
    bodies: dict[str, Json] = {
        "/allocations": sender.sign(fields),
        "/deallocations": sender.sign(fields),
        "/signing": fields,
        "/disputes": sender.sign({**own, "expectedTransfers": {}}),
        "/{disputeId}": sender.sign({**own, "retracted": True}),
        "/close": sender.sign({"notes": "ours", "nonce": new_nonce()}),
        "/connections/{connectionId}": {"active": False},
        "/webhook-endpoints/{endpointId}": {"enabled": False},
        "/replay": {"eventId": ANY},
        "/{approvalId}": {"decision": "approved"},
        "/tx/sign": {"payload": '{"notes":"ours","nonce":"n"}'},
    }
    return next((body for end, body in bodies.items() if template.endswith(end)), {})


def _of_members() -> Iterator[tuple[str, str, Any]]:
    for method, path, operation in operations(own_document()):
        if path.startswith(_FOR_MEMBERS):
            yield method.upper(), path, operation


CLASS: Final = AttackClass(
    "ids", "ids of others in paths, filters and bodies: refused, and as if there were nothing", attack
)
