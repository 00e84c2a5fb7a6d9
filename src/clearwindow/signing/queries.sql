-- name: insert_nonce
INSERT INTO nonce (enterprise_id, nonce, request_sha256, used_at)
VALUES (%(enterprise_id)s, %(nonce)s, %(request_sha256)s, %(now)s)
ON CONFLICT (enterprise_id, nonce) DO NOTHING

-- name: find_nonce
SELECT request_sha256 FROM nonce WHERE enterprise_id = %(enterprise_id)s AND nonce = %(nonce)s
