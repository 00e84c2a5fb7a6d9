-- What entries of the journal do, beside what their causes say: which account and bucket they move, and by how much.
-- Each statement finds the rows that violate one invariant (protocol §10).

-- columns: side
-- What each connection gains by each transfer: two rows for a transfer between connections.
SELECT settlement_id, dispute_closure_id, connection_id, counterparty_connection_id AS other_id,
           network_account_id AS account_id, currency, quantity
    FROM settlement_transfer
    UNION ALL
    SELECT settlement_id, dispute_closure_id, counterparty_connection_id, connection_id,
           counterparty_account_id, currency, -quantity
    FROM settlement_transfer WHERE counterparty_connection_id IS NOT NULL

-- columns: closure_needs
-- What the transfers of each approved closure take from each balance, which its dispute holds until a settlement takes them.
SELECT dispute_closure_id, settlement_id, account_id, currency, greatest(0, -sum(quantity)) AS quantity
    FROM ({side}) AS side WHERE dispute_closure_id IS NOT NULL
    GROUP BY dispute_closure_id, settlement_id, account_id, currency

-- columns: kind_rules
-- Where entries of each kind may post: the kind of account, the bucket, and the signs. `owner`: whose account it is.
-- partner: a network account of the entry's partner, or the partner's own Go Account.
SELECT kind, account_kind, bucket, least, most, owner
    FROM (VALUES
        ('deposit', 'go', 'available', 1, 1, 'anyone'),
        ('deposit', 'outside', 'available', -1, -1, 'anyone'),
        ('top_up', 'go', 'available', -1, 1, 'anyone'),
        ('withdrawal', 'go', 'available', -1, -1, 'anyone'),
        ('withdrawal', 'outside', 'available', 1, 1, 'anyone'),
        ('withdrawal_reserved', 'go', 'available', -1, -1, 'anyone'),
        ('withdrawal_reserved', 'go', 'held', 1, 1, 'anyone'),
        ('withdrawal_released', 'go', 'available', 1, 1, 'anyone'),
        ('withdrawal_released', 'go', 'held', -1, -1, 'anyone'),
        ('allocation_reserved', 'go', 'available', -1, -1, 'anyone'),
        ('allocation_reserved', 'go', 'held', 1, 1, 'anyone'),
        ('allocation_cleared', 'go', 'held', -1, -1, 'anyone'),
        ('allocation_cleared', 'network', 'available', 1, 1, 'partner'),
        ('allocation_released', 'go', 'available', 1, 1, 'anyone'),
        ('allocation_released', 'go', 'held', -1, -1, 'anyone'),
        ('deallocation_reserved', 'network', 'available', -1, -1, 'partner'),
        ('deallocation_reserved', 'network', 'held', 1, 1, 'partner'),
        ('deallocation_cleared', 'network', 'held', -1, -1, 'partner'),
        ('deallocation_cleared', 'go', 'available', 1, 1, 'anyone'),
        ('deallocation_released', 'network', 'available', 1, 1, 'partner'),
        ('deallocation_released', 'network', 'held', -1, -1, 'partner'),
        ('settlement_held', 'network', 'available', -1, 1, 'partner'),
        ('settlement_held', 'network', 'held', -1, 1, 'partner'),
        ('settlement_executed', 'network', 'available', -1, 1, 'partner'),
        ('settlement_executed', 'network', 'held', -1, 1, 'partner'),
        ('settlement_executed', 'go', 'available', -1, 1, 'partner'),
        ('settlement_rejected', 'network', 'available', 1, 1, 'partner'),
        ('settlement_rejected', 'network', 'held', -1, -1, 'partner'),
        ('settlement_rejected', 'go', 'available', 1, 1, 'partner'),
        ('settlement_rejected', 'go', 'held', -1, -1, 'partner'),
        ('dispute_closure_held', 'network', 'available', -1, 1, 'partner'),
        ('dispute_closure_held', 'network', 'held', -1, 1, 'partner'),
        ('dispute_closure_cancelled', 'network', 'available', -1, 1, 'partner'),
        ('dispute_closure_cancelled', 'network', 'held', -1, 1, 'partner'),
        ('onchain_loss_paid', 'network', 'held', -1, -1, 'partner'),
        ('onchain_loss_paid', 'outside', 'available', 1, 1, 'anyone'),
        ('onchain_gain_paid', 'go', 'held', -1, -1, 'partner'),
        ('onchain_gain_paid', 'network', 'available', 1, 1, 'partner'),
        ('onchain_deposit_credited', 'go', 'available', 1, 1, 'partner'),
        ('onchain_deposit_credited', 'go', 'held', 1, 1, 'partner'),
        ('onchain_deposit_credited', 'outside', 'available', -1, -1, 'anyone'),
        ('onchain_deposit_released', 'go', 'available', 1, 1, 'partner'),
        ('onchain_deposit_released', 'go', 'held', -1, -1, 'partner')
    ) AS given (kind, account_kind, bucket, least, most, owner)

-- columns: kind_causes
-- How many entries of each kind a cause has, at least and at most. A cause in another state has none.
SELECT movement.kind, movement.entry_id AS cause_id, 1 AS least, 1 AS most FROM custody_movement AS movement
    UNION ALL
    SELECT 'withdrawal_reserved', id, 1, 1 FROM proposal WHERE act = 'withdrawal.make'
    UNION ALL
    SELECT 'withdrawal_released', id, 1, 1 FROM proposal WHERE act = 'withdrawal.make' AND status <> 'pending'
    UNION ALL
    -- An allocation that is refused at once is released, and was never reserved.
    SELECT type || '_reserved', id, CASE status WHEN 'released' THEN 0 ELSE 1 END, 1 FROM allocation
    UNION ALL
    SELECT type || '_cleared', id, 1, 1 FROM allocation WHERE status = 'cleared'
    UNION ALL
    SELECT type || '_released', allocation.id, entry.entries, entry.entries
    FROM allocation
    JOIN (SELECT cause_id, kind, count(*) AS entries FROM ledger_entry
          WHERE kind IN ('allocation_reserved', 'deallocation_reserved') GROUP BY cause_id, kind) AS entry
      ON (entry.cause_id, entry.kind) = (allocation.id, type || '_reserved')
    WHERE allocation.status = 'released'
    UNION ALL
    SELECT DISTINCT 'top_up', settlement_id, 1, 1 FROM top_up
    UNION ALL
    SELECT 'settlement_held', id, 1, 1 FROM settlement WHERE NOT immediate
    UNION ALL
    SELECT 'settlement_executed', id, 0, 1 FROM settlement
    WHERE settlement_type = 'offchain' AND (state = 'completed' OR (state = 'rejected' AND NOT closures_wait))
    UNION ALL
    -- One that was withdrawn and went on for its closures may be rejected, too.
    SELECT 'settlement_rejected', id, 1, CASE WHEN state = 'rejected' AND withdrawn_at IS NOT NULL THEN 2 ELSE 1 END
    FROM settlement WHERE state = 'rejected' OR withdrawn_at IS NOT NULL
    UNION ALL
    SELECT 'dispute_closure_held', id, 0, 1 FROM dispute_closure WHERE status = 'approved'
    UNION ALL
    SELECT 'dispute_closure_cancelled', id, 1, 1 FROM dispute_closure WHERE cancelled_at IS NOT NULL
    UNION ALL
    SELECT 'onchain_' || side || '_paid', settlement_id, 1, count(*) FROM onchain_transfer
    WHERE status = 'completed' GROUP BY settlement_id, side
    UNION ALL
    SELECT 'onchain_deposit_credited', id, 1, 1 FROM onchain_deposit WHERE quantity IS NOT NULL
    UNION ALL
    -- Deposits are released together or one by one, and what gains leave over once more.
    SELECT 'onchain_deposit_released', settlement_id, 0, count(*) + 1 FROM onchain_deposit
    WHERE status IN ('spent', 'released') GROUP BY settlement_id

-- name: entry_has_its_cause
SELECT kind, cause_id, coalesce(entered.entries, 0) AS entries, cause.least, cause.most, entered.entry_id,
       count(*) OVER () AS total
FROM (SELECT kind, cause_id, count(*) AS entries, min(id::text) AS entry_id FROM ledger_entry GROUP BY kind, cause_id)
     AS entered
FULL JOIN ({kind_causes}) AS cause USING (kind, cause_id)
WHERE coalesce(entered.entries, 0) NOT BETWEEN coalesce(cause.least, 0) AND coalesce(cause.most, 0)
ORDER BY kind, cause_id
LIMIT %(limit)s

-- name: entry_moves_what_its_kind_may
SELECT entry.id AS entry_id, entry.kind, entry.cause_id, posting.account_id, account.kind AS account_kind,
       posting.currency, posting.bucket, posting.quantity, count(*) OVER () AS total
FROM posting
JOIN ledger_entry AS entry ON entry.id = posting.entry_id
JOIN account ON account.id = posting.account_id
LEFT JOIN partner ON partner.id = entry.partner_id
LEFT JOIN ({kind_rules}) AS rule
  ON (rule.kind, rule.account_kind, rule.bucket) = (entry.kind, account.kind, posting.bucket)
WHERE rule.kind IS NULL OR sign(posting.quantity) NOT BETWEEN rule.least AND rule.most
   OR (rule.owner = 'partner' AND entry.partner_id
       <> CASE WHEN account.kind = 'network' THEN account.partner_id
               WHEN posting.account_id = partner.go_account_id THEN partner.id
               ELSE '00000000-0000-0000-0000-000000000000' END)
ORDER BY entry.id, posting.account_id, posting.currency
LIMIT %(limit)s

-- name: hold_entry_moves_between_buckets
SELECT entry.id AS entry_id, entry.kind, entry.cause_id, posting.account_id, posting.currency,
       sum(posting.quantity) AS sum, count(*) OVER () AS total
FROM posting
JOIN ledger_entry AS entry ON entry.id = posting.entry_id
WHERE entry.kind IN ('settlement_held', 'settlement_rejected', 'dispute_closure_held', 'dispute_closure_cancelled',
                     'onchain_deposit_released')
GROUP BY entry.id, posting.account_id, posting.currency HAVING sum(posting.quantity) <> 0
ORDER BY entry.id, posting.account_id, posting.currency
LIMIT %(limit)s

-- name: custody_movement_is_its_entry
WITH stated AS (
    SELECT movement.entry_id, movement.kind, side.account_id, movement.currency, 'available' AS bucket, side.quantity
    FROM custody_movement AS movement
    CROSS JOIN LATERAL (VALUES
        (movement.account_id, CASE movement.kind WHEN 'deposit' THEN movement.quantity ELSE -movement.quantity END),
        ('00000000-0000-0000-0000-000000000000',
         CASE movement.kind WHEN 'deposit' THEN -movement.quantity ELSE movement.quantity END)
    ) AS side (account_id, quantity)
), posted AS (
    SELECT entry.id AS entry_id, entry.kind, posting.account_id, posting.currency, posting.bucket, posting.quantity
    FROM ledger_entry AS entry
    LEFT JOIN posting ON posting.entry_id = entry.id
    WHERE entry.kind IN ('deposit', 'withdrawal')
)
SELECT entry_id, kind, account_id, currency, bucket, stated.quantity, posted.quantity AS posted,
       count(*) OVER () AS total
FROM stated FULL JOIN posted USING (entry_id, kind, account_id, currency, bucket)
WHERE stated.quantity IS DISTINCT FROM posted.quantity
ORDER BY entry_id, account_id
LIMIT %(limit)s

-- name: allocation_moves_what_it_says
WITH step AS (
    SELECT entry.id AS entry_id, allocation.id AS allocation_id, part.account_id, allocation.currency, part.bucket,
           part.quantity
    FROM allocation
    JOIN connection ON connection.id = allocation.connection_id
    JOIN client ON client.id = allocation.client_id
    CROSS JOIN LATERAL (SELECT
        CASE allocation.type WHEN 'allocation' THEN client.go_account_id ELSE connection.network_account_id END AS source,
        CASE allocation.type WHEN 'allocation' THEN connection.network_account_id ELSE client.go_account_id END AS target
    ) AS ends
    CROSS JOIN LATERAL (VALUES
        ('_reserved', ends.source, 'available', -allocation.quantity),
        ('_reserved', ends.source, 'held', allocation.quantity),
        ('_cleared', ends.source, 'held', -allocation.quantity),
        ('_cleared', ends.target, 'available', allocation.quantity),
        ('_released', ends.source, 'available', allocation.quantity),
        ('_released', ends.source, 'held', -allocation.quantity)
    ) AS part (step, account_id, bucket, quantity)
    JOIN ledger_entry AS entry ON (entry.cause_id, entry.kind) = (allocation.id, allocation.type || part.step)
), posted AS (
    SELECT entry.id AS entry_id, posting.account_id, posting.currency, posting.bucket, posting.quantity
    FROM ledger_entry AS entry
    JOIN posting ON posting.entry_id = entry.id
    WHERE entry.kind IN ('allocation_reserved', 'allocation_cleared', 'allocation_released',
                         'deallocation_reserved', 'deallocation_cleared', 'deallocation_released')
)
SELECT step.allocation_id, entry_id, account_id, currency, bucket, step.quantity, posted.quantity AS posted,
       count(*) OVER () AS total
FROM step FULL JOIN posted USING (entry_id, account_id, currency, bucket)
WHERE step.quantity IS DISTINCT FROM posted.quantity
ORDER BY entry_id, account_id, bucket
LIMIT %(limit)s

-- name: proposed_withdrawal_moves_what_it_says
-- Compares texts: a check reads what anybody may have written, and must not fail over it.
WITH step AS (
    SELECT entry.id AS entry_id, proposal.id AS proposal_id, lower(replace(proposal.subject_id, '-', '')) AS go_account_id,
           proposal.request ->> 'currency' AS currency, part.bucket, part.quantity
    FROM proposal
    CROSS JOIN LATERAL (VALUES
        ('withdrawal_reserved', 'available', '-' || (request ->> 'quantity')),
        ('withdrawal_reserved', 'held', request ->> 'quantity'),
        ('withdrawal_released', 'available', request ->> 'quantity'),
        ('withdrawal_released', 'held', '-' || (request ->> 'quantity'))
    ) AS part (kind, bucket, quantity)
    JOIN ledger_entry AS entry ON (entry.cause_id, entry.kind) = (proposal.id, part.kind)
    WHERE proposal.act = 'withdrawal.make'
), posted AS (
    SELECT entry.id AS entry_id, replace(posting.account_id::text, '-', '') AS go_account_id, posting.currency,
           posting.bucket, posting.quantity::text AS quantity
    FROM ledger_entry AS entry
    JOIN posting ON posting.entry_id = entry.id
    WHERE entry.kind IN ('withdrawal_reserved', 'withdrawal_released')
)
SELECT step.proposal_id, entry_id, go_account_id, currency, bucket, step.quantity, posted.quantity AS posted,
       count(*) OVER () AS total
FROM step FULL JOIN posted USING (entry_id, go_account_id, currency, bucket)
WHERE step.quantity IS DISTINCT FROM posted.quantity
ORDER BY entry_id, go_account_id, bucket
LIMIT %(limit)s

-- name: top_up_moves_what_it_says
-- From the Go Account of its instruction to that of the partner.
WITH stated AS (
    SELECT top_up.settlement_id, side.account_id, standing.currency, 'available' AS bucket, sum(side.quantity) AS quantity
    FROM top_up
    JOIN standing_top_up AS standing ON standing.id = top_up.standing_top_up_id
    LEFT JOIN partner ON partner.id = standing.partner_id
    CROSS JOIN LATERAL (VALUES
        (standing.go_account_id, -top_up.quantity), (partner.go_account_id, top_up.quantity)
    ) AS side (account_id, quantity)
    GROUP BY top_up.settlement_id, side.account_id, standing.currency
), posted AS (
    SELECT entry.cause_id AS settlement_id, posting.account_id, posting.currency, posting.bucket,
           sum(posting.quantity) AS quantity
    FROM ledger_entry AS entry
    JOIN posting ON posting.entry_id = entry.id
    WHERE entry.kind = 'top_up'
    GROUP BY entry.cause_id, posting.account_id, posting.currency, posting.bucket
)
SELECT settlement_id, account_id, currency, bucket, stated.quantity, posted.quantity AS posted,
       count(*) OVER () AS total
FROM stated FULL JOIN posted USING (settlement_id, account_id, currency, bucket)
WHERE stated.quantity IS DISTINCT FROM posted.quantity
ORDER BY settlement_id, account_id, currency, bucket
LIMIT %(limit)s

-- name: top_up_is_as_instructed
SELECT top_up.settlement_id, top_up.standing_top_up_id, top_up.quantity, standing.per_settlement, standing.revoked_at,
       settlement.state, count(*) OVER () AS total
FROM top_up
LEFT JOIN standing_top_up AS standing ON standing.id = top_up.standing_top_up_id
LEFT JOIN settlement ON settlement.id = top_up.settlement_id
WHERE settlement.partner_id IS DISTINCT FROM standing.partner_id OR top_up.quantity > standing.per_settlement
   OR top_up.created_at < standing.created_at OR top_up.created_at > standing.revoked_at
   OR NOT (settlement.state = 'completed' OR (settlement.state = 'rejected' AND NOT settlement.closures_wait))
ORDER BY top_up.settlement_id, top_up.standing_top_up_id
LIMIT %(limit)s

-- name: settlement_entry_holds_its_liability
-- The largest loss that the settlement can take from each balance: each counterparty may dispute alone, so that a gain from
-- one covers no loss to another, and a gain of a taken closure always runs. On chain, each loss is paid first. What the
-- taken closures' disputes held before is held already.
WITH against AS (
    SELECT side.settlement_id, side.account_id, side.currency, side.dispute_closure_id IS NOT NULL AS pulls_in,
           sum(side.quantity) AS quantity, sum(greatest(0, -side.quantity)) AS losses
    FROM ({side}) AS side
    WHERE side.settlement_id IS NOT NULL
    GROUP BY side.settlement_id, side.account_id, side.currency, side.other_id, side.dispute_closure_id IS NOT NULL
), liability AS (
    SELECT against.settlement_id, account_id, currency,
           greatest(0, sum(CASE WHEN settlement.settlement_type = 'onchain' THEN losses
                                WHEN pulls_in THEN -quantity
                                ELSE greatest(0, -quantity) END)) AS quantity
    FROM against
    JOIN settlement ON settlement.id = against.settlement_id AND NOT settlement.immediate
    GROUP BY against.settlement_id, account_id, currency
), stated AS (
    SELECT settlement_id, account_id, currency, sum(quantity) AS quantity
    FROM (
        SELECT settlement_id, account_id, currency, quantity FROM liability
        UNION ALL
        SELECT settlement_id, account_id, currency, -quantity FROM ({closure_needs}) AS needs
        WHERE settlement_id IS NOT NULL
    ) AS part
    GROUP BY settlement_id, account_id, currency
), posted AS (
    SELECT entry.cause_id AS settlement_id, posting.account_id, posting.currency, sum(posting.quantity) AS quantity
    FROM ledger_entry AS entry
    JOIN posting ON posting.entry_id = entry.id AND posting.bucket = 'held'
    WHERE entry.kind = 'settlement_held'
    GROUP BY entry.cause_id, posting.account_id, posting.currency
)
SELECT settlement_id, account_id, currency, stated.quantity AS liability, posted.quantity AS posted,
       count(*) OVER () AS total
FROM stated FULL JOIN posted USING (settlement_id, account_id, currency)
WHERE coalesce(stated.quantity, 0) <> coalesce(posted.quantity, 0)
ORDER BY settlement_id, account_id, currency
LIMIT %(limit)s

-- name: settlement_entries_explain_its_holds
-- All that entries of a settlement hold and release must be held still: by the settlement, its on-chain deposits, and the
-- disputes on it. What the disputes that it settles held was held before, by the entries of the disputed settlement.
WITH caused AS (
    SELECT entry.id AS entry_id,
           CASE entry.kind
               WHEN 'dispute_closure_held' THEN dispute.settlement_id
               WHEN 'dispute_closure_cancelled' THEN dispute.settled_in_settlement_id
               WHEN 'onchain_deposit_credited' THEN deposit.settlement_id
               ELSE entry.cause_id
           END AS settlement_id
    FROM ledger_entry AS entry
    LEFT JOIN dispute_closure AS closure ON closure.id = entry.cause_id
    LEFT JOIN dispute ON dispute.id = closure.dispute_id
    LEFT JOIN onchain_deposit AS deposit ON deposit.id = entry.cause_id
    WHERE entry.kind IN ('settlement_held', 'settlement_executed', 'settlement_rejected', 'dispute_closure_held',
                         'dispute_closure_cancelled', 'onchain_loss_paid', 'onchain_gain_paid',
                         'onchain_deposit_credited', 'onchain_deposit_released')
), part AS (
    SELECT caused.settlement_id, posting.account_id, posting.currency, posting.quantity AS entered, 0 AS held
    FROM posting JOIN caused USING (entry_id) WHERE posting.bucket = 'held'
    UNION ALL
    SELECT needs.settlement_id, needs.account_id, needs.currency, needs.quantity, 0
    FROM ({closure_needs}) AS needs WHERE needs.settlement_id IS NOT NULL
    UNION ALL
    SELECT dispute.settlement_id, needs.account_id, needs.currency, -needs.quantity, 0
    FROM ({closure_needs}) AS needs
    JOIN dispute_closure AS closure ON closure.id = needs.dispute_closure_id
    JOIN dispute ON dispute.id = closure.dispute_id
    WHERE needs.settlement_id IS NOT NULL
    UNION ALL
    SELECT coalesce(dispute.settlement_id, deposit.settlement_id, hold.cause_id), hold.account_id, hold.currency, 0,
           hold.quantity
    FROM hold
    LEFT JOIN dispute ON (dispute.id, hold.cause_kind) = (hold.cause_id, 'dispute')
    LEFT JOIN onchain_deposit AS deposit ON (deposit.id, hold.cause_kind) = (hold.cause_id, 'onchain_deposit')
    WHERE hold.cause_kind IN ('settlement', 'dispute', 'onchain_deposit')
)
SELECT settlement_id, account_id, currency, sum(entered) AS entered, sum(held) AS held, count(*) OVER () AS total
FROM part
GROUP BY settlement_id, account_id, currency HAVING sum(entered) <> sum(held)
ORDER BY settlement_id, account_id, currency
LIMIT %(limit)s

-- name: executed_settlement_posts_its_transfers
-- Compares network accounts only: an entry sums to zero, so the rest of it is the partner's.
WITH side AS (
    {side}
), final AS (
    SELECT side.settlement_id, side.account_id, side.currency, sum(side.quantity) AS quantity
    FROM side
    JOIN settlement ON settlement.id = side.settlement_id
    LEFT JOIN dispute_closure AS closure ON closure.id = side.dispute_closure_id
    WHERE settlement.settlement_type = 'offchain'
      AND (settlement.state = 'completed' OR (settlement.state = 'rejected' AND NOT settlement.closures_wait))
      AND CASE
          WHEN side.dispute_closure_id IS NOT NULL THEN closure.cancelled_at IS NULL
          ELSE settlement.state = 'completed' AND settlement.withdrawn_at IS NULL
               AND NOT EXISTS (SELECT FROM settlement_party AS party
                               WHERE party.settlement_id = side.settlement_id AND party.disputed
                                 AND party.connection_id IN (side.connection_id, side.other_id))
      END
    GROUP BY side.settlement_id, side.account_id, side.currency
), posted AS (
    SELECT entry.cause_id AS settlement_id, posting.account_id, posting.currency, sum(posting.quantity) AS quantity
    FROM ledger_entry AS entry
    JOIN posting ON posting.entry_id = entry.id
    JOIN account ON account.id = posting.account_id AND account.kind = 'network'
    JOIN settlement ON settlement.id = entry.cause_id AND settlement.settlement_type = 'offchain'
    WHERE entry.kind = 'settlement_executed'
    GROUP BY entry.cause_id, posting.account_id, posting.currency
)
SELECT settlement_id, account_id, currency, final.quantity AS transferred, posted.quantity AS posted,
       count(*) OVER () AS total
FROM final FULL JOIN posted USING (settlement_id, account_id, currency)
WHERE coalesce(final.quantity, 0) <> coalesce(posted.quantity, 0)
ORDER BY settlement_id, account_id, currency
LIMIT %(limit)s

-- name: onchain_transfers_moved_what_they_say
WITH posted AS (
    SELECT entry.cause_id AS settlement_id, CASE entry.kind WHEN 'onchain_loss_paid' THEN 'loss' ELSE 'gain' END AS side,
           posting.account_id, posting.currency, sum(abs(posting.quantity)) AS quantity
    FROM ledger_entry AS entry
    JOIN posting ON posting.entry_id = entry.id
    JOIN account ON (account.id, account.kind) = (posting.account_id, 'network')
    WHERE entry.kind IN ('onchain_loss_paid', 'onchain_gain_paid')
    GROUP BY entry.cause_id, entry.kind, posting.account_id, posting.currency
), completed AS (
    SELECT settlement_id, side, network_account_id AS account_id, currency, sum(quantity) AS quantity
    FROM onchain_transfer WHERE status = 'completed'
    GROUP BY settlement_id, side, network_account_id, currency
)
SELECT settlement_id, side, account_id, currency, completed.quantity AS completed, posted.quantity AS posted,
       count(*) OVER () AS total
FROM completed FULL JOIN posted USING (settlement_id, side, account_id, currency)
WHERE completed.quantity IS DISTINCT FROM posted.quantity
ORDER BY settlement_id, side, account_id, currency
LIMIT %(limit)s

-- name: onchain_deposit_is_its_entry
WITH entered AS (
    SELECT entry.id AS entry_id, entry.cause_id AS deposit_id, posting.currency, posting.quantity
    FROM ledger_entry AS entry
    JOIN posting ON posting.entry_id = entry.id
    JOIN account ON (account.id, account.kind) = (posting.account_id, 'go')
    WHERE entry.kind = 'onchain_deposit_credited'
), deposit AS (
    SELECT id AS deposit_id, entry_id, currency, quantity, status FROM onchain_deposit WHERE quantity IS NOT NULL
)
SELECT deposit_id, deposit.status, deposit.quantity, entered.quantity AS posted, count(*) OVER () AS total
FROM deposit FULL JOIN entered USING (deposit_id, entry_id, currency)
LEFT JOIN hold ON (hold.cause_id, hold.cause_kind) = (deposit_id, 'onchain_deposit')
WHERE deposit.quantity IS DISTINCT FROM entered.quantity
   OR (deposit.status = 'confirmed') <> (hold.cause_id IS NOT NULL)
ORDER BY deposit_id
LIMIT %(limit)s
