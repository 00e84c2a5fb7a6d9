-- name: pending_of_partner
-- The open settlements that share the partner's account, by their deadlines, after the one that must be among them.
SELECT id, external_id, created_at, state, due_at, top_up_deadline_at, execute_when_funded, closures_wait,
       EXISTS (SELECT FROM paused_settlement AS paused WHERE paused.settlement_id = settlement.id) AS paused
FROM settlement
WHERE partner_id = %(partner_id)s AND settlement_type = 'offchain' AND NOT immediate
  AND (state NOT IN ('completed', 'rejected') OR closures_wait)
ORDER BY id IS DISTINCT FROM %(first)s::uuid, top_up_deadline_at, created_at, id
LIMIT %(limit)s

-- name: nets
-- What the connections together gain by each of these settlements, if disputes stay as they are. `undisputed` are
-- settlements whose disputes are taken as retracted. Of a rejected or withdrawn settlement, only the closures that it
-- took run.
WITH stopped AS MATERIALIZED (
    SELECT settlement_id, connection_id FROM dispute
    WHERE settlement_id = ANY(%(settlement_ids)s) AND NOT retracted AND settlement_id <> ALL(%(undisputed)s)
), cancelled AS MATERIALIZED (
    SELECT closure.id
    FROM dispute JOIN dispute_closure AS closure ON closure.dispute_id = dispute.id
    WHERE dispute.settled_in_settlement_id = ANY(%(settlement_ids)s) AND closure.cancelled_at IS NOT NULL
)
SELECT transfer.settlement_id, transfer.currency, sum(transfer.quantity) AS quantity
FROM settlement_transfer AS transfer
JOIN settlement ON settlement.id = transfer.settlement_id
LEFT JOIN stopped
    ON (stopped.settlement_id, stopped.connection_id) = (transfer.settlement_id, transfer.connection_id)
LEFT JOIN cancelled ON cancelled.id = transfer.dispute_closure_id
WHERE transfer.settlement_id = ANY(%(settlement_ids)s) AND transfer.counterparty_connection_id IS NULL
  AND CASE WHEN transfer.dispute_closure_id IS NULL
           THEN NOT settlement.closures_wait AND settlement.withdrawn_at IS NULL AND stopped.settlement_id IS NULL
           ELSE cancelled.id IS NULL END
GROUP BY transfer.settlement_id, transfer.currency HAVING sum(transfer.quantity) <> 0

-- name: most_needed
-- The rule `most_needed` for each currency of settlements in their dispute window. Of a withdrawn one, only the closures
-- that it took run.
WITH gained AS (
    SELECT transfer.settlement_id, transfer.connection_id, transfer.currency,
           transfer.dispute_closure_id IS NOT NULL AS pulls_in, sum(transfer.quantity) AS quantity
    FROM settlement_transfer AS transfer
    JOIN settlement ON settlement.id = transfer.settlement_id
    WHERE transfer.settlement_id = ANY(%(settlement_ids)s) AND transfer.counterparty_connection_id IS NULL
      AND (transfer.dispute_closure_id IS NOT NULL OR settlement.withdrawn_at IS NULL)
    GROUP BY 1, 2, 3, 4
)
SELECT settlement_id, currency,
       greatest(0, sum(CASE WHEN pulls_in THEN quantity ELSE greatest(0, quantity) END)) AS quantity
FROM gained GROUP BY settlement_id, currency

-- name: stopped_connections
SELECT connection_id FROM dispute WHERE settlement_id = %(settlement_id)s AND NOT retracted ORDER BY connection_id

-- name: dispute_causes
SELECT id FROM dispute WHERE settlement_id = %(settlement_id)s AND NOT retracted

-- name: list_stakes
-- What runs of a settlement on each balance, if the disputes of the `stopped` connections stand.
SELECT connection_id, account_id, currency,
       coalesce(sum(quantity) FILTER (WHERE CASE
           WHEN dispute_closure_id IS NULL
               THEN NOT (%(without_new)s OR connection_id = ANY(%(stopped)s)
                         OR coalesce(counterparty_connection_id = ANY(%(stopped)s), false))
           ELSE dispute_closure_id <> ALL(%(cancelled)s)
       END), 0) AS quantity,
       count(*) OVER () AS total
FROM settlement_leg
WHERE settlement_id = %(settlement_id)s
  AND (%(connection_ids)s::uuid[] IS NULL OR connection_id = ANY(%(connection_ids)s))
GROUP BY connection_id, account_id, currency
ORDER BY connection_id, currency LIMIT %(limit)s OFFSET %(offset)s
