"""Our own operations, which are not in the contract, in the SDK; ``operations.py`` has the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from clearwindow.client import Client, NewKey, Operator, Partner, WantedLossLimits
from tests.support.operators import make_key

ID: Final = UUID("7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39")
AT: Final = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
XPUB: Final = make_key().xpub

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
    "v1NotificationsGetRoute": (
        "member.notifications.get",
        lambda member: member.notifications.get(),
    ),
    "v1NotificationsPutRoute": (
        "member.notifications.change",
        lambda member: member.notifications.change(
            email="a@b.example", chat={"form": "slack"}, quiet_hours={"from": "22:00", "until": "07:00"}
        ),
    ),
    "v1NotificationsDeleteRoute": (
        "member.notifications.stop",
        lambda member: member.notifications.stop(),
    ),
    "v1NotificationsVerifyPostRoute": (
        "member.notifications.verify",
        lambda member: member.notifications.verify("12345678"),
    ),
    "v1NotificationsTestPostRoute": (
        "member.notifications.send_test",
        lambda member: member.notifications.send_test(),
    ),
    "v1NotificationDeliveriesGetRoute": (
        "member.notifications.deliveries",
        lambda member: member.notifications.deliveries(statuses=["owed"]).page(),
    ),
    "v1AccountStatementGetRoute": (
        "member.statements.get",
        lambda member: member.statements.get(ID, created_on_or_after=AT, created_before=AT),
    ),
    "v1AccountStatementEntriesGetRoute": (
        "member.statements.entries",
        lambda member: member.statements.entries(ID, currencies=["ofcbtc"], kinds=["deposit"]).page(),
    ),
    "v1GoAccountRequireIntentPostRoute": (
        "member.go_accounts.require_intent",
        lambda member: member.go_accounts.require_intent("0" * 32),
    ),
    "v1EventsGetRoute": (
        "member.events",
        lambda member: member.events(subject_id=ID, types=["settlement.completed"], created_before=AT).page(),
    ),
    "v1CurrenciesGetRoute": ("member.currencies", lambda member: member.currencies()),
    "v1WhoamiGetRoute": ("member.whoami", lambda member: member.whoami()),
    "v1TokensGetRoute": (
        "member.tokens.list",
        lambda member: member.tokens.list(user_ids=["u"], active=True).page(),
    ),
    "v1TokenGetRoute": ("member.tokens.get", lambda member: member.tokens.get(ID)),
    "v1TokenDeleteRoute": ("member.tokens.revoke", lambda member: member.tokens.revoke(ID)),
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
    "v1ClientMovableFundsGetRoute": (
        "client.connections.movable_funds",
        lambda client: client.connections.movable_funds(ID),
    ),
    "v1GoAccountMovableFundsGetRoute": (
        "member.go_accounts.movable_funds",
        lambda member: member.go_accounts.movable_funds("0" * 32),
    ),
    "v1ClientCalendarGetRoute": (
        "client.settlements.calendar",
        lambda client: client.settlements.calendar(before=AT, page_size=5).page(),
    ),
    "v1ClientSettlementNetOrdersGetRoute": (
        "client.settlements.net_orders",
        lambda client: client.settlements.net_orders(ID, page_size=5).page(),
    ),
    "v1ClientSettlementForecastGetRoute": (
        "client.settlements.forecast",
        lambda client: client.settlements.forecast(ID),
    ),
    "v1ClientApprovalThresholdsGetRoute": (
        "client.approvals.thresholds",
        lambda client: client.approvals.thresholds(),
    ),
    "v1ClientLossLimitsGetRoute": (
        "client.connections.loss_limits",
        lambda client: client.connections.loss_limits(ID),
    ),
    "v1ClientLossLimitsPutRoute": (
        "client.connections.change_loss_limits",
        lambda client: client.connections.change_loss_limits(ID, {"ofcbtc": WantedLossLimits(5, None)}),
    ),
    "v1ClientApprovalThresholdsPutRoute": (
        "client.approvals.change_thresholds",
        lambda client: client.approvals.change_thresholds({"ofcbtc": 5, "ofcusd": None}),
    ),
    "v1ClientDailyApprovalThresholdsGetRoute": (
        "client.approvals.daily_thresholds",
        lambda client: client.approvals.daily_thresholds(),
    ),
    "v1ClientDailyApprovalThresholdsPutRoute": (
        "client.approvals.change_daily_thresholds",
        lambda client: client.approvals.change_daily_thresholds({"ofcbtc": 5, "ofcusd": None}),
    ),
    "v1CustodianLimitsGetRoute": (
        "member.custodian_limits.get",
        lambda member: member.custodian_limits.get(),
    ),
    "v1CustodianLimitsPutRoute": (
        "member.custodian_limits.change",
        lambda member: member.custodian_limits.change({"ofcbtc": 5, "ofcusd": None}),
    ),
}

EXCHANGE: Final[Mapping[str, tuple[str, Callable[[Partner], object]]]] = {
    "v2PartnerSettlementsPreviewPostRoute": (
        "partner.settlements.preview",
        lambda partner: partner.settlements.preview(
            external_id="r", settlement_amounts={str(ID): {"BTC": "-0.5"}}, cutoff_at=AT, page_size=5
        ),
    ),
    "v1PartnerCalendarGetRoute": (
        "partner.settlements.calendar",
        lambda partner: partner.settlements.calendar(
            on_or_after=AT, before=AT, kinds=["top_up_window_ends"]
        ).page(),
    ),
    "v1StandingTopUpsPostRoute": (
        "partner.standing_top_ups.create",
        lambda partner: partner.standing_top_ups.create("0" * 32, currency="ofcbtc", per_settlement=5),
    ),
    "v1StandingTopUpsGetRoute": (
        "partner.standing_top_ups.list",
        lambda partner: partner.standing_top_ups.list(active=True, created_before=AT).page(),
    ),
    "v1StandingTopUpDeleteRoute": (
        "partner.standing_top_ups.revoke",
        lambda partner: partner.standing_top_ups.revoke(ID),
    ),
    "v1PartnerTopUpsGetRoute": (
        "partner.settlements.top_ups",
        lambda partner: partner.settlements.top_ups(worst_case=True),
    ),
    "v1PartnerSettlementForecastGetRoute": (
        "partner.settlements.forecast",
        lambda partner: partner.settlements.forecast(ID, connection_ids=[ID], page_number=1, page_size=5),
    ),
    "v1PartnerSettlementTransfersGetRoute": (
        "partner.settlements.list_transfers",
        lambda partner: partner.settlements.list_transfers(ID, currencies=["ofcbtc"], page_size=5).page(),
    ),
    "v1PartnerSettlementNetOrdersGetRoute": (
        "partner.settlements.net_orders",
        lambda partner: partner.settlements.net_orders(ID, currencies=["ofcbtc"]).page(),
    ),
    "v1PartnerEndpointGetRoute": ("partner.endpoint", lambda partner: partner.endpoint()),
    "v1PartnerCallsGetRoute": (
        "partner.calls",
        lambda partner: partner.calls(subject_ids=[ID], owed=True, created_before=AT).page(),
    ),
    "v1PartnerSettlementWithdrawPostRoute": (
        "partner.settlements.withdraw",
        lambda partner: partner.settlements.withdraw(ID, reason="the wrong day"),
    ),
}
"""Of partners alone."""

OPERATOR: Final[Mapping[str, tuple[str, Callable[[Operator], object]]]] = {
    "createOperator": ("operator.operators.create", lambda operator: operator.operators.create(name="ada")),
    "updateOperator": (
        "operator.operators.update",
        lambda operator: operator.operators.update(ID, role="approver"),
    ),
    "createOperatorToken": (
        "operator.operators.create_token",
        lambda operator: operator.operators.create_token(
            ID, label="l", expires_at=AT, ip_allow_list=["10.0.0.0/8"], role="viewer"
        ),
    ),
    "getSecondFactor": ("operator.second_factor.get", lambda operator: operator.second_factor.get()),
    "enrolSecondFactor": ("operator.second_factor.enrol", lambda operator: operator.second_factor.enrol()),
    "confirmSecondFactor": (
        "operator.second_factor.confirm",
        lambda operator: operator.second_factor.confirm("123456"),
    ),
    "removeSecondFactor": (
        "operator.second_factor.remove",
        lambda operator: operator.second_factor.remove(code="123456"),
    ),
    "removeSecondFactorOf": (
        "operator.operators.remove_second_factor",
        lambda operator: operator.operators.remove_second_factor(ID, code="123456"),
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
    "listSettlementTransfers": (
        "operator.settlements.list_transfers",
        lambda operator: operator.settlements.list_transfers(ID, destination_network_account_ids=[ID]).page(),
    ),
    "listNetOrders": (
        "operator.settlements.net_orders",
        lambda operator: operator.settlements.net_orders(ID, page_size=5).page(),
    ),
    "readStatement": ("operator.statements.get", lambda operator: operator.statements.get(ID, created_before=AT)),
    "listStatementEntries": (
        "operator.statements.entries",
        lambda operator: operator.statements.entries("0" * 32, created_on_or_after=AT).page(),
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
        lambda operator: operator.go_accounts.create("aster", keys=[NewKey(XPUB)], custodian_key=True),
    ),
    "addKey": (
        "operator.go_accounts.add_key",
        lambda operator: (
            operator.go_accounts.add_key(ID, NewKey(XPUB)),
            operator.go_accounts.add_custodian_key(ID),
        ),
    ),
    "turnIntentOff": (
        "operator.go_accounts.turn_intent_off",
        lambda operator: operator.go_accounts.turn_intent_off(ID),
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
    "pause": (
        "operator.pauses.pause",
        lambda operator: operator.pauses.pause("partner", ID, reason="a key was stolen"),
    ),
    "listPauses": (
        "operator.pauses.list",
        lambda operator: operator.pauses.list(kinds=["network"], standing=True).page(),
    ),
    "getPause": ("operator.pauses.get", lambda operator: operator.pauses.get(ID)),
    "resume": ("operator.pauses.resume", lambda operator: operator.pauses.resume(ID, reason="it is safe")),
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
    "whoamiOperator": ("operator.whoami", lambda operator: operator.whoami()),
    "listEnterprises": (
        "operator.enterprises.list",
        lambda operator: operator.enterprises.list(names=["a"], licensed=True, created_before=AT).page(),
    ),
    "getEnterprise": ("operator.enterprises.get", lambda operator: operator.enterprises.get("aster")),
    "removeMember": (
        "operator.enterprises.remove_user",
        lambda operator: operator.enterprises.remove_user("aster", "u"),
    ),
    "listUsers": (
        "operator.users.list",
        lambda operator: operator.users.list(emails=["a@b.example"], enterprise_ids=["aster"]).page(),
    ),
    "getUser": ("operator.users.get", lambda operator: operator.users.get("u")),
    "listMemberships": (
        "operator.users.memberships",
        lambda operator: operator.users.memberships(roles=["trader"], removed=False).page(),
    ),
    "listOperators": (
        "operator.operators.list",
        lambda operator: operator.operators.list(roles=["viewer"], created_on_or_after=AT).page(),
    ),
    "getOperator": ("operator.operators.get", lambda operator: operator.operators.get(ID)),
    "removeOperator": ("operator.operators.remove", lambda operator: operator.operators.remove(ID)),
    "listTokens": (
        "operator.tokens.list",
        lambda operator: operator.tokens.list(operator_ids=[ID], kinds=["v2x"], active=True).page(),
    ),
    "getToken": ("operator.tokens.get", lambda operator: operator.tokens.get(ID)),
    "listGoAccounts": (
        "operator.go_accounts.list",
        lambda operator: operator.go_accounts.list(ids=[ID], is_default=True).page(),
    ),
    "listGoAccountKeys": (
        "operator.go_accounts.keys",
        lambda operator: operator.go_accounts.keys(custodian=False, revoked=True).page(),
    ),
    "getGoAccount": ("operator.go_accounts.get", lambda operator: operator.go_accounts.get(ID)),
    "listPartnerLicences": (
        "operator.partner_licences.list",
        lambda operator: operator.partner_licences.list(enterprise_ids=["aster"], licensed=False).page(),
    ),
    "listConfigurations": (
        "operator.partner_configurations.list",
        lambda operator: operator.partner_configurations.list(amount_units=["base"]).page(cursor="A"),
    ),
    "getConfiguration": (
        "operator.partner_configurations.get",
        lambda operator: operator.partner_configurations.get("aster"),
    ),
    "listPartners": (
        "operator.partners.list",
        lambda operator: operator.partners.list(enterprise_ids=["aster"], broker=False).page(),
    ),
    "getPartner": ("operator.partners.get", lambda operator: operator.partners.get(ID)),
    "listClients": (
        "operator.clients.list",
        lambda operator: operator.clients.list(go_account_ids=[ID], active=True).page(),
    ),
    "getClient": ("operator.clients.get", lambda operator: operator.clients.get(ID)),
    "listConnections": (
        "operator.connections.list",
        lambda operator: operator.connections.list(partner_ids=[ID], initialized=True).page(),
    ),
    "getConnection": ("operator.connections.get", lambda operator: operator.connections.get(ID)),
    "listAllocations": (
        "operator.allocations.list",
        lambda operator: operator.allocations.list(statuses=["reserved"], currencies=["ofcbtc"]).page(),
    ),
    "getAllocation": ("operator.allocations.get", lambda operator: operator.allocations.get(ID)),
    "getOwnNotifications": (
        "operator.notifications.get",
        lambda operator: operator.notifications.get(),
    ),
    "changeOwnNotifications": (
        "operator.notifications.change",
        lambda operator: operator.notifications.change(
            email="a@b.example", chat={"form": "slack"}, quiet_hours={"from": "22:00", "until": "07:00"}
        ),
    ),
    "stopOwnNotifications": (
        "operator.notifications.stop",
        lambda operator: operator.notifications.stop(),
    ),
    "verifyOwnEmail": (
        "operator.notifications.verify",
        lambda operator: operator.notifications.verify("12345678"),
    ),
    "sendTestNotification": (
        "operator.notifications.send_test",
        lambda operator: operator.notifications.send_test(),
    ),
    "listOwnNotifications": (
        "operator.notifications.deliveries",
        lambda operator: operator.notifications.deliveries(statuses=["owed"]).page(),
    ),
    "listNotificationChannels": (
        "operator.notifications.channels",
        lambda operator: operator.notifications.channels(failing=True).page(),
    ),
    "listWebhookEndpoints": (
        "operator.webhook_endpoints.list",
        lambda operator: operator.webhook_endpoints.list(enabled=True).page(),
    ),
    "getClock": ("operator.clock", lambda operator: operator.clock()),
    "moveClock": ("operator.set_clock", lambda operator: operator.set_clock(AT)),
    "resetSandbox": ("operator.reset_sandbox", lambda operator: operator.reset_sandbox()),
}
