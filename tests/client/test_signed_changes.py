"""Changes that are signed where the account requires intent, through the SDK in both shapes."""

from __future__ import annotations

import pytest

from clearwindow.client import InvalidRequestError, NotFoundError, WantedLossLimits
from tests.client.networks import OPTIONS, SdkNetwork, build
from tests.client.shapes import Shapes
from tests.conftest import OPERATOR_TOKEN

URL = "https://aster.example/hooks"


@pytest.fixture
def sdk_network(shapes: Shapes, base_url: str) -> SdkNetwork:
    return build(shapes, base_url, OPERATOR_TOKEN)


def signed_operations(sdk_network: SdkNetwork) -> list[str]:
    kept = sdk_network.client.signed_requests.list()
    return sorted(each.operation for each in kept if each.operation in ALL)


def change_everything(sdk_network: SdkNetwork, *, sign: bool) -> None:
    client, endpoints = sdk_network.client, sdk_network.client.webhook_endpoints
    assert not client.connections.update(sdk_network.connection.id, active=False, sign=sign).active
    wanted = {"ofcbtc": WantedLossLimits(per_settlement=5, per_day=None)}
    limited = client.connections.change_loss_limits(sdk_network.connection.id, wanted, sign=sign)
    assert limited.loss_limits["ofcbtc"].per_settlement == 5
    thresholds = {"ofcbtc": 5}
    assert client.approvals.change_thresholds(thresholds, sign=sign).thresholds == thresholds
    assert client.approvals.change_daily_thresholds(thresholds, sign=sign).thresholds == thresholds
    assert client.custodian_limits.change(thresholds, sign=sign).thresholds == thresholds
    made = endpoints.create(url=URL, event_types=["settlement.initiated"], description="the desk", sign=sign)
    endpoint_id = made.webhook_endpoint.id
    changed = endpoints.update(endpoint_id, sign=sign, event_types=None, enabled=False)
    assert (changed.event_types, changed.enabled) == (None, False)
    assert endpoints.rotate_secret(endpoint_id, sign=sign).secret != made.secret
    endpoints.delete(endpoint_id, sign=sign)
    with pytest.raises(NotFoundError):
        endpoints.get(endpoint_id)


ALL = [
    "approval_thresholds.change",
    "connection.update",
    "custodian_limits.change",
    "daily_approval_thresholds.change",
    "loss_limits.change",
    "webhook_endpoint.create",
    "webhook_endpoint.delete",
    "webhook_endpoint.rotate_secret",
    "webhook_endpoint.update",
]


def test_changes_are_unsigned_while_nothing_requires_more(sdk_network: SdkNetwork) -> None:
    change_everything(sdk_network, sign=False)
    assert signed_operations(sdk_network) == []


def test_changes_are_signed_if_asked_for(sdk_network: SdkNetwork) -> None:
    change_everything(sdk_network, sign=True)
    assert signed_operations(sdk_network) == ALL


def test_changes_are_signed_if_the_account_requires_it(sdk_network: SdkNetwork) -> None:
    sdk_network.client.go_accounts.require_intent(sdk_network.client_account)
    change_everything(sdk_network, sign=False)
    assert signed_operations(sdk_network) == ALL


def test_without_a_signer_the_refusal_says_that_one_is_needed(sdk_network: SdkNetwork, shapes: Shapes) -> None:
    sdk_network.client.go_accounts.require_intent(sdk_network.client_account)
    thief = shapes.client(sdk_network.url, sdk_network.client_token, "aster", options=OPTIONS)
    with pytest.raises(InvalidRequestError) as refused:
        thief.webhook_endpoints.create(url=URL)
    assert refused.value.name == "signature_required"
    assert list(sdk_network.client.webhook_endpoints.list()) == []
