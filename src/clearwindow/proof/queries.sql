-- What must always hold (protocol §10), each as the rows that break it. Every statement reads tables of all nouns on
-- purpose: a proof that went through the code it checks would share its mistakes.

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
    SELECT currency, sum(CASE kind WHEN 'deposit' THEN quantity ELSE -quantity END) AS quantity
    FROM custody_movement GROUP BY currency
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
 AND settlement.state NOT IN ('completed', 'rejected')
LEFT JOIN dispute
  ON (dispute.id, hold.cause_kind) = (hold.cause_id, 'dispute')
 AND NOT dispute.retracted AND dispute.settled_in_settlement_id IS NULL
WHERE coalesce(allocation.id, settlement.id, dispute.id) IS NULL
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
    WHERE transfer.dispute_closure_id IS NOT NULL OR NOT party.disputed
    GROUP BY transfer.settlement_id
)
SELECT settlement_id, settlement.state, coalesce(executed.entries, 0) AS executed,
       coalesce(final.transfers, 0) AS final_transfers, count(*) OVER () AS total
FROM (SELECT id AS settlement_id, state FROM settlement) AS settlement
FULL JOIN executed USING (settlement_id)
LEFT JOIN final USING (settlement_id)
WHERE coalesce(executed.entries, 0) NOT BETWEEN
      CASE WHEN settlement.state = 'completed' AND final.transfers IS NOT NULL THEN 1 ELSE 0 END
  AND CASE WHEN settlement.state = 'completed' THEN 1 ELSE 0 END
ORDER BY settlement_id
LIMIT %(limit)s

-- name: transfer_has_its_party
SELECT transfer.id AS transfer_id, transfer.settlement_id, transfer.connection_id, count(*) OVER () AS total
FROM settlement_transfer AS transfer
LEFT JOIN settlement_party AS party USING (settlement_id, connection_id)
WHERE (transfer.settlement_id IS NOT NULL AND party.settlement_id IS NULL)
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
