-- name: create_staged_amount
CREATE TEMPORARY TABLE staged_amount (
    connection_id uuid NOT NULL, account_id uuid NOT NULL, currency_number integer NOT NULL, amount numeric NOT NULL
) ON COMMIT DROP

-- name: copy_staged_amount
COPY staged_amount (connection_id, account_id, currency_number, amount) FROM STDIN

-- name: analyze_staged_amount
ANALYZE staged_amount (connection_id)

-- name: unfit_amounts
-- Decimals count as written: 1.0 from a partner that sends base units is a whole coin meant, not one base unit.
-- The amounts are not scaled to be looked at: multiplying each of 100 000 costs more than the rest of this statement.
WITH unit AS (
    SELECT number, decimals, power(10::numeric, 78 - decimals) AS too_large_from
    FROM unnest(%(decimals)s::integer[]) WITH ORDINALITY AS given (decimals, number)
)
SELECT connection_id, currency_number, amount,
       CASE
           WHEN amount = 0 THEN 'zero'
           WHEN abs(amount) >= too_large_from THEN 'too_large'
           ELSE 'too_fine'
       END AS problem
FROM staged_amount JOIN unit ON unit.number = currency_number
WHERE amount = 0
   OR scale(amount) > decimals
   OR abs(amount) >= too_large_from
LIMIT 20

-- name: unbalanced_currencies
SELECT currency, sum(amount) AS quantity
FROM staged_amount
JOIN unnest(%(currencies)s::text[]) WITH ORDINALITY AS given (currency, number) ON number = currency_number
GROUP BY currency HAVING sum(amount) <> 0 ORDER BY currency

-- name: insert_parties_of_amounts
INSERT INTO settlement_party (settlement_id, partner_id, connection_id, dispute_deadline_at, disputed)
SELECT %(settlement_id)s, %(partner_id)s, connection_id, %(dispute_deadline_at)s, false
FROM staged_amount GROUP BY connection_id

-- name: insert_transfers_of_amounts
WITH unit AS (
    SELECT number, currency, power(10::numeric, decimals) AS base_units
    FROM unnest(%(currencies)s::text[], %(decimals)s::integer[])
        WITH ORDINALITY AS given (currency, decimals, number)
)
INSERT INTO settlement_transfer
    (id, partner_id, settlement_id, connection_id, network_account_id, currency, quantity, created_at, assigned_at)
SELECT (%(id_prefix)s || substr(gen_random_uuid()::text, 16))::uuid, %(partner_id)s, %(settlement_id)s,
       connection_id, account_id, unit.currency, trim_scale(amount * base_units), %(now)s, %(now)s
FROM staged_amount JOIN unit ON unit.number = currency_number

-- name: insert_parties
INSERT INTO settlement_party (settlement_id, partner_id, connection_id, dispute_deadline_at, disputed)
SELECT %(settlement_id)s, %(partner_id)s, connection_id, %(dispute_deadline_at)s, false
FROM unnest(%(connection_ids)s::uuid[]) AS connection_id
ON CONFLICT DO NOTHING

-- name: insert_closure_transfers
INSERT INTO settlement_transfer
    (id, partner_id, dispute_closure_id, connection_id, network_account_id, currency, quantity, created_at)
SELECT gen_random_uuid(), %(partner_id)s, %(closure_id)s, %(connection_id)s, %(account_id)s, currency, quantity,
       %(now)s
FROM unnest(%(currencies)s::text[], %(quantities)s::numeric[]) AS given (currency, quantity)

-- name: assign_closure_transfers
UPDATE settlement_transfer SET settlement_id = %(settlement_id)s, assigned_at = %(now)s
WHERE dispute_closure_id = ANY(%(closure_ids)s) AND settlement_id IS NULL

-- name: lock_party
SELECT party.settlement_id, party.partner_id, party.connection_id, party.dispute_deadline_at, party.disputed,
       EXISTS (SELECT FROM settlement_transfer AS transfer
               WHERE (transfer.settlement_id, transfer.connection_id) = (party.settlement_id, party.connection_id)
                 AND transfer.dispute_closure_id IS NULL) AS has_new_transfers
FROM settlement_party AS party
WHERE party.settlement_id = %(settlement_id)s AND party.connection_id = %(connection_id)s
FOR UPDATE OF party

-- name: lock_parties
SELECT count(*) FROM (
    SELECT connection_id FROM settlement_party WHERE settlement_id = %(settlement_id)s
    ORDER BY connection_id FOR UPDATE
) AS locked

-- name: mark_disputed
UPDATE settlement_party SET disputed = true
WHERE settlement_id = %(settlement_id)s AND connection_id = ANY(%(connection_ids)s)

-- name: parties
SELECT connection_id FROM settlement_party WHERE settlement_id = %(settlement_id)s ORDER BY connection_id

-- name: create_informed_connection
CREATE TEMPORARY TABLE informed_connection ON COMMIT DROP AS
SELECT connection_id FROM settlement_party WHERE settlement_id = %(settlement_id)s

-- name: parties_among
SELECT connection_id FROM settlement_party
WHERE settlement_id = %(settlement_id)s AND connection_id = ANY(%(connection_ids)s) ORDER BY connection_id

-- name: new_quantities
SELECT currency, sum(quantity) AS quantity FROM settlement_transfer
WHERE settlement_id = %(settlement_id)s AND connection_id = %(connection_id)s AND dispute_closure_id IS NULL
GROUP BY currency HAVING sum(quantity) <> 0 ORDER BY currency

-- name: create_liability
-- What a settlement may come to take from each balance: the worst case over "the client disputes" and "does not".
-- Where it takes nothing, a pulled-in dispute may still hold something that has to be given back.
CREATE TEMPORARY TABLE liability ON COMMIT DROP AS
SELECT account_id, currency, greatest(0, -(new + pulled_in), -pulled_in) AS needed
FROM (
    SELECT network_account_id AS account_id, currency,
           coalesce(sum(quantity) FILTER (WHERE dispute_closure_id IS NULL), 0) AS new,
           coalesce(sum(quantity) FILTER (WHERE dispute_closure_id IS NOT NULL), 0) AS pulled_in,
           bool_or(dispute_closure_id IS NOT NULL) AS pulls_in
    FROM settlement_transfer
    WHERE settlement_id = %(settlement_id)s
    GROUP BY network_account_id, currency
) AS quantities
WHERE pulls_in OR new < 0

-- name: analyze_liability
ANALYZE liability (account_id)

-- name: create_kept
-- For each disputed balance: what the settlement itself still needs held, once its new transfers are disputed.
CREATE TEMPORARY TABLE kept ON COMMIT DROP AS
SELECT transfer.network_account_id AS account_id, transfer.currency, disputed.dispute_id,
       greatest(0, -coalesce(sum(transfer.quantity) FILTER (WHERE dispute_closure_id IS NOT NULL), 0)) AS quantity
FROM settlement_transfer AS transfer
JOIN unnest(%(dispute_ids)s::uuid[], %(connection_ids)s::uuid[]) AS disputed (dispute_id, connection_id)
    ON disputed.connection_id = transfer.connection_id
WHERE transfer.settlement_id = %(settlement_id)s
GROUP BY transfer.network_account_id, transfer.currency, disputed.dispute_id

-- name: create_run
-- What each balance gains or loses when the settlement executes: all but the new transfers of disputed parties.
-- A gain of a disputed party first fills its dispute's hold, up to what the disputed transfers would take.
CREATE TEMPORARY TABLE run ON COMMIT DROP AS
SELECT transfer.network_account_id AS account_id, transfer.currency,
       coalesce(sum(transfer.quantity)
           FILTER (WHERE transfer.dispute_closure_id IS NOT NULL OR NOT party.disputed), 0) AS quantity,
       filled.dispute_id,
       CASE WHEN filled.dispute_id IS NULL THEN 0
            ELSE greatest(0, -coalesce(sum(transfer.quantity)
                FILTER (WHERE transfer.dispute_closure_id IS NULL), 0))
       END AS dispute_target
FROM settlement_transfer AS transfer
JOIN settlement_party AS party
    ON (party.settlement_id, party.connection_id) = (transfer.settlement_id, transfer.connection_id)
LEFT JOIN unnest(%(dispute_ids)s::uuid[], %(connection_ids)s::uuid[]) AS filled (dispute_id, connection_id)
    ON filled.connection_id = transfer.connection_id
WHERE transfer.settlement_id = %(settlement_id)s
GROUP BY transfer.network_account_id, transfer.currency, filled.dispute_id

-- name: analyze_run
ANALYZE run (account_id, dispute_id)

-- name: net_of_run
SELECT currency, sum(quantity) AS quantity FROM run GROUP BY currency ORDER BY currency

-- name: net_of_settlement
-- The same sums without making the run: for looking ahead to it.
SELECT transfer.currency,
       coalesce(sum(transfer.quantity)
           FILTER (WHERE transfer.dispute_closure_id IS NOT NULL OR NOT party.disputed), 0) AS quantity
FROM settlement_transfer AS transfer
JOIN settlement_party AS party
    ON (party.settlement_id, party.connection_id) = (transfer.settlement_id, transfer.connection_id)
WHERE transfer.settlement_id = %(settlement_id)s
GROUP BY transfer.currency ORDER BY transfer.currency

-- name: final_amounts
SELECT transfer.connection_id, transfer.currency, sum(transfer.quantity) AS quantity
FROM settlement_transfer AS transfer
JOIN settlement_party AS party
    ON (party.settlement_id, party.connection_id) = (transfer.settlement_id, transfer.connection_id)
WHERE transfer.settlement_id = %(settlement_id)s AND transfer.dispute_closure_id IS NULL AND NOT party.disputed
GROUP BY transfer.connection_id, transfer.currency
HAVING sum(transfer.quantity) <> 0
ORDER BY transfer.connection_id, transfer.currency

-- name: list_transfers
SELECT id, partner_id, settlement_id, dispute_closure_id, connection_id, network_account_id, currency, quantity,
       status, created_at, updated_at
FROM settlement_transfer_view
WHERE settlement_id = %(settlement_id)s
  AND (%(connection_ids)s::uuid[] IS NULL OR connection_id = ANY(%(connection_ids)s))
  AND (%(network_account_ids)s::uuid[] IS NULL OR network_account_id = ANY(%(network_account_ids)s))
  AND (%(currencies)s::text[] IS NULL OR currency = ANY(%(currencies)s))
ORDER BY connection_id, currency, id
LIMIT %(limit)s OFFSET %(offset)s

-- name: count_transfers
SELECT count(*) FROM settlement_transfer
WHERE settlement_id = %(settlement_id)s
  AND (%(connection_ids)s::uuid[] IS NULL OR connection_id = ANY(%(connection_ids)s))
  AND (%(network_account_ids)s::uuid[] IS NULL OR network_account_id = ANY(%(network_account_ids)s))
  AND (%(currencies)s::text[] IS NULL OR currency = ANY(%(currencies)s))

-- name: list_closure_transfers
SELECT id, partner_id, settlement_id, dispute_closure_id, connection_id, network_account_id, currency, quantity,
       status, created_at, updated_at
FROM settlement_transfer_view
WHERE dispute_closure_id = ANY(%(closure_ids)s)
ORDER BY dispute_closure_id, currency, id

-- name: directions
SELECT settlement_id, bool_or(quantity > 0) AS receives, bool_or(quantity < 0) AS sends
FROM settlement_transfer
WHERE settlement_id = ANY(%(settlement_ids)s) AND connection_id = ANY(%(connection_ids)s)
GROUP BY settlement_id
