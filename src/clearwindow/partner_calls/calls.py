"""Calls to partners: record them, make them and record the results.

A call is never made inside a transaction.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from secrets import SystemRandom
from typing import Final
from uuid import UUID

import structlog

from clearwindow.core import tracing
from clearwindow.core.work import Purpose, working
from clearwindow.outbound.client import INLINE
from clearwindow.outbound.models import NoAnswerError, Reply, Request
from clearwindow.outbound.waits import Wait
from clearwindow.partner_calls import keys, rules, store
from clearwindow.partner_calls.models import (
    NOTICES,
    STATES,
    Answer,
    Callee,
    Circuit,
    Endpoint,
    NotCalled,
    Operation,
    OwedCall,
    Silent,
)
from clearwindow.partner_calls.signatures import Signed, SigningKey
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime

log = structlog.get_logger(__name__)

_MIN_ATTEMPT_SECONDS: Final = 0.5
_INLINE_PAUSE_SECONDS: Final = 0.2
_RETRY_WITHOUT_A_PLACE_SECONDS: Final = 10
"""About as long as a long wait lasts. To ask for a place more often would only cost transactions."""
_LEASE_SECONDS: Final = 5
"""A lease on a call lasts this much longer than the call may take."""

_random: Final = SystemRandom()


@dataclass(frozen=True, slots=True)
class _Prepared:
    """Everything that a call needs, read in one transaction."""

    endpoint: Endpoint
    key: SigningKey
    body: bytes = field(repr=False)
    wait: Wait | None = None


def endpoint_of(tx: Transaction, enterprise_id: str) -> Endpoint:
    """Returns the endpoint of the enterprise as a partner. Without a configuration it has no address."""
    return store.find_endpoint(tx, enterprise_id) or Endpoint(enterprise_id)


def configure(tx: Transaction, endpoint: Endpoint, *, allow_private: bool) -> bool:
    """Stores the endpoint. Returns False if it has not changed.

    Raises:
        InvalidRequestError: the address or a path cannot be called.
    """
    require_callable(endpoint, allow_private=allow_private)
    if endpoint_of(tx, endpoint.enterprise_id) == endpoint:
        return False
    store.put_endpoint(tx, endpoint)
    return True


def require_callable(endpoint: Endpoint, *, allow_private: bool) -> None:
    """Checks what can be checked of an endpoint without calling it.

    Raises:
        InvalidRequestError: the address or a path cannot be called.
    """
    rules.require_endpoint(endpoint, allow_private=allow_private)


def owe(
    tx: Transaction,
    callee: Callee,
    operation: Operation,
    subject_id: UUID,
    body: Mapping[str, object],
    *,
    leased: bool = False,
) -> None:
    """Records a call to the partner about the subject. ``leased``: the caller makes it now."""
    call_id = tx.new_id()
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    store.insert_call(
        tx,
        call_id=call_id,
        callee=callee,
        operation=operation,
        subject_id=subject_id,
        sealed_body=tx.vault.encrypt(text.encode(), context=_context(call_id)),
        leased_until=_lease_end(tx) if leased else None,
    )


def claim(runtime: Runtime, call: OwedCall) -> bool:
    """Leases a call that is due. Returns False if it is not due or somebody else makes it."""
    with runtime.transaction() as tx:
        return store.claim_call(tx, call.id, _lease_end(tx), due_by=tx.now())


def take(runtime: Runtime, subject_id: UUID, operations: Sequence[Operation], *, leased: bool) -> OwedCall | None:
    """Leases the call about the subject, even before it is due. Returns None if somebody else makes it.

    ``leased``: the caller has the lease already.
    """
    with runtime.transaction() as tx:
        call = store.find_owed(tx, subject_id, operations)
        if call is None or leased or store.claim_call(tx, call.id, _lease_end(tx), due_by=None):
            return call
        return None


def end(tx: Transaction, call: OwedCall, note: str | None = None) -> bool:
    """Records that the call is answered. Returns False if it was answered before."""
    return store.end_call(tx, call.id, note)


def drop(tx: Transaction, subject_id: UUID, operations: Sequence[Operation]) -> None:
    """Ends the calls about the subject that are no longer needed."""
    store.drop_calls(tx, subject_id, operations)


def postpone(tx: Transaction, call: OwedCall, silence: Silent) -> None:
    """Schedules the next attempt."""
    attempts = call.attempts + int(silence.tried)
    due_at = rules.next_attempt_at(tx.now(), attempts, _random.random(), silence.retry_after_seconds)
    store.postpone_call(tx, call.id, due_at, silence.why, tried=silence.tried)


def hold(tx: Transaction, call: OwedCall, why: str) -> None:
    """Keeps a call that was answered owed, and due at once: its answer could not be carried out."""
    store.postpone_call(tx, call.id, tx.now(), why, tried=True)


def make(runtime: Runtime, call: OwedCall, *, attempts: int = 1) -> Answer:
    """Makes up to ``attempts`` attempts within the time limit of one call, and updates the circuit.

    From the second attempt on, an earlier answer may have been lost: then the partner is asked for the state first.
    """
    prepared = _prepare(runtime, call)
    if not isinstance(prepared, _Prepared):
        return prepared
    with runtime.outgoing.waits(_kind(call)).waiting(str(call.partner_id)) as wait:
        if wait is None:
            why = "too many calls wait for partners that do not answer: it was not called"
            return Silent(why, _RETRY_WITHOUT_A_PLACE_SECONDS, tried=False)
        answer = _attempts(runtime, call, replace(prepared, wait=wait), attempts)
    _update_circuit(runtime, call, answer)
    return answer


def _kind(call: OwedCall) -> str:
    """Returns whose waits the call is among. Each kind of due work has its own, and so have waiting clients."""
    if working().purpose is not Purpose.BACKGROUND:
        return INLINE
    return "notices" if call.operation in NOTICES else "questions" if call.operation in STATES else "connections"


def _attempts(runtime: Runtime, call: OwedCall, prepared: _Prepared, attempts: int) -> Answer:
    give_up_at = time.monotonic() + runtime.outgoing.timeout_seconds
    answer = _attempt(runtime, call, prepared, give_up_at, is_repeat=call.attempts > 0)
    for number in range(1, attempts):
        if not isinstance(answer, Silent) or answer.answered or answer.cut_short or not answer.tried:
            break
        pause = _INLINE_PAUSE_SECONDS * 2**number * (0.5 + _random.random() / 2)
        pause = max(pause, answer.retry_after_seconds or 0)
        if time.monotonic() + pause + _MIN_ATTEMPT_SECONDS > give_up_at or not _may_pause(prepared.wait, pause):
            break
        time.sleep(pause)
        answer = _attempt(runtime, call, prepared, give_up_at, is_repeat=True)
    return answer


def _may_pause(wait: Wait | None, seconds: float) -> bool:
    short_seconds = wait.short_seconds() if wait is not None else None
    return wait is None or short_seconds is None or seconds < short_seconds or wait.goes_on()


def body_of(tx: Transaction, call: OwedCall) -> Mapping[str, object]:
    """Returns the body of the call."""
    body: Mapping[str, object] = json.loads(_decrypted_body(tx, call))
    return body


def _prepare(runtime: Runtime, call: OwedCall) -> _Prepared | Silent | NotCalled:
    with runtime.transaction() as tx:
        endpoint = endpoint_of(tx, call.enterprise_id)
        if not endpoint.is_called:
            return NotCalled()
        circuit = store.find_circuit(tx, call.partner_id)
        if circuit is not None and circuit.open_until is not None and not _may_try(tx, circuit):
            seconds = max(1, int((circuit.open_until - tx.now()).total_seconds()))
            return Silent(
                "the endpoint has not answered several times in a row: calls to it pause for a while",
                seconds,
                tried=False,
            )
        return _Prepared(endpoint, keys.signing_key(tx), _decrypted_body(tx, call))


def _may_try(tx: Transaction, circuit: Circuit) -> bool:
    return store.try_circuit(tx, circuit.partner_id, _lease_end(tx))


def _lease_end(tx: Transaction) -> datetime:
    return tx.now() + timedelta(seconds=tx.call_seconds + _LEASE_SECONDS)


def _attempt(
    runtime: Runtime, call: OwedCall, prepared: _Prepared, give_up_at: float, *, is_repeat: bool
) -> Answer:
    state = rules.state_address(prepared.endpoint, call.operation, call.subject_id) if is_repeat else None
    if state is not None:
        reply = _send(runtime, call, replace(prepared, body=b""), state, give_up_at)
        if isinstance(reply, Silent) and reply.cut_short:
            return reply
        asked = json.loads(prepared.body)
        known = rules.answer_to_state(call.operation, reply, asked) if isinstance(reply, Reply) else None
        if known is not None:
            return known
    address = rules.address(prepared.endpoint, call.operation, call.subject_id)
    reply = _send(runtime, call, prepared, address, give_up_at)
    if isinstance(reply, Silent):
        return reply
    return (
        rules.answer_to_notice(call.operation, reply)
        if call.operation in NOTICES
        else rules.answer_to_question(reply)
    )


def _send(
    runtime: Runtime, call: OwedCall, prepared: _Prepared, address: tuple[str, str, str], give_up_at: float
) -> Reply | Silent:
    method, url, path = address
    signed = Signed(prepared.endpoint.callback_url or "", method, path, prepared.body)
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json",
        runtime.calls.signature_header: keys.sign(prepared.key, runtime, signed),
    }
    seconds = max(0.0, give_up_at - time.monotonic())
    with tracing.span(f"partner {call.operation}", tracing.Kind.CLIENT) as span:
        span.tell({"http.request.method": method, "partner_id": str(call.partner_id)})
        try:
            reply = runtime.outgoing.send(
                Request(method, url, {**headers, **tracing.headers_for_others()}, prepared.body),
                lane=str(call.partner_id),
                timeout_seconds=seconds,
                wait=prepared.wait,
            )
        except NoAnswerError as error:
            span.fail("no answer")
            return Silent(str(error), tried=error.tried, cut_short=error.cut_short)
        span.tell({"http.response.status_code": reply.status})
        return reply


def _update_circuit(runtime: Runtime, call: OwedCall, answer: Answer) -> None:
    """Counts failures in a row. A success writes only if there were failures before."""
    if isinstance(answer, Silent) and (answer.cut_short or not answer.tried):
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


def _decrypted_body(tx: Transaction, call: OwedCall) -> bytes:
    return tx.vault.decrypt(store.sealed_body(tx, call.id), context=_context(call.id))


def _context(call_id: UUID) -> str:
    return f"partner-call:{call_id}"
