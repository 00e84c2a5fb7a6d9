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
-- The partner's account and every network account get a million whole coins of each currency: a client deposits them on
-- its own account and allocates them to its connection.
CREATE TEMPORARY TABLE fund AS
SELECT go_account_id, client_id, connection_id, account_id, name AS currency,
       trim_scale(1000000 * power(10::numeric, decimals)) AS quantity, gen_random_uuid() AS deposit_id,
       gen_random_uuid() AS allocation_id, gen_random_uuid() AS reserved_id, gen_random_uuid() AS cleared_id
FROM (SELECT go_account_id, client_id, connection_id, account_id FROM plan
      UNION ALL SELECT %(partner_account_id)s, NULL, NULL, NULL) AS owner CROSS JOIN traded

-- name: seed_entries
INSERT INTO ledger_entry (id, partner_id, kind, cause_id, reference, created_at)
SELECT deposit_id, '00000000-0000-0000-0000-000000000000'::uuid, 'deposit', deposit_id, currency, now() FROM fund
UNION ALL
SELECT reserved_id, %(partner_id)s, 'allocation_reserved', allocation_id, NULL, now()
FROM fund WHERE account_id IS NOT NULL
UNION ALL
SELECT cleared_id, %(partner_id)s, 'allocation_cleared', allocation_id, NULL, now()
FROM fund WHERE account_id IS NOT NULL

-- name: seed_postings
INSERT INTO entry_posting (entry_number, account_number, currency_number, of_settlement, available, held)
SELECT entry.number, account.number, currency.number, false, moved.available, moved.held
FROM fund
CROSS JOIN LATERAL (VALUES
    (deposit_id, go_account_id, quantity, 0), (deposit_id, '00000000-0000-0000-0000-000000000000'::uuid, -quantity, 0),
    (reserved_id, go_account_id, -quantity, quantity),
    (cleared_id, go_account_id, 0, -quantity), (cleared_id, account_id, quantity, 0)
) AS moved (entry_id, account_id, available, held)
JOIN ledger_entry AS entry ON entry.id = moved.entry_id
JOIN account ON account.id = moved.account_id
JOIN currency ON currency.name = fund.currency
ORDER BY entry.number, account.number, currency.number

-- name: seed_custody_movements
INSERT INTO custody_movement (account_id, reference, entry_id, kind, currency, quantity, created_at)
SELECT go_account_id, currency, deposit_id, 'deposit', currency, quantity, now() FROM fund

-- name: seed_allocations
INSERT INTO allocation (id, partner_id, client_id, connection_id, type, status, currency, quantity, client_external_id,
                        request_sha256, initiated_by, retriable, created_at, updated_at)
SELECT allocation_id, %(partner_id)s, client_id, connection_id, 'allocation', 'cleared', currency, quantity, currency, '',
       'settler', false, now(), now()
FROM fund WHERE account_id IS NOT NULL

-- name: seed_balances
INSERT INTO balance (account_id, currency, account_number, currency_number, available, held)
SELECT account.id, owned.currency, account.number, currency.number, owned.quantity, 0
FROM (SELECT coalesce(account_id, go_account_id) AS account_id, currency, quantity FROM fund
      UNION ALL
      SELECT '00000000-0000-0000-0000-000000000000'::uuid, currency, -sum(quantity) FROM fund GROUP BY currency
     ) AS owned
JOIN account ON account.id = owned.account_id
JOIN currency ON currency.name = owned.currency

-- name: list_connections
SELECT connection_id FROM plan ORDER BY number

-- name: list_traded
SELECT upper(backing) AS name, decimals FROM traded ORDER BY name

-- What the product wrote for one settlement, as files for psql: the same rows under new ids. The
-- baseline is a second whole settlement with the same effect on the same balances.

-- name: next_entry_number
SELECT nextval(pg_get_serial_sequence('ledger_entry', 'number'))

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
COPY (SELECT %(entry)s::uuid, partner_id, kind, %(id)s::uuid, reference, created_at, %(entry_number)s
      FROM ledger_entry WHERE cause_id = %(of)s AND kind = %(kind)s) TO STDOUT

-- name: copy_entry_posting
COPY (SELECT %(entry_number)s, account_number, currency_number, of_settlement, available, held
      FROM entry_posting JOIN ledger_entry AS entry ON entry.number = entry_number
      WHERE entry.cause_id = %(of)s AND entry.kind = %(kind)s
      ORDER BY account_number, currency_number) TO STDOUT

-- name: copy_change
COPY (SELECT balance.account_id, balance.currency, posted.available, posted.held
      FROM entry_posting AS posted JOIN balance USING (account_number, currency_number)
      JOIN ledger_entry AS entry ON entry.number = entry_number
      WHERE entry.cause_id = %(of)s AND entry.kind = %(kind)s) TO STDOUT

-- name: copy_event
COPY (SELECT (%(id_prefix)s || substr(gen_random_uuid()::text, 16))::uuid, enterprise_id, type, %(id)s::uuid,
             payload, created_at, clients
      FROM event WHERE subject_id = %(of)s AND type = ANY(%(types)s) ORDER BY sequence) TO STDOUT

-- name: copy_audit_record
COPY (SELECT at, request_id, actor_kind, actor_id, enterprise_id, action, %(id)s, details
      FROM audit_record WHERE subject_id = %(of)s::text) TO STDOUT

-- name: find_end
SELECT state, (SELECT count(*) FROM hold WHERE cause_id = settlement.id) FROM settlement WHERE id = %(id)s
