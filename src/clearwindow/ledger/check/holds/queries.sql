-- What is held, and why. Each statement finds the rows that violate one invariant (protocol §10).

-- columns: side
-- What each connection gains by each transfer: two rows for a transfer between connections.
SELECT settlement_id, dispute_closure_id, connection_id, counterparty_connection_id AS other_id,
           network_account_id AS account_id, currency, quantity
    FROM settlement_transfer
    UNION ALL
    SELECT settlement_id, dispute_closure_id, counterparty_connection_id, connection_id,
           counterparty_account_id, currency, -quantity
    FROM settlement_transfer WHERE counterparty_connection_id IS NOT NULL

-- name: held_equals_its_holds
WITH explained AS (
    SELECT account_id, currency, sum(quantity) AS quantity FROM hold GROUP BY account_id, currency
)
SELECT account_id, currency, balance.held, explained.quantity AS explained, count(*) OVER () AS total
FROM balance FULL JOIN explained USING (account_id, currency)
WHERE coalesce(balance.held, 0) <> coalesce(explained.quantity, 0)
ORDER BY account_id, currency
LIMIT %(limit)s

-- name: hold_has_an_open_cause
SELECT hold.cause_kind, hold.cause_id, hold.account_id, hold.currency, hold.quantity, count(*) OVER () AS total
FROM hold
LEFT JOIN allocation
  ON (allocation.id, allocation.type, allocation.status) = (hold.cause_id, hold.cause_kind, 'reserved')
 AND (allocation.currency, allocation.quantity) = (hold.currency, hold.quantity)
LEFT JOIN settlement
  ON (settlement.id, hold.cause_kind) = (hold.cause_id, 'settlement')
 AND (settlement.state NOT IN ('completed', 'rejected') OR settlement.closures_wait)
LEFT JOIN dispute
  ON (dispute.id, hold.cause_kind) = (hold.cause_id, 'dispute')
 AND NOT dispute.retracted AND dispute.settled_in_settlement_id IS NULL
LEFT JOIN onchain_deposit AS deposit
  ON (deposit.id, hold.cause_kind, deposit.status) = (hold.cause_id, 'onchain_deposit', 'confirmed')
 AND (deposit.currency, deposit.quantity) = (hold.currency, hold.quantity)
LEFT JOIN proposal
  ON (proposal.id, hold.cause_kind, proposal.act, proposal.status)
   = (hold.cause_id, 'withdrawal', 'withdrawal.make', 'pending')
WHERE coalesce(allocation.id, settlement.id, dispute.id, deposit.id, proposal.id) IS NULL
ORDER BY hold.cause_id, hold.account_id, hold.currency
LIMIT %(limit)s

-- name: reserved_allocation_is_held
SELECT allocation.type, allocation.id AS allocation_id, allocation.currency, allocation.quantity,
       sum(hold.quantity) AS held, count(*) OVER () AS total
FROM allocation
LEFT JOIN hold ON (hold.cause_id, hold.cause_kind) = (allocation.id, allocation.type)
WHERE allocation.status = 'reserved'
GROUP BY allocation.id
HAVING allocation.quantity IS DISTINCT FROM sum(hold.quantity)
ORDER BY allocation.id
LIMIT %(limit)s

-- name: proposed_withdrawal_is_held
-- Compares texts: a check reads what anybody may have written, and must not fail over it.
WITH proposed AS (
    SELECT id, lower(replace(subject_id, '-', '')) AS go_account_id, request ->> 'currency' AS currency, request ->> 'quantity' AS quantity
    FROM proposal WHERE act = 'withdrawal.make' AND status = 'pending'
)
SELECT proposed.id AS proposal_id, proposed.go_account_id, proposed.currency, proposed.quantity, hold.quantity AS held,
       count(*) OVER () AS total
FROM proposed
LEFT JOIN hold
  ON (hold.cause_id, hold.cause_kind, replace(hold.account_id::text, '-', ''), hold.currency)
   = (proposed.id, 'withdrawal', proposed.go_account_id, proposed.currency)
WHERE proposed.quantity IS DISTINCT FROM hold.quantity::text
ORDER BY proposed.id
LIMIT %(limit)s

-- name: settlement_holds_what_its_transfers_take
-- For each balance: the losses to each counterparty that still run, less what the taken closures bring.
WITH side AS (
    {side}
), against AS (
    SELECT side.settlement_id, side.account_id, side.currency, side.dispute_closure_id IS NOT NULL AS pulls_in,
           sum(side.quantity) AS quantity
    FROM side
    JOIN settlement ON settlement.id = side.settlement_id
    LEFT JOIN dispute_closure AS closure ON closure.id = side.dispute_closure_id
    WHERE settlement.settlement_type = 'offchain' AND NOT settlement.immediate
      AND (settlement.state NOT IN ('completed', 'rejected') OR settlement.closures_wait)
      AND CASE
          WHEN side.dispute_closure_id IS NOT NULL THEN closure.cancelled_at IS NULL
          ELSE settlement.state <> 'rejected' AND settlement.withdrawn_at IS NULL
               AND NOT EXISTS (SELECT FROM settlement_party AS party
                               WHERE party.settlement_id = side.settlement_id AND party.disputed
                                 AND party.connection_id IN (side.connection_id, side.other_id))
      END
    GROUP BY side.settlement_id, side.account_id, side.currency, side.other_id, side.dispute_closure_id IS NOT NULL
), takes AS (
    SELECT settlement_id, account_id, currency,
           greatest(0, sum(CASE WHEN pulls_in THEN -quantity ELSE greatest(0, -quantity) END)) AS quantity
    FROM against GROUP BY settlement_id, account_id, currency
), held AS (
    SELECT hold.cause_id AS settlement_id, hold.account_id, hold.currency, hold.quantity
    FROM hold
    JOIN settlement ON settlement.id = hold.cause_id AND settlement.settlement_type = 'offchain'
    WHERE hold.cause_kind = 'settlement'
)
SELECT settlement_id, account_id, currency, held.quantity AS held, takes.quantity AS takes, count(*) OVER () AS total
FROM takes FULL JOIN held USING (settlement_id, account_id, currency)
WHERE coalesce(held.quantity, 0) <> coalesce(takes.quantity, 0)
ORDER BY settlement_id, account_id, currency
LIMIT %(limit)s

-- name: dispute_holds_what_its_transfers_take
-- An open dispute holds exactly what its transfers would take. If two disputes concern one transfer, it counts for the
-- earlier one. Until their settlement executes, disputes hold less by what a gain of a closure in the same settlement
-- covers, beyond the losses that run; that gain fills them, unless the closure is cancelled. A closed dispute holds exactly
-- what the closure's transfers will take. A dispute of a rejected settlement holds nothing for its transfers.
WITH objection AS (
    SELECT dispute.id, dispute.settlement_id, dispute.connection_id, dispute.created_at, closure.id AS closure_id,
           closure.id IS NULL AS stands, coalesce(closure.closed_by = 'admin', false) AS upheld,
           dispute.settled_in_settlement_id IS NOT NULL AS settled
    FROM dispute
    JOIN settlement_party AS party USING (settlement_id, connection_id)
    LEFT JOIN dispute_closure AS closure ON closure.dispute_id = dispute.id AND closure.status = 'approved'
    WHERE NOT dispute.retracted AND party.disputed
), side AS (
    {side}
), kept_back AS (
    SELECT CASE WHEN theirs.stands IS NOT TRUE THEN own.id
                WHEN own.stands IS NOT TRUE THEN theirs.id
                WHEN (own.created_at, own.id) < (theirs.created_at, theirs.id) THEN own.id
                ELSE theirs.id
           END AS dispute_id,
           side.other_id, side.settlement_id, side.account_id, side.currency, -sum(side.quantity) AS quantity
    FROM side
    LEFT JOIN objection AS own
        ON (own.settlement_id, own.connection_id) = (side.settlement_id, side.connection_id)
    LEFT JOIN objection AS theirs
        ON (theirs.settlement_id, theirs.connection_id) = (side.settlement_id, side.other_id)
    JOIN settlement ON settlement.id = side.settlement_id AND settlement.state <> 'rejected'
        AND settlement.withdrawn_at IS NULL
    WHERE side.dispute_closure_id IS NULL AND (own.stands OR theirs.stands)
      AND own.upheld IS NOT TRUE AND theirs.upheld IS NOT TRUE
    GROUP BY 1, side.other_id, side.settlement_id, side.account_id, side.currency
    HAVING sum(side.quantity) < 0
), takes AS (
    SELECT dispute_id, settlement_id, account_id, currency, sum(quantity) AS quantity, true AS stands
    FROM kept_back GROUP BY dispute_id, settlement_id, account_id, currency
    UNION ALL
    SELECT objection.id, objection.settlement_id, side.account_id, side.currency, greatest(0, -sum(side.quantity)), false
    FROM objection JOIN side ON side.dispute_closure_id = objection.closure_id
    WHERE NOT objection.settled
    GROUP BY objection.id, objection.settlement_id, side.account_id, side.currency
), cover AS (
    SELECT settlement_id, account_id, currency, greatest(0, sum(quantity)) AS quantity
    FROM (
        SELECT side.settlement_id, side.account_id, side.currency,
               CASE WHEN closure.cancelled_at IS NOT NULL THEN greatest(0, side.quantity)
                    WHEN settlement.state = 'completed' THEN 0
                    ELSE side.quantity END AS quantity
        FROM side
        JOIN dispute_closure AS closure ON closure.id = side.dispute_closure_id
        JOIN settlement ON settlement.id = side.settlement_id
        WHERE side.settlement_id IN (SELECT settlement_id FROM objection WHERE stands)
          AND (closure.cancelled_at IS NULL OR closure.cancelled_at >= settlement.dispute_deadline_at)
        UNION ALL
        SELECT side.settlement_id, side.account_id, side.currency, least(0, sum(side.quantity))
        FROM side
        JOIN settlement ON settlement.id = side.settlement_id AND settlement.state <> 'completed'
        WHERE side.settlement_id IN (SELECT settlement_id FROM objection WHERE stands)
          AND side.dispute_closure_id IS NULL
          AND NOT EXISTS (SELECT FROM objection
                          WHERE objection.settlement_id = side.settlement_id
                            AND objection.connection_id IN (side.connection_id, side.other_id))
        GROUP BY side.settlement_id, side.account_id, side.currency, side.other_id
    ) AS part
    GROUP BY settlement_id, account_id, currency
), held AS (
    SELECT cause_id AS dispute_id, account_id, currency, quantity FROM hold WHERE cause_kind = 'dispute'
), compared AS (
    SELECT dispute_id, account_id, currency, coalesce(held.quantity, 0) AS held, coalesce(takes.quantity, 0) AS takes,
           coalesce(CASE WHEN stands THEN cover.quantity END, 0) AS covered,
           sum(coalesce(takes.quantity, 0) - coalesce(held.quantity, 0))
               OVER (PARTITION BY settlement_id, account_id, currency, stands) AS missing
    FROM takes
    FULL JOIN held USING (dispute_id, account_id, currency)
    LEFT JOIN cover USING (settlement_id, account_id, currency)
)
SELECT dispute_id, account_id, currency, held, takes, covered, count(*) OVER () AS total
FROM compared
WHERE held > takes OR (held < takes AND missing > covered)
ORDER BY dispute_id, account_id, currency
LIMIT %(limit)s

-- name: onchain_settlement_holds_what_it_still_moves
-- Losses are held from the start, gains once deposits are spent on them.
WITH held AS (
    SELECT hold.cause_id AS settlement_id, CASE account.kind WHEN 'network' THEN 'loss' ELSE 'gain' END AS side,
           CASE account.kind WHEN 'network' THEN hold.account_id END AS network_account_id, hold.currency, hold.quantity
    FROM hold
    JOIN account ON account.id = hold.account_id
    JOIN settlement ON (settlement.id, settlement.settlement_type) = (hold.cause_id, 'onchain')
), needed AS (
    SELECT onchain.settlement_id, side, CASE side WHEN 'loss' THEN network_account_id END AS network_account_id,
           currency, sum(quantity) AS quantity
    FROM onchain_transfer AS onchain
    JOIN onchain_course AS course ON course.settlement_id = onchain.settlement_id
    JOIN settlement ON settlement.id = onchain.settlement_id
    WHERE onchain.status <> 'completed' AND settlement.state <> 'rejected'
      AND (side = 'loss' OR course.phase = 'gains')
    GROUP BY 1, 2, 3, 4
)
SELECT needed.settlement_id, held.settlement_id AS held_for, needed.side, needed.currency, needed.quantity,
       held.quantity AS held, count(*) OVER () AS total
FROM needed FULL JOIN held
  ON (held.settlement_id, held.side, held.currency) = (needed.settlement_id, needed.side, needed.currency)
 AND coalesce(held.network_account_id, held.settlement_id)
   = coalesce(needed.network_account_id, needed.settlement_id)
WHERE needed.quantity IS DISTINCT FROM held.quantity
ORDER BY needed.settlement_id, held.settlement_id
LIMIT %(limit)s
