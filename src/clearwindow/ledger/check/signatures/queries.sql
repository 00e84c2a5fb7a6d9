-- The statements read the tables of all rooms directly: a check that used the code it checks would repeat its mistakes.
-- All but the last few read a batch of signed requests, or the records of a batch.

-- name: without_timeout
SELECT set_config('statement_timeout', '0', true)

-- name: count_requests
SELECT count(*) FROM signed_request

-- name: next_sizes
-- The size is that of the stored text, not the size that the row states.
SELECT number, coalesce(octet_length(payload), 0) AS bytes FROM signed_request
WHERE number > %(after)s ORDER BY number LIMIT %(limit)s

-- name: read_batch
SELECT kept.number, kept.id, kept.enterprise_id, kept.operation, kept.subject_id, kept.path_ids, kept.payload,
       kept.payload_bytes, kept.payload_sha256, kept.signature, kept.signature_sha256, kept.public_key,
       kept.key_set_sha256, kept.request_sha256, key_set.public_keys, sealed_payload.ciphertext,
       EXISTS (SELECT FROM go_account_key AS key JOIN go_account ON go_account.account_id = key.account_id
               WHERE key.account_id = kept.account_id AND key.public_key = kept.public_key
                 AND go_account.enterprise_id = kept.enterprise_id) AS is_accounts_key
FROM signed_request AS kept
LEFT JOIN key_set ON key_set.sha256 = kept.key_set_sha256
LEFT JOIN sealed_payload ON sealed_payload.id = kept.id
WHERE kept.number BETWEEN %(first)s AND %(last)s ORDER BY kept.number

-- name: settlements_of
SELECT settlement.id, partner.enterprise_id, external_id, settlement_type, immediate, notes, cutoff_at, amount_scale,
       withdrawn_reason
FROM settlement LEFT JOIN partner ON partner.id = settlement.partner_id
WHERE settlement.id = ANY(%(ids)s)

-- name: amounts_of_settlement
SELECT connection_id, counterparty_connection_id, currency, sum(quantity) AS quantity FROM settlement_transfer
WHERE settlement_id = %(id)s AND dispute_closure_id IS NULL
GROUP BY connection_id, counterparty_connection_id, currency

-- name: deposits_of
SELECT settlement_id, external_settlement_id, currency, partner_currency, on_chain_tx_id FROM onchain_deposit
WHERE settlement_id = ANY(%(ids)s)

-- name: disputes_of
SELECT dispute.id, settlement_id, connection_id, retracted, raised_with,
       (SELECT max(number) FROM signed_request AS kept
        WHERE kept.subject_id = dispute.id AND kept.operation = 'dispute.update') AS last_update
FROM dispute WHERE dispute.id = ANY(%(ids)s)

-- name: closures_of
SELECT id, dispute_id, closed_by, notes FROM dispute_closure WHERE id = ANY(%(ids)s)

-- name: allocations_of
SELECT id, type, connection_id, currency, quantity, client_external_id, notes, status FROM allocation
WHERE id = ANY(%(ids)s)

-- name: connections_of
SELECT id, partner_id, first_name AS name FROM connection WHERE id = ANY(%(ids)s)

-- name: accounts_of
SELECT account_id AS id, enterprise_id FROM go_account WHERE account_id = ANY(%(ids)s)

-- name: endpoints_of
SELECT id, enterprise_id, deleted_at IS NOT NULL AS deleted FROM webhook_endpoint WHERE id = ANY(%(ids)s)

-- name: standing_top_ups_of
SELECT standing.id, partner.enterprise_id, standing.go_account_id, currency, per_settlement
FROM standing_top_up AS standing LEFT JOIN partner ON partner.id = standing.partner_id
WHERE standing.id = ANY(%(ids)s)

-- name: record_has_its_evidence
WITH missing (record, id) AS (
    SELECT 'settlement', id FROM settlement
    WHERE NOT before_evidence
      AND NOT EXISTS (SELECT FROM signed_request AS kept WHERE kept.subject_id = settlement.id
                        AND kept.request_sha256 = settlement.request_sha256
                        AND kept.operation = CASE WHEN settlement.settlement_type = 'onchain'
                            THEN 'settlement.onchain' WHEN settlement.immediate THEN 'settlement.immediate'
                            ELSE 'settlement.stage' END)
    UNION ALL
    SELECT 'withdrawal', id FROM settlement
    WHERE withdrawn_at IS NOT NULL
      AND NOT EXISTS (SELECT FROM signed_request AS kept
                      WHERE kept.subject_id = settlement.id AND kept.operation = 'settlement.withdraw')
    UNION ALL
    SELECT 'deposit', id FROM onchain_deposit AS deposit
    WHERE NOT before_evidence
      AND NOT EXISTS (SELECT FROM signed_request AS kept WHERE kept.subject_id = deposit.settlement_id
                        AND kept.request_sha256 = deposit.request_sha256 AND kept.operation = 'settlement.deposits')
    UNION ALL
    SELECT 'dispute', id FROM dispute
    WHERE NOT before_evidence
      AND (NOT EXISTS (SELECT FROM signed_request AS kept
                       WHERE kept.subject_id = dispute.id AND kept.operation = 'dispute.raise')
           OR retracted AND NOT EXISTS (SELECT FROM signed_request AS kept
                                        WHERE kept.subject_id = dispute.id AND kept.operation = 'dispute.update'))
    UNION ALL
    SELECT 'dispute closure', id FROM dispute_closure AS closure
    WHERE NOT before_evidence AND closed_by = 'client'
      AND NOT EXISTS (SELECT FROM signed_request AS kept WHERE kept.subject_id = closure.id
                        AND kept.request_sha256 = closure.request_sha256 AND kept.operation = 'dispute.close')
    UNION ALL
    SELECT allocation.type, id FROM allocation
    WHERE NOT before_evidence
      AND NOT EXISTS (SELECT FROM signed_request AS kept WHERE kept.subject_id = allocation.id
                        AND kept.request_sha256 = allocation.request_sha256 AND kept.operation = allocation.type)
    UNION ALL
    SELECT 'connection', id FROM connection
    WHERE NOT before_evidence
      AND NOT EXISTS (SELECT FROM signed_request AS kept WHERE kept.subject_id = connection.id
                        AND kept.signature = connection.proof AND kept.operation = 'connection.create')
    UNION ALL
    SELECT 'standing top-up', id FROM standing_top_up
    WHERE NOT EXISTS (SELECT FROM signed_request AS kept WHERE kept.subject_id = standing_top_up.id
                        AND kept.account_id = standing_top_up.go_account_id
                        AND kept.operation = 'standing_top_up.create')
)
SELECT record, id, count(*) OVER () AS total FROM missing ORDER BY record, id LIMIT %(limit)s

-- name: nonce_has_its_texts
WITH kept AS (
    SELECT enterprise_id, nonce, count(*) AS texts FROM signed_request
    WHERE nonce IS NOT NULL GROUP BY enterprise_id, nonce
)
SELECT enterprise_id, nonce, nonce.kept_texts AS stated, coalesce(kept.texts, 0) AS texts,
       count(*) OVER () AS total
FROM nonce FULL JOIN kept USING (enterprise_id, nonce)
WHERE nonce.kept_texts IS DISTINCT FROM coalesce(kept.texts, 0)
ORDER BY enterprise_id, nonce
LIMIT %(limit)s

-- name: made_before_evidence
SELECT record, count(*) AS records FROM (
    SELECT 'settlements' AS record FROM settlement WHERE before_evidence
    UNION ALL SELECT 'deposits' FROM onchain_deposit WHERE before_evidence
    UNION ALL SELECT 'disputes' FROM dispute WHERE before_evidence
    UNION ALL SELECT 'dispute closures' FROM dispute_closure WHERE before_evidence AND closed_by = 'client'
    UNION ALL SELECT 'allocations and deallocations' FROM allocation WHERE before_evidence
    UNION ALL SELECT 'connections' FROM connection WHERE before_evidence
) AS older
GROUP BY record ORDER BY record
