-- columns: second_factor
id, operator_id, sealed_secret, recovery_sha256, last_step, failures, locked_until, created_at, confirmed_at

-- name: find
SELECT {second_factor} FROM second_factor WHERE operator_id = %(operator_id)s

-- name: lock
SELECT {second_factor} FROM second_factor WHERE operator_id = %(operator_id)s FOR NO KEY UPDATE

-- name: enrol
-- One that is not confirmed is replaced, a confirmed one is not.
INSERT INTO second_factor ({second_factor})
VALUES (%(id)s, %(operator_id)s, %(sealed_secret)s, %(recovery_sha256)s, %(last_step)s, %(failures)s,
        %(locked_until)s, %(created_at)s, %(confirmed_at)s)
ON CONFLICT (operator_id) DO UPDATE
SET id = excluded.id, sealed_secret = excluded.sealed_secret, created_at = excluded.created_at
WHERE second_factor.confirmed_at IS NULL

-- name: update
UPDATE second_factor
SET recovery_sha256 = %(recovery_sha256)s, last_step = %(last_step)s, failures = %(failures)s,
    locked_until = %(locked_until)s, confirmed_at = %(confirmed_at)s
WHERE id = %(id)s

-- name: delete
DELETE FROM second_factor WHERE operator_id = %(operator_id)s
