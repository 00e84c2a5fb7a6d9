-- The network that the benchmark settles, seeded by set-based statements. It is funded through journal entries, so
-- that the proof of the ledger must come out clean at the end, as for any other network.

-- name: seed_plan
CREATE TEMPORARY TABLE plan AS
SELECT number, 'client-' || number AS enterprise_id, gen_random_uuid() AS client_id,
       gen_random_uuid() AS go_account_id, gen_random_uuid() AS connection_id, gen_random_uuid() AS account_id
FROM generate_series(1, %(connections)s) AS number

-- name: seed_currencies
CREATE TEMPORARY TABLE traded AS
SELECT name, backing, decimals FROM currency
WHERE name NOT LIKE 'ofct%%' ORDER BY name LIMIT %(currencies)s

-- name: seed_enterprises
INSERT INTO enterprise (id, name, trust_org, licensed, created_at, updated_at)
SELECT enterprise_id, enterprise_id, 'BitGo Trust', true, now(), now()
FROM (SELECT enterprise_id FROM plan UNION ALL VALUES ('exchange')) AS made

-- name: seed_user
WITH made AS (
    INSERT INTO network_user (id, name, created_at) VALUES ('settler', 'settler', now())
)
INSERT INTO membership (enterprise_id, user_id, created_at)
SELECT id, 'settler', now() FROM enterprise WHERE id = 'exchange'

-- name: seed_token
INSERT INTO access_token (id, token_sha256, enterprise_id, user_id, scopes, ip_allow_list, created_at)
VALUES (gen_random_uuid(), %(token_sha256)s, 'exchange', 'settler',
        ARRAY['settlement_network_read', 'settlement_network_write'], '{}', now())

-- name: seed_accounts
INSERT INTO account (id, kind, partner_id, created_at)
SELECT go_account_id, 'go', '00000000-0000-0000-0000-000000000000'::uuid, now() FROM plan
UNION ALL SELECT %(partner_account_id)s, 'go', '00000000-0000-0000-0000-000000000000'::uuid, now()
UNION ALL SELECT account_id, 'network', %(partner_id)s, now() FROM plan

-- name: seed_go_accounts
INSERT INTO go_account (account_id, enterprise_id, is_default, created_at)
SELECT go_account_id, enterprise_id, true, now() FROM plan
UNION ALL SELECT %(partner_account_id)s, 'exchange', true, now()

-- name: seed_key
INSERT INTO go_account_key (id, account_id, pub, public_key, created_at, verifies_from)
VALUES (gen_random_uuid(), %(partner_account_id)s, %(pub)s, %(public_key)s, now(), now())

-- name: seed_clients
INSERT INTO client (id, enterprise_id, go_account_id, active, created_at, updated_at)
SELECT client_id, enterprise_id, go_account_id, true, now(), now() FROM plan
UNION ALL SELECT %(partner_client_id)s, 'exchange', %(partner_account_id)s, true, now(), now()

-- name: seed_configuration
INSERT INTO partner_configuration (enterprise_id, amount_unit, execute_when_funded, auto_approve_client_closures,
                                   updated_at)
VALUES ('exchange', 'decimal', false, false, now())

-- name: seed_partner_currencies
INSERT INTO partner_currency (enterprise_id, partner_name, currency)
SELECT 'exchange', upper(backing), name FROM traded

-- name: seed_partner
-- Windows of 0 minutes: what is staged is due at once.
INSERT INTO partner (id, enterprise_id, go_account_id, client_id, name, broker, institution_identifier,
                     connection_key_schema, active, stable_partner, allocation_policies_enabled,
                     client_dispute_window_minutes, top_up_window_minutes, request_sha256, created_at, updated_at)
VALUES (%(partner_id)s, 'exchange', %(partner_account_id)s, %(partner_client_id)s, 'exchange', false, 'exchange',
        'token', true, false, false, 0, 0, '', now(), now())

-- name: seed_connections
INSERT INTO connection (id, partner_id, client_id, network_account_id, name, active, encrypted_key, nonce, proof,
                        partners_client_id, partners_connection_id, initiated_by, created_at, updated_at)
SELECT connection_id, %(partner_id)s, client_id, account_id, enterprise_id, true, '', 'connect', '', enterprise_id,
       enterprise_id, 'settler', now(), now()
FROM plan

-- name: seed_funds
-- The partner's account and every network account get a million whole coins of each currency.
CREATE TEMPORARY TABLE fund AS
SELECT account_id, name AS currency, trim_scale(1000000 * power(10::numeric, decimals)) AS quantity
FROM (SELECT account_id FROM plan UNION ALL SELECT %(partner_account_id)s) AS owner CROSS JOIN traded

-- name: seed_deposits
CREATE TEMPORARY TABLE deposited AS
SELECT gen_random_uuid() AS entry_id, currency, sum(quantity) AS quantity FROM fund GROUP BY currency

-- name: seed_entries
INSERT INTO ledger_entry (id, partner_id, kind, cause_id, reference, created_at)
SELECT entry_id, '00000000-0000-0000-0000-000000000000'::uuid, 'deposit', entry_id, currency, now() FROM deposited
UNION ALL SELECT %(partner_id)s, %(partner_id)s, 'allocation_cleared', %(partner_id)s, 'seed', now()

-- name: seed_postings
-- All is deposited on the partner's account, and allocated to the connections from there.
INSERT INTO posting (partner_id, entry_id, account_id, currency, bucket, quantity)
SELECT '00000000-0000-0000-0000-000000000000'::uuid, entry_id, side.account_id, currency, 'available', side.quantity
FROM deposited CROSS JOIN LATERAL (VALUES
    (%(partner_account_id)s::uuid, quantity), ('00000000-0000-0000-0000-000000000000'::uuid, -quantity)
) AS side (account_id, quantity)
UNION ALL
SELECT %(partner_id)s, %(partner_id)s, account_id, currency, 'available', quantity
FROM fund WHERE account_id <> %(partner_account_id)s
UNION ALL
SELECT %(partner_id)s, %(partner_id)s, %(partner_account_id)s, currency, 'available', -sum(quantity)
FROM fund WHERE account_id <> %(partner_account_id)s GROUP BY currency

-- name: seed_custody_movements
INSERT INTO custody_movement (account_id, reference, entry_id, kind, currency, quantity, created_at)
SELECT %(partner_account_id)s, currency, entry_id, 'deposit', currency, quantity, now() FROM deposited

-- name: seed_balances
INSERT INTO balance (account_id, currency, available, held)
SELECT account_id, currency, quantity, 0 FROM fund
UNION ALL SELECT '00000000-0000-0000-0000-000000000000'::uuid, currency, -quantity, 0 FROM deposited

-- name: list_connections
SELECT connection_id FROM plan ORDER BY number

-- name: list_traded
SELECT upper(backing) AS name, decimals FROM traded ORDER BY name

-- What the product wrote for one settlement, as files for psql: the same rows under new ids. The
-- baseline is a second whole settlement with the same effect on the same balances.

-- name: copy_nonce
COPY (SELECT enterprise_id, %(name)s, sha256(%(name)s::bytea), used_at, kept_texts FROM nonce
      WHERE request_sha256 = (SELECT request_sha256 FROM settlement WHERE id = %(of)s)) TO STDOUT

-- name: copy_settlement
COPY (SELECT %(id)s::uuid, partner_id, %(name)s, 'dispute_window', settlement_type, sha256(%(name)s::bytea),
             staged_answer, notes, initiated_by, cutoff_at, created_at, created_at, dispute_deadline_at,
             top_up_deadline_at, execute_when_funded, dispute_deadline_at, 0
      FROM settlement WHERE id = %(of)s) TO STDOUT

-- name: copy_settlement_party
COPY (SELECT %(id)s::uuid, partner_id, connection_id, dispute_deadline_at, disputed
      FROM settlement_party WHERE settlement_id = %(of)s) TO STDOUT

-- name: copy_settlement_transfer
COPY (SELECT (%(id_prefix)s || substr(gen_random_uuid()::text, 16))::uuid, partner_id, %(id)s::uuid,
             dispute_closure_id, connection_id, network_account_id, currency, quantity, created_at, assigned_at
      FROM settlement_transfer WHERE settlement_id = %(of)s) TO STDOUT

-- name: copy_hold
COPY (SELECT partner_id, %(id)s::uuid, cause_kind, account_id, currency, quantity
      FROM hold WHERE cause_id = %(of)s) TO STDOUT

-- name: copy_ledger_entry
COPY (SELECT %(entry)s::uuid, partner_id, kind, %(id)s::uuid, reference, created_at
      FROM ledger_entry WHERE cause_id = %(of)s AND kind = %(kind)s) TO STDOUT

-- name: copy_posting
COPY (SELECT posting.partner_id, %(entry)s::uuid, account_id, currency, bucket, quantity
      FROM posting JOIN ledger_entry AS entry ON entry.id = posting.entry_id
      WHERE entry.cause_id = %(of)s AND entry.kind = %(kind)s) TO STDOUT

-- name: copy_change
COPY (SELECT account_id, currency, coalesce(sum(quantity) FILTER (WHERE bucket = 'available'), 0),
             coalesce(sum(quantity) FILTER (WHERE bucket = 'held'), 0)
      FROM posting JOIN ledger_entry AS entry ON entry.id = posting.entry_id
      WHERE entry.cause_id = %(of)s AND entry.kind = %(kind)s GROUP BY account_id, currency) TO STDOUT

-- name: copy_event
COPY (SELECT (%(id_prefix)s || substr(gen_random_uuid()::text, 16))::uuid, enterprise_id, type, %(id)s::uuid,
             payload, created_at, clients
      FROM event WHERE subject_id = %(of)s AND type = ANY(%(types)s) ORDER BY sequence) TO STDOUT

-- name: copy_audit_record
COPY (SELECT at, request_id, actor_kind, actor_id, enterprise_id, action, %(id)s, details
      FROM audit_record WHERE subject_id = %(of)s::text) TO STDOUT

-- name: find_end
SELECT state, (SELECT count(*) FROM hold WHERE cause_id = settlement.id) FROM settlement WHERE id = %(id)s
