-- columns: go_account_columns
account_id AS id, enterprise_id, label, is_default, created_at

-- columns: key_columns
id, pub, public_key, encrypted_prv, created_at, revoked_at, verifies_from, custodian

-- name: insert_go_account
INSERT INTO go_account (account_id, enterprise_id, label, is_default, created_at)
VALUES (%(account_id)s, %(enterprise_id)s, %(label)s,
        NOT EXISTS (SELECT FROM go_account WHERE enterprise_id = %(enterprise_id)s AND is_default), %(now)s)
RETURNING {go_account_columns}

-- name: find_go_account
SELECT {go_account_columns} FROM go_account WHERE account_id = %(id)s

-- name: find_default_go_account
SELECT {go_account_columns}
FROM go_account WHERE enterprise_id = %(enterprise_id)s AND is_default

-- name: insert_key
INSERT INTO go_account_key (id, account_id, pub, public_key, encrypted_prv, custodian, sealed_prv, created_at,
                            verifies_from)
VALUES (%(id)s, %(account_id)s, %(pub)s, %(public_key)s, %(encrypted_prv)s, %(custodian)s, %(sealed_prv)s, %(now)s,
        %(verifies_from)s)

-- name: revoke_key
-- The row is locked before it is read, so that only one of two concurrent revocations reports that it revoked.
WITH before AS (
    SELECT id, revoked_at FROM go_account_key WHERE id = %(id)s AND account_id = %(account_id)s FOR UPDATE
)
UPDATE go_account_key SET revoked_at = coalesce(before.revoked_at, %(now)s), sealed_prv = NULL
FROM before WHERE go_account_key.id = before.id
RETURNING before.revoked_at IS NULL

-- name: list_keys
SELECT {key_columns}
FROM go_account_key WHERE account_id = %(account_id)s ORDER BY created_at, id

-- name: find_key
SELECT {key_columns}
FROM go_account_key WHERE id = %(id)s AND revoked_at IS NULL

-- name: find_key_account
SELECT {go_account_columns} FROM go_account
WHERE account_id = (SELECT account_id FROM go_account_key WHERE id = %(id)s AND revoked_at IS NULL)

-- name: find_sealed_key
SELECT id, sealed_prv FROM go_account_key
WHERE account_id = %(account_id)s AND custodian AND revoked_at IS NULL AND verifies_from <= %(now)s

-- name: insert_currency
INSERT INTO currency (name, backing, decimals) VALUES (%(name)s, %(backing)s, %(decimals)s)
ON CONFLICT (name) DO NOTHING

-- name: list_currencies
SELECT name, backing, decimals FROM currency
WHERE %(names)s::text[] IS NULL OR name = ANY(%(names)s) ORDER BY name

-- name: find_custody_movement
SELECT entry_id, account_id, reference, kind, currency, quantity, created_at FROM custody_movement
WHERE account_id = %(account_id)s AND reference = %(reference)s

-- name: insert_custody_movement
INSERT INTO custody_movement (account_id, reference, entry_id, kind, currency, quantity, created_at)
VALUES (%(account_id)s, %(reference)s, %(entry_id)s, %(kind)s, %(currency)s, %(quantity)s, %(now)s)
