"""Reads and writes of endpoints, call keys, circuits and owed calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg.types.json import Jsonb

from clearwindow.partner_calls.models import (
    Callee,
    CallFilter,
    CallKey,
    Circuit,
    Endpoint,
    ListedCall,
    Operation,
    OwedCall,
    SealedKey,
    Standing,
)
from clearwindow.postgres.paging import NEWEST_FIRST, Listing, Order, Slice, keyset_page
from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.queries import Queries

sql: Final = Queries("clearwindow.partner_calls")
_MOST_OWED_FIRST: Final = Order({"owed": int, "partner_id": UUID})


def put_endpoint(tx: Transaction, endpoint: Endpoint) -> None:
    values = asdict(endpoint) | {"callback_paths": Jsonb(dict(endpoint.callback_paths))}
    tx.run(sql["put_endpoint"], **values, now=tx.now())


def find_endpoint(tx: Transaction, enterprise_id: str) -> Endpoint | None:
    return tx.first(Endpoint, sql["find_endpoint"], enterprise_id=enterprise_id)


def endpoints_of(tx: Transaction, enterprise_ids: Sequence[str]) -> dict[str, Endpoint]:
    """Returns the endpoints of these enterprises, by the enterprises' ids."""
    found = tx.all(Endpoint, sql["list_endpoints"], enterprise_ids=list(enterprise_ids))
    return {endpoint.enterprise_id: endpoint for endpoint in found}


def insert_key(tx: Transaction, key: SealedKey, *, reference: str, public_jwk: Mapping[str, str]) -> bool:
    """Returns False if another key is in use or has the reference."""
    values = asdict(key) | {"reference": reference}
    return tx.run(sql["insert_call_key"], **values, public_jwk=Jsonb(dict(public_jwk)), now=tx.now()) == 1


def lock_keys(tx: Transaction) -> None:
    tx.run(sql["lock_call_keys"])


def retire_keys(tx: Transaction, retired_at: datetime) -> None:
    tx.run(sql["retire_call_keys"], retired_at=retired_at)


def find_key_by_reference(tx: Transaction, reference: str) -> CallKey | None:
    return tx.first(CallKey, sql["find_call_key_by_reference"], reference=reference)


def list_keys(tx: Transaction, retired_after: datetime | None = None) -> list[CallKey]:
    """Returns all keys, or only the key in use and the keys that were retired after this time."""
    return tx.all(CallKey, sql["list_call_keys"], retired_after=retired_after)


def key_in_use(tx: Transaction) -> SealedKey | None:
    """Returns the key that signs calls now."""
    return tx.first(SealedKey, sql["key_in_use"], now=tx.now())


def find_circuit(tx: Transaction, partner_id: UUID) -> Circuit | None:
    return tx.first(Circuit, sql["find_circuit"], partner_id=partner_id)


def lock_circuit(tx: Transaction, partner_id: UUID) -> Circuit:
    tx.run(sql["ensure_circuit"], partner_id=partner_id)
    return tx.one(Circuit, sql["lock_circuit"], partner_id=partner_id)


def put_circuit(tx: Transaction, circuit: Circuit) -> None:
    tx.run(sql["put_circuit"], **asdict(circuit))


def try_circuit(tx: Transaction, partner_id: UUID, until: datetime) -> bool:
    """Returns whether this caller may make the trial call of a circuit whose pause is over. Only one caller may."""
    return tx.run(sql["try_circuit"], partner_id=partner_id, until=until, now=tx.now()) == 1


def list_standings(tx: Transaction, part: Slice) -> Listing[Standing]:
    return keyset_page(tx, Standing, sql["list_circuits"], {}, _MOST_OWED_FIRST, part)


def standing_of(tx: Transaction, partner_id: UUID, enterprise_id: str) -> tuple[Standing, Endpoint]:
    """Returns how the endpoint of a partner that exists stands, and where it is."""
    standing = tx.first(Standing, sql["find_standing"], partner_id=partner_id)
    if standing is None:
        raise LookupError("there is no partner with this id")
    return standing, find_endpoint(tx, enterprise_id) or Endpoint(enterprise_id)


def insert_call(
    tx: Transaction,
    *,
    call_id: UUID,
    callee: Callee,
    operation: Operation,
    subject_id: UUID,
    sealed_body: bytes,
    leased_until: datetime | None,
) -> None:
    values = {"id": call_id, "operation": operation, "subject_id": subject_id, "sealed_body": sealed_body}
    tx.tell(sql["insert_call"], **values, **asdict(callee), leased_until=leased_until, now=tx.now())


def find_owed(tx: Transaction, subject_id: UUID, operations: Sequence[Operation]) -> OwedCall | None:
    values = {"subject_id": subject_id, "operations": list(operations)}
    return tx.first(OwedCall, sql["find_owed_call"], **values)


def sealed_body(tx: Transaction, call_id: UUID) -> bytes:
    return tx.scalars(bytes, sql["find_sealed_body"], id=call_id)[0]


def end_call(tx: Transaction, call_id: UUID, error: str | None) -> bool:
    return tx.run(sql["end_call"], id=call_id, error=error, now=tx.now()) == 1


def drop_calls(tx: Transaction, subject_id: UUID, operations: Sequence[Operation]) -> None:
    tx.run(sql["drop_call"], subject_id=subject_id, operations=list(operations), now=tx.now())


def postpone_call(tx: Transaction, call_id: UUID, due_at: datetime, error: str, *, tried: bool) -> None:
    tx.run(sql["postpone_call"], id=call_id, due_at=due_at, error=error, tried=int(tried))


def claim_call(tx: Transaction, call_id: UUID, until: datetime, *, due_by: datetime | None) -> bool:
    return tx.run(sql["claim_call"], id=call_id, until=until, due_by=due_by, now=tx.now()) == 1


def list_due(tx: Transaction, operations: Sequence[Operation], limit: int) -> list[OwedCall]:
    values = {"operations": list(operations), "limit": limit}
    return tx.all(OwedCall, sql["list_due_calls"], **values, now=tx.now())


def count_due(tx: Transaction, operations: Sequence[Operation]) -> int:
    return tx.scalars(int, sql["count_due_calls"], operations=list(operations), now=tx.now())[0]


def count_leased(tx: Transaction, operations: Sequence[Operation]) -> int:
    return tx.scalars(int, sql["count_leased_calls"], operations=list(operations), now=tx.now())[0]


def next_due_at(tx: Transaction, operations: Sequence[Operation]) -> datetime | None:
    return tx.scalars(datetime, sql["next_due_call_at"], operations=list(operations))[0]


def list_calls(tx: Transaction, wanted: CallFilter, part: Slice) -> Listing[ListedCall]:
    return keyset_page(tx, ListedCall, sql["list_calls"], asdict(wanted), NEWEST_FIRST, part)
