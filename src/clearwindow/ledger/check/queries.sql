-- Each statement finds the rows that violate one invariant (protocol §10). The statements read the tables of all rooms
-- directly: a check that used the code it checks would repeat its mistakes.

-- name: begin_snapshot
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY

-- name: balance_equals_its_postings
WITH posted AS (
    SELECT account_id, currency,
           coalesce(sum(quantity) FILTER (WHERE bucket = 'available'), 0) AS available,
           coalesce(sum(quantity) FILTER (WHERE bucket = 'held'), 0) AS held
    FROM posting GROUP BY account_id, currency
)
SELECT account_id, currency, balance.available, posted.available AS posted_available, balance.held,
       posted.held AS posted_held, count(*) OVER () AS total
FROM balance FULL JOIN posted USING (account_id, currency)
WHERE (coalesce(balance.available, 0), coalesce(balance.held, 0))
      <> (coalesce(posted.available, 0), coalesce(posted.held, 0))
ORDER BY account_id, currency
LIMIT %(limit)s

-- name: currency_sums_to_zero
SELECT currency, sum(available + held) AS sum, count(*) OVER () AS total
FROM balance GROUP BY currency HAVING sum(available + held) <> 0
ORDER BY currency
LIMIT %(limit)s

-- name: accounts_hold_what_came_in
WITH inside AS (
    SELECT balance.currency, sum(balance.available + balance.held) AS quantity
    FROM balance JOIN account ON account.id = balance.account_id
    WHERE account.kind IN ('go', 'network') GROUP BY balance.currency
), came_in AS (
    SELECT currency, sum(quantity) AS quantity
    FROM (SELECT currency, CASE kind WHEN 'deposit' THEN quantity ELSE -quantity END FROM custody_movement
          UNION ALL
          SELECT currency, quantity FROM onchain_deposit WHERE quantity IS NOT NULL
          UNION ALL
          SELECT currency, -quantity FROM onchain_transfer WHERE side = 'loss' AND status = 'completed'
         ) AS crossing (currency, quantity)
    GROUP BY currency
)
SELECT currency, inside.quantity AS on_accounts, came_in.quantity AS deposits_less_withdrawals,
       count(*) OVER () AS total
FROM inside FULL JOIN came_in USING (currency)
WHERE coalesce(inside.quantity, 0) <> coalesce(came_in.quantity, 0)
ORDER BY currency
LIMIT %(limit)s

-- name: custody_movement_is_its_entry
WITH moved AS (
    SELECT custody_movement.entry_id, custody_movement.account_id, custody_movement.currency,
           custody_movement.reference, custody_movement.kind,
           CASE kind WHEN 'deposit' THEN quantity ELSE -quantity END AS quantity
    FROM custody_movement
), entered AS (
    SELECT id AS entry_id, kind FROM ledger_entry WHERE kind IN ('deposit', 'withdrawal')
)
SELECT entry_id, moved.account_id, moved.reference, moved.kind AS moved, entered.kind AS entered,
       moved.quantity, posting.quantity AS posted, count(*) OVER () AS total
FROM entered FULL JOIN moved USING (entry_id)
LEFT JOIN posting USING (entry_id, account_id, currency)
WHERE (moved.kind, moved.quantity, 'available') IS DISTINCT FROM (entered.kind, posting.quantity, posting.bucket)
ORDER BY entry_id
LIMIT %(limit)s

-- name: balance_not_negative
SELECT balance.account_id, balance.currency, balance.available, balance.held, count(*) OVER () AS total
FROM balance JOIN account ON account.id = balance.account_id
WHERE balance.held < 0 OR (balance.available < 0 AND account.kind <> 'outside')
ORDER BY balance.account_id, balance.currency
LIMIT %(limit)s

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
WITH proposed AS (
    SELECT id, subject_id::uuid AS account_id, request ->> 'currency' AS currency,
           (request ->> 'quantity')::numeric AS quantity
    FROM proposal WHERE act = 'withdrawal.make' AND status = 'pending'
)
SELECT proposed.id AS proposal_id, proposed.account_id, proposed.currency, proposed.quantity, hold.quantity AS held,
       count(*) OVER () AS total
FROM proposed
LEFT JOIN hold
  ON (hold.cause_id, hold.cause_kind, hold.account_id, hold.currency)
   = (proposed.id, 'withdrawal', proposed.account_id, proposed.currency)
WHERE proposed.quantity IS DISTINCT FROM hold.quantity
ORDER BY proposed.id
LIMIT %(limit)s

-- name: approval_is_as_its_allocation
SELECT asked.id AS allocation_id, answered.id AS approval_id, asked.status, asked.policy_result,
       answered.status AS approval, asked.quantity, answered.quantity AS approval_quantity,
       count(*) OVER () AS total
FROM (SELECT * FROM allocation WHERE pending_approval_id IS NOT NULL) AS asked
FULL JOIN (SELECT * FROM approval WHERE kind = 'allocation') AS answered ON answered.allocation_id = asked.id
WHERE (asked.pending_approval_id, coalesce(asked.policy_result, 'pending'), asked.partner_id, asked.currency,
       asked.quantity, asked.initiated_by)
      IS DISTINCT FROM
      (answered.id, answered.status, answered.partner_id, answered.currency, answered.quantity,
       answered.initiated_by)
ORDER BY asked.id, answered.id
LIMIT %(limit)s

-- name: retriable_allocation_is_asked
WITH owed AS (
    SELECT subject_id AS allocation_id FROM partner_call
    WHERE operation IN ('allocation', 'deallocation') AND due_at IS NOT NULL
), retriable AS (
    SELECT id AS allocation_id FROM allocation WHERE retriable
)
SELECT allocation_id, retriable.allocation_id IS NOT NULL AS retriable, count(*) OVER () AS total
FROM retriable FULL JOIN owed USING (allocation_id)
WHERE (retriable.allocation_id IS NULL) <> (owed.allocation_id IS NULL)
ORDER BY allocation_id
LIMIT %(limit)s

-- name: entry_sums_to_zero
SELECT entry_id, currency, sum(quantity) AS sum, count(*) OVER () AS total
FROM posting GROUP BY entry_id, currency HAVING sum(quantity) <> 0
ORDER BY entry_id, currency
LIMIT %(limit)s

-- name: posting_has_its_entry
SELECT posting.entry_id, posting.account_id, posting.currency, posting.quantity, count(*) OVER () AS total
FROM posting
LEFT JOIN ledger_entry ON ledger_entry.id = posting.entry_id
LEFT JOIN account ON account.id = posting.account_id
WHERE ledger_entry.id IS NULL OR account.id IS NULL
ORDER BY posting.entry_id, posting.account_id
LIMIT %(limit)s

-- name: external_id_names_one_settlement
SELECT partner_id, external_id, count(*) AS settlements, count(*) OVER () AS total
FROM settlement GROUP BY partner_id, external_id HAVING count(*) > 1
ORDER BY partner_id, external_id
LIMIT %(limit)s

-- name: completed_settlement_executed_once
WITH executed AS (
    SELECT cause_id AS settlement_id, count(*) AS entries
    FROM ledger_entry WHERE kind = 'settlement_executed' GROUP BY cause_id
), final AS (
    SELECT transfer.settlement_id, count(*) AS transfers
    FROM settlement_transfer AS transfer
    JOIN settlement_party AS party USING (settlement_id, connection_id)
    LEFT JOIN settlement_party AS counterparty
        ON (counterparty.settlement_id, counterparty.connection_id)
         = (transfer.settlement_id, transfer.counterparty_connection_id)
    JOIN settlement ON settlement.id = transfer.settlement_id
    LEFT JOIN dispute_closure AS closure ON closure.id = transfer.dispute_closure_id
    WHERE CASE
        WHEN transfer.dispute_closure_id IS NOT NULL THEN closure.cancelled_at IS NULL
        ELSE settlement.state <> 'rejected' AND NOT (party.disputed OR coalesce(counterparty.disputed, false))
    END
    GROUP BY transfer.settlement_id
)
SELECT settlement_id, settlement.state, coalesce(executed.entries, 0) AS executed,
       coalesce(final.transfers, 0) AS final_transfers, count(*) OVER () AS total
FROM (SELECT id AS settlement_id, state,
             settlement_type = 'offchain' AND (state = 'completed' OR (state = 'rejected' AND NOT closures_wait)) AS ended
      FROM settlement) AS settlement
FULL JOIN executed USING (settlement_id)
LEFT JOIN final USING (settlement_id)
WHERE coalesce(executed.entries, 0) NOT BETWEEN
      CASE WHEN ended AND final.transfers IS NOT NULL THEN 1 ELSE 0 END
  AND CASE WHEN ended AND (settlement.state = 'completed' OR final.transfers IS NOT NULL) THEN 1 ELSE 0 END
ORDER BY settlement_id
LIMIT %(limit)s

-- name: onchain_settlement_is_its_transfers
SELECT settlement.id AS settlement_id, settlement.state, transfer.id AS transfer_id, onchain.status,
       count(*) OVER () AS total
FROM settlement
JOIN settlement_transfer AS transfer ON transfer.settlement_id = settlement.id
LEFT JOIN onchain_transfer AS onchain
  ON (onchain.transfer_id, onchain.settlement_id, onchain.network_account_id, onchain.currency)
   = (transfer.id, transfer.settlement_id, transfer.network_account_id, transfer.currency)
 AND transfer.quantity = CASE onchain.side WHEN 'loss' THEN -onchain.quantity ELSE onchain.quantity END
WHERE (settlement.settlement_type = 'onchain') <> (onchain.transfer_id IS NOT NULL)
   OR (settlement.state = 'completed' AND onchain.status <> 'completed')
   OR (settlement.state = 'rejected' AND onchain.status NOT IN ('pending_onchain', 'onchain_failed'))
ORDER BY settlement.id, transfer.id
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

-- name: chain_paid_each_transfer_once
-- Checks only transfers that were sent over the simulated chain.
WITH paid AS (
    SELECT transfer_id, count(*) AS payments, min(payment_id::text) AS payment_id, min(quantity) AS quantity,
           min(currency) AS currency, min(tx_id) AS tx_id
    FROM chain_transaction WHERE kind = 'payment' AND state <> 'failed' GROUP BY transfer_id
)
SELECT transfer_id, onchain.status, paid.payments, onchain.quantity, paid.quantity AS paid, count(*) OVER () AS total
FROM paid LEFT JOIN onchain_transfer AS onchain USING (transfer_id)
WHERE paid.payments > 1
   OR (paid.payment_id, paid.quantity, paid.currency)
      IS DISTINCT FROM (onchain.payment_id::text, onchain.quantity, onchain.currency)
   OR (onchain.status = 'completed' AND onchain.tx_id IS DISTINCT FROM paid.tx_id)
ORDER BY transfer_id
LIMIT %(limit)s

-- name: executed_settlement_posts_its_transfers
-- Compares network accounts only: an entry sums to zero, so the rest of it is the partner's.
WITH side AS (
    SELECT settlement_id, dispute_closure_id, connection_id, counterparty_connection_id AS other_id,
           network_account_id AS account_id, currency, quantity
    FROM settlement_transfer
    UNION ALL
    SELECT settlement_id, dispute_closure_id, counterparty_connection_id, connection_id,
           counterparty_account_id, currency, -quantity
    FROM settlement_transfer WHERE counterparty_connection_id IS NOT NULL
), final AS (
    SELECT side.settlement_id, side.account_id, side.currency, sum(side.quantity) AS quantity
    FROM side
    JOIN settlement ON settlement.id = side.settlement_id
    LEFT JOIN dispute_closure AS closure ON closure.id = side.dispute_closure_id
    WHERE settlement.settlement_type = 'offchain'
      AND (settlement.state = 'completed' OR (settlement.state = 'rejected' AND NOT settlement.closures_wait))
      AND CASE
          WHEN side.dispute_closure_id IS NOT NULL THEN closure.cancelled_at IS NULL
          ELSE settlement.state = 'completed'
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

-- name: settlement_holds_what_its_transfers_take
-- For each balance: the losses to each counterparty that still run, less what the taken closures bring.
WITH side AS (
    SELECT settlement_id, dispute_closure_id, connection_id, counterparty_connection_id AS other_id,
           network_account_id AS account_id, currency, quantity
    FROM settlement_transfer
    UNION ALL
    SELECT settlement_id, dispute_closure_id, counterparty_connection_id, connection_id,
           counterparty_account_id, currency, -quantity
    FROM settlement_transfer WHERE counterparty_connection_id IS NOT NULL
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
          ELSE settlement.state <> 'rejected'
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
-- An open dispute holds at most what its transfers would take. If two disputes concern one transfer, it counts for the
-- earlier one. A closed dispute holds exactly what the closure's transfers will take. A dispute of a rejected settlement
-- holds nothing for the settlement's own transfers.
WITH objection AS (
    SELECT dispute.id, dispute.settlement_id, dispute.connection_id, dispute.created_at, closure.id AS closure_id,
           closure.id IS NULL AS stands, coalesce(closure.closed_by = 'admin', false) AS upheld,
           dispute.settled_in_settlement_id IS NOT NULL AS settled
    FROM dispute
    JOIN settlement_party AS party USING (settlement_id, connection_id)
    LEFT JOIN dispute_closure AS closure ON closure.dispute_id = dispute.id AND closure.status = 'approved'
    WHERE NOT dispute.retracted AND party.disputed
), side AS (
    SELECT settlement_id, dispute_closure_id, connection_id, counterparty_connection_id AS other_id,
           network_account_id AS account_id, currency, quantity
    FROM settlement_transfer
    UNION ALL
    SELECT settlement_id, dispute_closure_id, counterparty_connection_id, connection_id,
           counterparty_account_id, currency, -quantity
    FROM settlement_transfer WHERE counterparty_connection_id IS NOT NULL
), kept_back AS (
    SELECT CASE WHEN theirs.stands IS NOT TRUE THEN own.id
                WHEN own.stands IS NOT TRUE THEN theirs.id
                WHEN (own.created_at, own.id) < (theirs.created_at, theirs.id) THEN own.id
                ELSE theirs.id
           END AS dispute_id,
           side.other_id, side.account_id, side.currency, -sum(side.quantity) AS quantity
    FROM side
    LEFT JOIN objection AS own
        ON (own.settlement_id, own.connection_id) = (side.settlement_id, side.connection_id)
    LEFT JOIN objection AS theirs
        ON (theirs.settlement_id, theirs.connection_id) = (side.settlement_id, side.other_id)
    JOIN settlement ON settlement.id = side.settlement_id AND settlement.state <> 'rejected'
    WHERE side.dispute_closure_id IS NULL AND (own.stands OR theirs.stands)
      AND own.upheld IS NOT TRUE AND theirs.upheld IS NOT TRUE
    GROUP BY 1, side.other_id, side.account_id, side.currency
    HAVING sum(side.quantity) < 0
), takes AS (
    SELECT dispute_id, account_id, currency, sum(quantity) AS most, 0 AS least
    FROM kept_back GROUP BY dispute_id, account_id, currency
    UNION ALL
    SELECT objection.id, side.account_id, side.currency, greatest(0, -sum(side.quantity)),
           greatest(0, -sum(side.quantity))
    FROM objection JOIN side ON side.dispute_closure_id = objection.closure_id
    WHERE NOT objection.settled
    GROUP BY objection.id, side.account_id, side.currency
), held AS (
    SELECT cause_id AS dispute_id, account_id, currency, quantity FROM hold WHERE cause_kind = 'dispute'
)
SELECT dispute_id, account_id, currency, held.quantity AS held, takes.least, takes.most, count(*) OVER () AS total
FROM takes FULL JOIN held USING (dispute_id, account_id, currency)
WHERE coalesce(held.quantity, 0) NOT BETWEEN coalesce(takes.least, 0) AND coalesce(takes.most, 0)
ORDER BY dispute_id, account_id, currency
LIMIT %(limit)s

-- name: settlement_event_is_for_its_clients
SELECT event.id AS event_id, event.subject_id AS settlement_id, event.clients,
       coalesce(involved.clients, 0) AS clients_involved, count(*) OVER () AS total
FROM event
LEFT JOIN (
    SELECT party.settlement_id, count(DISTINCT connection.client_id) AS clients
    FROM settlement_party AS party JOIN connection ON connection.id = party.connection_id
    GROUP BY party.settlement_id
) AS involved ON involved.settlement_id = event.subject_id
WHERE event.clients > 0 AND event.clients IS DISTINCT FROM involved.clients
ORDER BY event.sequence
LIMIT %(limit)s

-- name: transfer_has_its_party
SELECT transfer.id AS transfer_id, transfer.settlement_id, transfer.connection_id,
       transfer.counterparty_connection_id, count(*) OVER () AS total
FROM settlement_transfer AS transfer
LEFT JOIN settlement_party AS party USING (settlement_id, connection_id)
LEFT JOIN settlement_party AS counterparty
    ON (counterparty.settlement_id, counterparty.connection_id)
     = (transfer.settlement_id, transfer.counterparty_connection_id)
WHERE (transfer.settlement_id IS NOT NULL
       AND (party.settlement_id IS NULL
            OR (transfer.counterparty_connection_id IS NOT NULL AND counterparty.settlement_id IS NULL)))
   OR (transfer.settlement_id IS NULL AND transfer.dispute_closure_id IS NULL)
ORDER BY transfer.id
LIMIT %(limit)s

-- name: closure_is_assigned_as_its_dispute
WITH approved AS (
    SELECT id, dispute_id FROM dispute_closure WHERE status = 'approved'
)
SELECT dispute.id AS dispute_id, dispute.settled_in_settlement_id, approved.id AS dispute_closure_id,
       transfer.id AS transfer_id, transfer.settlement_id, count(*) OVER () AS total
FROM dispute
LEFT JOIN approved ON approved.dispute_id = dispute.id
LEFT JOIN settlement_transfer AS transfer ON transfer.dispute_closure_id = approved.id
WHERE (dispute.settled_in_settlement_id IS NOT NULL AND approved.id IS NULL)
   OR (transfer.id IS NOT NULL AND transfer.settlement_id IS DISTINCT FROM dispute.settled_in_settlement_id)
ORDER BY dispute.id, transfer.id
LIMIT %(limit)s
