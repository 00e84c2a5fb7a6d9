-- name: list_limits
SELECT currency, per_settlement, per_day, next_per_settlement, next_per_day, next_from
FROM loss_limit WHERE connection_id = %(connection_id)s ORDER BY currency

-- name: put_limits
INSERT INTO loss_limit (partner_id, connection_id, currency, per_settlement, per_day, next_per_settlement, next_per_day,
                        next_from, updated_by, updated_at)
SELECT %(partner_id)s, %(connection_id)s, given.currency, given.per_settlement, given.per_day,
       given.next_per_settlement, given.next_per_day, given.next_from, %(user_id)s, %(now)s
FROM unnest(%(currencies)s::text[], %(per_settlement)s::numeric[], %(per_day)s::numeric[],
            %(next_per_settlement)s::numeric[], %(next_per_day)s::numeric[], %(next_from)s::timestamptz[])
    AS given (currency, per_settlement, per_day, next_per_settlement, next_per_day, next_from)
ON CONFLICT (connection_id, currency) DO UPDATE
SET per_settlement = excluded.per_settlement, per_day = excluded.per_day,
    next_per_settlement = excluded.next_per_settlement, next_per_day = excluded.next_per_day,
    next_from = excluded.next_from, updated_by = excluded.updated_by, updated_at = excluded.updated_at
