-- name: insert_account
INSERT INTO account (id, kind, partner_id, created_at) VALUES (%(id)s, %(kind)s, %(partner_id)s, %(now)s)

-- name: insert_go_account
INSERT INTO go_account (account_id, enterprise_id, label, is_default, created_at)
VALUES (%(account_id)s, %(enterprise_id)s, %(label)s,
        NOT EXISTS (SELECT FROM go_account WHERE enterprise_id = %(enterprise_id)s AND is_default), %(now)s)
RETURNING account_id AS id, enterprise_id, label, is_default, created_at

-- name: find_go_account
SELECT account_id AS id, enterprise_id, label, is_default, created_at FROM go_account WHERE account_id = %(id)s

-- name: find_default_go_account
SELECT account_id AS id, enterprise_id, label, is_default, created_at
FROM go_account WHERE enterprise_id = %(enterprise_id)s AND is_default

-- name: insert_key
INSERT INTO go_account_key (id, account_id, pub, public_key, encrypted_prv, created_at)
VALUES (%(id)s, %(account_id)s, %(pub)s, %(public_key)s, %(encrypted_prv)s, %(now)s)

-- name: revoke_key
-- The row is locked before it is read, so that of two revocations at once one alone is told that it was the first.
WITH before AS (
    SELECT id, revoked_at FROM go_account_key WHERE id = %(id)s AND account_id = %(account_id)s FOR UPDATE
)
UPDATE go_account_key SET revoked_at = coalesce(before.revoked_at, %(now)s)
FROM before WHERE go_account_key.id = before.id
RETURNING before.revoked_at IS NULL

-- name: list_keys
SELECT id, pub, public_key, encrypted_prv, created_at, revoked_at
FROM go_account_key WHERE account_id = %(account_id)s ORDER BY created_at, id

-- name: insert_currency
INSERT INTO currency (name, backing, decimals) VALUES (%(name)s, %(backing)s, %(decimals)s)
ON CONFLICT (name) DO NOTHING

-- name: list_currencies
SELECT name, backing, decimals FROM currency
WHERE %(names)s::text[] IS NULL OR name = ANY(%(names)s) ORDER BY name

-- name: list_balances
SELECT currency, available, held FROM balance
WHERE account_id = %(account_id)s ORDER BY currency

-- name: list_balances_of
SELECT account_id, currency, available, held FROM balance
WHERE account_id = ANY(%(account_ids)s) ORDER BY account_id, currency

-- name: add_missing_balances
INSERT INTO balance (account_id, currency, available, held)
SELECT wanted.account_id, wanted.currency, 0, 0
FROM unnest(%(account_ids)s::uuid[], %(currencies)s::text[]) AS wanted (account_id, currency)
LEFT JOIN balance USING (account_id, currency)
WHERE balance.account_id IS NULL
ON CONFLICT DO NOTHING

-- name: lock_balances
-- Go Accounts before network accounts before the outside world: the one order in which balances are locked.
SELECT balance.account_id, balance.currency, balance.available, balance.held
FROM balance
JOIN account ON account.id = balance.account_id
JOIN unnest(%(account_ids)s::uuid[], %(currencies)s::text[]) AS wanted (account_id, currency)
  ON (wanted.account_id, wanted.currency) = (balance.account_id, balance.currency)
ORDER BY array_position(ARRAY['go', 'network', 'outside'], account.kind), balance.account_id, balance.currency
FOR UPDATE OF balance

-- name: insert_entry
INSERT INTO ledger_entry (id, partner_id, kind, cause_id, reference, created_at)
VALUES (%(id)s, %(partner_id)s, %(kind)s, %(cause_id)s, %(reference)s, %(now)s)

-- name: post_movements
WITH movement AS (
    SELECT account_id, currency, sum(available) AS available, sum(held) AS held
    FROM unnest(%(account_ids)s::uuid[], %(currencies)s::text[], %(available)s::numeric[], %(held)s::numeric[])
        AS given (account_id, currency, available, held)
    GROUP BY account_id, currency
), posted AS (
    INSERT INTO posting (partner_id, entry_id, account_id, currency, bucket, quantity)
    SELECT %(partner_id)s, %(entry_id)s, account_id, currency, bucket, quantity
    FROM movement CROSS JOIN LATERAL (VALUES ('available', available), ('held', held)) AS part (bucket, quantity)
    WHERE quantity <> 0
)
UPDATE balance
SET available = balance.available + movement.available, held = balance.held + movement.held
FROM movement
WHERE (balance.account_id, balance.currency) = (movement.account_id, movement.currency)

-- name: put_hold
INSERT INTO hold (partner_id, cause_id, cause_kind, account_id, currency, quantity)
VALUES (%(partner_id)s, %(cause_id)s, %(cause_kind)s, %(account_id)s, %(currency)s, %(quantity)s)
ON CONFLICT (cause_id, account_id, currency) DO UPDATE SET quantity = excluded.quantity

-- name: drop_hold
DELETE FROM hold WHERE cause_id = %(cause_id)s AND account_id = %(account_id)s AND currency = %(currency)s

-- name: list_holds
SELECT account_id, currency, quantity FROM hold WHERE cause_id = ANY(%(cause_ids)s)

-- name: find_custody_movement
SELECT entry_id, account_id, reference, kind, currency, quantity, created_at FROM custody_movement
WHERE account_id = %(account_id)s AND reference = %(reference)s

-- name: insert_custody_movement
INSERT INTO custody_movement (account_id, reference, entry_id, kind, currency, quantity, created_at)
VALUES (%(account_id)s, %(reference)s, %(entry_id)s, %(kind)s, %(currency)s, %(quantity)s, %(now)s)

-- name: list_entries
SELECT entry.id, entry.kind, entry.cause_id, entry.partner_id, entry.reference, entry.created_at,
       (SELECT coalesce(jsonb_agg(jsonb_build_object(
                    'accountKind', account.kind, 'accountId', posting.account_id, 'currency', posting.currency,
                    'bucket', posting.bucket, 'quantity', posting.quantity::text)
                ORDER BY posting.account_id, posting.currency, posting.bucket), '[]')
        FROM posting JOIN account ON account.id = posting.account_id
        WHERE posting.entry_id = entry.id) AS postings,
       count(*) OVER () AS total
FROM ledger_entry AS entry
WHERE (%(cause_id)s::uuid IS NULL OR entry.cause_id = %(cause_id)s)
  AND (%(account_id)s::uuid IS NULL
       OR entry.id IN (SELECT entry_id FROM posting WHERE account_id = %(account_id)s))
ORDER BY entry.created_at DESC, entry.id
LIMIT %(limit)s OFFSET %(offset)s
