"""Owing a partner a call, making it, and noting what came of it. Never inside a transaction of the caller's."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from secrets import SystemRandom
from typing import Final
from uuid import UUID

import structlog

from clearwindow.database.pool import Transaction
from clearwindow.outgoing.values import NoAnswerError, Request
from clearwindow.partnercalls import keys, rules, store
from clearwindow.partnercalls.signatures import Signed, SigningKey
from clearwindow.partnercalls.values import (
    TELLINGS,
    Answer,
    Callee,
    Circuit,
    Endpoint,
    NotCalled,
    Operation,
    OwedCall,
    Silent,
)
from clearwindow.runtime import Runtime

log = structlog.get_logger(__name__)

_MIN_ATTEMPT_SECONDS: Final = 0.5
_INLINE_PAUSE_SECONDS: Final = 0.2
_LEASE_SECONDS: Final = 5
"""How long one who makes a call is left alone with it, beside the time that a call may take."""

_random: Final = SystemRandom()


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A call with all that it needs, read in one transaction."""

    endpoint: Endpoint
    key: SigningKey
    body: bytes = field(repr=False)


def endpoint_of(tx: Transaction, enterprise_id: str) -> Endpoint:
    """Where the enterprise is called as a partner; nowhere, where nothing is configured."""
    return store.find_endpoint(tx, enterprise_id) or Endpoint(enterprise_id)


def configure(tx: Transaction, runtime: Runtime, endpoint: Endpoint) -> bool:
    """Makes the endpoint exactly this one; False where it was already.

    Raises:
        InvalidRequestError: it could not be called.
    """
    rules.require_endpoint(endpoint, allow_private=runtime.outgoing.allow_private)
    if endpoint_of(tx, endpoint.enterprise_id) == endpoint:
        return False
    store.put_endpoint(tx, endpoint)
    return True


def owe(
    tx: Transaction,
    runtime: Runtime,
    callee: Callee,
    operation: Operation,
    subject_id: UUID,
    body: Mapping[str, object],
    *,
    leased: bool = False,
) -> None:
    """Writes that the partner is owed a call about the subject, once; ``leased``: the caller makes it now."""
    call_id = runtime.ids.new()
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    store.insert_call(
        tx,
        call_id=call_id,
        callee=callee,
        operation=operation,
        subject_id=subject_id,
        sealed_body=runtime.vault.encrypt(text.encode(), context=_context(call_id)),
        leased_until=_lease_end(tx, runtime) if leased else None,
    )


def claim(runtime: Runtime, call: OwedCall) -> bool:
    """Whether the call was due and is now the claimer's alone for a while."""
    with runtime.transaction() as tx:
        return store.claim_call(tx, call.id, _lease_end(tx, runtime), due_by=tx.now())


def take(runtime: Runtime, subject_id: UUID, operations: Sequence[Operation], *, leased: bool) -> OwedCall | None:
    """The call about the subject, for one who makes it before its time; None where somebody is making it."""
    with runtime.transaction() as tx:
        call = store.find_owed(tx, subject_id, operations)
        if call is None or leased or store.claim_call(tx, call.id, _lease_end(tx, runtime), due_by=None):
            return call
        return None


def end(tx: Transaction, call: OwedCall, note: str | None = None) -> bool:
    """The call is answered; False where it was before."""
    return store.end_call(tx, call.id, note)


def drop(tx: Transaction, subject_id: UUID, operations: Sequence[Operation]) -> None:
    """What was to be asked has been decided otherwise."""
    store.drop_calls(tx, subject_id, operations)


def postpone(tx: Transaction, call: OwedCall, silence: Silent) -> None:
    attempts = call.attempts + int(silence.tried)
    due_at = rules.next_attempt_at(tx.now(), attempts, _random.random(), silence.retry_after_seconds)
    store.postpone_call(tx, call.id, due_at, silence.why, tried=silence.tried)


def make(runtime: Runtime, call: OwedCall, *, attempts: int = 1) -> Answer:
    """Makes the call, in all within the time that one call may take, and notes how the endpoint behaves."""
    prepared = _prepare(runtime, call)
    if not isinstance(prepared, _Prepared):
        return prepared
    give_up_at = time.monotonic() + runtime.outgoing.timeout_seconds
    answer = _attempt(runtime, call, prepared, give_up_at)
    for number in range(1, attempts):
        if not isinstance(answer, Silent) or answer.answered or not answer.tried:
            break
        pause = _INLINE_PAUSE_SECONDS * 2**number * (0.5 + _random.random() / 2)
        pause = max(pause, answer.retry_after_seconds or 0)
        if time.monotonic() + pause + _MIN_ATTEMPT_SECONDS > give_up_at:
            break
        time.sleep(pause)
        answer = _attempt(runtime, call, prepared, give_up_at)
    _note(runtime, call, answer)
    return answer


def body_of(tx: Transaction, runtime: Runtime, call: OwedCall) -> Mapping[str, object]:
    """What the call carries."""
    body: Mapping[str, object] = json.loads(_unsealed(tx, runtime, call))
    return body


def _prepare(runtime: Runtime, call: OwedCall) -> _Prepared | Silent | NotCalled:
    with runtime.transaction() as tx:
        endpoint = endpoint_of(tx, call.enterprise_id)
        if not endpoint.is_called:
            return NotCalled()
        circuit = store.find_circuit(tx, call.partner_id)
        if circuit is not None and circuit.open_until is not None and not _may_try(tx, runtime, circuit):
            seconds = max(1, int((circuit.open_until - tx.now()).total_seconds()))
            return Silent(
                "the endpoint has not answered of late and is left alone for a while", seconds, tried=False
            )
        return _Prepared(endpoint, keys.signing_key(tx, runtime), _unsealed(tx, runtime, call))


def _may_try(tx: Transaction, runtime: Runtime, circuit: Circuit) -> bool:
    return store.try_circuit(tx, circuit.partner_id, _lease_end(tx, runtime))


def _lease_end(tx: Transaction, runtime: Runtime) -> datetime:
    return tx.now() + timedelta(seconds=runtime.outgoing.timeout_seconds + _LEASE_SECONDS)


def _attempt(runtime: Runtime, call: OwedCall, prepared: _Prepared, give_up_at: float) -> Answer:
    method, url, path = rules.address(prepared.endpoint, call.operation, call.subject_id)
    signed = Signed(prepared.endpoint.callback_url or "", method, path, prepared.body)
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json",
        runtime.calls.signature_header: keys.sign(prepared.key, runtime, signed),
    }
    seconds = max(0.0, give_up_at - time.monotonic())
    try:
        reply = runtime.outgoing.send(
            Request(method, url, headers, prepared.body), lane=str(call.partner_id), timeout_seconds=seconds
        )
    except NoAnswerError as error:
        return Silent(str(error), tried=error.tried)
    return rules.heard(call.operation, reply) if call.operation in TELLINGS else rules.understood(reply)


def _note(runtime: Runtime, call: OwedCall, answer: Answer) -> None:
    """Counts failures in a row; where all is well there is nothing to write."""
    if isinstance(answer, Silent) and not answer.tried:
        return
    with runtime.transaction() as tx:
        if isinstance(answer, Silent) and not answer.answered:
            circuit = rules.after_failure(store.lock_circuit(tx, call.partner_id), tx.now(), answer.why)
            store.put_circuit(tx, circuit)
            log.warning(
                "partner_silent",
                partner_id=str(call.partner_id),
                operation=str(call.operation),
                subject_id=str(call.subject_id),
                why=answer.why,
                failures=circuit.failures,
            )
        elif store.find_circuit(tx, call.partner_id) not in (None, Circuit(call.partner_id)):
            store.lock_circuit(tx, call.partner_id)
            store.put_circuit(tx, Circuit(call.partner_id))


def _unsealed(tx: Transaction, runtime: Runtime, call: OwedCall) -> bytes:
    return runtime.vault.decrypt(store.sealed_body(tx, call.id), context=_context(call.id))


def _context(call_id: UUID) -> str:
    return f"partner-call:{call_id}"
