-- Records that must agree with each other. Each statement finds the rows that violate one invariant (protocol §10).

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
        ELSE settlement.state <> 'rejected' AND settlement.withdrawn_at IS NULL
             AND NOT (party.disputed OR coalesce(counterparty.disputed, false))
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

-- name: transfer_is_of_its_connection
-- The partner of a transfer is that of its settlement or closure, and both its accounts are those of its connections.
SELECT transfer.id AS transfer_id, transfer.settlement_id, transfer.dispute_closure_id, transfer.connection_id,
       transfer.network_account_id, connection.network_account_id AS account_of_connection,
       transfer.counterparty_connection_id, transfer.counterparty_account_id,
       counterparty.network_account_id AS account_of_counterparty, transfer.partner_id,
       coalesce(settlement.partner_id, closure.partner_id) AS partner_of_settlement, count(*) OVER () AS total
FROM settlement_transfer AS transfer
LEFT JOIN connection ON connection.id = transfer.connection_id
LEFT JOIN connection AS counterparty ON counterparty.id = transfer.counterparty_connection_id
LEFT JOIN settlement ON settlement.id = transfer.settlement_id
LEFT JOIN dispute_closure AS closure ON closure.id = transfer.dispute_closure_id
WHERE (transfer.network_account_id, transfer.partner_id, transfer.partner_id)
      IS DISTINCT FROM (connection.network_account_id, connection.partner_id,
                        coalesce(settlement.partner_id, closure.partner_id))
   OR (transfer.counterparty_account_id, CASE WHEN counterparty.id IS NOT NULL THEN transfer.partner_id END)
      IS DISTINCT FROM (counterparty.network_account_id, counterparty.partner_id)
   OR closure.partner_id <> transfer.partner_id
ORDER BY transfer.id
LIMIT %(limit)s

-- name: party_is_of_its_settlement
SELECT party.settlement_id, party.connection_id, party.partner_id, settlement.partner_id AS partner_of_settlement,
       connection.partner_id AS partner_of_connection, party.dispute_deadline_at,
       settlement.dispute_deadline_at AS deadline_of_settlement, count(*) OVER () AS total
FROM settlement_party AS party
LEFT JOIN settlement ON settlement.id = party.settlement_id
LEFT JOIN connection ON connection.id = party.connection_id
WHERE (party.partner_id, party.partner_id, party.dispute_deadline_at)
      IS DISTINCT FROM (settlement.partner_id, connection.partner_id, settlement.dispute_deadline_at)
ORDER BY party.settlement_id, party.connection_id
LIMIT %(limit)s

-- name: record_names_its_partner
WITH named (record, id, partner_id, expected_id) AS (
    SELECT 'connection', connection.id, account.partner_id, connection.partner_id
    FROM connection LEFT JOIN account ON account.id = connection.network_account_id
    UNION ALL
    SELECT 'allocation', allocation.id, allocation.partner_id, connection.partner_id
    FROM allocation LEFT JOIN connection ON (connection.id, connection.client_id)
                                          = (allocation.connection_id, allocation.client_id)
    UNION ALL
    SELECT 'dispute', dispute.id, dispute.partner_id, settlement.partner_id
    FROM dispute LEFT JOIN settlement ON settlement.id = dispute.settlement_id
    UNION ALL
    SELECT 'settled dispute', dispute.id, dispute.partner_id, settlement.partner_id
    FROM dispute LEFT JOIN settlement ON settlement.id = dispute.settled_in_settlement_id
    WHERE dispute.settled_in_settlement_id IS NOT NULL
    UNION ALL
    SELECT 'dispute closure', closure.id, closure.partner_id, dispute.partner_id
    FROM dispute_closure AS closure LEFT JOIN dispute ON dispute.id = closure.dispute_id
    UNION ALL
    SELECT 'hold', hold.cause_id, hold.partner_id,
           CASE hold.cause_kind
               WHEN 'settlement' THEN settlement.partner_id
               WHEN 'dispute' THEN dispute.partner_id
               WHEN 'onchain_deposit' THEN deposit.partner_id
               WHEN 'withdrawal' THEN '00000000-0000-0000-0000-000000000000'
               ELSE allocation.partner_id
           END
    FROM hold
    LEFT JOIN settlement ON settlement.id = hold.cause_id
    LEFT JOIN dispute ON dispute.id = hold.cause_id
    LEFT JOIN onchain_deposit AS deposit ON deposit.id = hold.cause_id
    LEFT JOIN allocation ON allocation.id = hold.cause_id
    UNION ALL
    SELECT 'journal entry', entry.id, entry.partner_id,
           CASE
               WHEN entry.kind IN ('deposit', 'withdrawal', 'withdrawal_reserved', 'withdrawal_released')
                   THEN '00000000-0000-0000-0000-000000000000'
               WHEN entry.kind LIKE '%%allocation%%' THEN allocation.partner_id
               WHEN entry.kind LIKE 'dispute_closure%%' THEN closure.partner_id
               WHEN entry.kind = 'onchain_deposit_credited' THEN deposit.partner_id
               WHEN entry.kind = 'onchain_deposit_released' THEN reserved.partner_id
               ELSE settlement.partner_id
           END
    FROM ledger_entry AS entry
    LEFT JOIN allocation ON allocation.id = entry.cause_id
    LEFT JOIN dispute_closure AS closure ON closure.id = entry.cause_id
    LEFT JOIN onchain_deposit AS deposit ON deposit.id = entry.cause_id
    LEFT JOIN onchain_reservation AS reserved ON reserved.settlement_id = entry.cause_id
    LEFT JOIN settlement ON settlement.id = entry.cause_id
)
SELECT record, id, partner_id, expected_id, count(*) OVER () AS total
FROM named WHERE partner_id IS DISTINCT FROM expected_id
ORDER BY record, id
LIMIT %(limit)s

-- name: party_is_disputed_as_its_dispute_stood
-- The end of the window marks all parties whose disputes stand at once. A settlement that was rejected or withdrawn
-- before has none.
WITH stood AS (
    SELECT party.settlement_id, party.connection_id, party.disputed, settlement.state, settlement.withdrawn_at,
           dispute.id AS dispute_id,
           coalesce(NOT dispute.retracted, false) AS stands, dispute.created_at, dispute.retracted_at,
           party.dispute_deadline_at,
           bool_or(party.disputed) OVER (PARTITION BY party.settlement_id) AS any_disputed
    FROM settlement_party AS party
    JOIN settlement ON settlement.id = party.settlement_id
    LEFT JOIN dispute ON (dispute.settlement_id, dispute.connection_id) = (party.settlement_id, party.connection_id)
    WHERE party.disputed OR dispute.id IS NOT NULL
)
SELECT settlement_id, connection_id, state, disputed, dispute_id, stands, created_at, retracted_at,
       dispute_deadline_at, count(*) OVER () AS total
FROM stood
WHERE CASE
          WHEN state = 'dispute_window' OR withdrawn_at IS NOT NULL THEN disputed
          WHEN state = 'rejected' THEN disputed <> (stands AND any_disputed)
          ELSE disputed <> stands
      END
   OR created_at >= dispute_deadline_at OR retracted_at >= dispute_deadline_at
ORDER BY settlement_id, connection_id
LIMIT %(limit)s

-- name: open_settlement_is_due_by_its_deadline
-- A step that failed is due again after at most five minutes, and the chain is looked at again after ten at most, or when
-- an alert is due.
SELECT settlement.id AS settlement_id, settlement.state, settlement.due_at, settlement.dispute_deadline_at,
       settlement.top_up_deadline_at, settlement.attempts, count(*) OVER () AS total
FROM settlement
LEFT JOIN onchain_course AS course ON course.settlement_id = settlement.id
WHERE settlement.due_at > greatest(
        CASE WHEN settlement.state = 'dispute_window' AND settlement.attempts = 0 THEN settlement.dispute_deadline_at
             ELSE %(now)s::timestamptz + interval '5 minutes' END,
        CASE settlement.state
            WHEN 'dispute_window' THEN settlement.dispute_deadline_at
            WHEN 'top_up_window' THEN settlement.top_up_deadline_at
            WHEN 'rejected' THEN settlement.top_up_deadline_at
        END,
        CASE WHEN settlement.settlement_type = 'onchain'
             THEN greatest(%(now)s::timestamptz + interval '10 minutes', course.loss_alert_at, course.gain_alert_at) END)
   OR (settlement.state = 'dispute_window' AND settlement.due_at < settlement.dispute_deadline_at)
ORDER BY settlement.id
LIMIT %(limit)s

-- name: closure_adjusts_as_it_says
-- An operator's closure moves with the partner what it says. A client's says all that its connection's transfers moved in
-- the disputed settlement, and moves them, but those that the other side disputed too: they run with the last closure.
WITH approved AS (
    SELECT closure.id, closure.closed_by, closure.adjusted_transfers, dispute.settlement_id, dispute.connection_id
    FROM dispute_closure AS closure
    JOIN dispute ON dispute.id = closure.dispute_id
    WHERE closure.status = 'approved'
), original AS (
    SELECT approved.id AS closure_id, transfer.counterparty_connection_id AS other_id, transfer.currency,
           transfer.quantity
    FROM approved
    JOIN settlement_transfer AS transfer
      ON (transfer.settlement_id, transfer.connection_id) = (approved.settlement_id, approved.connection_id)
    WHERE approved.closed_by = 'client' AND transfer.dispute_closure_id IS NULL
    UNION ALL
    SELECT approved.id, transfer.connection_id, transfer.currency, -transfer.quantity
    FROM approved
    JOIN settlement_transfer AS transfer
      ON (transfer.settlement_id, transfer.counterparty_connection_id)
       = (approved.settlement_id, approved.connection_id)
    WHERE approved.closed_by = 'client' AND transfer.dispute_closure_id IS NULL
), said AS (
    -- As texts: a check reads what anybody may have written, and must not fail over it.
    SELECT approved.id AS closure_id, approved.closed_by, said.key AS currency, said.value AS quantity
    FROM approved
    CROSS JOIN LATERAL jsonb_each_text(
        CASE jsonb_typeof(adjusted_transfers) WHEN 'object' THEN adjusted_transfers ELSE '{"no object": ""}' END) AS said
), moved AS (
    SELECT transfer.dispute_closure_id AS closure_id, transfer.connection_id,
           transfer.counterparty_connection_id AS other_id, transfer.currency, sum(transfer.quantity)::text AS quantity
    FROM settlement_transfer AS transfer WHERE transfer.dispute_closure_id IS NOT NULL
    GROUP BY transfer.dispute_closure_id, transfer.connection_id, transfer.counterparty_connection_id, transfer.currency
), expected AS (
    SELECT said.closure_id, NULL::uuid AS other_id, said.currency, said.quantity
    FROM said WHERE said.closed_by = 'admin'
    UNION ALL
    SELECT closure_id, other_id, currency, sum(quantity)::text
    FROM original GROUP BY closure_id, other_id, currency HAVING sum(quantity) <> 0
), difference AS (
    SELECT expected.closure_id, expected.other_id, expected.currency, expected.quantity AS says, moved.quantity AS moves
    FROM expected
    LEFT JOIN moved
      ON moved.closure_id = expected.closure_id AND moved.currency = expected.currency
     AND moved.other_id IS NOT DISTINCT FROM expected.other_id
    LEFT JOIN approved ON approved.id = expected.closure_id
    LEFT JOIN settlement_party AS other
      ON (other.settlement_id, other.connection_id) = (approved.settlement_id, expected.other_id)
    WHERE expected.quantity IS DISTINCT FROM moved.quantity
      AND NOT (moved.quantity IS NULL AND coalesce(other.disputed, false))
    UNION ALL
    SELECT moved.closure_id, moved.other_id, moved.currency, NULL, moved.quantity
    FROM moved
    LEFT JOIN approved ON (approved.id, approved.connection_id) = (moved.closure_id, moved.connection_id)
    WHERE approved.id IS NULL
       OR NOT EXISTS (SELECT FROM expected
                      WHERE expected.closure_id = moved.closure_id AND expected.currency = moved.currency
                        AND expected.other_id IS NOT DISTINCT FROM moved.other_id)
    UNION ALL
    SELECT closure_id, NULL, currency, said.quantity, moves.quantity
    FROM (SELECT closure_id, currency, quantity FROM said WHERE closed_by = 'client') AS said
    FULL JOIN (SELECT closure_id, currency, sum(quantity)::text AS quantity FROM original
               GROUP BY closure_id, currency HAVING sum(quantity) <> 0) AS moves USING (closure_id, currency)
    WHERE said.quantity IS DISTINCT FROM moves.quantity
)
SELECT closure_id AS dispute_closure_id, other_id AS counterparty_connection_id, currency, says, moves,
       count(*) OVER () AS total
FROM difference
ORDER BY closure_id, other_id, currency
LIMIT %(limit)s
