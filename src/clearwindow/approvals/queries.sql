-- columns: approval
id, enterprise_id, partner_id, kind, allocation_id, currency, quantity, threshold, status, initiated_by,
decided_by, decided_at, notes, created_at, updated_at, day_quantity

-- name: list_thresholds
SELECT currency, quantity FROM approval_threshold
WHERE enterprise_id = %(enterprise_id)s AND kind = %(kind)s ORDER BY currency

-- name: put_thresholds
INSERT INTO approval_threshold (enterprise_id, kind, currency, quantity, updated_by, updated_at)
SELECT %(enterprise_id)s, %(kind)s, given.currency, given.quantity, %(user_id)s, %(now)s
FROM unnest(%(currencies)s::text[], %(quantities)s::numeric[]) AS given (currency, quantity)
ON CONFLICT (enterprise_id, kind, currency) DO UPDATE
SET quantity = excluded.quantity, updated_by = excluded.updated_by, updated_at = excluded.updated_at

-- name: drop_threshold
DELETE FROM approval_threshold
WHERE enterprise_id = %(enterprise_id)s AND kind = %(kind)s AND currency = %(currency)s

-- name: insert_approval
INSERT INTO approval (id, enterprise_id, partner_id, kind, allocation_id, currency, quantity, threshold, status,
                      initiated_by, created_at, updated_at, day_quantity)
VALUES (%(id)s, %(enterprise_id)s, %(partner_id)s, %(kind)s, %(allocation_id)s, %(currency)s, %(quantity)s,
        %(threshold)s, %(status)s, %(initiated_by)s, %(created_at)s, %(updated_at)s, %(day_quantity)s)

-- name: find_approval
SELECT {approval}
FROM approval WHERE id = %(id)s

-- name: lock_approval
SELECT {approval}
FROM approval WHERE id = %(id)s FOR NO KEY UPDATE

-- name: list_waiting_changes
SELECT {approval}
FROM approval
WHERE enterprise_id = %(enterprise_id)s AND kind = %(kind)s AND status = 'pending'
ORDER BY currency

-- name: decide_approval
UPDATE approval
SET status = %(status)s, decided_by = %(decided_by)s, decided_at = %(decided_at)s, notes = %(notes)s,
    updated_at = %(decided_at)s
WHERE id = %(id)s AND status = 'pending'

-- name: list_approvals
SELECT {approval}
FROM approval
WHERE enterprise_id = %(enterprise_id)s
  AND (%(ids)s::uuid[] IS NULL OR id = ANY(%(ids)s))
  AND (%(kinds)s::text[] IS NULL OR kind = ANY(%(kinds)s))
  AND (%(statuses)s::text[] IS NULL OR status = ANY(%(statuses)s))
  AND (%(currencies)s::text[] IS NULL OR currency = ANY(%(currencies)s))
  AND (%(allocation_ids)s::uuid[] IS NULL OR allocation_id = ANY(%(allocation_ids)s))
  AND (%(created_on_or_after)s::timestamptz IS NULL OR created_at >= %(created_on_or_after)s)
  AND (%(created_before)s::timestamptz IS NULL OR created_at < %(created_before)s)
