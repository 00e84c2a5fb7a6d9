"""Settlements as their partner and their clients may see them. Protocol §5, §6, §10.8."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from clearwindow.access.values import Member
from clearwindow.clock import wire_time
from clearwindow.database.listing import Listing
from clearwindow.database.pool import Transaction
from clearwindow.disputes import service as disputes
from clearwindow.disputes.values import DisputeFilter
from clearwindow.disputes.wire import DisputeWithClosureOutput
from clearwindow.errors import NotFoundError
from clearwindow.http.wire import present
from clearwindow.ids import NIL
from clearwindow.network import lookups
from clearwindow.network import service as network
from clearwindow.network.values import Client, Connection, Partner
from clearwindow.runtime import Runtime
from clearwindow.settlements import rules, store, wire
from clearwindow.settlements.values import Settlement, SettlementFilter
from clearwindow.transfers import service as transfers
from clearwindow.transfers.values import Transfer, TransferFilter, TransferSearch
from clearwindow.transfers.wire import SettlementTransferOutput, settlement_transfer

_ALL_DISPUTES = 100_000


@dataclass(frozen=True, slots=True)
class WantedTransfers:
    """Which transfers of a settlement are asked for, and which page of them."""

    source_network_account_ids: Sequence[UUID] | None = None
    source_trading_account_ids: Sequence[UUID] | None = None
    destination_network_account_ids: Sequence[UUID] | None = None
    destination_trading_account_ids: Sequence[UUID] | None = None
    currencies: Sequence[str] | None = None
    limit: int = 100
    offset: int = 0


def list_for_partner(runtime: Runtime, member: Member, wanted: SettlementFilter) -> Listing[wire.SettlementOutput]:
    with runtime.transaction() as tx:
        partner = network.require_partner(tx, member.enterprise_id)
        narrowed = replace(wanted, partner_ids=_within(wanted.partner_ids, partner.id))
        page = store.list_settlements(tx, narrowed)
        disputed = disputes.disputed_among(tx, [settlement.id for settlement in page.items])
        outputs = [wire.settlement_output(found, disputed=found.id in disputed) for found in page.items]
        return Listing(outputs, page.total)


@dataclass(frozen=True, slots=True)
class Detail:
    """One settlement with a page of its transfers and its disputes."""

    settlement: Settlement
    disputed: bool
    transfers: list[SettlementTransferOutput]
    settling: list[DisputeWithClosureOutput]
    raised: list[DisputeWithClosureOutput]


def get_for_partner(
    runtime: Runtime, member: Member, settlement_id: UUID | None, wanted: WantedTransfers
) -> tuple[wire.SettlementAnswer, int]:
    """The settlement with one page of its transfers, and how many transfers there are."""
    with runtime.transaction() as tx:
        partner = network.require_partner(tx, member.enterprise_id)
        found, total = detail(tx, settlement_id, wanted, partner_id=partner.id)
    answer = wire.SettlementAnswer(
        settlement=wire.settlement_output(found.settlement, disputed=found.disputed),
        settlement_transfers=found.transfers,
        settling_disputes=found.settling,
        settlement_disputes=found.raised,
    )
    return answer, total


def detail(
    tx: Transaction, settlement_id: UUID | None, wanted: WantedTransfers, *, partner_id: UUID | None
) -> tuple[Detail, int]:
    """The settlement, of this partner or of any, and how many transfers it has."""
    settlement = store.find(tx, settlement_id) if settlement_id else None
    if settlement is None or partner_id not in (None, settlement.partner_id):
        raise _not_found()
    partner = lookups.partner(tx, settlement.partner_id)
    page, total = transfers.list_transfers(tx, settlement.id, _narrowed(tx, partner, settlement, wanted))
    sides = {connection_id for transfer in page for connection_id in transfer.connection_ids}
    trading_accounts = (partner.go_account_id, lookups.client_accounts(tx, sides))
    shown = [settlement_transfer(transfer, trading_accounts) for transfer in page]
    settling, raised = _disputes(tx, settlement, own=None)
    return Detail(settlement, _any_standing(raised), shown, settling, raised), total


def list_any(tx: Transaction, wanted: SettlementFilter) -> Listing[Settlement]:
    """Settlements of the whole network, for operators."""
    return store.list_settlements(tx, wanted)


def list_work(tx: Transaction, limit: int, offset: int) -> Listing[Settlement]:
    """Settlements that wait for the worker, the longest due first."""
    return store.list_work(tx, limit, offset)


def list_for_client(
    runtime: Runtime, member: Member, wanted: SettlementFilter
) -> Listing[wire.ClientSettlementOutput]:
    with runtime.transaction() as tx:
        client = network.require_client(tx, member.enterprise_id)
        own = list(lookups.connections_of_client(tx, client.id))
        # Asking for another client's connection must not tell that it is in one of these settlements.
        narrowed = replace(
            wanted,
            own_connection_ids=own,
            party_connection_ids=_among(wanted.party_connection_ids, own),
            counterparty_connection_ids=_among(wanted.counterparty_connection_ids, own),
        )
        page = store.list_settlements(tx, narrowed)
        ids = [settlement.id for settlement in page.items]
        disputed = disputes.disputed_among(tx, ids, own)
        directions = {direction.settlement_id: direction for direction in transfers.directions(tx, ids, own)}
        answer = []
        for settlement in page.items:
            fields = wire.client_fields(settlement, disputed=settlement.id in disputed)
            direction = directions.get(settlement.id)
            fields |= {"transfer_direction": _direction(direction)}
            answer.append(wire.ClientSettlementOutput.model_validate(fields))
        return Listing(answer, page.total)


def get_for_client(
    runtime: Runtime, member: Member, settlement_id: UUID | None, wanted: WantedTransfers
) -> tuple[wire.ClientSettlementAnswer, int]:
    """The settlement as far as it is the client's own, and how many of its transfers there are."""
    with runtime.transaction() as tx:
        client = network.require_client(tx, member.enterprise_id)
        connections = lookups.connections_of_client(tx, client.id)
        settlement = store.find(tx, settlement_id) if settlement_id else None
        own = transfers.party_connections(tx, settlement.id, list(connections)) if settlement else []
        if settlement is None or not own:
            raise _not_found()
        shown = TransferFilter(
            own_connection_ids=own, currencies=wanted.currencies, limit=wanted.limit, offset=wanted.offset
        )
        page, total = transfers.list_transfers(tx, settlement.id, shown)
        settling, raised = _disputes(tx, settlement, own=own)
        fields = wire.client_fields(settlement, disputed=_any_standing(raised))
        answer = wire.ClientSettlementAnswer(
            settlement=wire.SettlementOutput.model_validate(fields),
            settlement_transfers=[_masked(transfer, settlement, client, connections) for transfer in page],
            settling_disputes=settling,
            settlement_disputes=raised,
        )
        return answer, total


def list_transfers_for_client(
    runtime: Runtime, member: Member, wanted: TransferSearch
) -> Listing[wire.MaskedTransferOutput]:
    """The client's own transfers in all settlements that it is in."""
    with runtime.transaction() as tx:
        client = network.require_client(tx, member.enterprise_id)
        connections = lookups.connections_of_client(tx, client.id)
        page = transfers.search(tx, replace(wanted, own_connection_ids=list(connections)))
        ids = {transfer.settlement_id for transfer in page.items if transfer.settlement_id}
        listed = SettlementFilter(settlement_ids=sorted(ids), limit=len(ids))
        settlements = {found.id: found for found in store.list_settlements(tx, listed).items}
    shown = [
        _masked(transfer, settlements[transfer.settlement_id], client, connections)
        for transfer in page.items
        if transfer.settlement_id
    ]
    return Listing(shown, page.total)


def _narrowed(tx: Transaction, partner: Partner, settlement: Settlement, wanted: WantedTransfers) -> TransferFilter:
    """What is asked for by trading account, by the connections that these accounts are behind."""
    sources, destinations = wanted.source_trading_account_ids, wanted.destination_trading_account_ids
    owners: Mapping[UUID, UUID] = {}
    if sources is not None or destinations is not None:
        owners = lookups.client_accounts(tx, transfers.party_connections(tx, settlement.id))
    return TransferFilter(
        connection_ids=_behind(destinations, owners),
        counterparty_connection_ids=_behind(sources, owners),
        from_partner=sources is not None and partner.go_account_id in sources,
        account_ids=wanted.destination_network_account_ids,
        counterparty_account_ids=wanted.source_network_account_ids,
        currencies=wanted.currencies,
        limit=wanted.limit,
        offset=wanted.offset,
    )


def _behind(trading_accounts: Sequence[UUID] | None, owners: Mapping[UUID, UUID]) -> list[UUID] | None:
    if trading_accounts is None:
        return None
    asked = set(trading_accounts)
    return [connection_id for connection_id, account_id in owners.items() if account_id in asked]


def _disputes(
    tx: Transaction, settlement: Settlement, own: Sequence[UUID] | None
) -> tuple[list[DisputeWithClosureOutput], list[DisputeWithClosureOutput]]:
    """The disputes that the settlement settles, and those raised on it."""
    scope = DisputeFilter(own_connection_ids=own, limit=_ALL_DISPUTES)
    settling = disputes.describe(tx, replace(scope, settled_in_settlement_ids=[settlement.id])).items
    raised = disputes.describe(tx, replace(scope, settlement_ids=[settlement.id])).items
    return settling, raised


def _masked(
    transfer: Transfer, settlement: Settlement, client: Client, own: Mapping[UUID, Connection]
) -> wire.MaskedTransferOutput:
    fields = present(
        id=str(transfer.id),
        **_own_side("source", own.get(transfer.counterparty_connection_id or NIL), client),
        **_own_side("destination", own.get(transfer.connection_id), client),
        currency=transfer.currency,
        quantity=str(transfer.quantity),
        tx_ids=transfer.tx_ids,
        status=transfer.status,
        settlement_id=str(settlement.id),
        dispute_closure_id=_own_closure(transfer, own),
        created_at=wire_time(transfer.created_at),
        updated_at=wire_time(transfer.updated_at),
        settlement_status=rules.wire_status(settlement.state),
        settlement_notes=settlement.notes,
    )
    return wire.MaskedTransferOutput.model_validate(fields | {"usd_value": None})


def _own_side(side: str, connection: Connection | None, client: Client) -> dict[str, object]:
    if connection is None:
        return {}
    return {
        f"{side}_trading_account_id": client.go_account_id.hex,
        f"{side}_network_account_id": str(connection.network_account_id),
        f"{side}_client_name": client.name,
        f"{side}_connection_name": connection.name,
    }


def _own_closure(transfer: Transfer, own: Mapping[UUID, Connection]) -> str | None:
    """A closure makes its transfers to the connection that disputed; the other side's dispute is not its own."""
    if transfer.dispute_closure_id is None or transfer.connection_id not in own:
        return None
    return str(transfer.dispute_closure_id)


def _direction(direction: transfers.Direction | None) -> str:
    if direction is None or (direction.receives and direction.sends):
        return "send-and-receive"
    return "receive" if direction.receives else "send"


def _any_standing(raised: Sequence[DisputeWithClosureOutput]) -> bool:
    return any(not dispute.retracted for dispute in raised)


def _among(asked: Sequence[UUID] | None, own: Collection[UUID]) -> list[UUID] | None:
    return None if asked is None else [connection_id for connection_id in asked if connection_id in own]


def _within(wanted: Sequence[UUID] | None, own: UUID) -> list[UUID]:
    """The caller's own id, unless it asks for others only."""
    return [own] if wanted is None or own in wanted else []


def _not_found() -> NotFoundError:
    return NotFoundError("settlement_not_found", "there is no such settlement")
