-- columns: staged
-- The amounts of a request, as arrays: of each amount the place of its connection in `connection_ids`, the number of its
-- currency, and the amount. Between two connections also the place of the source, which is the counterparty.
SELECT (%(connection_ids)s::uuid[])[place] AS connection_id, (%(account_ids)s::uuid[])[place] AS account_id,
           (%(connection_ids)s::uuid[])[source] AS counterparty_connection_id,
           (%(account_ids)s::uuid[])[source] AS counterparty_account_id, currency_number, amount
    FROM unnest(%(places)s::integer[], %(sources)s::integer[], %(currency_numbers)s::integer[], %(amounts)s::numeric[])
        AS given (place, source, currency_number, amount)

-- columns: new_transfer
-- The transfers of these amounts, in base units.
SELECT connection_id, account_id AS network_account_id, counterparty_connection_id, counterparty_account_id,
       (%(currencies)s::text[])[currency_number] AS currency,
       trim_scale(amount * (%(base_units)s::numeric[])[currency_number]) AS quantity
FROM ({staged}) AS staged

-- relation: transfer
-- The transfers that a statement works on: a settlement's. Those of a preview are not stored.
SELECT connection_id, network_account_id, counterparty_connection_id, counterparty_account_id, currency, quantity,
       dispute_closure_id
FROM settlement_transfer WHERE settlement_id = %(settlement_id)s

-- columns: leg
-- What each connection gains by each of these transfers, as the view settlement_leg says it for stored ones.
SELECT connection_id, network_account_id AS account_id, counterparty_connection_id, currency, quantity,
       dispute_closure_id
FROM ({transfer}) AS transfer
UNION ALL
SELECT counterparty_connection_id, counterparty_account_id, connection_id, currency, -quantity, dispute_closure_id
FROM ({transfer}) AS transfer WHERE counterparty_connection_id IS NOT NULL

-- name: unfit_amounts
-- The rule of from_partner_amount for all amounts: trailing zeros do not make a decimal amount inexact. A partner that
-- sends base units and writes 1.0 means a coin, not one base unit, so that there decimals count as written. The amounts
-- are not scaled here: multiplying each of 100 000 costs more than the rest of this statement.
WITH unit AS (
    SELECT number, decimals, power(10::numeric, 78 - decimals) AS too_large_from
    FROM unnest(%(decimals)s::integer[]) WITH ORDINALITY AS given (decimals, number)
), staged_amount AS (
    {staged}
)
SELECT connection_id, counterparty_connection_id, currency_number, amount,
       CASE
           WHEN amount = 0 THEN 'zero'
           WHEN abs(amount) >= too_large_from THEN 'too_large'
           ELSE 'too_fine'
       END AS problem
FROM staged_amount JOIN unit ON unit.number = currency_number
WHERE amount = 0
   OR CASE WHEN %(digits_only)s THEN scale(amount) ELSE min_scale(amount) END > decimals
   OR abs(amount) >= too_large_from
LIMIT 20

-- name: unbalanced_currencies
SELECT (%(currencies)s::text[])[currency_number] AS currency, sum(amount) AS quantity
FROM unnest(%(currency_numbers)s::integer[], %(amounts)s::numeric[]) AS given (currency_number, amount)
GROUP BY currency HAVING sum(amount) <> 0 ORDER BY currency

-- name: insert_parties_of_amounts
INSERT INTO settlement_party (settlement_id, partner_id, connection_id, dispute_deadline_at, disputed)
SELECT %(settlement_id)s, %(partner_id)s, connection_id, %(dispute_deadline_at)s, false
FROM (SELECT DISTINCT unnest(%(connection_ids)s::uuid[]) AS connection_id) AS given

-- name: insert_transfers_of_amounts
INSERT INTO settlement_transfer
    (id, partner_id, settlement_id, connection_id, network_account_id, counterparty_connection_id,
     counterparty_account_id, currency, quantity, created_at, assigned_at)
SELECT (%(id_prefix)s || substr(gen_random_uuid()::text, 16))::uuid, %(partner_id)s, %(settlement_id)s,
       connection_id, network_account_id, counterparty_connection_id, counterparty_account_id, currency, quantity,
       %(now)s, %(now)s
FROM ({new_transfer}) AS new_transfer

-- name: has_staged_amounts
-- Whether the staged amounts are the settlement's own transfers: same sides, currencies and numbers, each as often. The
-- transfers of closures that it took over are not among them.
WITH staged AS (
    SELECT connection_id, counterparty_connection_id, (%(currencies)s::text[])[currency_number] AS currency,
           amount * (%(base_units)s::numeric[])[currency_number] AS quantity
    FROM ({staged}) AS given
), recorded AS (
    SELECT connection_id, counterparty_connection_id, currency, quantity::numeric
    FROM settlement_transfer WHERE settlement_id = %(settlement_id)s AND dispute_closure_id IS NULL
)
SELECT NOT EXISTS (TABLE staged EXCEPT ALL TABLE recorded) AND NOT EXISTS (TABLE recorded EXCEPT ALL TABLE staged)

-- name: insert_parties_of_closures
-- A connection with an empty adjustment is a party, too. A transfer between two connections makes both parties.
INSERT INTO settlement_party (settlement_id, partner_id, connection_id, dispute_deadline_at, disputed)
SELECT %(settlement_id)s, %(partner_id)s, connection_id, %(dispute_deadline_at)s, false
FROM (
    SELECT unnest(%(connection_ids)s::uuid[]) AS connection_id
    UNION
    SELECT counterparty_connection_id FROM settlement_transfer
    WHERE dispute_closure_id = ANY(%(closure_ids)s) AND counterparty_connection_id IS NOT NULL
) AS side
ON CONFLICT DO NOTHING

-- name: insert_closure_transfers
INSERT INTO settlement_transfer
    (id, partner_id, dispute_closure_id, connection_id, network_account_id, counterparty_connection_id,
     counterparty_account_id, currency, quantity, created_at)
SELECT gen_random_uuid(), %(partner_id)s, %(closure_id)s, %(connection_id)s, %(account_id)s,
       counterparty_connection_id, counterparty_account_id, currency, quantity, %(now)s
FROM unnest(%(counterparty_connection_ids)s::uuid[], %(counterparty_account_ids)s::uuid[], %(currencies)s::text[],
            %(quantities)s::numeric[])
    AS given (counterparty_connection_id, counterparty_account_id, currency, quantity)

-- name: assign_closure_transfers
UPDATE settlement_transfer SET settlement_id = %(settlement_id)s, assigned_at = %(now)s
WHERE dispute_closure_id = ANY(%(closure_ids)s) AND settlement_id IS NULL

-- name: lock_party
SELECT party.settlement_id, party.partner_id, party.connection_id, party.dispute_deadline_at, party.disputed,
       EXISTS (SELECT FROM settlement_leg AS leg
               WHERE (leg.settlement_id, leg.connection_id) = (party.settlement_id, party.connection_id)
                 AND leg.dispute_closure_id IS NULL) AS has_new_transfers
FROM settlement_party AS party
WHERE party.settlement_id = %(settlement_id)s AND party.connection_id = %(connection_id)s
FOR UPDATE OF party

-- name: is_rejected
-- Read after the party is locked: a settlement is rejected or withdrawn under the locks of all its parties.
SELECT state = 'rejected' OR withdrawn_at IS NOT NULL FROM settlement WHERE id = %(settlement_id)s

-- name: cancelled_closures
SELECT closure.id
FROM dispute
JOIN dispute_closure AS closure ON closure.dispute_id = dispute.id
WHERE dispute.settled_in_settlement_id = %(settlement_id)s AND closure.cancelled_at IS NOT NULL

-- name: count_running_closures
SELECT count(*) FROM settlement_transfer
WHERE settlement_id = %(settlement_id)s AND dispute_closure_id IS NOT NULL
  AND dispute_closure_id <> ALL(%(cancelled)s)

-- name: own_amounts
-- How much of each currency the settlement's own transfers move in all.
SELECT currency, sum(abs(quantity)) AS quantity FROM settlement_transfer
WHERE settlement_id = %(settlement_id)s AND dispute_closure_id IS NULL AND currency = ANY(%(currencies)s)
GROUP BY currency

-- name: lock_parties
SELECT count(*) FROM (
    SELECT connection_id FROM settlement_party WHERE settlement_id = %(settlement_id)s
    ORDER BY connection_id FOR UPDATE
) AS locked

-- name: lock_parties_of
SELECT count(*) FROM (
    SELECT connection_id FROM settlement_party WHERE settlement_id = ANY(%(settlement_ids)s)
    ORDER BY settlement_id, connection_id FOR UPDATE
) AS locked

-- name: sizes
-- How many transfers each settlement has. From `most` on it does not matter.
SELECT given.id, counted.transfers
FROM unnest(%(settlement_ids)s::uuid[]) AS given (id)
CROSS JOIN LATERAL (
    SELECT count(*) AS transfers FROM (
        SELECT FROM settlement_transfer WHERE settlement_id = given.id LIMIT %(most)s
    ) AS few
) AS counted

-- name: nets_of
-- What the connections together gain by each of these settlements, which nobody disputes.
SELECT settlement_id, currency, sum(quantity) AS quantity
FROM settlement_transfer
WHERE settlement_id = ANY(%(settlement_ids)s) AND counterparty_connection_id IS NULL
GROUP BY settlement_id, currency HAVING sum(quantity) <> 0

-- name: runs
-- What each balance gains or loses by each of these settlements: nobody disputes them, and they have no closures.
SELECT settlement_id, account_id, currency, sum(quantity) AS quantity
FROM settlement_leg
WHERE settlement_id = ANY(%(settlement_ids)s)
GROUP BY settlement_id, account_id, currency

-- name: final_amounts_of
-- The same amounts as `final_amounts`, of settlements that nobody disputes.
SELECT settlement_id, counterparty_connection_id, connection_id, currency, sum(quantity) AS quantity
FROM settlement_transfer
WHERE settlement_id = ANY(%(settlement_ids)s)
GROUP BY settlement_id, counterparty_connection_id, connection_id, currency
HAVING sum(quantity) <> 0
ORDER BY settlement_id, counterparty_connection_id, connection_id, currency

-- name: mark_disputed
UPDATE settlement_party SET disputed = true
WHERE settlement_id = %(settlement_id)s AND connection_id = ANY(%(connection_ids)s)

-- name: parties
SELECT connection_id FROM settlement_party WHERE settlement_id = %(settlement_id)s ORDER BY connection_id

-- name: parties_among
SELECT connection_id FROM settlement_party
WHERE settlement_id = %(settlement_id)s AND connection_id = ANY(%(connection_ids)s) ORDER BY connection_id

-- name: new_quantities
-- What the connection gains from each counterparty. The transfers with one counterparty run together or not at all.
SELECT counterparty_connection_id, counterparty_account_id, currency, sum(quantity) AS quantity FROM settlement_leg
WHERE settlement_id = %(settlement_id)s AND connection_id = %(connection_id)s AND dispute_closure_id IS NULL
GROUP BY counterparty_connection_id, counterparty_account_id, currency HAVING sum(quantity) <> 0
ORDER BY currency, counterparty_connection_id

-- name: counterparties
SELECT DISTINCT connection_id FROM settlement_leg
WHERE settlement_id = %(settlement_id)s AND counterparty_connection_id = ANY(%(connection_ids)s)
  AND dispute_closure_id IS NULL

-- name: liabilities
-- The most that a settlement can take from each balance, over all combinations of disputes. The new transfers with one
-- counterparty run together or not at all, so that a gain from one counterparty does not cover a loss to another. A
-- balance with a pulled-in dispute is listed even if nothing is taken: the dispute's hold may have to be released.
WITH against_connection AS (
    SELECT account_id, currency, dispute_closure_id IS NOT NULL AS pulls_in, sum(quantity) AS quantity
    FROM ({leg}) AS leg
    WHERE counterparty_connection_id IS NOT NULL
    GROUP BY account_id, currency, counterparty_connection_id, dispute_closure_id IS NOT NULL
), part AS (
    SELECT network_account_id AS account_id, currency, dispute_closure_id IS NOT NULL AS pulls_in, quantity,
           0 AS lost
    FROM ({transfer}) AS transfer
    WHERE counterparty_connection_id IS NULL
    UNION ALL
    SELECT account_id, currency, pulls_in, CASE WHEN pulls_in THEN quantity ELSE 0 END,
           CASE WHEN pulls_in THEN 0 ELSE least(0, quantity) END
    FROM against_connection
)
SELECT account_id, currency, greatest(0, -pulled_in - least(0, new) - lost) AS needed
FROM (
    SELECT account_id, currency,
           coalesce(sum(quantity) FILTER (WHERE NOT pulls_in), 0) AS new,
           coalesce(sum(quantity) FILTER (WHERE pulls_in), 0) AS pulled_in,
           sum(lost) AS lost,
           bool_or(pulls_in) AS pulls_in
    FROM part
    GROUP BY account_id, currency
) AS quantities
WHERE pulls_in OR new < 0 OR lost < 0

-- name: remaining_liabilities
-- The same for transfers that still run: without disputed ones after the window, without cancelled closures and, with
-- `without_new`, without the settlement's own. Every balance of the settlement is listed: a hold may have to be released.
WITH against AS (
    SELECT leg.account_id, leg.currency, leg.dispute_closure_id IS NOT NULL AS pulls_in,
           sum(leg.quantity) FILTER (
               WHERE CASE
                   WHEN leg.dispute_closure_id IS NULL
                       THEN NOT (%(without_new)s OR party.disputed OR coalesce(counterparty.disputed, false))
                   ELSE leg.dispute_closure_id <> ALL(%(cancelled)s)
               END) AS quantity
    FROM settlement_leg AS leg
    JOIN settlement_party AS party
        ON (party.settlement_id, party.connection_id) = (leg.settlement_id, leg.connection_id)
    LEFT JOIN settlement_party AS counterparty
        ON (counterparty.settlement_id, counterparty.connection_id)
         = (leg.settlement_id, leg.counterparty_connection_id)
    WHERE leg.settlement_id = %(settlement_id)s
    GROUP BY leg.account_id, leg.currency, leg.counterparty_connection_id, leg.dispute_closure_id IS NOT NULL
)
SELECT account_id, currency,
       greatest(0, coalesce(sum(CASE WHEN pulls_in THEN -quantity ELSE greatest(0, -quantity) END), 0)) AS needed
FROM against
GROUP BY account_id, currency

-- name: losses
-- What a settlement takes from each balance if gains do not cover losses: on chain, losses are paid first.
SELECT network_account_id AS account_id, currency, -sum(quantity) AS needed
FROM settlement_transfer
WHERE settlement_id = %(settlement_id)s AND quantity < 0
GROUP BY network_account_id, currency

-- name: has_loss_limits
SELECT EXISTS (SELECT FROM loss_limit WHERE partner_id = %(partner_id)s)

-- columns: losses_beyond_limits
-- The connections and currencies in which a settlement takes more than the client allows: by itself, or together with all
-- other settlements of its UTC day that are not rejected or withdrawn. Losses are gross: a gain from one counterparty,
-- or on another name of the currency, covers none. Transfers of closures do not count.
WITH allowed AS (
    SELECT connection_id, currency,
           CASE WHEN next_from <= %(now)s THEN next_per_settlement ELSE per_settlement END AS per_settlement,
           CASE WHEN next_from <= %(now)s THEN next_per_day ELSE per_day END AS per_day
    FROM loss_limit WHERE partner_id = %(partner_id)s
), own AS (
    SELECT leg.connection_id, leg.currency, -sum(leg.quantity) AS quantity
    FROM ({leg}) AS leg
    WHERE leg.quantity < 0 AND leg.dispute_closure_id IS NULL
      AND leg.connection_id IN (SELECT connection_id FROM allowed)
    GROUP BY leg.connection_id, leg.currency
), earlier AS (
    SELECT leg.connection_id, leg.currency, -sum(leg.quantity) AS quantity
    FROM settlement
    JOIN settlement_leg AS leg ON leg.settlement_id = settlement.id
    WHERE settlement.partner_id = %(partner_id)s AND settlement.state <> 'rejected'
      AND settlement.withdrawn_at IS NULL AND settlement.id <> %(settlement_id)s
      AND settlement.created_at >= %(day_from)s AND settlement.created_at < %(day_until)s
      AND leg.quantity < 0 AND leg.dispute_closure_id IS NULL
      AND leg.connection_id IN (SELECT connection_id FROM own)
    GROUP BY leg.connection_id, leg.currency
)
SELECT allowed.connection_id, allowed.currency
FROM allowed
JOIN own ON (own.connection_id, own.currency) = (allowed.connection_id, allowed.currency)
LEFT JOIN earlier ON (earlier.connection_id, earlier.currency) = (allowed.connection_id, allowed.currency)
WHERE own.quantity > allowed.per_settlement OR own.quantity + coalesce(earlier.quantity, 0) > allowed.per_day
ORDER BY allowed.connection_id, allowed.currency

-- name: losses_beyond_limits
{losses_beyond_limits}

-- name: dispute_targets
-- What the transfers that each standing dispute stops would take from each balance. Disputes are given earliest first.
-- If both sides dispute, the transfers between them count for the earlier dispute. Transfers of the `upheld`
-- connections take nothing: an operator's adjustment has replaced them.
WITH standing AS (
    SELECT dispute_id, connection_id, rank
    FROM unnest(%(dispute_ids)s::uuid[], %(connection_ids)s::uuid[])
        WITH ORDINALITY AS given (dispute_id, connection_id, rank)
), disputed AS (
    SELECT leg.account_id, leg.currency, least(own.rank, theirs.rank) AS rank, sum(leg.quantity) AS quantity
    FROM settlement_leg AS leg
    LEFT JOIN standing AS own ON own.connection_id = leg.connection_id
    LEFT JOIN standing AS theirs ON theirs.connection_id = leg.counterparty_connection_id
    WHERE leg.settlement_id = %(settlement_id)s AND leg.connection_id = ANY(%(among)s)
      AND leg.dispute_closure_id IS NULL
      AND (own.rank IS NOT NULL OR theirs.rank IS NOT NULL)
      AND leg.connection_id <> ALL(%(upheld)s)
      AND (leg.counterparty_connection_id IS NULL OR leg.counterparty_connection_id <> ALL(%(upheld)s))
    GROUP BY leg.account_id, leg.currency, leg.counterparty_connection_id, least(own.rank, theirs.rank)
)
SELECT standing.dispute_id, standing.rank, disputed.account_id, disputed.currency, -sum(disputed.quantity) AS quantity
FROM disputed JOIN standing USING (rank)
WHERE disputed.quantity < 0
GROUP BY standing.dispute_id, standing.rank, disputed.account_id, disputed.currency
ORDER BY standing.rank, disputed.account_id, disputed.currency

-- name: run
-- What each balance gains or loses when the settlement executes: all transfers but the new ones that a side disputed and
-- those of cancelled closures. With `without_new`, the settlement is rejected: only the closures' transfers run.
SELECT leg.account_id, leg.currency,
       coalesce(sum(leg.quantity)
           FILTER (WHERE CASE
               WHEN leg.dispute_closure_id IS NULL
                   THEN NOT (%(without_new)s OR party.disputed OR coalesce(counterparty.disputed, false))
               ELSE leg.dispute_closure_id <> ALL(%(cancelled)s)
           END), 0) AS quantity
FROM settlement_leg AS leg
JOIN settlement_party AS party
    ON (party.settlement_id, party.connection_id) = (leg.settlement_id, leg.connection_id)
LEFT JOIN settlement_party AS counterparty
    ON (counterparty.settlement_id, counterparty.connection_id)
     = (leg.settlement_id, leg.counterparty_connection_id)
WHERE leg.settlement_id = %(settlement_id)s
GROUP BY leg.account_id, leg.currency

-- name: net_of_settlement
-- The sums of `run` by currency. Transfers between two connections sum to zero and are left out.
SELECT transfer.currency,
       coalesce(sum(transfer.quantity)
           FILTER (WHERE CASE
               WHEN transfer.dispute_closure_id IS NULL THEN NOT (%(without_new)s OR party.disputed)
               ELSE transfer.dispute_closure_id <> ALL(%(cancelled)s)
           END), 0) AS quantity
FROM settlement_transfer AS transfer
JOIN settlement_party AS party
    ON (party.settlement_id, party.connection_id) = (transfer.settlement_id, transfer.connection_id)
WHERE transfer.settlement_id = %(settlement_id)s AND transfer.counterparty_connection_id IS NULL
GROUP BY transfer.currency ORDER BY transfer.currency

-- name: final_amounts
-- The settlement's own amounts in the form of the request: by connection, or by counterparty and connection.
SELECT transfer.counterparty_connection_id, transfer.connection_id, transfer.currency,
       sum(transfer.quantity) AS quantity
FROM settlement_transfer AS transfer
JOIN settlement_party AS party
    ON (party.settlement_id, party.connection_id) = (transfer.settlement_id, transfer.connection_id)
LEFT JOIN settlement_party AS counterparty
    ON (counterparty.settlement_id, counterparty.connection_id)
     = (transfer.settlement_id, transfer.counterparty_connection_id)
WHERE transfer.settlement_id = %(settlement_id)s AND transfer.dispute_closure_id IS NULL
  AND NOT (party.disputed OR coalesce(counterparty.disputed, false))
GROUP BY transfer.counterparty_connection_id, transfer.connection_id, transfer.currency
HAVING sum(transfer.quantity) <> 0
ORDER BY transfer.counterparty_connection_id, transfer.connection_id, transfer.currency

-- columns: transfers_of_settlement
SELECT id, partner_id, settlement_id, dispute_closure_id, connection_id, network_account_id,
       counterparty_connection_id, counterparty_account_id, currency, quantity, status, created_at, updated_at,
       tx_ids
FROM settlement_transfer_view
WHERE settlement_id = %(settlement_id)s
  AND (%(own_connection_ids)s::uuid[] IS NULL OR connection_id = ANY(%(own_connection_ids)s)
       OR counterparty_connection_id = ANY(%(own_connection_ids)s))
  AND (%(connection_ids)s::uuid[] IS NULL OR connection_id = ANY(%(connection_ids)s))
  AND (%(counterparty_connection_ids)s::uuid[] IS NULL
       OR counterparty_connection_id = ANY(%(counterparty_connection_ids)s)
       OR (%(from_partner)s AND counterparty_connection_id IS NULL))
  AND (%(account_ids)s::uuid[] IS NULL OR network_account_id = ANY(%(account_ids)s))
  AND (%(counterparty_account_ids)s::uuid[] IS NULL
       OR counterparty_account_id = ANY(%(counterparty_account_ids)s))
  AND (%(currencies)s::text[] IS NULL OR currency = ANY(%(currencies)s))

-- name: list_transfers
{transfers_of_settlement}
-- A transfer's id is random, and says nothing to a reader: it decides only between transfers that are equal in all else.
ORDER BY connection_id, currency, counterparty_connection_id NULLS FIRST, dispute_closure_id NULLS FIRST, quantity, id
LIMIT %(limit)s OFFSET %(offset)s

-- name: list_whole_settlement
{transfers_of_settlement}

-- name: count_transfers
SELECT count(*) FROM settlement_transfer
WHERE settlement_id = %(settlement_id)s
  AND (%(own_connection_ids)s::uuid[] IS NULL OR connection_id = ANY(%(own_connection_ids)s)
       OR counterparty_connection_id = ANY(%(own_connection_ids)s))
  AND (%(connection_ids)s::uuid[] IS NULL OR connection_id = ANY(%(connection_ids)s))
  AND (%(counterparty_connection_ids)s::uuid[] IS NULL
       OR counterparty_connection_id = ANY(%(counterparty_connection_ids)s)
       OR (%(from_partner)s AND counterparty_connection_id IS NULL))
  AND (%(account_ids)s::uuid[] IS NULL OR network_account_id = ANY(%(account_ids)s))
  AND (%(counterparty_account_ids)s::uuid[] IS NULL
       OR counterparty_account_id = ANY(%(counterparty_account_ids)s))
  AND (%(currencies)s::text[] IS NULL OR currency = ANY(%(currencies)s))

-- name: search_transfers
-- The index of the parties finds a connection's settlements, and indexes find both sides of a transfer by settlement.
-- One condition with OR for the two sides would read every transfer.
WITH own AS MATERIALIZED (
    SELECT transfer.id
    FROM settlement_party AS party
    JOIN settlement_transfer AS transfer
        ON (transfer.settlement_id, transfer.connection_id) = (party.settlement_id, party.connection_id)
    WHERE party.connection_id = ANY(%(own_connection_ids)s)
    UNION
    SELECT transfer.id
    FROM settlement_party AS party
    JOIN settlement_transfer AS transfer
        ON (transfer.settlement_id, transfer.counterparty_connection_id) = (party.settlement_id, party.connection_id)
    WHERE party.connection_id = ANY(%(own_connection_ids)s) AND transfer.counterparty_connection_id IS NOT NULL
)
SELECT transfer.id, transfer.partner_id, transfer.settlement_id, transfer.dispute_closure_id,
       transfer.connection_id, transfer.network_account_id, transfer.counterparty_connection_id,
       transfer.counterparty_account_id, transfer.currency, transfer.quantity, transfer.status,
       transfer.created_at, transfer.updated_at, transfer.tx_ids
FROM settlement_transfer_view AS transfer
JOIN settlement ON settlement.id = transfer.settlement_id
WHERE transfer.id IN (SELECT id FROM own)
  AND (%(partner_ids)s::uuid[] IS NULL OR transfer.partner_id = ANY(%(partner_ids)s))
  AND (%(settlement_ids)s::uuid[] IS NULL OR transfer.settlement_id = ANY(%(settlement_ids)s))
  AND (%(settlement_states)s::text[] IS NULL OR settlement.state = ANY(%(settlement_states)s))
  AND (%(initiated_by)s::text[] IS NULL OR settlement.initiated_by = ANY(%(initiated_by)s))
  AND (%(settlement_updated_on_or_after)s::timestamptz IS NULL
       OR settlement.updated_at >= %(settlement_updated_on_or_after)s)
  AND (%(settlement_updated_before)s::timestamptz IS NULL
       OR settlement.updated_at < %(settlement_updated_before)s)
  AND (%(currencies)s::text[] IS NULL OR transfer.currency = ANY(%(currencies)s))
  AND (%(statuses)s::text[] IS NULL OR transfer.status = ANY(%(statuses)s))

-- name: list_closure_transfers
SELECT id, partner_id, settlement_id, dispute_closure_id, connection_id, network_account_id,
       counterparty_connection_id, counterparty_account_id, currency, quantity, status, created_at, updated_at,
       tx_ids
FROM settlement_transfer_view
WHERE dispute_closure_id = ANY(%(closure_ids)s)
ORDER BY dispute_closure_id, currency, counterparty_connection_id NULLS FIRST, quantity, id

-- name: own_sums
-- What the settlement's own transfers move on each of these connections: + the connection gains. Those that settle an
-- earlier dispute are left out.
SELECT connection_id, currency, sum(quantity) AS quantity
FROM settlement_leg
WHERE settlement_id = %(settlement_id)s AND connection_id = ANY(%(connection_ids)s) AND dispute_closure_id IS NULL
GROUP BY connection_id, currency
ORDER BY connection_id, currency

-- name: directions
SELECT settlement_id, bool_or(quantity > 0) AS receives, bool_or(quantity < 0) AS sends
FROM settlement_leg
WHERE settlement_id = ANY(%(settlement_ids)s) AND connection_id = ANY(%(connection_ids)s)
GROUP BY settlement_id

-- columns: previewed
-- What staging these amounts would store, and the transfers of the closures that it would take.
SELECT connection_id, network_account_id, counterparty_connection_id, counterparty_account_id, currency, quantity,
       NULL::uuid AS dispute_closure_id
FROM ({new_transfer}) AS new_transfer
UNION ALL
SELECT connection_id, network_account_id, counterparty_connection_id, counterparty_account_id, currency, quantity,
       dispute_closure_id
FROM settlement_transfer WHERE dispute_closure_id = ANY(%(closure_ids)s) AND settlement_id IS NULL

-- name: previewed_transfers
-- In place of the relation `transfer`, within the statements below.
TABLE previewed

-- relation: coverage
SELECT account_id, currency, 0 AS needed, 0 AS available, 0 AS shortfall FROM settlement_leg WHERE false

-- columns: previewed_balance
-- What a settlement would gain and lose of each balance, what it would hold, and what is there for that. `from_partner`
-- is the part between the connection and the partner.
SELECT change.connection_id, change.account_id, change.currency, change.gained, change.lost, change.pulled_in,
       change.from_partner, change.pulled_in_from_partner, coalesce(coverage.needed, 0) AS liability,
       coverage.available, coalesce(coverage.shortfall, 0) AS shortfall
FROM (
    SELECT connection_id, account_id, currency,
           coalesce(sum(quantity) FILTER (WHERE dispute_closure_id IS NULL AND quantity > 0), 0) AS gained,
           coalesce(-sum(quantity) FILTER (WHERE dispute_closure_id IS NULL AND quantity < 0), 0) AS lost,
           coalesce(sum(quantity) FILTER (WHERE dispute_closure_id IS NOT NULL), 0) AS pulled_in,
           coalesce(sum(quantity) FILTER (
               WHERE dispute_closure_id IS NULL AND counterparty_connection_id IS NULL), 0) AS from_partner,
           coalesce(sum(quantity) FILTER (
               WHERE dispute_closure_id IS NOT NULL AND counterparty_connection_id IS NULL), 0)
               AS pulled_in_from_partner
    FROM ({leg}) AS leg
    GROUP BY connection_id, account_id, currency
) AS change
LEFT JOIN ({coverage}) AS coverage
    ON (coverage.account_id, coverage.currency) = (change.account_id, change.currency)

-- name: previewed_balances
-- Those that are short first.
WITH previewed AS MATERIALIZED ({previewed})
SELECT connection_id, account_id, currency, gained, lost, pulled_in, liability, available, shortfall,
       count(*) OVER () AS total
FROM ({previewed_balance}) AS previewed_balance
ORDER BY shortfall = 0, connection_id, currency
LIMIT %(limit)s OFFSET %(offset)s

-- name: previewed_totals
-- By currency, what all connections gain and lose, and what the partner's account does: if nobody disputes, and at most,
-- if everybody disputes who loses to the partner.
WITH previewed AS MATERIALIZED ({previewed})
SELECT currency, count(*) AS balances, sum(gained) AS gained, sum(lost) AS lost, sum(pulled_in) AS pulled_in,
       sum(liability) AS liability, sum(shortfall) AS shortfall, count(*) FILTER (WHERE shortfall > 0) AS short,
       sum(from_partner) + sum(pulled_in_from_partner) AS from_partner,
       greatest(0, sum(greatest(0, from_partner)) + sum(pulled_in_from_partner)) AS from_partner_at_most
FROM ({previewed_balance}) AS previewed_balance
GROUP BY currency ORDER BY currency

-- name: previewed_shortfalls
WITH previewed AS MATERIALIZED ({previewed})
SELECT account_id, currency, needed AS liability, available
FROM ({coverage}) AS coverage
WHERE shortfall > 0 ORDER BY account_id, currency

-- name: previewed_losses_beyond_limits
WITH previewed AS MATERIALIZED ({previewed})
SELECT connection_id, currency FROM ({losses_beyond_limits}) AS beyond ORDER BY connection_id, currency
