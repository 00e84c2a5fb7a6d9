-- name: find_nonce
SELECT request_sha256, record_id FROM nonce WHERE enterprise_id = %(enterprise_id)s AND nonce = %(nonce)s
