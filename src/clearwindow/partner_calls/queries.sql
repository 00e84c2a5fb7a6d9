-- columns: call_key
id, reference, public_jwk, created_at, retired_at

-- columns: circuit
partner_id, failures, open_until, last_error, last_failed_at

-- name: put_endpoint
INSERT INTO partner_endpoint (enterprise_id, callback_url, callback_paths, async_allocations, updated_at)
VALUES (%(enterprise_id)s, %(callback_url)s, %(callback_paths)s, %(async_allocations)s, %(now)s)
ON CONFLICT (enterprise_id) DO UPDATE
SET callback_url = excluded.callback_url, callback_paths = excluded.callback_paths,
    async_allocations = excluded.async_allocations, updated_at = excluded.updated_at

-- name: find_endpoint
SELECT enterprise_id, callback_url, callback_paths, async_allocations
FROM partner_endpoint WHERE enterprise_id = %(enterprise_id)s

-- name: list_endpoints
SELECT enterprise_id, callback_url, callback_paths, async_allocations
FROM partner_endpoint WHERE enterprise_id = ANY(%(enterprise_ids)s)

-- name: insert_call_key
INSERT INTO partner_call_key (id, reference, sealed_private, public_jwk, created_at)
VALUES (%(id)s, %(reference)s, %(sealed_private)s, %(public_jwk)s, %(now)s)
ON CONFLICT DO NOTHING

-- name: retire_call_keys
UPDATE partner_call_key SET retired_at = %(retired_at)s WHERE retired_at IS NULL

-- name: find_call_key_by_reference
SELECT {call_key} FROM partner_call_key WHERE reference = %(reference)s

-- name: list_call_keys
SELECT {call_key} FROM partner_call_key
WHERE %(retired_after)s::timestamptz IS NULL OR retired_at IS NULL OR retired_at > %(retired_after)s
ORDER BY retired_at DESC NULLS FIRST, id

-- name: lock_call_keys
-- Serializes rotations, even if there is no row to lock yet.
LOCK TABLE partner_call_key IN SHARE ROW EXCLUSIVE MODE

-- name: key_in_use
SELECT id, sealed_private FROM partner_call_key WHERE retired_at IS NULL OR retired_at > %(now)s
ORDER BY retired_at NULLS LAST, id LIMIT 1

-- name: ensure_circuit
INSERT INTO partner_circuit (partner_id, failures) VALUES (%(partner_id)s, 0) ON CONFLICT DO NOTHING

-- name: find_circuit
SELECT {circuit}
FROM partner_circuit WHERE partner_id = %(partner_id)s

-- name: lock_circuit
SELECT {circuit}
FROM partner_circuit WHERE partner_id = %(partner_id)s FOR UPDATE

-- name: put_circuit
UPDATE partner_circuit
SET failures = %(failures)s, open_until = %(open_until)s, last_error = %(last_error)s,
    last_failed_at = %(last_failed_at)s
WHERE partner_id = %(partner_id)s

-- name: try_circuit
-- Only one caller makes the trial call of a circuit whose pause is over.
UPDATE partner_circuit SET open_until = %(until)s WHERE partner_id = %(partner_id)s AND open_until <= %(now)s

-- name: list_circuits
SELECT partner.id AS partner_id, partner.name, coalesce(circuit.failures, 0) AS failures, circuit.open_until,
       circuit.last_error, circuit.last_failed_at, owed.calls AS owed, owed.first_created_at
FROM partner
JOIN partner_endpoint AS endpoint ON endpoint.enterprise_id = partner.enterprise_id
LEFT JOIN partner_circuit AS circuit ON circuit.partner_id = partner.id
CROSS JOIN LATERAL (
    SELECT count(*) AS calls, min(call.created_at) AS first_created_at
    FROM partner_call AS call WHERE call.partner_id = partner.id AND call.due_at IS NOT NULL
) AS owed
WHERE endpoint.callback_url IS NOT NULL OR owed.calls > 0

-- name: find_standing
SELECT partner.id AS partner_id, partner.name, coalesce(circuit.failures, 0) AS failures, circuit.open_until,
       circuit.last_error, circuit.last_failed_at, owed.calls AS owed, owed.first_created_at
FROM partner
LEFT JOIN partner_circuit AS circuit ON circuit.partner_id = partner.id
CROSS JOIN LATERAL (
    SELECT count(*) AS calls, min(call.created_at) AS first_created_at
    FROM partner_call AS call WHERE call.partner_id = partner.id AND call.due_at IS NOT NULL
) AS owed
WHERE partner.id = %(partner_id)s

-- name: insert_call
INSERT INTO partner_call (id, partner_id, enterprise_id, operation, subject_id, sealed_body, created_at, due_at,
                          leased_until)
VALUES (%(id)s, %(partner_id)s, %(enterprise_id)s, %(operation)s, %(subject_id)s, %(sealed_body)s, %(now)s,
        %(now)s, %(leased_until)s)

-- name: find_owed_call
SELECT id, partner_id, enterprise_id, operation, subject_id, attempts, traceparent
FROM partner_call
WHERE subject_id = %(subject_id)s AND operation = ANY(%(operations)s) AND due_at IS NOT NULL

-- name: find_sealed_body
SELECT sealed_body FROM partner_call WHERE id = %(id)s

-- name: end_call
UPDATE partner_call
SET due_at = NULL, leased_until = NULL, ended_at = %(now)s, attempts = attempts + 1, last_error = %(error)s
WHERE id = %(id)s AND due_at IS NOT NULL

-- name: drop_call
-- The subject was decided without these calls.
UPDATE partner_call SET due_at = NULL, leased_until = NULL, ended_at = %(now)s
WHERE subject_id = %(subject_id)s AND operation = ANY(%(operations)s) AND due_at IS NOT NULL

-- name: postpone_call
UPDATE partner_call
SET due_at = %(due_at)s, leased_until = NULL, attempts = attempts + %(tried)s, last_error = %(error)s
WHERE id = %(id)s AND due_at IS NOT NULL

-- name: claim_call
-- Leases a call to one caller. `due_by` is null for a caller that does not wait until the call is due.
UPDATE partner_call SET leased_until = %(until)s
WHERE id = %(id)s AND due_at <= coalesce(%(due_by)s::timestamptz, due_at)
  AND (leased_until IS NULL OR leased_until <= %(now)s)

-- name: list_due_calls
-- Takes the calls of all partners in turn, so that a partner with many calls does not delay the others. Questions about
-- allocations that are still reserved wait for the end of a pause.
SELECT id, partner_id, enterprise_id, operation, subject_id, attempts, traceparent
FROM (
    SELECT call.id, call.partner_id, call.enterprise_id, call.operation, call.subject_id, call.attempts,
           call.traceparent, call.due_at,
           row_number() OVER (PARTITION BY call.partner_id ORDER BY call.due_at, call.id) AS place
    FROM partner_call AS call
    LEFT JOIN partner_circuit AS circuit ON circuit.partner_id = call.partner_id
    WHERE call.operation = ANY(%(operations)s) AND greatest(call.due_at, call.leased_until) <= %(now)s
      AND (circuit.open_until IS NULL OR circuit.open_until <= %(now)s)
      AND NOT EXISTS (SELECT FROM paused_allocation AS paused WHERE paused.allocation_id = call.subject_id)
) AS due
ORDER BY place, due_at, id
LIMIT %(limit)s

-- name: count_due_calls
SELECT count(*)
FROM partner_call AS call
LEFT JOIN partner_circuit AS circuit ON circuit.partner_id = call.partner_id
WHERE call.operation = ANY(%(operations)s) AND greatest(call.due_at, call.leased_until) <= %(now)s
  AND (circuit.open_until IS NULL OR circuit.open_until <= %(now)s)
  AND NOT EXISTS (SELECT FROM paused_allocation AS paused WHERE paused.allocation_id = call.subject_id)

-- name: count_leased_calls
SELECT count(*) FROM partner_call
WHERE operation = ANY(%(operations)s) AND due_at IS NOT NULL AND leased_until > %(now)s

-- name: next_due_call_at
SELECT min(greatest(call.due_at, call.leased_until, circuit.open_until))
FROM partner_call AS call
LEFT JOIN partner_circuit AS circuit ON circuit.partner_id = call.partner_id
WHERE call.operation = ANY(%(operations)s) AND call.due_at IS NOT NULL
  AND NOT EXISTS (SELECT FROM paused_allocation AS paused WHERE paused.allocation_id = call.subject_id)

-- name: list_calls
SELECT id, partner_id, operation, subject_id, created_at, due_at, attempts, last_error, ended_at
FROM partner_call
WHERE (%(partner_ids)s::uuid[] IS NULL OR partner_id = ANY(%(partner_ids)s))
  AND (%(subject_ids)s::uuid[] IS NULL OR subject_id = ANY(%(subject_ids)s))
  AND (%(owed)s::boolean IS NULL OR (due_at IS NOT NULL) = %(owed)s)
  AND (%(created_on_or_after)s::timestamptz IS NULL OR created_at >= %(created_on_or_after)s)
  AND (%(created_before)s::timestamptz IS NULL OR created_at < %(created_before)s)
