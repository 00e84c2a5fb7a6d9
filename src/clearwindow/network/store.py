"""Reads and writes of partner configurations, partners, clients and connections."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Final, LiteralString, TypeVar
from uuid import UUID

from clearwindow.access.values import TrustOrg
from clearwindow.database.listing import Listing, list_page
from clearwindow.database.pool import Transaction
from clearwindow.database.queries import Queries
from clearwindow.money import AmountUnit
from clearwindow.network.values import (
    Client,
    Connection,
    ConnectionFilter,
    ConnectionKeySchema,
    NewPartner,
    Partner,
    PartnerConfiguration,
    PartnerFilter,
)

T = TypeVar("T")

sql: Final = Queries("clearwindow.network")


@dataclass(frozen=True, slots=True)
class PartnerCurrency:
    enterprise_id: str
    partner_name: str
    currency: str


def put_configuration(tx: Transaction, configuration: PartnerConfiguration) -> None:
    """Makes the configuration exactly this one."""
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
    currencies = {row.partner_name: row.currency for row in partner_currencies(tx, [enterprise_id])}
    into = partial(_configuration, currencies=currencies)
    return _first(tx, into, sql["find_configuration"], enterprise_id=enterprise_id)


def partner_currencies(tx: Transaction, enterprise_ids: Iterable[str]) -> list[PartnerCurrency]:
    return tx.all(PartnerCurrency, sql["list_partner_currencies"], enterprise_ids=list(enterprise_ids))


def insert_client(tx: Transaction, client_id: UUID, enterprise_id: str, go_account_id: UUID) -> bool:
    """False where the enterprise is a client already."""
    values = {"id": client_id, "enterprise_id": enterprise_id, "go_account_id": go_account_id}
    return tx.run(sql["insert_client"], **values, now=tx.now()) == 1


def find_client(
    tx: Transaction, *, client_id: UUID | None = None, enterprise_id: str | None = None
) -> Client | None:
    """The client by its own id or by its enterprise's."""
    return _first(tx, _client, sql["find_client"], id=client_id, enterprise_id=enterprise_id)


def update_client(tx: Transaction, client_id: UUID, *, active: bool) -> None:
    tx.run(sql["update_client"], id=client_id, active=active, now=tx.now())


def insert_partner(tx: Transaction, partner_id: UUID, client: Client, new: NewPartner) -> bool:
    """False where the enterprise is a partner already."""
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
    """The partner by its own id or by its enterprise's."""
    return _first(tx, _partner, sql["find_partner"], id=partner_id, enterprise_id=enterprise_id)


def partner_request_sha256(tx: Transaction, enterprise_id: str) -> bytes | None:
    """The request that made the enterprise a partner."""
    found = tx.scalars(bytes, sql["find_partner_request"], enterprise_id=enterprise_id)
    return found[0] if found else None


def lock_partner(tx: Transaction, partner_id: UUID) -> bool:
    """False where there is no such partner."""
    return bool(tx.scalars(UUID, sql["lock_partner"], id=partner_id))


def update_partner(tx: Transaction, partner: Partner) -> None:
    """Stores the parts of the partner that may change."""
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


def list_partners(tx: Transaction, wanted: PartnerFilter, *, limit: int, offset: int) -> Listing[Partner]:
    return list_page(tx, _partner, sql["list_partners"], asdict(wanted), limit=limit, offset=offset)


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


def lock_connection(tx: Transaction, connection_id: UUID) -> Connection | None:
    return tx.first(Connection, sql["lock_connection"], id=connection_id)


def update_connection(tx: Transaction, connection: Connection) -> None:
    """Stores the parts of the connection that may change."""
    tx.run(
        sql["update_connection"],
        id=connection.id,
        name=connection.name,
        active=connection.active,
        now=connection.updated_at,
    )


def introduce_connection(tx: Transaction, connection: Connection) -> None:
    """Stores the partner's answer to a connection that has had none."""
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
        raise AssertionError("a locked connection changed its standing")


def partner_connections(tx: Transaction, partner_id: UUID, connection_ids: Sequence[UUID]) -> list[Connection]:
    return tx.all(Connection, sql["list_partner_connections"], partner_id=partner_id, ids=list(connection_ids))


def list_connections(tx: Transaction, wanted: ConnectionFilter, *, limit: int, offset: int) -> Listing[Connection]:
    return list_page(tx, Connection, sql["list_connections"], asdict(wanted), limit=limit, offset=offset)


def owners(tx: Transaction, connection_ids: Sequence[UUID]) -> dict[UUID, str]:
    rows = tx.records(sql["list_owners"], ids=list(connection_ids))
    return {UUID(str(row["id"])): str(row["enterprise_id"]) for row in rows}


def _first(tx: Transaction, into: Callable[..., T], statement: LiteralString, **values: object) -> T | None:
    records = tx.records(statement, **values)
    return into(**records[0]) if records else None


def _configuration(
    *,
    amount_unit: str,
    **columns: Any,  # noqa: ANN401 - the columns are the fields
) -> PartnerConfiguration:
    return PartnerConfiguration(amount_unit=AmountUnit(amount_unit), **columns)


def _client(*, trust_org: str, **columns: Any) -> Client:  # noqa: ANN401 - the columns are the fields
    return Client(trust_org=TrustOrg(trust_org), **columns)


def _partner(
    *,
    trust_org: str,
    amount_unit: str,
    connection_key_schema: str,
    **columns: Any,  # noqa: ANN401 - the columns are the fields
) -> Partner:
    return Partner(
        trust_org=TrustOrg(trust_org),
        amount_unit=AmountUnit(amount_unit),
        connection_key_schema=ConnectionKeySchema(connection_key_schema),
        **columns,
    )
