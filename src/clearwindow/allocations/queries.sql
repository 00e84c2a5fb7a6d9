-- columns: allocation
id, partner_id, client_id, connection_id, type, status, currency, quantity, client_external_id,
partner_external_id, request_sha256, initiated_by, notes, refusal, reason, retriable, created_at, updated_at,
evaluation_id, pending_approval_id, policy_result

-- name: insert_allocation
INSERT INTO allocation (id, partner_id, client_id, connection_id, type, status, currency, quantity,
                        client_external_id, request_sha256, initiated_by, notes, refusal, reason, retriable,
                        created_at, updated_at, evaluation_id, pending_approval_id, policy_result)
VALUES (%(id)s, %(partner_id)s, %(client_id)s, %(connection_id)s, %(type)s, %(status)s, %(currency)s,
        %(quantity)s, %(client_external_id)s, %(request_sha256)s, %(initiated_by)s, %(notes)s, %(refusal)s,
        %(reason)s, %(retriable)s, %(created_at)s, %(updated_at)s, %(evaluation_id)s, %(pending_approval_id)s,
        %(policy_result)s)

-- name: move_allocation
UPDATE allocation
SET status = %(status)s, refusal = %(refusal)s, reason = %(reason)s, retriable = %(retriable)s,
    partner_external_id = %(partner_external_id)s, policy_result = %(policy_result)s, updated_at = %(updated_at)s
WHERE id = %(id)s AND status = %(expected)s

-- name: find_allocation
SELECT {allocation}
FROM allocation WHERE id = %(id)s

-- name: lock_allocation
SELECT {allocation}
FROM allocation WHERE id = %(id)s FOR NO KEY UPDATE

-- name: find_by_external_id
SELECT {allocation}
FROM allocation
WHERE connection_id = %(connection_id)s AND type = %(type)s AND client_external_id = %(client_external_id)s

-- name: unapproved_quantity
-- What the client has allocated to the partner since then, and nobody approved. Released funds do not count.
SELECT coalesce(sum(quantity), 0)
FROM allocation
WHERE client_id = %(client_id)s AND partner_id = %(partner_id)s AND currency = %(currency)s
  AND type = 'allocation' AND pending_approval_id IS NULL AND status <> 'released' AND created_at > %(since)s

-- name: list_allocations
SELECT {allocation}
FROM allocation
WHERE (%(client_id)s::uuid IS NULL OR client_id = %(client_id)s)
  AND (%(partner_id)s::uuid IS NULL OR partner_id = %(partner_id)s)
  AND (%(ids)s::uuid[] IS NULL OR id = ANY(%(ids)s))
  AND (%(types)s::text[] IS NULL OR type = ANY(%(types)s))
  AND (%(statuses)s::text[] IS NULL OR status = ANY(%(statuses)s))
  AND (%(currencies)s::text[] IS NULL OR currency = ANY(%(currencies)s))
  AND (%(connection_ids)s::uuid[] IS NULL OR connection_id = ANY(%(connection_ids)s))
  AND (%(partner_ids)s::uuid[] IS NULL OR partner_id = ANY(%(partner_ids)s))
  AND (%(client_ids)s::uuid[] IS NULL OR client_id = ANY(%(client_ids)s))
  AND (%(created_on_or_after)s::timestamptz IS NULL OR created_at >= %(created_on_or_after)s)
  AND (%(created_before)s::timestamptz IS NULL OR created_at <= %(created_before)s)

-- name: search_allocations
SELECT {allocation}
FROM allocation
WHERE (%(ids)s::uuid[] IS NULL OR id = ANY(%(ids)s))
  AND (%(types)s::text[] IS NULL OR type = ANY(%(types)s))
  AND (%(statuses)s::text[] IS NULL OR status = ANY(%(statuses)s))
  AND (%(currencies)s::text[] IS NULL OR currency = ANY(%(currencies)s))
  AND (%(connection_ids)s::uuid[] IS NULL OR connection_id = ANY(%(connection_ids)s))
  AND (%(partner_ids)s::uuid[] IS NULL OR partner_id = ANY(%(partner_ids)s))
  AND (%(client_ids)s::uuid[] IS NULL OR client_id = ANY(%(client_ids)s))
  AND (%(client_external_ids)s::text[] IS NULL OR client_external_id = ANY(%(client_external_ids)s))
  AND (%(created_on_or_after)s::timestamptz IS NULL OR created_at >= %(created_on_or_after)s)
  AND (%(created_before)s::timestamptz IS NULL OR created_at < %(created_before)s)
