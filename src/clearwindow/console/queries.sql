-- columns: session
id, token_id, settings_proof, waits_for_code, created_at, seen_at

-- name: insert_session
INSERT INTO console_session (id, value_sha256, token_id, settings_proof, waits_for_code, created_at, seen_at)
VALUES (%(id)s, %(value_sha256)s, %(token_id)s, %(settings_proof)s, %(waits_for_code)s, %(created_at)s, %(seen_at)s)

-- name: find_session
SELECT {session} FROM console_session WHERE value_sha256 = %(value_sha256)s

-- name: known_sessions
-- Which of these values are of sessions that may be in force, and how the limits count their owners.
SELECT console_session.value_sha256, access_token.enterprise_id, access_token.operator_id
FROM console_session LEFT JOIN access_token ON access_token.id = console_session.token_id
WHERE console_session.value_sha256 = ANY(%(hashes)s)
  AND console_session.seen_at > %(seen_after)s AND console_session.created_at > %(created_after)s
  AND access_token.revoked_at IS NULL

-- name: note_seen
UPDATE console_session SET seen_at = %(seen_at)s WHERE id = %(id)s AND seen_at < %(seen_at)s

-- name: note_code
UPDATE console_session SET waits_for_code = false WHERE id = %(id)s AND waits_for_code

-- name: delete_session
DELETE FROM console_session WHERE id = %(id)s

-- name: delete_over
-- Some of them: others are removed at the next sign-in.
DELETE FROM console_session
WHERE id IN (SELECT id FROM console_session WHERE seen_at <= %(seen_before)s
             ORDER BY seen_at LIMIT 1000 FOR UPDATE SKIP LOCKED)

-- columns: link
id, token_id, settings_proof, begins_at, ends_at

-- name: insert_link
INSERT INTO console_link (id, value_sha256, token_id, settings_proof, begins_at, ends_at)
VALUES (%(id)s, %(value_sha256)s, %(token_id)s, %(settings_proof)s, %(begins_at)s, %(ends_at)s)

-- name: take_link
-- Of two uses at the same time only one finds it.
DELETE FROM console_link WHERE value_sha256 = %(value_sha256)s RETURNING {link}

-- name: delete_links_over
DELETE FROM console_link
WHERE id IN (SELECT id FROM console_link WHERE ends_at <= %(now)s
             ORDER BY ends_at LIMIT 1000 FOR UPDATE SKIP LOCKED)
