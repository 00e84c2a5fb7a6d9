"""Approvals between the users of an enterprise."""

from __future__ import annotations

from collections.abc import Mapping

import httpx2

from tests.support.networks import Json, Network, NetworkClient, ok

THRESHOLDS = "/clients/approval-thresholds"
APPROVALS = "/clients/pending-approvals"


def user(network: Network, enterprise_id: str, name: str, **terms: object) -> NetworkClient:
    """Makes a further member with its own token."""
    return network.member(enterprise_id, user_id=name, **terms)


def set_thresholds(api: NetworkClient, thresholds: Mapping[str, object]) -> httpx2.Response:
    given = {name: None if quantity is None else str(quantity) for name, quantity in thresholds.items()}
    return api.put(THRESHOLDS, {"thresholds": given})


def thresholds_of(api: NetworkClient) -> dict[str, int]:
    found = ok(api.get(THRESHOLDS))["thresholds"]
    return {currency: int(quantity) for currency, quantity in found.items()}


def decide(api: NetworkClient, approval_id: str, decision: str, notes: str | None = None) -> httpx2.Response:
    body: Json = {"decision": decision}
    return api.put(f"{APPROVALS}/{approval_id}", body if notes is None else {**body, "notes": notes})


def waiting(api: NetworkClient, **filters: object) -> list[Json]:
    found: list[Json] = ok(api.get(APPROVALS, statuses="pending", **filters))["pendingApprovals"]
    return found


def refusal(response: httpx2.Response) -> tuple[int, str]:
    return response.status_code, response.json()["name"]
