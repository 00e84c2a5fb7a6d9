-- name: reserve_settlement
-- The id that the on-chain settlement with this externalId has or will have.
INSERT INTO onchain_reservation (partner_id, external_id, settlement_id, created_at)
VALUES (%(partner_id)s, %(external_id)s, %(settlement_id)s, %(now)s)
ON CONFLICT (partner_id, external_id) DO NOTHING

-- name: reserved_settlement
SELECT settlement_id FROM onchain_reservation WHERE partner_id = %(partner_id)s AND external_id = %(external_id)s

-- name: reserved_external_id
SELECT external_id FROM onchain_reservation WHERE partner_id = %(partner_id)s AND settlement_id = %(settlement_id)s

-- name: insert_progress
INSERT INTO onchain_course (settlement_id, partner_id, phase, loss_alert_at, loss_sla_at, gain_alert_at, gain_sla_at)
VALUES (%(settlement_id)s, %(partner_id)s, %(phase)s, %(loss_alert_at)s, %(loss_sla_at)s, %(gain_alert_at)s,
        %(gain_sla_at)s)

-- name: insert_transfers
-- Reads the transfers that were just created from the request's amounts.
INSERT INTO onchain_transfer (transfer_id, settlement_id, partner_id, network_account_id, side, currency, quantity,
                              status, updated_at)
SELECT id, settlement_id, partner_id, network_account_id, CASE WHEN quantity < 0 THEN 'loss' ELSE 'gain' END,
       currency, abs(quantity), 'pending_onchain', %(now)s
FROM settlement_transfer WHERE settlement_id = %(settlement_id)s

-- name: find_progress
SELECT settlement_id, partner_id, phase, loss_alert_at, loss_sla_at, gain_alert_at, gain_sla_at
FROM onchain_course WHERE settlement_id = %(settlement_id)s

-- name: change_phase
UPDATE onchain_course SET phase = %(to)s WHERE settlement_id = %(settlement_id)s AND phase = %(from)s

-- name: tallies
SELECT side,
       count(*) FILTER (WHERE status = 'pending_onchain') AS pending,
       count(*) FILTER (WHERE status = 'onchain_initiated') AS initiated,
       count(*) FILTER (WHERE status = 'onchain_failed') AS failed,
       count(*) FILTER (WHERE status = 'completed') AS completed,
       count(*) FILTER (WHERE status = 'onchain_failed' AND failures >= %(tries)s) AS exhausted,
       min(retry_at) FILTER (WHERE failures < %(tries)s) AS retry_at
FROM onchain_transfer WHERE settlement_id = %(settlement_id)s GROUP BY side

-- name: initiate
-- Records payments before they are handed over: the chain never has a payment that we do not know.
WITH due AS (
    SELECT transfer_id FROM onchain_transfer
    WHERE settlement_id = %(settlement_id)s AND side = %(side)s
      AND (status = 'pending_onchain'
           OR (status = 'onchain_failed' AND failures < %(tries)s AND retry_at <= %(now)s))
    ORDER BY transfer_id LIMIT %(limit)s
)
UPDATE onchain_transfer
SET status = 'onchain_initiated', payment_id = gen_random_uuid(), tx_id = NULL, failure = NULL, retry_at = NULL,
    updated_at = %(now)s
FROM due WHERE onchain_transfer.transfer_id = due.transfer_id

-- name: payments_under_way
SELECT payment_id, transfer_id, partner_id, network_account_id, side, currency, quantity
FROM onchain_transfer
WHERE settlement_id = %(settlement_id)s AND status = 'onchain_initiated'
ORDER BY transfer_id LIMIT %(limit)s

-- name: count_under_way
SELECT count(*) FROM onchain_transfer WHERE settlement_id = %(settlement_id)s AND status = 'onchain_initiated'

-- name: record_transaction_ids
-- The chain's transaction ids of payments that are still pending.
UPDATE onchain_transfer SET tx_id = given.tx_id, updated_at = %(now)s
FROM unnest(%(payment_ids)s::uuid[], %(tx_ids)s::text[]) AS given (payment_id, tx_id)
WHERE onchain_transfer.payment_id = given.payment_id AND onchain_transfer.status = 'onchain_initiated'
  AND onchain_transfer.tx_id IS DISTINCT FROM given.tx_id

-- name: complete
-- Completes each confirmed payment once and returns what that moves on each network account.
WITH completed AS (
    UPDATE onchain_transfer SET status = 'completed', tx_id = given.tx_id, updated_at = %(now)s
    FROM unnest(%(payment_ids)s::uuid[], %(tx_ids)s::text[]) AS given (payment_id, tx_id)
    WHERE onchain_transfer.payment_id = given.payment_id AND onchain_transfer.status = 'onchain_initiated'
      AND onchain_transfer.settlement_id = %(settlement_id)s
    RETURNING network_account_id, currency, side, quantity
)
SELECT network_account_id, currency, side, sum(quantity) AS quantity
FROM completed GROUP BY network_account_id, currency, side ORDER BY network_account_id, currency, side

-- name: fail
UPDATE onchain_transfer
SET status = 'onchain_failed', tx_id = given.tx_id, failure = given.failure, failures = failures + 1,
    retry_at = %(now)s + make_interval(secs => (%(retry_seconds)s::integer[])[least(failures + 1, %(tries)s)]),
    updated_at = %(now)s
FROM unnest(%(payment_ids)s::uuid[], %(tx_ids)s::text[], %(failures)s::text[]) AS given (payment_id, tx_id, failure)
WHERE onchain_transfer.payment_id = given.payment_id AND onchain_transfer.status = 'onchain_initiated'
  AND onchain_transfer.settlement_id = %(settlement_id)s

-- name: retry_failed
UPDATE onchain_transfer SET failures = 0, retry_at = %(now)s, updated_at = %(now)s
WHERE settlement_id = %(settlement_id)s AND status = 'onchain_failed'

-- name: last_failure
SELECT failure FROM onchain_transfer
WHERE settlement_id = %(settlement_id)s AND side = %(side)s AND status = 'onchain_failed'
ORDER BY updated_at DESC, transfer_id LIMIT 1

-- name: gains
SELECT currency, sum(quantity) AS quantity FROM onchain_transfer
WHERE settlement_id = %(settlement_id)s AND side = 'gain' GROUP BY currency ORDER BY currency

-- name: insert_deposits
INSERT INTO onchain_deposit (id, partner_id, settlement_id, external_settlement_id, currency, partner_currency,
                             on_chain_tx_id, status, due_at, created_at, updated_at, request_sha256)
SELECT given.id, %(partner_id)s, %(settlement_id)s, %(external_settlement_id)s, given.currency,
       given.partner_currency, given.tx_id, 'pending', %(now)s, %(now)s, %(now)s, %(request_sha256)s
FROM unnest(%(ids)s::uuid[], %(currencies)s::text[], %(partner_currencies)s::text[], %(tx_ids)s::text[])
    AS given (id, currency, partner_currency, tx_id)

-- name: find_deposits
SELECT id, partner_id, settlement_id, external_settlement_id, currency, partner_currency, on_chain_tx_id, status,
       quantity, entry_id, failure, due_at, attempts, last_error, created_at, updated_at
FROM onchain_deposit
WHERE partner_id = %(partner_id)s
  AND (currency, on_chain_tx_id) IN (SELECT * FROM unnest(%(currencies)s::text[], %(tx_ids)s::text[]))

-- name: find_deposits_of_request
SELECT id, partner_id, settlement_id, external_settlement_id, currency, partner_currency, on_chain_tx_id, status,
       quantity, entry_id, failure, due_at, attempts, last_error, created_at, updated_at
FROM onchain_deposit
WHERE partner_id = %(partner_id)s
  AND (partner_currency, on_chain_tx_id) IN (SELECT * FROM unnest(%(partner_currencies)s::text[], %(tx_ids)s::text[]))
  AND EXISTS (SELECT FROM onchain_deposit AS stored
              WHERE stored.partner_id = %(partner_id)s AND stored.request_sha256 = %(request_sha256)s)
-- If the partner's name has meant two currencies, the deposit that this request stored comes last and counts.
ORDER BY request_sha256 IS NOT DISTINCT FROM %(request_sha256)s, id

-- name: find_deposit
SELECT id, partner_id, settlement_id, external_settlement_id, currency, partner_currency, on_chain_tx_id, status,
       quantity, entry_id, failure, due_at, attempts, last_error, created_at, updated_at
FROM onchain_deposit WHERE id = %(id)s

-- name: lock_deposit
SELECT id, partner_id, settlement_id, external_settlement_id, currency, partner_currency, on_chain_tx_id, status,
       quantity, entry_id, failure, due_at, attempts, last_error, created_at, updated_at
FROM onchain_deposit WHERE id = %(id)s FOR UPDATE

-- name: confirmed_deposits
SELECT id, partner_id, settlement_id, external_settlement_id, currency, partner_currency, on_chain_tx_id, status,
       quantity, entry_id, failure, due_at, attempts, last_error, created_at, updated_at
FROM onchain_deposit WHERE settlement_id = %(settlement_id)s AND status = 'confirmed'
ORDER BY id FOR UPDATE

-- name: list_deposits
SELECT id, partner_id, settlement_id, external_settlement_id, currency, partner_currency, on_chain_tx_id, status,
       quantity, entry_id, failure, due_at, attempts, last_error, created_at, updated_at
FROM onchain_deposit
WHERE (%(partner_ids)s::uuid[] IS NULL OR partner_id = ANY(%(partner_ids)s))
  AND (%(settlement_ids)s::uuid[] IS NULL OR settlement_id = ANY(%(settlement_ids)s))
  AND (%(statuses)s::text[] IS NULL OR status = ANY(%(statuses)s))
  AND (%(created_on_or_after)s::timestamptz IS NULL OR created_at >= %(created_on_or_after)s)
  AND (%(created_before)s::timestamptz IS NULL OR created_at < %(created_before)s)

-- name: decide_deposit
UPDATE onchain_deposit
SET status = %(to)s, quantity = %(quantity)s, entry_id = %(entry_id)s, failure = %(failure)s, due_at = NULL,
    attempts = 0, last_error = NULL, updated_at = %(now)s
WHERE id = %(id)s AND status = 'pending'

-- name: end_deposits
UPDATE onchain_deposit SET status = %(to)s, updated_at = %(now)s
WHERE id = ANY(%(ids)s) AND status = 'confirmed'

-- name: postpone_deposit
UPDATE onchain_deposit SET due_at = %(due_at)s, attempts = %(attempts)s, last_error = %(error)s
WHERE id = %(id)s AND status = 'pending'

-- name: due_deposits
SELECT id, partner_id, settlement_id, external_settlement_id, currency, partner_currency, on_chain_tx_id, status,
       quantity, entry_id, failure, due_at, attempts, last_error, created_at, updated_at
FROM onchain_deposit WHERE due_at <= %(now)s ORDER BY due_at, id LIMIT %(limit)s

-- name: count_due_deposits
SELECT count(*) FROM onchain_deposit WHERE due_at <= %(now)s

-- name: next_deposit_due_at
SELECT min(due_at) FROM onchain_deposit WHERE due_at IS NOT NULL

-- name: chain_pay
INSERT INTO chain_transaction (id, partner_id, kind, tx_id, payment_id, transfer_id, route_id, currency, quantity,
                               state, withheld, confirms_at, created_at, updated_at)
SELECT given.payment_id, given.partner_id, 'payment', given.tx_id, given.payment_id, given.transfer_id,
       given.route_id, given.currency, given.quantity, 'pending', false, %(confirms_at)s, %(now)s, %(now)s
FROM unnest(%(payment_ids)s::uuid[], %(partner_ids)s::uuid[], %(tx_ids)s::text[], %(transfer_ids)s::uuid[],
            %(route_ids)s::text[], %(currencies)s::text[], %(quantities)s::numeric[])
    AS given (payment_id, partner_id, tx_id, transfer_id, route_id, currency, quantity)
ORDER BY given.payment_id
ON CONFLICT (payment_id) DO NOTHING

-- name: chain_deposit
INSERT INTO chain_transaction (id, partner_id, kind, tx_id, currency, quantity, state, withheld, confirms_at,
                               created_at, updated_at)
VALUES (%(id)s, %(partner_id)s, 'deposit', %(tx_id)s, %(currency)s, %(quantity)s, 'pending', %(withheld)s,
        %(confirms_at)s, %(now)s, %(now)s)
ON CONFLICT (partner_id, tx_id, currency) WHERE kind = 'deposit' DO NOTHING

-- name: chain_pass_time
-- A transaction whose time has come is confirmed when it is read, and stays confirmed.
WITH due AS (
    SELECT id FROM chain_transaction
    WHERE state = 'pending' AND NOT withheld AND confirms_at <= %(now)s
      AND (id = ANY(%(ids)s::uuid[])
           OR (kind, partner_id, tx_id, currency)
            = ('deposit', %(partner_id)s::uuid, %(tx_id)s::text, %(currency)s::text))
    ORDER BY id FOR UPDATE
)
UPDATE chain_transaction SET state = 'confirmed', updated_at = %(now)s
FROM due WHERE chain_transaction.id = due.id

-- name: chain_payments
SELECT payment_id, state, tx_id, failure FROM chain_transaction WHERE payment_id = ANY(%(payment_ids)s)

-- name: chain_find_deposit
SELECT id, partner_id, kind, tx_id, payment_id, transfer_id, route_id, currency, quantity, state, withheld, failure,
       confirms_at, created_at, updated_at
FROM chain_transaction
WHERE kind = 'deposit' AND partner_id = %(partner_id)s AND tx_id = %(tx_id)s AND currency = %(currency)s

-- name: chain_lock
SELECT id, partner_id, kind, tx_id, payment_id, transfer_id, route_id, currency, quantity, state, withheld, failure,
       confirms_at, created_at, updated_at
FROM chain_transaction WHERE id = %(id)s FOR UPDATE

-- name: chain_change
UPDATE chain_transaction
SET state = %(state)s, withheld = %(withheld)s, failure = %(failure)s, updated_at = %(now)s
WHERE id = %(id)s AND state = 'pending'

-- name: chain_list
SELECT id, partner_id, kind, tx_id, payment_id, transfer_id, route_id, currency, quantity, state, withheld, failure,
       confirms_at, created_at, updated_at
FROM chain_transaction
WHERE (%(partner_ids)s::uuid[] IS NULL OR partner_id = ANY(%(partner_ids)s))
  AND (%(transfer_ids)s::uuid[] IS NULL OR transfer_id = ANY(%(transfer_ids)s))
  AND (%(kinds)s::text[] IS NULL OR kind = ANY(%(kinds)s))
  AND (%(states)s::text[] IS NULL OR state = ANY(%(states)s))
  AND (%(created_on_or_after)s::timestamptz IS NULL OR created_at >= %(created_on_or_after)s)
  AND (%(created_before)s::timestamptz IS NULL OR created_at < %(created_before)s)
