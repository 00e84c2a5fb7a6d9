"""Each operation through the SDK, in both shapes, against the real server."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
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
from tests.client.shapes import Shapes
from tests.client.towns import BTC, CURRENCIES, OPTIONS, Town, build
from tests.conftest import OPERATOR_TOKEN
from tests.support.operators import make_key
from tests.support.settling import Floor

CUTOFF = datetime(2026, 1, 5, 11, 59, tzinfo=UTC)


@pytest.fixture
def town(shapes: Shapes, base_url: str) -> Town:
    return build(shapes, base_url, OPERATOR_TOKEN)


def stage(town: Town, amount: str = "-1.5", external_id: str = "day-1", **more: str) -> StagedSettlement:
    return town.partner.settlements.create(
        external_id=external_id, settlement_amounts={town.connection.id: {"BTC": amount}}, cutoff_at=CUTOFF, **more
    )


def test_partners_connections_and_balances(town: Town) -> None:
    client, partner, connection = town.client, town.partner, town.connection
    assert [found.id for found in client.partners(names=["Meridian"], active=True)] == [town.partner_id]
    currencies = client.supported_currencies([town.partner_id]).supported_currencies[town.partner_id]
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
    assert theirs.balances["BTC"].available == Decimal(10)
    assert theirs.network_balances[connection.id].balances["BTC"].available == Decimal(2)


def test_balances_of_more_connections_than_a_page_has(town: Town) -> None:
    for number in range(3):
        town.client.connections.create(
            partner_id=town.partner_id, name=f"more {number}", connection_key=TokenKey("k")
        )
    assert len(town.client.balances(page_size=2).network_balances) == 4
    assert len(town.partner.balances(page_size=3).network_balances) == 4
    assert len(list(town.partner.connections.list(page_size=1))) == 4
    page = town.partner.connections.list(page_size=3).page(1)
    assert (len(page.items), page.total) == (1, 4)


def test_allocations_there_and_back(town: Town) -> None:
    allocations, connection = town.client.allocations, town.connection
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
    theirs = town.partner.allocations.get(made.id)
    assert (theirs.amount.currency, theirs.amount.quantity) == ("BTC", Decimal(1))
    assert len(list(town.partner.allocations.list(types=["allocation"], page_size=1))) == 2


def test_a_refused_allocation_comes_with_its_error(town: Town) -> None:
    with pytest.raises(UnprocessableError) as refused:
        town.client.allocations.allocate(
            town.connection.id, currency="ofcbtc", quantity=100 * BTC, client_external_id="too much"
        )
    assert refused.value.allocation is not None
    assert refused.value.allocation.status == "released"
    assert refused.value.name
    assert refused.value.request_id
    assert refused.value.request_id in str(refused.value)


def test_a_settlement_from_its_signature_to_its_end(town: Town, floor: Floor) -> None:
    staged = stage(town, nonce="s-1", notes="the day")
    assert (staged.status, staged.cutoff_at, staged.settling_disputes) == ("pending", CUTOFF, ())
    again = stage(town, nonce="s-1", notes="the day")
    assert again == staged
    assert again.replayed
    assert not staged.replayed
    with pytest.raises(ConflictError):
        stage(town, "-1", nonce="s-2")
    assert [found.id for found in town.client.settlements.list(statuses=["pending"])] == [staged.id]
    seen = town.client.settlements.get(staged.id, currencies=["ofcbtc"])
    assert [transfer.quantity for transfer in seen.settlement_transfers] == [-3 * BTC // 2]
    detail = town.partner.settlements.get(staged.id)
    assert (len(detail.settlement_transfers), detail.meta.total) == (1, 1)
    assert [transfer.id for transfer in town.partner.settlements.transfers(staged.id)] == [
        detail.settlement_transfers[0].id
    ]
    floor.pass_minutes(10)
    floor.pass_minutes(10)
    found = next(iter(town.partner.settlements.list(external_ids=["day-1"])))
    assert found.status == "completed"
    assert found.finalized_at == datetime(2026, 1, 5, 12, 20, tzinfo=UTC)
    assert town.client.balances().network_balances[town.connection.id].balances["ofcbtc"].available == BTC // 2


def test_a_settlement_that_is_not_covered_names_every_shortfall(town: Town) -> None:
    with pytest.raises(UnprocessableError) as refused:
        stage(town, "-3")
    assert town.connection.id in str(refused.value.details)
    assert list(town.partner.settlements.list()) == []


def test_a_dispute_raised_changed_and_given_up(town: Town, floor: Floor) -> None:
    staged = stage(town)
    disputes, connection_id = town.client.disputes, town.connection.id
    raised = disputes.create(
        staged.id, connection_id=connection_id, expected_transfers={"ofcbtc": -BTC}, reason="too much"
    )
    assert raised.expected_transfers == {"ofcbtc": -BTC}
    gone = disputes.update(raised.id, connection_id=connection_id, retracted=True, reason="a mistake")
    assert gone.retracted
    disputes.update(raised.id, connection_id=connection_id, retracted=False, expected_transfers={})
    floor.pass_minutes(10)
    closure = disputes.close(raised.id, notes="we were wrong")
    assert (closure.status, closure.closed_by) == ("pending_review", "client")
    assert closure.created_at == datetime(2026, 1, 5, 12, 10, tzinfo=UTC)
    assert [found.id for found in disputes.list(settlement_ids=[staged.id], closed=True)] == [raised.id]
    theirs = next(iter(town.partner.disputes.list(settlement_external_ids=["day-1"], show_retracted=True)))
    assert theirs.dispute_closure is not None
    assert theirs.dispute_closure.adjusted_transfers == {"ofcbtc": -3 * BTC // 2}
    reviewed = town.operator.dispute_closures.review(closure.id, decision="approved", notes="fine")
    assert reviewed.status == "approved"
    following = stage(town, "0.1", "day-2")
    assert [found.id for found in following.settling_disputes] == [raised.id]


def test_settling_at_once_under_both_names(town: Town) -> None:
    town.operator.update_partner(town.partner_id, client_dispute_window_minutes=None, top_up_window_minutes=None)
    settlements, connection_id = town.partner.settlements, town.connection.id
    done = settlements.create_v1(external_id="day-1", settlement_amounts={connection_id: {"BTC": -1}}, nonce="n")
    assert (done.status, done.replayed) == ("completed", False)
    again = settlements.create_non_reconciled(
        external_id="day-1", settlement_amounts={connection_id: {"BTC": -1}}, nonce="n"
    )
    assert again == done
    assert again.replayed
    moved = list(town.client.settlements.transfers(settlement_ids=[done.id], currencies=["ofcbtc"]))
    assert [(transfer.quantity, transfer.status) for transfer in moved] == [(-BTC, "completed")]
    with pytest.raises(NotAuthenticatedError) as refused:
        settlements.create_v1(external_id="day-2", settlement_amounts={connection_id: {"BTC": -5}})
    assert refused.value.settlement is not None
    assert refused.value.settlement.status == "failed"
    assert refused.value.settlement.reason


def test_settling_on_chain(town: Town) -> None:
    configured = town.operator.configure_partner(
        "meridian",
        currencies=CURRENCIES,
        amount_unit="decimal",
        onchain_enabled=True,
        loss_sla_minutes=1.5,
    )
    assert (configured.onchain_enabled, configured.loss_sla_minutes) == (True, Decimal("1.5"))
    settlements, connection_id = town.partner.settlements, town.connection.id
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


def test_the_text_of_a_trade(town: Town) -> None:
    trade = Trade(
        external_id="t-1",
        external_order_id="o-1",
        party_connection_id=town.connection.id,
        traded_at=CUTOFF,
        base=TradeSide("BTC", Decimal("0.5")),
        quote=TradeSide("USD", -20_000),
    )
    text = town.partner.settlements.trade_payload(trade=trade, nonce="n")
    assert payload_text({"trade": trade.wire(), "nonce": "n"}) == text


def test_a_connection_key_that_only_the_partner_can_read(town: Town) -> None:
    rsa = generate_private_key(65537, 2048)
    town.operator.configure_partner(
        "meridian", currencies=CURRENCIES, amount_unit="decimal", public_key=public_pem(rsa.public_key())
    )
    listed = next(iter(town.client.partners(ids=[town.partner_id])))
    assert listed.public_key
    key = encrypted_key(TokenKey("the-secret-of-the-connection"), listed.public_key)
    assert decrypt_connection_key(key.connection_token, rsa) == "the-secret-of-the-connection"
    made = town.client.connections.create(partner_id=town.partner_id, name="sealed", connection_key=key)
    assert made.name == "sealed"


def test_the_operator_closes_a_dispute_and_another_reviews_it(town: Town, floor: Floor) -> None:
    staged = stage(town)
    raised = town.client.disputes.create(staged.id, connection_id=town.connection.id, expected_transfers={})
    floor.pass_minutes(10)
    assert [found.id for found in town.operator.disputes.list(closed=False)] == [raised.id]
    closure = town.operator.disputes.close(raised.id, adjusted_transfers={"ofcbtc": -1}, notes="a satoshi")
    assert [found.id for found in town.operator.dispute_closures.list(statuses=["pending_review"])] == [closure.id]
    reviewed = town.another_operator().dispute_closures.review(closure.id, decision="rejected", notes="no")
    assert reviewed.review_notes == "no"


def test_the_operator_rejects_and_retries_settlements(town: Town, floor: Floor) -> None:
    staged = stage(town)
    rejected = town.operator.settlements.reject(staged.id, reason="a drill")
    assert (rejected.status, rejected.reason) == ("rejected", "a drill")
    owing = stage(town, "11", "day-2")
    floor.pass_minutes(10)
    floor.pass_minutes(10)
    assert town.operator.settlements.get(owing.id).settlement.status == "failed"
    deposit = town.operator.go_accounts.deposit(
        town.partner_account, currency="ofcbtc", quantity=5 * BTC, reference="top-up"
    )
    assert deposit.balance.available == 15 * BTC
    assert town.operator.settlements.retry(owing.id, reason="funded").status == "pending"
    floor.run_due()
    assert [found.status for found in town.operator.settlements.list(external_ids=["day-2"])] == ["completed"]


def test_the_operator_keeps_accounts(town: Town) -> None:
    operator = town.operator
    key = operator.go_accounts.add_key(town.client_account, NewKey(make_key(7).xpub, encrypted_prv="theirs"))
    operator.go_accounts.revoke_key(town.client_account, key.id)
    assert operator.go_accounts.add_custodian_key(town.client_account).custodian
    out = operator.go_accounts.withdraw(town.client_account, currency="ofcbtc", quantity=BTC, reference="w")
    assert out.entry.quantity in (BTC, -BTC)
    assert operator.go_accounts.withdraw(
        town.client_account, currency="ofcbtc", quantity=str(BTC), reference="w"
    ).replayed
    assert operator.go_accounts.balances(town.client_account)["ofcbtc"].available == 7 * BTC
    made = operator.currencies.create(name="ofcxyz", backing="xyz", decimals=3)
    assert made in operator.currencies.list()


def test_the_operator_looks_after_people(town: Town, shapes: Shapes) -> None:
    operator = town.operator
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
    reader = shapes.client(town.url, token.value, "aster", options=OPTIONS)
    assert len(list(reader.connections.list())) == 1
    operator.revoke_token(token.id)
    operator.revoke_token(token.id)
    with pytest.raises(NotAuthenticatedError):
        reader.connections.get(town.connection.id)
    client_id = town.client.balances().client_id
    assert operator.update_client(client_id, active=False).id == client_id
    assert operator.update_partner(town.partner_id, top_up_window_minutes=None).top_up_window_minutes is None
    assert operator.update_partner(town.partner_id, active=False).active is False


def test_the_operator_reads_what_happened(town: Town) -> None:
    stage(town)
    operator = town.operator
    assert any(record.action == "enterprise.created" for record in operator.audit_log(subject_id="aster"))
    entries = list(operator.ledger_entries(page_size=2))
    assert all(sum(posting.quantity for posting in entry.postings) == 0 for entry in entries)
    assert len(entries) >= 3
    assert [event.type for event in operator.events(types=["settlement.initiated"], enterprise_id="aster")]
    assert [item.status for item in operator.work()] == ["waiting"]
    check = operator.check_ledger()
    assert (check.ok, check.findings) == (True, ())


def test_signing_helpers_write_what_the_sdk_signs(town: Town) -> None:
    amounts = {town.connection.id: {"BTC": "-1.5"}}
    fields = {
        "externalId": "day-1",
        "settlementAmounts": amounts,
        "nonce": "n",
        "cutoffAt": "2026-01-05T11:59:00.000Z",
    }
    for method in ("GET", "POST"):
        given = town.partner.settlements.payload(
            external_id="day-1", settlement_amounts=amounts, cutoff_at=CUTOFF, nonce="n", method=method
        )
        assert given == payload_text(fields)
        town.client.connections.payload(
            partner_id=town.partner_id, name="x", connection_key=TokenKey("k"), method=method
        )
        for helper in (town.client.allocations.allocation_payload, town.client.allocations.deallocation_payload):
            helper(town.connection.id, currency="ofcbtc", quantity=1, client_external_id="a", method=method)


def test_refusals_are_errors_of_their_own(town: Town, shapes: Shapes) -> None:
    with pytest.raises(NotFoundError) as unknown:
        town.client.settlements.get(uuid4())
    assert unknown.value.status == 404
    with pytest.raises(InvalidRequestError) as wrong:
        town.client.allocations.allocate(
            town.connection.id, currency="ofcbtc", quantity=-1, client_external_id="less than nothing"
        )
    assert wrong.value.details["problems"]
    stranger = shapes.client(town.url, "no-such-token", "aster", options=OPTIONS)
    with pytest.raises(NotAuthenticatedError):
        stranger.balances()


def test_without_a_signer_or_with_another_key_nothing_is_signed(town: Town, shapes: Shapes, base_url: str) -> None:
    token = town.operator.enterprises.create_token(
        "aster", user_id="desk@aster", scopes=["settlement_network_read", "settlement_network_write"]
    ).value
    unable = shapes.client(base_url, token, "aster", options=OPTIONS)
    with pytest.raises(SigningError, match="signer"):
        unable.allocations.allocate(town.connection.id, currency="ofcbtc", quantity=1, client_external_id="a")
    other = shapes.client(base_url, token, "aster", signer=KeySigner(make_key(9).xprv), options=OPTIONS)
    with pytest.raises(NotAuthenticatedError):
        other.allocations.allocate(town.connection.id, currency="ofcbtc", quantity=1, client_external_id="a")
