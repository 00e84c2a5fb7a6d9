-- columns: kept
enterprise_id, account_id, operation, subject_id, path_ids, nonce, payload, payload_bytes, payload_sha256, signature,
       signature_sha256, public_key, key_set_sha256, request_sha256, received_at

-- columns: given
%(id)s, %(enterprise_id)s, %(account_id)s, %(operation)s, %(subject_id)s, %(path_ids)s, %(nonce)s::text,
       %(payload)s::text, %(payload_bytes)s, %(payload_sha256)s, %(signature)s, %(signature_sha256)s, %(public_key)s,
       %(key_set_sha256)s, %(request_sha256)s, %(now)s

-- columns: listed
number, id, enterprise_id, account_id, operation, subject_id, path_ids, nonce, payload_bytes, payload_sha256, signature,
       public_key, received_at

-- name: find_text_use
SELECT operation, subject_id FROM used_text
WHERE public_key = %(public_key)s AND payload_sha256 = %(payload_sha256)s

-- name: keep_with_nonce
-- Nothing is kept if the nonce or the text was used before. The nonce is taken first: who waits for one holds no text.
WITH claimed AS (
    INSERT INTO nonce (enterprise_id, nonce, request_sha256, record_id, used_at, kept_texts)
    VALUES (%(enterprise_id)s, %(nonce)s, %(request_sha256)s, %(subject_id)s, %(now)s, 1)
    ON CONFLICT (enterprise_id, nonce) DO NOTHING
    RETURNING nonce
), first_use AS (
    INSERT INTO used_text (public_key, payload_sha256, operation, subject_id)
    SELECT %(public_key)s, %(payload_sha256)s, %(operation)s, %(subject_id)s FROM claimed
    ON CONFLICT (public_key, payload_sha256) DO NOTHING
    RETURNING subject_id
), known_keys AS (
    INSERT INTO key_set (sha256, public_keys)
    SELECT %(key_set_sha256)s, %(key_set)s FROM first_use
    ON CONFLICT (sha256) DO NOTHING
), kept AS (
    INSERT INTO signed_request (id, {kept})
    SELECT {given} FROM first_use
    RETURNING id
), sealed AS (
    INSERT INTO sealed_payload (id, ciphertext)
    SELECT id, %(ciphertext)s::bytea FROM kept WHERE %(ciphertext)s::bytea IS NOT NULL
)
SELECT EXISTS (SELECT FROM claimed) AS has_nonce, EXISTS (SELECT FROM first_use) AS has_text

-- name: use_text
-- Says whether this is the text's first use.
INSERT INTO used_text (public_key, payload_sha256, operation, subject_id)
VALUES (%(public_key)s, %(payload_sha256)s, %(operation)s, %(subject_id)s)
ON CONFLICT (public_key, payload_sha256) DO NOTHING

-- name: keep_beside_nonce
-- The nonce of an older record may be kept here for the first time.
WITH known_keys AS (
    INSERT INTO key_set (sha256, public_keys) VALUES (%(key_set_sha256)s, %(key_set)s)
    ON CONFLICT (sha256) DO NOTHING
), kept AS (
    INSERT INTO signed_request (id, {kept})
    SELECT {given}
    ON CONFLICT (subject_id, request_sha256) DO NOTHING
    RETURNING number, id
), sealed AS (
    INSERT INTO sealed_payload (id, ciphertext)
    SELECT id, %(ciphertext)s::bytea FROM kept WHERE %(ciphertext)s::bytea IS NOT NULL
)
UPDATE nonce SET kept_texts = kept_texts + 1 FROM kept
WHERE enterprise_id = %(enterprise_id)s AND nonce = %(nonce)s

-- name: find_request
SELECT {listed}, payload, public_keys AS key_set
FROM signed_request JOIN key_set ON key_set.sha256 = signed_request.key_set_sha256
WHERE id = %(id)s AND (%(enterprise_id)s::text IS NULL OR enterprise_id = %(enterprise_id)s)

-- name: list_requests
SELECT {listed}
FROM signed_request
WHERE (%(enterprise_id)s::text IS NULL OR enterprise_id = %(enterprise_id)s)
  AND (%(operations)s::text[] IS NULL OR operation = ANY(%(operations)s))
  AND (%(subject_ids)s::uuid[] IS NULL OR subject_id = ANY(%(subject_ids)s))
  AND (%(nonces)s::text[] IS NULL OR nonce = ANY(%(nonces)s))
  AND (%(received_on_or_after)s::timestamptz IS NULL OR received_at >= %(received_on_or_after)s)
  AND (%(received_before)s::timestamptz IS NULL OR received_at < %(received_before)s)
