-- columns: partner_columns
partner.id, partner.enterprise_id, partner.go_account_id, partner.client_id, partner.name, partner.broker,
       partner.institution_id, partner.institution_identifier, partner.connection_key_schema, partner.active,
       partner.stable_partner, partner.allocation_policies_enabled, partner.client_dispute_window_minutes,
       partner.top_up_window_minutes, partner.created_at, partner.updated_at,
       configuration.amount_unit, configuration.execute_when_funded, configuration.auto_approve_client_closures,
       configuration.public_key, configuration.onchain_enabled, configuration.loss_sla_minutes,
       configuration.gain_sla_minutes, partner.settlement_transaction_route_id, enterprise.trust_org

-- columns: connection_columns
id, partner_id, client_id, network_account_id, name, active, nonce, proof, partners_client_id,
       partners_connection_id, initiated_by, created_at, updated_at, refused_reason

-- columns: client_columns
client.id, client.enterprise_id, client.go_account_id, client.active, client.created_at, client.updated_at,
       enterprise.trust_org, enterprise.name

-- columns: configuration_columns
enterprise_id, amount_unit, execute_when_funded, auto_approve_client_closures, public_key,
       onchain_enabled, loss_sla_minutes, gain_sla_minutes,
       (SELECT coalesce(jsonb_object_agg(partner_name, currency), '{}') FROM partner_currency
        WHERE partner_currency.enterprise_id = partner_configuration.enterprise_id) AS currencies

-- name: put_configuration
INSERT INTO partner_configuration (enterprise_id, amount_unit, execute_when_funded, auto_approve_client_closures,
                                   public_key, onchain_enabled, loss_sla_minutes, gain_sla_minutes, updated_at)
VALUES (%(enterprise_id)s, %(amount_unit)s, %(execute_when_funded)s, %(auto_approve_client_closures)s,
        %(public_key)s, %(onchain_enabled)s, %(loss_sla_minutes)s, %(gain_sla_minutes)s, %(now)s)
ON CONFLICT (enterprise_id) DO UPDATE
SET amount_unit = excluded.amount_unit, execute_when_funded = excluded.execute_when_funded,
    auto_approve_client_closures = excluded.auto_approve_client_closures, public_key = excluded.public_key,
    onchain_enabled = excluded.onchain_enabled, loss_sla_minutes = excluded.loss_sla_minutes,
    gain_sla_minutes = excluded.gain_sla_minutes, updated_at = excluded.updated_at

-- name: drop_partner_currencies
DELETE FROM partner_currency WHERE enterprise_id = %(enterprise_id)s

-- name: insert_partner_currencies
INSERT INTO partner_currency (enterprise_id, partner_name, currency)
SELECT %(enterprise_id)s, given.partner_name, given.currency
FROM unnest(%(partner_names)s::text[], %(currencies)s::text[]) AS given (partner_name, currency)

-- name: find_configuration
SELECT {configuration_columns}
FROM partner_configuration WHERE enterprise_id = %(enterprise_id)s

-- name: list_partner_currencies
SELECT partner_currency.enterprise_id, partner_currency.partner_name, currency.name AS currency, currency.decimals,
       currency.backing
FROM partner_currency
JOIN currency ON currency.name = partner_currency.currency
WHERE partner_currency.enterprise_id = ANY(%(enterprise_ids)s)
ORDER BY partner_currency.enterprise_id, partner_currency.partner_name

-- name: insert_client
INSERT INTO client (id, enterprise_id, go_account_id, active, created_at, updated_at)
VALUES (%(id)s, %(enterprise_id)s, %(go_account_id)s, true, %(now)s, %(now)s)
ON CONFLICT (enterprise_id) DO NOTHING

-- name: find_client
SELECT {client_columns}
FROM client
JOIN enterprise ON enterprise.id = client.enterprise_id
WHERE client.id = %(id)s OR client.enterprise_id = %(enterprise_id)s

-- name: update_client
UPDATE client SET active = %(active)s, updated_at = %(now)s WHERE id = %(id)s

-- name: insert_partner
INSERT INTO partner (id, enterprise_id, go_account_id, client_id, name, broker, institution_id,
                     institution_identifier, connection_key_schema, active, stable_partner,
                     allocation_policies_enabled, client_dispute_window_minutes, top_up_window_minutes,
                     request_sha256, created_at, updated_at)
VALUES (%(id)s, %(enterprise_id)s, %(go_account_id)s, %(client_id)s, %(name)s, %(broker)s, %(institution_id)s,
        %(institution_identifier)s, %(connection_key_schema)s, true, false,
        %(allocation_policies_enabled)s, %(client_dispute_window_minutes)s, %(top_up_window_minutes)s,
        %(request_sha256)s, %(now)s, %(now)s)
ON CONFLICT (enterprise_id) DO NOTHING

-- name: find_partner
SELECT {partner_columns}
FROM partner
JOIN partner_configuration AS configuration ON configuration.enterprise_id = partner.enterprise_id
JOIN enterprise ON enterprise.id = partner.enterprise_id
WHERE partner.id = %(id)s OR partner.enterprise_id = %(enterprise_id)s

-- name: find_partner_request
SELECT request_sha256 FROM partner WHERE enterprise_id = %(enterprise_id)s

-- name: lock_partner
-- Settlements of a partner are staged and executed under this lock. It does not block new connections.
SELECT id FROM partner WHERE id = %(id)s FOR NO KEY UPDATE

-- name: update_partner
UPDATE partner
SET active = %(active)s, stable_partner = %(stable_partner)s, top_up_window_minutes = %(top_up_window_minutes)s,
    client_dispute_window_minutes = %(client_dispute_window_minutes)s, updated_at = %(now)s,
    settlement_transaction_route_id = %(settlement_transaction_route_id)s
WHERE id = %(id)s

-- name: list_partners
SELECT {partner_columns}
FROM partner
JOIN partner_configuration AS configuration ON configuration.enterprise_id = partner.enterprise_id
JOIN enterprise ON enterprise.id = partner.enterprise_id
WHERE (%(ids)s::uuid[] IS NULL OR partner.id = ANY(%(ids)s))
  AND (%(names)s::text[] IS NULL OR partner.name = ANY(%(names)s))
  AND (%(institution_ids)s::text[] IS NULL OR partner.institution_id = ANY(%(institution_ids)s))
  AND (%(institution_identifiers)s::text[] IS NULL
       OR partner.institution_identifier = ANY(%(institution_identifiers)s))
  AND (%(active)s::boolean IS NULL OR partner.active = %(active)s)
  AND (%(allocation_policies_enabled)s::boolean IS NULL OR partner.allocation_policies_enabled = %(allocation_policies_enabled)s)
  AND (%(trust_org_of)s::text IS NULL
       OR enterprise.trust_org = (SELECT trust_org FROM enterprise WHERE id = %(trust_org_of)s))

-- name: put_licence
INSERT INTO partner_licence (enterprise_id, partner_id, licensed, updated_at)
VALUES (%(enterprise_id)s, %(partner_id)s, %(licensed)s, %(now)s)
ON CONFLICT (enterprise_id, partner_id) DO UPDATE
SET licensed = excluded.licensed, updated_at = excluded.updated_at

-- name: list_licences
SELECT enterprise_id, partner_id, licensed, updated_at
FROM partner_licence WHERE enterprise_id = %(enterprise_id)s AND partner_id = ANY(%(partner_ids)s)

-- name: insert_connection
INSERT INTO connection (id, partner_id, client_id, network_account_id, name, active, encrypted_key, nonce, proof,
                        partners_client_id, partners_connection_id, initiated_by, created_at, updated_at, first_name)
VALUES (%(id)s, %(partner_id)s, %(client_id)s, %(network_account_id)s, %(name)s, true, %(encrypted_key)s,
        %(nonce)s, %(proof)s, %(partners_client_id)s, %(partners_connection_id)s, %(initiated_by)s, %(now)s,
        %(now)s, %(name)s)

-- name: find_first_request
SELECT first_name AS name, encrypted_key FROM connection WHERE id = %(id)s

-- name: find_connection
SELECT {connection_columns}
FROM connection WHERE id = %(id)s

-- name: find_connection_by_nonce
SELECT {connection_columns}
FROM connection WHERE client_id = %(client_id)s AND nonce = %(nonce)s

-- name: list_partner_connections
SELECT {connection_columns}
FROM connection WHERE partner_id = %(partner_id)s AND id = ANY(%(ids)s)

-- name: lock_connection
SELECT {connection_columns}
FROM connection WHERE id = %(id)s FOR NO KEY UPDATE

-- name: update_connection
UPDATE connection SET name = %(name)s, active = %(active)s, updated_at = %(now)s WHERE id = %(id)s

-- name: introduce_connection
UPDATE connection
SET partners_client_id = %(partners_client_id)s, partners_connection_id = %(partners_connection_id)s,
    refused_reason = %(refused_reason)s, active = %(active)s, updated_at = %(now)s
WHERE id = %(id)s AND partners_connection_id IS NULL AND refused_reason IS NULL

-- name: list_connections
SELECT {connection_columns}
FROM connection
WHERE (%(client_id)s::uuid IS NULL OR client_id = %(client_id)s)
  AND (%(partner_id)s::uuid IS NULL OR partner_id = %(partner_id)s)
  AND (%(ids)s::uuid[] IS NULL OR id = ANY(%(ids)s))
  AND (%(names)s::text[] IS NULL OR name = ANY(%(names)s))
  AND (%(partner_ids)s::uuid[] IS NULL OR partner_id = ANY(%(partner_ids)s))
  AND (%(client_ids)s::uuid[] IS NULL OR client_id = ANY(%(client_ids)s))
  AND (%(partners_client_ids)s::text[] IS NULL OR partners_client_id = ANY(%(partners_client_ids)s))
  AND (%(partners_connection_ids)s::text[] IS NULL OR partners_connection_id = ANY(%(partners_connection_ids)s))
  AND (%(active)s::boolean IS NULL OR active = %(active)s)

-- name: list_owners
SELECT connection.id, client.enterprise_id
FROM connection
JOIN client ON client.id = connection.client_id
WHERE connection.id = ANY(%(ids)s)

-- name: list_enterprises_at
SELECT DISTINCT client.enterprise_id
FROM connection JOIN client ON client.id = connection.client_id
WHERE connection.partner_id = %(partner_id)s ORDER BY client.enterprise_id

-- name: claim_partner
-- Among workers only: it says who waits for the partner's lock, and protects nothing by itself.
SELECT pg_try_advisory_xact_lock(hashtext('clearwindow.worker'), hashtext(%(id)s::text))

-- name: partner_accounts
SELECT id, go_account_id AS value FROM partner WHERE id = ANY(%(ids)s)

-- name: client_accounts
SELECT connection.id, client.go_account_id AS value
FROM connection JOIN client ON client.id = connection.client_id
WHERE connection.id = ANY(%(ids)s)

-- name: accounts_of_connections
SELECT id, network_account_id AS value FROM connection WHERE partner_id = %(partner_id)s AND id = ANY(%(ids)s)

-- name: connections_by_account
SELECT network_account_id AS id, id AS value FROM connection
WHERE partner_id = %(partner_id)s AND network_account_id = ANY(%(ids)s)

-- name: connections_of_client
SELECT {connection_columns}
FROM connection WHERE client_id = %(client_id)s

-- name: partners_of_accounts
SELECT id FROM partner WHERE go_account_id = ANY(%(ids)s) ORDER BY id

-- name: search_partners
SELECT {partner_columns}
FROM partner
JOIN partner_configuration AS configuration ON configuration.enterprise_id = partner.enterprise_id
JOIN enterprise ON enterprise.id = partner.enterprise_id
WHERE (%(ids)s::uuid[] IS NULL OR partner.id = ANY(%(ids)s))
  AND (%(enterprise_ids)s::text[] IS NULL OR partner.enterprise_id = ANY(%(enterprise_ids)s))
  AND (%(names)s::text[] IS NULL OR partner.name = ANY(%(names)s))
  AND (%(active)s::boolean IS NULL OR partner.active = %(active)s)
  AND (%(broker)s::boolean IS NULL OR partner.broker = %(broker)s)
  AND (%(created_on_or_after)s::timestamptz IS NULL OR partner.created_at >= %(created_on_or_after)s)
  AND (%(created_before)s::timestamptz IS NULL OR partner.created_at < %(created_before)s)

-- name: search_clients
SELECT {client_columns}
FROM client
JOIN enterprise ON enterprise.id = client.enterprise_id
WHERE (%(ids)s::uuid[] IS NULL OR client.id = ANY(%(ids)s))
  AND (%(enterprise_ids)s::text[] IS NULL OR client.enterprise_id = ANY(%(enterprise_ids)s))
  AND (%(go_account_ids)s::uuid[] IS NULL OR client.go_account_id = ANY(%(go_account_ids)s))
  AND (%(active)s::boolean IS NULL OR client.active = %(active)s)
  AND (%(created_on_or_after)s::timestamptz IS NULL OR client.created_at >= %(created_on_or_after)s)
  AND (%(created_before)s::timestamptz IS NULL OR client.created_at < %(created_before)s)

-- name: search_connections
-- A connection is initialized once its partner has accepted it.
SELECT {connection_columns}
FROM connection
WHERE (%(ids)s::uuid[] IS NULL OR id = ANY(%(ids)s))
  AND (%(partner_ids)s::uuid[] IS NULL OR partner_id = ANY(%(partner_ids)s))
  AND (%(client_ids)s::uuid[] IS NULL OR client_id = ANY(%(client_ids)s))
  AND (%(names)s::text[] IS NULL OR name = ANY(%(names)s))
  AND (%(active)s::boolean IS NULL OR active = %(active)s)
  AND (%(initialized)s::boolean IS NULL OR (partners_connection_id IS NOT NULL) = %(initialized)s)
  AND (%(created_on_or_after)s::timestamptz IS NULL OR created_at >= %(created_on_or_after)s)
  AND (%(created_before)s::timestamptz IS NULL OR created_at < %(created_before)s)

-- name: search_configurations
SELECT {configuration_columns}
FROM partner_configuration
WHERE (%(enterprise_ids)s::text[] IS NULL OR enterprise_id = ANY(%(enterprise_ids)s))
  AND (%(amount_units)s::text[] IS NULL OR amount_unit = ANY(%(amount_units)s))
  AND (%(updated_on_or_after)s::timestamptz IS NULL OR updated_at >= %(updated_on_or_after)s)
  AND (%(updated_before)s::timestamptz IS NULL OR updated_at < %(updated_before)s)

-- name: search_licences
SELECT enterprise_id, partner_id, licensed, updated_at
FROM partner_licence
WHERE (%(enterprise_ids)s::text[] IS NULL OR enterprise_id = ANY(%(enterprise_ids)s))
  AND (%(partner_ids)s::uuid[] IS NULL OR partner_id = ANY(%(partner_ids)s))
  AND (%(licensed)s::boolean IS NULL OR licensed = %(licensed)s)
  AND (%(updated_on_or_after)s::timestamptz IS NULL OR updated_at >= %(updated_on_or_after)s)
  AND (%(updated_before)s::timestamptz IS NULL OR updated_at < %(updated_before)s)
