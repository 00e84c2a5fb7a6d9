-- columns: standing_top_up
id, partner_id, go_account_id, currency, per_settlement, created_by, created_at, revoked_by, revoked_at

-- name: insert_standing_top_up
INSERT INTO standing_top_up (id, partner_id, go_account_id, currency, per_settlement, created_by, created_at)
VALUES (%(id)s, %(partner_id)s, %(go_account_id)s, %(currency)s, %(per_settlement)s, %(created_by)s, %(created_at)s)

-- name: find_standing_top_up
SELECT {standing_top_up}
FROM standing_top_up WHERE id = %(id)s AND partner_id = %(partner_id)s

-- name: active_of_partner
SELECT {standing_top_up}
FROM standing_top_up
WHERE partner_id = %(partner_id)s AND currency = ANY(%(currencies)s) AND revoked_at IS NULL
ORDER BY currency

-- name: all_active_of_partner
SELECT {standing_top_up}
FROM standing_top_up
WHERE partner_id = %(partner_id)s AND revoked_at IS NULL
ORDER BY currency

-- name: revoke_standing_top_up
UPDATE standing_top_up SET revoked_by = %(revoked_by)s, revoked_at = %(revoked_at)s
WHERE id = %(id)s AND revoked_at IS NULL

-- name: list_standing_top_ups
SELECT {standing_top_up}
FROM standing_top_up
WHERE partner_id = %(partner_id)s
  AND (%(active)s::boolean IS NULL OR (revoked_at IS NULL) = %(active)s)
  AND (%(created_on_or_after)s::timestamptz IS NULL OR created_at >= %(created_on_or_after)s)
  AND (%(created_before)s::timestamptz IS NULL OR created_at < %(created_before)s)

-- name: partners_drawing_on
SELECT DISTINCT partner_id FROM standing_top_up WHERE go_account_id = %(go_account_id)s AND revoked_at IS NULL

-- name: insert_top_ups
INSERT INTO top_up (settlement_id, standing_top_up_id, quantity, created_at)
SELECT %(settlement_id)s, standing_top_up_id, quantity, %(created_at)s
FROM unnest(%(standing_top_up_ids)s::uuid[], %(quantities)s::numeric[]) AS given (standing_top_up_id, quantity)
