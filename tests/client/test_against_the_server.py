"""Each operation through the SDK, in both shapes, against our server."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from clearwindow.client import (
    ConflictError,
    Deposit,
    InvalidRequestError,
    KeySigner,
    NewKey,
    NotAuthenticatedError,
    NotFoundError,
    PartnersWord,
    SigningError,
    TokenKey,
    Trade,
    TradeSide,
    UnprocessableError,
    encrypted_key,
)
from clearwindow.client.answers.settlements import StagedSettlement
from clearwindow.signing.connection_keys import decrypt_connection_key, public_pem
from clearwindow.signing.payload import payload_text
from tests.client.networks import BTC, CURRENCIES, OPTIONS, SdkNetwork, build
from tests.client.shapes import Shapes
from tests.conftest import OPERATOR_TOKEN
from tests.support.operators import make_key
from tests.support.settlements import Testbed

CUTOFF = datetime(2026, 1, 5, 11, 59, tzinfo=UTC)


@pytest.fixture
def sdk_network(shapes: Shapes, base_url: str) -> SdkNetwork:
    return build(shapes, base_url, OPERATOR_TOKEN)


def stage(
    sdk_network: SdkNetwork,
    amount: str = "-1.5",
    external_id: str = "day-1",
    **more: Any,  # noqa: ANN401 - what the call takes
) -> StagedSettlement:
    return sdk_network.partner.settlements.create(
        external_id=external_id,
        settlement_amounts={sdk_network.connection.id: {"BTC": amount}},
        cutoff_at=CUTOFF,
        **more,
    )


def test_partners_connections_and_balances_are_listed(sdk_network: SdkNetwork) -> None:
    client, partner, connection = sdk_network.client, sdk_network.partner, sdk_network.connection
    assert [found.id for found in client.partners(names=["Meridian"], active=True)] == [sdk_network.partner_id]
    currencies = client.supported_currencies([sdk_network.partner_id]).supported_currencies[sdk_network.partner_id]
    assert {found.partner_names: found.ofc_currency for found in currencies}["BTC",] == "ofcbtc"
    assert client.connections.get(connection.id) == connection == partner.connections.get(connection.id)
    assert list(client.connections.list(names=["a, b", "Aster at Meridian"])) == [connection]
    assert list(client.connections.list(names=["Aster at Meridian, too"])) == []
    assert [found.id for found in partner.connections.list(connection_ids=[connection.id])] == [connection.id]
    assert client.connections.update(connection.id, name="main").name == "main"
    ours = client.balances()
    assert (ours.balances["ofcbtc"].available, ours.balances["ofcbtc"].held) == (8 * BTC, 0)
    assert ours.network_balances[connection.id].balances["ofcbtc"].available == 2 * BTC
    theirs = partner.balances(connection_ids=[connection.id])
    assert theirs.balances is not None
    assert theirs.balances["BTC"].available == 10 * BTC
    assert theirs.network_balances[connection.id].balances["BTC"].available == 2 * BTC


def test_balances_are_read_over_several_pages(sdk_network: SdkNetwork) -> None:
    for number in range(3):
        sdk_network.client.connections.create(
            partner_id=sdk_network.partner_id, name=f"more {number}", connection_key=TokenKey("k")
        )
    assert len(sdk_network.client.balances(page_size=2).network_balances) == 4
    assert len(sdk_network.partner.balances(page_size=3).network_balances) == 4
    assert len(list(sdk_network.partner.connections.list(page_size=1))) == 4
    page = sdk_network.partner.connections.list(page_size=3).page(1)
    assert (len(page.items), page.total) == (1, 4)


def test_lists_with_cursors_are_read_to_their_end(sdk_network: SdkNetwork) -> None:
    operator = sdk_network.operator
    whole = operator.users.list().page()
    assert whole.next_cursor is None
    assert whole.total_is_exact
    assert (len(whole.items), whole.page_number) == (whole.total, 0)
    assert [user.id for user in operator.users.list(page_size=1)] == [user.id for user in whole.items]
    first = operator.tokens.list(page_size=1, active=True).page()
    assert first.next_cursor is not None
    second = operator.tokens.list(page_size=1, active=True).page(cursor=first.next_cursor)
    assert (len(second.items), second.page_number) == (1, None)
    assert second.items != first.items
    before = list(operator.audit_log())
    reading = iter(operator.audit_log(page_size=2))
    seen = [next(reading)]
    operator.enterprises.create(name="Later", licensed=False)
    assert [*seen, *reading] == before


def test_members_and_operators_see_who_they_are(sdk_network: SdkNetwork) -> None:
    operator, client = sdk_network.operator, sdk_network.client
    me = client.whoami()
    assert (me.enterprise.id, me.role, me.enterprise.licensed) == (client.enterprise_id, "administrator", True)
    own = client.tokens.list(ids=[me.token.id]).page().items
    assert own == (me.token,)
    assert client.tokens.get(me.token.id) == me.token
    assert operator.whoami().operator.name == "bootstrap"
    [membership] = operator.users.memberships(user_ids=[me.user.id])
    assert membership.enterprise_id == me.enterprise.id
    operator.enterprises.remove_user(me.enterprise.id, me.user.id)
    with pytest.raises(NotAuthenticatedError):
        client.whoami()
    made = operator.operators.create(name="leaving")
    token = operator.operators.create_token(made.id, ip_allow_list=["127.0.0.0/8"])
    assert token.ip_allow_list == ("127.0.0.0/8",)
    operator.operators.remove(made.id)
    assert operator.operators.get(made.id).removed_at is not None


def test_client_allocates_and_deallocates(sdk_network: SdkNetwork) -> None:
    allocations, connection = sdk_network.client.allocations, sdk_network.connection
    made = allocations.allocate(
        connection.id, currency="ofcbtc", quantity=BTC, client_external_id="second", notes="more", nonce="n-1"
    )
    assert (made.status, made.amount.quantity, made.retriable, made.replayed) == ("cleared", BTC, False, False)
    again = allocations.allocate(
        connection.id, currency="ofcbtc", quantity=BTC, client_external_id="second", notes="more", nonce="n-1"
    )
    assert again == made
    assert again.replayed
    back = allocations.deallocate(connection.id, currency="ofcbtc", quantity=3 * BTC, client_external_id="back")
    assert back.status == "cleared"
    assert [found.type for found in allocations.list(sort_field="quantity", sort_direction="DESC")] == [
        "deallocation",
        "allocation",
        "allocation",
    ]
    assert allocations.get(made.id).id == made.id
    theirs = sdk_network.partner.allocations.get(made.id)
    assert (theirs.amount.currency, theirs.amount.quantity) == ("BTC", Decimal(1))
    assert len(list(sdk_network.partner.allocations.list(types=["allocation"], page_size=1))) == 2


def test_refused_allocation_is_part_of_its_error(sdk_network: SdkNetwork) -> None:
    with pytest.raises(UnprocessableError) as refused:
        sdk_network.client.allocations.allocate(
            sdk_network.connection.id, currency="ofcbtc", quantity=100 * BTC, client_external_id="too much"
        )
    assert refused.value.allocation is not None
    assert refused.value.allocation.status == "released"
    assert refused.value.name
    assert refused.value.request_id
    assert refused.value.request_id in str(refused.value)


def test_partner_decides_on_allocation_later(sdk_network: SdkNetwork) -> None:
    sdk_network.operator.configure_partner(
        "meridian", currencies=CURRENCIES, amount_unit="decimal", async_allocations=True
    )
    allocations, connection = sdk_network.client.allocations, sdk_network.connection
    there = allocations.allocate(connection.id, currency="ofcbtc", quantity=BTC, client_external_id="later")
    assert (there.status, there.retriable, bool(there.reason)) == ("reserved", False, True)
    back = allocations.deallocate(connection.id, currency="ofcbtc", quantity=BTC, client_external_id="back later")
    word: PartnersWord = {
        "currency": "BTC",
        "quantity": Decimal(1),
        "client_id": connection.client_id,
        "connection_id": connection.id,
        "partners_client_id": connection.partners_client_id or "",
        "partners_connection_id": connection.partners_connection_id or "",
        "status": "cleared",
    }
    update = sdk_network.partner.allocations.update_allocation
    said = update(allocation_id=there.id, partners_allocation_id="a-1", **word)
    assert (said.partners_allocation_id, said.amount.quantity, said.replayed) == ("a-1", Decimal(1), False)
    assert update(allocation_id=there.id, partners_allocation_id="a-1", **word).replayed
    released: PartnersWord = {**word, "status": "released", "reject_reason": "the account is frozen"}
    with pytest.raises(ConflictError):
        update(allocation_id=there.id, partners_allocation_id="a-1", **released)
    sdk_network.partner.allocations.update_deallocation(
        deallocation_id=back.id, partners_deallocation_id="d-1", **released
    )
    assert allocations.get(there.id).status == "cleared"
    assert allocations.get(back.id).reason == "the account is frozen"


def test_settlement_is_staged_listed_and_completed(sdk_network: SdkNetwork, testbed: Testbed) -> None:
    staged = stage(sdk_network, nonce="s-1", notes="the day")
    assert (staged.status, staged.cutoff_at, staged.settling_disputes) == ("pending", CUTOFF, ())
    again = stage(sdk_network, nonce="s-1", notes="the day")
    assert again == staged
    assert again.replayed
    assert not staged.replayed
    with pytest.raises(ConflictError):
        stage(sdk_network, "-1", nonce="s-2")
    assert [found.id for found in sdk_network.client.settlements.list(statuses=["pending"])] == [staged.id]
    seen = sdk_network.client.settlements.get(staged.id, currencies=["ofcbtc"])
    assert [transfer.quantity for transfer in seen.settlement_transfers] == [-3 * BTC // 2]
    detail = sdk_network.partner.settlements.get(staged.id)
    assert (len(detail.settlement_transfers), detail.meta.total) == (1, 1)
    assert [transfer.id for transfer in sdk_network.partner.settlements.transfers(staged.id)] == [
        detail.settlement_transfers[0].id
    ]
    testbed.pass_minutes(10)
    testbed.pass_minutes(10)
    found = next(iter(sdk_network.partner.settlements.list(external_ids=["day-1"])))
    assert found.status == "completed"
    assert found.finalized_at == datetime(2026, 1, 5, 12, 20, tzinfo=UTC)
    assert (
        sdk_network.client.balances().network_balances[sdk_network.connection.id].balances["ofcbtc"].available
        == BTC // 2
    )


def test_uncovered_settlement_names_every_shortfall(sdk_network: SdkNetwork) -> None:
    with pytest.raises(UnprocessableError) as refused:
        stage(sdk_network, "-3")
    assert sdk_network.connection.id in str(refused.value.details)
    assert list(sdk_network.partner.settlements.list()) == []


def test_client_raises_changes_and_closes_dispute(sdk_network: SdkNetwork, testbed: Testbed) -> None:
    staged = stage(sdk_network)
    disputes, connection_id = sdk_network.client.disputes, sdk_network.connection.id
    raised = disputes.create(
        staged.id, connection_id=connection_id, expected_transfers={"ofcbtc": -BTC}, reason="too much"
    )
    assert raised.expected_transfers == {"ofcbtc": -BTC}
    gone = disputes.update(raised.id, connection_id=connection_id, retracted=True, reason="a mistake")
    assert gone.retracted
    disputes.update(raised.id, connection_id=connection_id, retracted=False, expected_transfers={})
    testbed.pass_minutes(10)
    closure = disputes.close(raised.id, notes="we were wrong")
    assert (closure.status, closure.closed_by) == ("pending_review", "client")
    assert closure.created_at == datetime(2026, 1, 5, 12, 10, tzinfo=UTC)
    assert [found.id for found in disputes.list(settlement_ids=[staged.id], closed=True)] == [raised.id]
    theirs = next(iter(sdk_network.partner.disputes.list(settlement_external_ids=["day-1"], show_retracted=True)))
    assert theirs.dispute_closure is not None
    assert theirs.dispute_closure.adjusted_transfers == {"ofcbtc": -3 * BTC // 2}
    reviewed = sdk_network.another_operator().dispute_closures.review(closure.id, decision="approved", notes="fine")
    assert reviewed.status == "approved"
    following = stage(sdk_network, "0.1", "day-2")
    assert [found.id for found in following.settling_disputes] == [raised.id]


def test_v1_settlement_executes_at_once_under_both_names(sdk_network: SdkNetwork) -> None:
    sdk_network.operator.update_partner(
        sdk_network.partner_id, client_dispute_window_minutes=None, top_up_window_minutes=None
    )
    settlements, connection_id = sdk_network.partner.settlements, sdk_network.connection.id
    done = settlements.create_v1(external_id="day-1", settlement_amounts={connection_id: {"BTC": -1}}, nonce="n")
    assert (done.status, done.replayed) == ("completed", False)
    again = settlements.create_non_reconciled(
        external_id="day-1", settlement_amounts={connection_id: {"BTC": -1}}, nonce="n"
    )
    assert again == done
    assert again.replayed
    moved = list(sdk_network.client.settlements.transfers(settlement_ids=[done.id], currencies=["ofcbtc"]))
    assert [(transfer.quantity, transfer.status) for transfer in moved] == [(-BTC, "completed")]
    with pytest.raises(NotAuthenticatedError) as refused:
        settlements.create_v1(external_id="day-2", settlement_amounts={connection_id: {"BTC": -5}})
    assert refused.value.settlement is not None
    assert refused.value.settlement.status == "failed"
    assert refused.value.settlement.reason


def test_settlement_on_chain_is_initiated_and_paid(sdk_network: SdkNetwork) -> None:
    configured = sdk_network.operator.configure_partner(
        "meridian",
        currencies=CURRENCIES,
        amount_unit="decimal",
        onchain_enabled=True,
        loss_sla_minutes=1.5,
    )
    assert (configured.onchain_enabled, configured.loss_sla_minutes) == (True, Decimal("1.5"))
    settlements, connection_id = sdk_network.partner.settlements, sdk_network.connection.id
    deposits = [Deposit("BTC", "0xabc")]
    text = settlements.deposits_payload(external_settlement_id="day-1", deposits=deposits)
    assert text == '{"externalSettlementId":"day-1","deposits":[{"currency":"BTC","onChainTxId":"0xabc"}]}'
    started = settlements.create_onchain(
        external_id="day-1", settlement_amounts={connection_id: {"BTC": -BTC}}, nonce="n"
    )
    assert (started.status, started.settlement_type) == ("pending", "onchain")
    given = settlements.record_deposits(external_settlement_id="day-1", deposits=deposits, settlement_id=started.id)
    assert [deposit.on_chain_tx_id for deposit in given] == ["0xabc"]
    with pytest.raises(ConflictError):
        settlements.record_deposits(external_settlement_id="day-2", deposits=deposits)


def test_payload_of_trade_is_returned(sdk_network: SdkNetwork) -> None:
    trade = Trade(
        external_id="t-1",
        external_order_id="o-1",
        party_connection_id=sdk_network.connection.id,
        traded_at=CUTOFF,
        base=TradeSide("BTC", Decimal("0.5")),
        quote=TradeSide("USD", -20_000),
    )
    text = sdk_network.partner.settlements.trade_payload(trade=trade, nonce="n")
    assert payload_text({"trade": trade.wire(), "nonce": "n"}) == text


def test_encrypted_connection_key_is_read_by_partner_only(sdk_network: SdkNetwork) -> None:
    rsa = generate_private_key(65537, 2048)
    sdk_network.operator.configure_partner(
        "meridian", currencies=CURRENCIES, amount_unit="decimal", public_key=public_pem(rsa.public_key())
    )
    listed = next(iter(sdk_network.client.partners(ids=[sdk_network.partner_id])))
    assert listed.public_key
    key = encrypted_key(TokenKey("the-secret-of-the-connection"), listed.public_key)
    assert decrypt_connection_key(key.connection_token, rsa) == "the-secret-of-the-connection"
    made = sdk_network.client.connections.create(
        partner_id=sdk_network.partner_id, name="sealed", connection_key=key
    )
    assert made.name == "sealed"


def test_operator_closes_dispute_and_second_operator_reviews_it(sdk_network: SdkNetwork, testbed: Testbed) -> None:
    staged = stage(sdk_network)
    raised = sdk_network.client.disputes.create(
        staged.id, connection_id=sdk_network.connection.id, expected_transfers={}
    )
    testbed.pass_minutes(10)
    assert [found.id for found in sdk_network.operator.disputes.list(closed=False)] == [raised.id]
    closure = sdk_network.operator.disputes.close(raised.id, adjusted_transfers={"ofcbtc": -1}, notes="a satoshi")
    assert [found.id for found in sdk_network.operator.dispute_closures.list(statuses=["pending_review"])] == [
        closure.id
    ]
    reviewed = sdk_network.another_operator().dispute_closures.review(closure.id, decision="rejected", notes="no")
    assert reviewed.review_notes == "no"


def test_operator_rejects_and_retries_settlements(sdk_network: SdkNetwork, testbed: Testbed) -> None:
    staged = stage(sdk_network)
    rejected = sdk_network.operator.settlements.reject(staged.id, reason="a drill")
    assert (rejected.status, rejected.reason) == ("rejected", "a drill")
    owing = stage(sdk_network, "11", "day-2")
    testbed.pass_minutes(10)
    testbed.pass_minutes(10)
    assert sdk_network.operator.settlements.get(owing.id).settlement.status == "failed"
    deposit = sdk_network.operator.go_accounts.deposit(
        sdk_network.partner_account, currency="ofcbtc", quantity=5 * BTC, reference="top-up"
    )
    assert deposit.balance.available == 15 * BTC
    assert sdk_network.operator.settlements.retry(owing.id, reason="funded").status == "pending"
    testbed.run_due()
    assert [found.status for found in sdk_network.operator.settlements.list(external_ids=["day-2"])] == [
        "completed"
    ]


def test_operator_manages_accounts(sdk_network: SdkNetwork) -> None:
    operator = sdk_network.operator
    key = operator.go_accounts.add_key(sdk_network.client_account, NewKey(make_key(7).xpub, encrypted_prv="theirs"))
    operator.go_accounts.revoke_key(sdk_network.client_account, key.id)
    assert operator.go_accounts.add_custodian_key(sdk_network.client_account).custodian
    out = operator.go_accounts.withdraw(sdk_network.client_account, currency="ofcbtc", quantity=BTC, reference="w")
    assert out.entry.quantity in (BTC, -BTC)
    assert operator.go_accounts.withdraw(
        sdk_network.client_account, currency="ofcbtc", quantity=str(BTC), reference="w"
    ).replayed
    assert operator.go_accounts.balances(sdk_network.client_account)["ofcbtc"].available == 7 * BTC
    made = operator.currencies.create(name="ofcxyz", backing="xyz", decimals=3)
    assert made in operator.currencies.list()


def test_operator_manages_operators_enterprises_and_users(sdk_network: SdkNetwork, shapes: Shapes) -> None:
    operator = sdk_network.operator
    assert operator.enterprises.update("aster", name="Aster & Sons").name == "Aster & Sons"
    signing = operator.enterprises.create_token(
        "aster", user_id="desk@aster", scopes=["settlement_network_read"], kind="v2x"
    )
    assert signing.kind == "v2x"
    token = operator.enterprises.create_token(
        "aster",
        user_id="desk@aster",
        scopes=["settlement_network_read"],
        ip_allow_list=["127.0.0.0/8"],
        expires_at=datetime(2027, 1, 1, tzinfo=UTC),
    )
    assert token.value not in repr(token)
    reader = shapes.client(sdk_network.url, token.value, "aster", options=OPTIONS)
    assert len(list(reader.connections.list())) == 1
    operator.revoke_token(token.id)
    operator.revoke_token(token.id)
    with pytest.raises(NotAuthenticatedError):
        reader.connections.get(sdk_network.connection.id)
    client_id = sdk_network.client.balances().client_id
    assert operator.update_client(client_id, active=False).id == client_id
    assert operator.update_partner(sdk_network.partner_id, top_up_window_minutes=None).top_up_window_minutes is None
    assert operator.update_partner(sdk_network.partner_id, active=False).active is False


def test_operator_reads_audit_log_journal_and_events(sdk_network: SdkNetwork) -> None:
    stage(sdk_network)
    operator = sdk_network.operator
    assert any(record.action == "enterprise.created" for record in operator.audit_log(subject_id="aster"))
    entries = list(operator.ledger_entries(page_size=2))
    assert all(sum(posting.quantity for posting in entry.postings) == 0 for entry in entries)
    assert len(entries) >= 3
    assert [event.type for event in operator.events(types=["settlement.initiated"], enterprise_id="aster")]
    assert [item.status for item in operator.work()] == ["waiting"]
    check = operator.check_ledger()
    assert (check.ok, check.findings) == (True, ())


def test_signing_helpers_return_the_payload_that_the_sdk_signs(sdk_network: SdkNetwork) -> None:
    amounts = {sdk_network.connection.id: {"BTC": "-1.5"}}
    fields = {
        "externalId": "day-1",
        "settlementAmounts": amounts,
        "nonce": "n",
        "cutoffAt": "2026-01-05T11:59:00.000Z",
    }
    for method in ("GET", "POST"):
        given = sdk_network.partner.settlements.payload(
            external_id="day-1", settlement_amounts=amounts, cutoff_at=CUTOFF, nonce="n", method=method
        )
        assert given == payload_text(fields)
        sdk_network.client.connections.payload(
            partner_id=sdk_network.partner_id, name="x", connection_key=TokenKey("k"), method=method
        )
        for helper in (
            sdk_network.client.allocations.allocation_payload,
            sdk_network.client.allocations.deallocation_payload,
        ):
            helper(sdk_network.connection.id, currency="ofcbtc", quantity=1, client_external_id="a", method=method)


def test_each_refusal_has_its_own_error_type(sdk_network: SdkNetwork, shapes: Shapes) -> None:
    with pytest.raises(NotFoundError) as unknown:
        sdk_network.client.settlements.get(uuid4())
    assert unknown.value.status == 404
    with pytest.raises(InvalidRequestError) as wrong:
        sdk_network.client.allocations.allocate(
            sdk_network.connection.id, currency="ofcbtc", quantity=-1, client_external_id="less than nothing"
        )
    assert wrong.value.details["problems"]
    stranger = shapes.client(sdk_network.url, "no-such-token", "aster", options=OPTIONS)
    with pytest.raises(NotAuthenticatedError):
        stranger.balances()


def test_request_without_signer_or_with_unknown_key_is_refused(
    sdk_network: SdkNetwork, shapes: Shapes, base_url: str
) -> None:
    token = sdk_network.operator.enterprises.create_token(
        "aster", user_id="desk@aster", scopes=["settlement_network_read", "settlement_network_write"]
    ).value
    unable = shapes.client(base_url, token, "aster", options=OPTIONS)
    with pytest.raises(SigningError, match="signer"):
        unable.allocations.allocate(
            sdk_network.connection.id, currency="ofcbtc", quantity=1, client_external_id="a"
        )
    other = shapes.client(base_url, token, "aster", signer=KeySigner(make_key(9).xprv), options=OPTIONS)
    with pytest.raises(NotAuthenticatedError):
        other.allocations.allocate(sdk_network.connection.id, currency="ofcbtc", quantity=1, client_external_id="a")
