"""All SQL of partner configurations, partners, clients and connections."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Final
from uuid import UUID

from clearwindow.network.models import (
    Client,
    Connection,
    ConnectionFilter,
    CurrencyMap,
    MappedCurrency,
    NewPartner,
    Partner,
    PartnerConfiguration,
    PartnerFilter,
    PartnerLicence,
    SearchedClients,
    SearchedConfigurations,
    SearchedConnections,
    SearchedLicences,
    SearchedPartners,
)
from clearwindow.postgres.asking import Later
from clearwindow.postgres.paging import NEWEST_FIRST, OLDEST_FIRST, Listing, Order, Slice, keyset_page
from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.queries import Queries

sql: Final = Queries("clearwindow.network")
_BY_ENTERPRISE: Final = Order({"enterprise_id": str}, descending=False)
_BY_ENTERPRISE_AND_PARTNER: Final = Order({"enterprise_id": str, "partner_id": UUID}, descending=False)


@dataclass(frozen=True, slots=True)
class _PartnerCurrency:
    enterprise_id: str
    partner_name: str
    currency: str
    decimals: int
    backing: str


@dataclass(frozen=True, slots=True)
class _Pair:
    id: UUID
    value: UUID


@dataclass(frozen=True, slots=True)
class _Owner:
    id: UUID
    enterprise_id: str


def put_configuration(tx: Transaction, configuration: PartnerConfiguration) -> None:
    """Stores this configuration in place of the enterprise's present one."""
    place = {"enterprise_id": configuration.enterprise_id}
    tx.run(
        sql["put_configuration"],
        **place,
        amount_unit=configuration.amount_unit,
        execute_when_funded=configuration.execute_when_funded,
        auto_approve_client_closures=configuration.auto_approve_client_closures,
        public_key=configuration.public_key,
        onchain_enabled=configuration.onchain_enabled,
        loss_sla_minutes=configuration.loss_sla_minutes,
        gain_sla_minutes=configuration.gain_sla_minutes,
        now=tx.now(),
    )
    tx.run(sql["drop_partner_currencies"], **place)
    names = list(configuration.currencies)
    ours = list(configuration.currencies.values())
    tx.run(sql["insert_partner_currencies"], **place, partner_names=names, currencies=ours)


def find_configuration(tx: Transaction, enterprise_id: str) -> PartnerConfiguration | None:
    return tx.first(PartnerConfiguration, sql["find_configuration"], enterprise_id=enterprise_id)


def currency_map(tx: Transaction, partner: Partner) -> CurrencyMap:
    return currency_maps(tx, [partner])[partner.id]


def currency_maps(tx: Transaction, partners: Iterable[Partner]) -> dict[UUID, CurrencyMap]:
    """Returns the currency map of each partner, by the partner's id."""
    wanted = list(partners)
    enterprise_ids = list({partner.enterprise_id for partner in wanted})
    mapped = ask_mapped_currencies(tx, enterprise_ids)()
    return {partner.id: CurrencyMap(partner.amount_unit, mapped[partner.enterprise_id]) for partner in wanted}


def ask_mapped_currencies(
    tx: Transaction, enterprise_ids: Sequence[str]
) -> Later[dict[str, dict[str, MappedCurrency]]]:
    """Returns the currencies of each enterprise's partner, by the partner's names."""

    def mapped(rows: Iterable[_PartnerCurrency]) -> dict[str, dict[str, MappedCurrency]]:
        found: dict[str, dict[str, MappedCurrency]] = {enterprise_id: {} for enterprise_id in enterprise_ids}
        for row in rows:
            found[row.enterprise_id][row.partner_name] = MappedCurrency(row.currency, row.decimals, row.backing)
        return found

    statement = sql["list_partner_currencies"]
    return tx.ask.all(_PartnerCurrency, statement, enterprise_ids=list(enterprise_ids)).then(mapped)


def insert_client(tx: Transaction, client_id: UUID, enterprise_id: str, go_account_id: UUID) -> bool:
    """Returns False if the enterprise is a client already."""
    values = {"id": client_id, "enterprise_id": enterprise_id, "go_account_id": go_account_id}
    return tx.run(sql["insert_client"], **values, now=tx.now()) == 1


def find_client(
    tx: Transaction, *, client_id: UUID | None = None, enterprise_id: str | None = None
) -> Client | None:
    """Returns the client with this id or of this enterprise."""
    return tx.first(Client, sql["find_client"], id=client_id, enterprise_id=enterprise_id)


def update_client(tx: Transaction, client_id: UUID, *, active: bool) -> None:
    tx.run(sql["update_client"], id=client_id, active=active, now=tx.now())


def insert_partner(tx: Transaction, partner_id: UUID, client: Client, new: NewPartner) -> bool:
    """Returns False if the enterprise is a partner already."""
    inserted = tx.run(
        sql["insert_partner"],
        id=partner_id,
        enterprise_id=client.enterprise_id,
        go_account_id=client.go_account_id,
        client_id=client.id,
        name=new.name,
        broker=new.broker,
        institution_id=new.institution_id,
        institution_identifier=new.institution_identifier,
        connection_key_schema=new.connection_key_schema,
        allocation_policies_enabled=new.allocation_policies_enabled,
        client_dispute_window_minutes=new.client_dispute_window_minutes,
        top_up_window_minutes=new.top_up_window_minutes,
        request_sha256=new.sha256,
        now=tx.now(),
    )
    return inserted == 1


def find_partner(
    tx: Transaction, *, partner_id: UUID | None = None, enterprise_id: str | None = None
) -> Partner | None:
    """Returns the partner with this id or of this enterprise."""
    return ask_partner(tx, partner_id=partner_id, enterprise_id=enterprise_id)()


def ask_partner(
    tx: Transaction, *, partner_id: UUID | None = None, enterprise_id: str | None = None
) -> Later[Partner | None]:
    """Returns the partner with this id or of this enterprise."""
    return tx.ask.first(Partner, sql["find_partner"], id=partner_id, enterprise_id=enterprise_id)


def existing_partner(tx: Transaction, partner_id: UUID) -> Partner:
    """Returns a partner that must exist, because a stored row names it."""
    found = find_partner(tx, partner_id=partner_id)
    if found is None:
        raise LookupError(f"there is no partner {partner_id}")
    return found


def partners_by_id(tx: Transaction, partner_ids: Collection[UUID]) -> dict[UUID, Partner]:
    """Returns those of the partners that exist, by id."""
    wanted = PartnerFilter(ids=list(partner_ids))
    found = list_partners(tx, wanted, Slice.of(len(partner_ids))).items
    return {partner.id: partner for partner in found}


def partners_of_accounts(tx: Transaction, go_account_ids: Collection[UUID]) -> list[UUID]:
    """Returns the ids of the partners that own these Go Accounts, in the order in which partners are locked."""
    return tx.scalars(UUID, sql["partners_of_accounts"], ids=list(go_account_ids))


def partner_accounts(tx: Transaction, partner_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """Returns the Go Account of each partner."""
    return _pairs(tx, "partner_accounts", ids=list(partner_ids))


def partner_request_sha256(tx: Transaction, enterprise_id: str) -> bytes | None:
    """Returns the digest of the request that made the enterprise a partner."""
    found = tx.scalars(bytes, sql["find_partner_request"], enterprise_id=enterprise_id)
    return found[0] if found else None


def lock_partner(tx: Transaction, partner_id: UUID) -> Later[bool]:
    """Locks the partner until the transaction ends. Returns False if there is no such partner."""
    return tx.ask.scalars(UUID, sql["lock_partner"], id=partner_id).then(bool)


def claim_partner(tx: Transaction, partner_id: UUID) -> bool:
    """Claims the partner among workers until the transaction ends. Returns False if another worker has it."""
    return tx.scalars(bool, sql["claim_partner"], id=partner_id)[0]


def update_partner(tx: Transaction, partner: Partner) -> None:
    """Stores the fields of the partner that may change."""
    tx.run(
        sql["update_partner"],
        id=partner.id,
        active=partner.active,
        stable_partner=partner.stable_partner,
        client_dispute_window_minutes=partner.client_dispute_window_minutes,
        top_up_window_minutes=partner.top_up_window_minutes,
        settlement_transaction_route_id=partner.settlement_transaction_route_id,
        now=tx.now(),
    )


def list_partners(tx: Transaction, wanted: PartnerFilter, part: Slice) -> Listing[Partner]:
    return keyset_page(tx, Partner, sql["list_partners"], asdict(wanted), OLDEST_FIRST, part)


def put_licence(tx: Transaction, licence: PartnerLicence) -> None:
    tx.run(
        sql["put_licence"],
        enterprise_id=licence.enterprise_id,
        partner_id=licence.partner_id,
        licensed=licence.licensed,
        now=licence.updated_at,
    )


def licences(tx: Transaction, enterprise_id: str, partner_ids: Collection[UUID]) -> dict[UUID, PartnerLicence]:
    """Returns the enterprise's licence for each of the partners. Without a row it is licensed."""
    values = {"enterprise_id": enterprise_id, "partner_ids": list(partner_ids)}
    given = {found.partner_id: found for found in tx.all(PartnerLicence, sql["list_licences"], **values)}
    return {one: given.get(one) or PartnerLicence(enterprise_id, one, licensed=True) for one in partner_ids}


def insert_connection(tx: Transaction, connection: Connection, encrypted_key: bytes) -> None:
    tx.run(
        sql["insert_connection"],
        id=connection.id,
        partner_id=connection.partner_id,
        client_id=connection.client_id,
        network_account_id=connection.network_account_id,
        name=connection.name,
        encrypted_key=encrypted_key,
        nonce=connection.nonce,
        proof=connection.proof,
        partners_client_id=connection.partners_client_id,
        partners_connection_id=connection.partners_connection_id,
        initiated_by=connection.initiated_by,
        now=connection.created_at,
    )


def find_connection(tx: Transaction, connection_id: UUID) -> Connection | None:
    return tx.first(Connection, sql["find_connection"], id=connection_id)


def find_connection_by_nonce(tx: Transaction, client_id: UUID, nonce: str) -> Connection | None:
    return tx.first(Connection, sql["find_connection_by_nonce"], client_id=client_id, nonce=nonce)


@dataclass(frozen=True, slots=True)
class SealedRequest:
    """What a connection was requested with, its key encrypted. ``name`` is None if an older version made it."""

    name: str | None
    encrypted_key: bytes


def find_first_request(tx: Transaction, connection_id: UUID) -> SealedRequest:
    return tx.one(SealedRequest, sql["find_first_request"], id=connection_id)


def lock_connection(tx: Transaction, connection_id: UUID) -> Connection | None:
    return tx.first(Connection, sql["lock_connection"], id=connection_id)


def update_connection(tx: Transaction, connection: Connection) -> None:
    """Stores the fields of the connection that may change."""
    tx.run(
        sql["update_connection"],
        id=connection.id,
        name=connection.name,
        active=connection.active,
        now=connection.updated_at,
    )


def introduce_connection(tx: Transaction, connection: Connection) -> None:
    """Stores the partner's first answer to a connection."""
    introduced = tx.run(
        sql["introduce_connection"],
        id=connection.id,
        partners_client_id=connection.partners_client_id,
        partners_connection_id=connection.partners_connection_id,
        refused_reason=connection.refused_reason,
        active=connection.active,
        now=connection.updated_at,
    )
    if introduced != 1:
        raise AssertionError("a locked connection already has an answer")


def connection_of_client(tx: Transaction, client_id: UUID, connection_id: UUID) -> Connection | None:
    """Returns the connection if it is the client's."""
    connection = find_connection(tx, connection_id)
    return connection if connection and connection.client_id == client_id else None


def connection_of_partner(tx: Transaction, partner_id: UUID, connection_id: UUID) -> Connection | None:
    """Returns the connection if it is the partner's."""
    connection = find_connection(tx, connection_id)
    return connection if connection and connection.partner_id == partner_id else None


def connections_of_client(tx: Transaction, client_id: UUID) -> dict[UUID, Connection]:
    """Returns all connections of a client, by id."""
    found = tx.all(Connection, sql["connections_of_client"], client_id=client_id)
    return {connection.id: connection for connection in found}


def connections_of_partner(
    tx: Transaction, partner_id: UUID, connection_ids: Sequence[UUID]
) -> dict[UUID, Connection]:
    """Returns those of the connections that are the partner's, by id."""
    values = {"partner_id": partner_id, "ids": list(connection_ids)}
    found = tx.all(Connection, sql["list_partner_connections"], **values)
    return {connection.id: connection for connection in found}


def list_connections(tx: Transaction, wanted: ConnectionFilter, part: Slice) -> Listing[Connection]:
    return keyset_page(tx, Connection, sql["list_connections"], asdict(wanted), OLDEST_FIRST, part)


def owners(tx: Transaction, connection_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Returns the enterprise that owns each connection as a client."""
    rows = tx.all(_Owner, sql["list_owners"], ids=list(connection_ids))
    return {row.id: row.enterprise_id for row in rows}


def enterprises_at(tx: Transaction, partner_id: UUID) -> list[str]:
    """Returns the enterprises with a connection to the partner."""
    return tx.scalars(str, sql["list_enterprises_at"], partner_id=partner_id)


def client_accounts(tx: Transaction, connection_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """Returns the Go Account of each connection's client."""
    return _pairs(tx, "client_accounts", ids=list(connection_ids))


def connections_by_account(tx: Transaction, partner_id: UUID, account_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """Returns the connection of each network account of the partner."""
    return _pairs(tx, "connections_by_account", partner_id=partner_id, ids=list(account_ids))


def accounts_of_connections(tx: Transaction, partner_id: UUID, ids: Collection[UUID]) -> Later[dict[UUID, UUID]]:
    """Returns the network account of each connection, without connections of other partners."""
    found = tx.ask.all(_Pair, sql["accounts_of_connections"], partner_id=partner_id, ids=list(ids))
    return found.then(lambda pairs: {pair.id: pair.value for pair in pairs})


def network_account_of(tx: Transaction, connection_id: UUID) -> UUID:
    """Returns the network account of a connection that must exist."""
    connection = find_connection(tx, connection_id)
    if connection is None:
        raise LookupError(f"there is no connection {connection_id}")
    return connection.network_account_id


def _pairs(tx: Transaction, name: str, **values: object) -> dict[UUID, UUID]:
    return {row.id: row.value for row in tx.all(_Pair, sql[name], **values)}


def search_partners(tx: Transaction, wanted: SearchedPartners, part: Slice) -> Listing[Partner]:
    return keyset_page(tx, Partner, sql["search_partners"], asdict(wanted), NEWEST_FIRST, part)


def search_clients(tx: Transaction, wanted: SearchedClients, part: Slice) -> Listing[Client]:
    return keyset_page(tx, Client, sql["search_clients"], asdict(wanted), NEWEST_FIRST, part)


def search_connections(tx: Transaction, wanted: SearchedConnections, part: Slice) -> Listing[Connection]:
    return keyset_page(tx, Connection, sql["search_connections"], asdict(wanted), NEWEST_FIRST, part)


def search_configurations(
    tx: Transaction, wanted: SearchedConfigurations, part: Slice
) -> Listing[PartnerConfiguration]:
    statement = sql["search_configurations"]
    return keyset_page(tx, PartnerConfiguration, statement, asdict(wanted), _BY_ENTERPRISE, part)


def search_licences(tx: Transaction, wanted: SearchedLicences, part: Slice) -> Listing[PartnerLicence]:
    statement = sql["search_licences"]
    return keyset_page(tx, PartnerLicence, statement, asdict(wanted), _BY_ENTERPRISE_AND_PARTNER, part)
