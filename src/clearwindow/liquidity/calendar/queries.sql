-- columns: deadlines
-- The deadlines that are to come of these settlements. A failed settlement has none.
SELECT deadline.at, deadline.kind, settlement.id AS settlement_id, settlement.external_id, settlement.partner_id,
       settlement.state,
       EXISTS (SELECT FROM paused_settlement AS paused WHERE paused.settlement_id = settlement.id) AS paused
FROM settlement
CROSS JOIN LATERAL (VALUES
    ('dispute_window_ends',
     CASE WHEN settlement.state = 'dispute_window' THEN settlement.dispute_deadline_at END),
    ('top_up_window_ends',
     CASE WHEN settlement.state IN ('dispute_window', 'top_up_window') THEN settlement.top_up_deadline_at END),
    ('closures_run', CASE WHEN settlement.closures_wait THEN settlement.due_at END)
) AS deadline (kind, at)
WHERE deadline.at IS NOT NULL AND settlement.settlement_type = 'offchain'
  AND (settlement.state NOT IN ('completed', 'rejected') OR settlement.closures_wait)
  AND (%(on_or_after)s::timestamptz IS NULL OR deadline.at >= %(on_or_after)s)
  AND (%(before)s::timestamptz IS NULL OR deadline.at < %(before)s)
  AND (%(kinds)s::text[] IS NULL OR deadline.kind = ANY(%(kinds)s))

-- name: of_partner
{deadlines}
  AND settlement.partner_id = %(partner_id)s

-- name: of_client
-- Open settlements are found by the partners of the client's connections.
{deadlines}
  AND settlement.partner_id IN (SELECT partner_id FROM connection WHERE client_id = %(client_id)s)
  AND EXISTS (SELECT FROM settlement_party AS party
              JOIN connection ON connection.id = party.connection_id
              WHERE party.settlement_id = settlement.id AND connection.client_id = %(client_id)s)

-- name: parts
-- What these settlements do to a client's connections, if disputes stay as they are, and what they hold there.
WITH own AS MATERIALIZED (
    SELECT party.settlement_id, connection.id AS connection_id, connection.network_account_id AS account_id
    FROM connection JOIN settlement_party AS party ON party.connection_id = connection.id
    WHERE connection.client_id = %(client_id)s AND party.settlement_id = ANY(%(settlement_ids)s)
), stopped AS MATERIALIZED (
    SELECT settlement_id, connection_id FROM dispute
    WHERE settlement_id = ANY(%(settlement_ids)s) AND NOT retracted
), cancelled AS MATERIALIZED (
    SELECT closure.id
    FROM dispute JOIN dispute_closure AS closure ON closure.dispute_id = dispute.id
    WHERE dispute.settled_in_settlement_id = ANY(%(settlement_ids)s) AND closure.cancelled_at IS NOT NULL
), moves AS (
    SELECT leg.settlement_id, leg.connection_id, leg.account_id, leg.currency, CASE
               WHEN leg.dispute_closure_id IS NOT NULL
                   THEN CASE WHEN leg.dispute_closure_id IN (SELECT id FROM cancelled) THEN 0 ELSE leg.quantity END
               WHEN settlement.closures_wait OR settlement.withdrawn_at IS NOT NULL OR EXISTS (
                   SELECT FROM stopped
                   WHERE stopped.settlement_id = leg.settlement_id
                     AND stopped.connection_id IN (leg.connection_id, leg.counterparty_connection_id)) THEN 0
               ELSE leg.quantity
           END AS quantity
    FROM own
    JOIN settlement ON settlement.id = own.settlement_id
    JOIN settlement_leg AS leg
      ON (leg.settlement_id, leg.connection_id) = (own.settlement_id, own.connection_id)
)
SELECT moves.settlement_id, moves.connection_id, moves.currency, sum(moves.quantity) AS quantity,
       coalesce(max(hold.quantity), 0) AS held
FROM moves
LEFT JOIN hold ON (hold.cause_id, hold.account_id, hold.currency)
                = (moves.settlement_id, moves.account_id, moves.currency)
GROUP BY moves.settlement_id, moves.connection_id, moves.currency
ORDER BY moves.settlement_id, moves.connection_id, moves.currency
