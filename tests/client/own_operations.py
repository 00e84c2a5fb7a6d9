"""Our own operations, which are not in the contract, in the SDK; ``operations.py`` has the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from clearwindow.client import Client, NewKey, Operator
from tests.support.operators import make_key

ID: Final = UUID("7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39")
AT: Final = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)

MEMBER: Final[Mapping[str, tuple[str, Callable[[Client], object]]]] = {
    "v1WebhookEndpointsGetRoute": (
        "member.webhook_endpoints.list",
        lambda member: member.webhook_endpoints.list(page_size=5).page(),
    ),
    "v1WebhookEndpointsPostRoute": (
        "member.webhook_endpoints.create",
        lambda member: member.webhook_endpoints.create(url="https://a.example", event_types=["dispute.created"]),
    ),
    "v1WebhookEndpointGetRoute": (
        "member.webhook_endpoints.get",
        lambda member: member.webhook_endpoints.get(ID),
    ),
    "v1WebhookEndpointPatchRoute": (
        "member.webhook_endpoints.update",
        lambda member: member.webhook_endpoints.update(ID, url="https://b.example", description=None),
    ),
    "v1WebhookEndpointDeleteRoute": (
        "member.webhook_endpoints.delete",
        lambda member: member.webhook_endpoints.delete(ID),
    ),
    "v1WebhookEndpointRotateSecretPostRoute": (
        "member.webhook_endpoints.rotate_secret",
        lambda member: member.webhook_endpoints.rotate_secret(ID),
    ),
    "v1WebhookEndpointTestPostRoute": (
        "member.webhook_endpoints.send_test",
        lambda member: member.webhook_endpoints.send_test(ID),
    ),
    "v1WebhookEndpointReplayPostRoute": (
        "member.webhook_endpoints.replay_range",
        lambda member: member.webhook_endpoints.replay_range(ID, from_at=AT, until_at=AT, only_missed=True),
    ),
    "v1WebhookEndpointDeliveriesGetRoute": (
        "member.webhook_endpoints.deliveries",
        lambda member: member.webhook_endpoints.deliveries(ID, statuses=["owed"], event_ids=[ID]).page(),
    ),
    "v1WebhookEndpointAttemptsGetRoute": (
        "member.webhook_endpoints.attempts",
        lambda member: member.webhook_endpoints.attempts(ID, succeeded=False, event_ids=[ID]).page(),
    ),
    "v1SignedRequestsGetRoute": (
        "member.signed_requests.list",
        lambda member: member.signed_requests.list(
            operations=["allocation"], subject_ids=[ID], nonces=["n"]
        ).page(),
    ),
    "v1SignedRequestGetRoute": ("member.signed_requests.get", lambda member: member.signed_requests.get(ID)),
    "v1ClientPendingApprovalsGetRoute": (
        "client.approvals.list",
        lambda client: client.approvals.list(types=["threshold"], statuses=["pending"], currencies=["x"]).page(),
    ),
    "v1ClientPendingApprovalGetRoute": ("client.approvals.get", lambda client: client.approvals.get(ID)),
    "v1ClientPendingApprovalPutRoute": (
        "client.approvals.decide",
        lambda client: client.approvals.decide(ID, decision="approved", notes="n"),
    ),
    "v1ClientApprovalThresholdsGetRoute": (
        "client.approvals.thresholds",
        lambda client: client.approvals.thresholds(),
    ),
    "v1ClientApprovalThresholdsPutRoute": (
        "client.approvals.change_thresholds",
        lambda client: client.approvals.change_thresholds({"ofcbtc": 5, "ofcusd": None}),
    ),
}

OPERATOR: Final[Mapping[str, tuple[str, Callable[[Operator], object]]]] = {
    "createOperator": ("operator.operators.create", lambda operator: operator.operators.create(name="ada")),
    "updateOperator": (
        "operator.operators.update",
        lambda operator: operator.operators.update(ID, role="approver"),
    ),
    "createOperatorToken": (
        "operator.operators.create_token",
        lambda operator: operator.operators.create_token(ID, label="l", expires_at=AT, role="viewer"),
    ),
    "createEnterprise": (
        "operator.enterprises.create",
        lambda operator: operator.enterprises.create(name="Aster", licensed=True, enterprise_id="aster"),
    ),
    "updateEnterprise": (
        "operator.enterprises.update",
        lambda operator: operator.enterprises.update("aster", licensed=False),
    ),
    "createUser": (
        "operator.enterprises.create_user",
        lambda operator: operator.enterprises.create_user("aster", name="u", user_id="u", role="trader"),
    ),
    "updateUser": (
        "operator.enterprises.update_user",
        lambda operator: operator.enterprises.update_user("aster", "u", may_use_custodian_key=False),
    ),
    "createToken": (
        "operator.enterprises.create_token",
        lambda operator: operator.enterprises.create_token(
            "aster", user_id="u", scopes=["settlement_network_read"], ip_allow_list=["10.0.0.0/8"], kind="v2x"
        ),
    ),
    "listSignedRequests": (
        "operator.signed_requests.list",
        lambda operator: operator.signed_requests.list(enterprise_id="aster", received_before=AT).page(),
    ),
    "getSignedRequest": (
        "operator.signed_requests.get",
        lambda operator: operator.signed_requests.get(ID),
    ),
    "revokeToken": ("operator.revoke_token", lambda operator: operator.revoke_token(ID)),
    "configure": (
        "operator.configure_partner",
        lambda operator: operator.configure_partner(
            "meridian",
            currencies={"BTC": "ofcbtc"},
            amount_unit="decimal",
            callback_url="https://m.example",
            callback_paths={},
            loss_sla_minutes=5,
        ),
    ),
    "changePartner": (
        "operator.update_partner",
        lambda operator: operator.update_partner(ID, top_up_window_minutes=None, stable_partner=True),
    ),
    "changePartnerLicence": (
        "operator.update_partner_licence",
        lambda operator: operator.update_partner_licence("trader", ID, licensed=False),
    ),
    "changeClient": ("operator.update_client", lambda operator: operator.update_client(ID, active=False)),
    "openGoAccount": (
        "operator.go_accounts.create",
        lambda operator: operator.go_accounts.create("aster", keys=[NewKey(make_key().xpub)], custodian_key=True),
    ),
    "addKey": (
        "operator.go_accounts.add_key",
        lambda operator: (
            operator.go_accounts.add_key(ID, NewKey(make_key().xpub)),
            operator.go_accounts.add_custodian_key(ID),
        ),
    ),
    "revokeKey": ("operator.go_accounts.revoke_key", lambda operator: operator.go_accounts.revoke_key(ID, ID)),
    "deposit": (
        "operator.go_accounts.deposit",
        lambda operator: operator.go_accounts.deposit(ID, currency="ofcbtc", quantity=1, reference="r"),
    ),
    "withdraw": (
        "operator.go_accounts.withdraw",
        lambda operator: operator.go_accounts.withdraw(ID, currency="ofcbtc", quantity=1, reference="r"),
    ),
    "balances": ("operator.go_accounts.balances", lambda operator: operator.go_accounts.balances(ID)),
    "currencies": ("operator.currencies.list", lambda operator: operator.currencies.list()),
    "addCurrency": (
        "operator.currencies.create",
        lambda operator: operator.currencies.create(name="ofcxyz", backing="xyz", decimals=2),
    ),
    "auditLog": ("operator.audit_log", lambda operator: operator.audit_log(action="a", actor_id="ada").page()),
    "entries": ("operator.ledger_entries", lambda operator: operator.ledger_entries(account_id=ID).page()),
    "checkLedger": ("operator.check_ledger", lambda operator: operator.check_ledger()),
    "events": ("operator.events", lambda operator: operator.events(types=["dispute.created"]).page()),
    "listWork": ("operator.work", lambda operator: operator.work(page_size=5).page()),
    "listSettlements": (
        "operator.settlements.list",
        lambda operator: operator.settlements.list(statuses=["failed"], external_ids=["d"]).page(),
    ),
    "getSettlement": ("operator.settlements.get", lambda operator: operator.settlements.get(ID, page_number=1)),
    "retrySettlement": (
        "operator.settlements.retry",
        lambda operator: operator.settlements.retry(ID, reason="funded"),
    ),
    "rejectSettlement": (
        "operator.settlements.reject",
        lambda operator: operator.settlements.reject(ID, reason="a drill"),
    ),
    "listDisputes": ("operator.disputes.list", lambda operator: operator.disputes.list(closed=True).page()),
    "closeDispute": (
        "operator.disputes.close",
        lambda operator: operator.disputes.close(ID, adjusted_transfers={"ofcbtc": -1}, notes="n"),
    ),
    "listClosures": (
        "operator.dispute_closures.list",
        lambda operator: operator.dispute_closures.list(statuses=["pending_review"]).page(),
    ),
    "reviewClosure": (
        "operator.dispute_closures.review",
        lambda operator: operator.dispute_closures.review(ID, decision="approved", notes="n"),
    ),
    "cancelClosure": (
        "operator.dispute_closures.cancel",
        lambda operator: operator.dispute_closures.cancel(ID, reason="r"),
    ),
    "listProposals": (
        "operator.proposals.list",
        lambda operator: operator.proposals.list(
            statuses=["pending"], acts=["token.create"], proposed_by=[ID]
        ).page(),
    ),
    "getProposal": ("operator.proposals.get", lambda operator: operator.proposals.get(ID)),
    "approveProposal": ("operator.proposals.approve", lambda operator: operator.proposals.approve(ID)),
    "rejectProposal": ("operator.proposals.reject", lambda operator: operator.proposals.reject(ID, reason="r")),
    "withdrawProposal": (
        "operator.proposals.withdraw",
        lambda operator: operator.proposals.withdraw(ID, reason="r"),
    ),
    "collectValue": ("operator.proposals.collect", lambda operator: operator.proposals.collect(ID)),
    "listPartnerCalls": (
        "operator.partner_calls.list",
        lambda operator: operator.partner_calls.list(owed=True, subject_ids=[ID], partner_ids=[ID]).page(),
    ),
    "listPartnerEndpoints": (
        "operator.partner_calls.endpoints",
        lambda operator: operator.partner_calls.endpoints().page(),
    ),
    "listPartnerCallKeys": ("operator.partner_calls.keys", lambda operator: operator.partner_calls.keys()),
    "rotatePartnerCallKey": (
        "operator.partner_calls.rotate_key",
        lambda operator: operator.partner_calls.rotate_key(reference="autumn"),
    ),
    "listTransactions": (
        "operator.chain.transactions",
        lambda operator: operator.chain.transactions(kinds=["deposit"], states=["pending"]).page(),
    ),
    "sendDeposit": (
        "operator.chain.send_deposit",
        lambda operator: operator.chain.send_deposit(
            partner_id=ID, currency="ofcbtc", quantity=5, tx_id="0xabc", withheld=True
        ),
    ),
    "confirm": ("operator.chain.confirm", lambda operator: operator.chain.confirm(ID)),
    "withhold": ("operator.chain.withhold", lambda operator: operator.chain.withhold(ID)),
    "fail": ("operator.chain.fail", lambda operator: operator.chain.fail(ID, reason="dropped")),
    "listDeposits": (
        "operator.onchain_deposits.list",
        lambda operator: operator.onchain_deposits.list(statuses=["confirmed"], settlement_ids=[ID]).page(),
    ),
    "releaseDeposit": (
        "operator.onchain_deposits.release",
        lambda operator: operator.onchain_deposits.release(ID),
    ),
    "getClock": ("operator.clock", lambda operator: operator.clock()),
    "moveClock": ("operator.set_clock", lambda operator: operator.set_clock(AT)),
    "resetSandbox": ("operator.reset_sandbox", lambda operator: operator.reset_sandbox()),
}
