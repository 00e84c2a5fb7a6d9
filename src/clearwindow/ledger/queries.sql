-- name: insert_account
INSERT INTO account (id, kind, partner_id, created_at) VALUES (%(id)s, %(kind)s, %(partner_id)s, %(now)s)

-- name: list_balances
SELECT account_id, currency, available, held FROM balance
WHERE account_id = ANY(%(account_ids)s) ORDER BY account_id, currency

-- name: add_missing_balances
INSERT INTO balance (account_id, currency, account_number, currency_number, available, held)
SELECT wanted.account_id, wanted.currency, account.number, currency.number, 0, 0
FROM unnest(%(account_ids)s::uuid[], %(currencies)s::text[]) AS wanted (account_id, currency)
LEFT JOIN balance USING (account_id, currency)
JOIN account ON account.id = wanted.account_id
JOIN currency ON currency.name = wanted.currency
WHERE balance.account_id IS NULL
ON CONFLICT DO NOTHING

-- name: lock_balances
-- All code locks balances in this order: Go Accounts, network accounts, the outside world.
SELECT balance.account_id, balance.currency, balance.available, balance.held
FROM balance
JOIN account ON account.id = balance.account_id
JOIN unnest(%(account_ids)s::uuid[], %(currencies)s::text[]) AS wanted (account_id, currency)
  ON (wanted.account_id, wanted.currency) = (balance.account_id, balance.currency)
ORDER BY array_position(ARRAY['go', 'network', 'outside'], account.kind), balance.account_id, balance.currency
FOR UPDATE OF balance

-- name: insert_entry
INSERT INTO ledger_entry (id, partner_id, kind, cause_id, reference, created_at)
VALUES (%(id)s, %(partner_id)s, %(kind)s, %(cause_id)s, %(reference)s, %(now)s)

-- columns: entry
-- The number of the entry that a statement posts, and whether it is of a settlement. NULL is refused.
(SELECT number FROM ledger_entry WHERE id = %(entry_id)s) AS entry_number,
           (SELECT kind IN ('settlement_held', 'settlement_executed', 'settlement_rejected')
            FROM ledger_entry WHERE id = %(entry_id)s) AS of_settlement

-- name: post_movements
-- Moves balances, and posts what moved, in the order of the key. Returns how many balances there were.
WITH movement AS (
    SELECT account_id, currency, sum(available) AS available, sum(held) AS held
    FROM unnest(%(account_ids)s::uuid[], %(currencies)s::text[], %(available)s::numeric[], %(held)s::numeric[])
        AS given (account_id, currency, available, held)
    GROUP BY account_id, currency
), moved AS (
    UPDATE balance
    SET available = balance.available + movement.available, held = balance.held + movement.held
    FROM movement
    WHERE (balance.account_id, balance.currency) = (movement.account_id, movement.currency)
    RETURNING balance.account_number, balance.currency_number, movement.available, movement.held
), posted AS (
    INSERT INTO entry_posting (entry_number, of_settlement, account_number, currency_number, available, held)
    SELECT {entry}, account_number, currency_number, available, held
    FROM moved WHERE available <> 0 OR held <> 0
    ORDER BY account_number, currency_number
)
SELECT count(*) FROM moved

-- name: put_holds
-- Sets each hold to the given quantity. Zero removes the hold.
WITH given AS (
    SELECT cause_id, cause_kind, partner_id, account_id, currency, quantity
    FROM unnest(%(cause_ids)s::uuid[], %(cause_kinds)s::text[], %(partner_ids)s::uuid[], %(account_ids)s::uuid[],
                %(currencies)s::text[], %(quantities)s::numeric[])
        AS hold (cause_id, cause_kind, partner_id, account_id, currency, quantity)
), dropped AS (
    DELETE FROM hold USING given
    WHERE (hold.cause_id, hold.account_id, hold.currency) = (given.cause_id, given.account_id, given.currency)
      AND given.quantity = 0
)
INSERT INTO hold (partner_id, cause_id, cause_kind, account_id, currency, quantity)
SELECT partner_id, cause_id, cause_kind, account_id, currency, quantity FROM given WHERE quantity > 0
ON CONFLICT (cause_id, account_id, currency) DO UPDATE SET quantity = excluded.quantity

-- name: reduce_holds
-- Reduces the holds of a cause by these quantities. Returns how many holds covered theirs.
WITH given AS (
    SELECT account_id, currency, quantity
    FROM unnest(%(account_ids)s::uuid[], %(currencies)s::text[], %(quantities)s::numeric[])
        AS given (account_id, currency, quantity)
), ended AS (
    DELETE FROM hold USING given
    WHERE hold.cause_id = %(cause_id)s AND hold.quantity = given.quantity
      AND (hold.account_id, hold.currency) = (given.account_id, given.currency)
    RETURNING 1
), reduced AS (
    UPDATE hold SET quantity = hold.quantity - given.quantity
    FROM given
    WHERE hold.cause_id = %(cause_id)s AND hold.quantity > given.quantity
      AND (hold.account_id, hold.currency) = (given.account_id, given.currency)
    RETURNING 1
)
SELECT (SELECT count(*) FROM ended) + (SELECT count(*) FROM reduced)

-- name: drop_holds
DELETE FROM hold WHERE cause_id = ANY(%(cause_ids)s)

-- name: list_holds
SELECT cause_id, account_id, currency, quantity FROM hold WHERE cause_id = ANY(%(cause_ids)s)

-- name: held_totals
SELECT currency, sum(quantity) AS quantity, count(*) AS holds FROM hold
WHERE cause_id = %(cause_id)s GROUP BY currency ORDER BY currency

-- name: list_holds_on
SELECT cause_id, account_id, currency, quantity FROM hold
WHERE cause_id = ANY(%(cause_ids)s) AND account_id = ANY(%(account_ids)s)

-- columns: entries_of_account
-- The numbers of the entries that move an account. Postings of settlements have no index by account: those of a network
-- account are found through the settlements in which its connection is a party, those of a partner's Go Account through
-- the partner's settlements.
SELECT posting.entry_number
    FROM account JOIN entry_posting AS posting ON posting.account_number = account.number
    WHERE account.id = %(account_id)s AND NOT posting.of_settlement
    UNION ALL
    SELECT entry.number
    FROM (
        SELECT party.settlement_id
        FROM connection JOIN settlement_party AS party ON party.connection_id = connection.id
        WHERE connection.network_account_id = %(account_id)s
        UNION ALL
        SELECT settlement.id
        FROM partner JOIN settlement ON settlement.partner_id = partner.id
        WHERE partner.go_account_id = %(account_id)s
    ) AS concerned
    JOIN ledger_entry AS entry ON entry.cause_id = concerned.settlement_id
    WHERE EXISTS (
        SELECT FROM account
        JOIN entry_posting AS posting
            ON (posting.entry_number, posting.account_number) = (entry.number, account.number)
        WHERE account.id = %(account_id)s AND posting.of_settlement
    )

-- name: list_entries
SELECT entry.id, entry.kind, entry.cause_id, entry.partner_id, entry.reference, entry.created_at,
       (SELECT coalesce(jsonb_agg(jsonb_build_object(
                    'accountKind', account.kind, 'accountId', account.id, 'currency', currency.name,
                    'bucket', part.bucket, 'quantity', part.quantity::text)
                ORDER BY account.id, currency.name, part.bucket), '[]')
        FROM entry_posting AS posting
        JOIN account ON account.number = posting.account_number
        JOIN currency ON currency.number = posting.currency_number
        CROSS JOIN LATERAL (VALUES ('available', posting.available), ('held', posting.held)) AS part (bucket, quantity)
        WHERE posting.entry_number = entry.number AND part.quantity <> 0) AS postings
FROM ledger_entry AS entry
WHERE (%(cause_id)s::uuid IS NULL OR entry.cause_id = %(cause_id)s)
  AND (%(account_id)s::uuid IS NULL OR entry.number IN ({entries_of_account}))
  AND (%(created_on_or_after)s::timestamptz IS NULL OR entry.created_at >= %(created_on_or_after)s)
  AND (%(created_before)s::timestamptz IS NULL OR entry.created_at < %(created_before)s)

-- relation: liability
SELECT account_id, currency, quantity AS needed FROM hold WHERE false

-- relation: dispute_target
SELECT cause_id AS dispute_id, 0::bigint AS rank, account_id, currency, quantity FROM hold WHERE false

-- relation: run
SELECT account_id, currency, quantity FROM hold WHERE false

-- relation: runs
SELECT cause_id AS settlement_id, account_id, currency, quantity FROM hold WHERE false

-- name: insert_entries
INSERT INTO ledger_entry (id, partner_id, kind, cause_id, reference, created_at)
SELECT id, %(partner_id)s, kind, cause_id, NULL, %(now)s
FROM unnest(%(ids)s::uuid[], %(kinds)s::text[], %(cause_ids)s::uuid[]) AS given (id, kind, cause_id)

-- columns: wanted
-- What must be held of each balance in place of the holds of former causes, and how much more that is.
SELECT account_id, currency, sum(needed) AS needed, sum(already) AS already, sum(needed - already) AS change
    FROM (
        SELECT account_id, currency, needed, 0 AS already FROM ({liability}) AS liability
        UNION ALL
        SELECT account_id, currency, 0, quantity FROM hold WHERE cause_id = ANY(%(former_cause_ids)s)
    ) AS part
    GROUP BY account_id, currency
    HAVING sum(needed) > 0 OR sum(already) > 0

-- name: coverage
-- What `hold_liabilities` would find: what must be held of each balance, and what is there for it.
SELECT wanted.account_id, wanted.currency, wanted.needed,
       coalesce(balance.available, 0) + wanted.already AS available,
       greatest(0, wanted.change - coalesce(balance.available, 0)) AS shortfall
FROM ({wanted}) AS wanted
LEFT JOIN balance ON (balance.account_id, balance.currency) = (wanted.account_id, wanted.currency)

-- name: hold_liabilities
-- Holds the amounts of `liability` for one cause, in place of the holds of former causes. Returns the liabilities that
-- the balance does not cover. If there is one, the caller must roll the transaction back. The update waits for others
-- who change a balance, and compares it with what they leave. So what is available is read in a statement of its own:
-- this one would still show what was there before it waited.
-- Sums bring the rows of one balance together, here and below, because the planner knows little of rows that this
-- transaction has written: from a wrong guess a sum stays linear, and a join of two such queries does not.
WITH wanted AS (
    {wanted}
), moved AS (
    UPDATE balance
    SET available = balance.available - wanted.change, held = balance.held + wanted.change
    FROM wanted
    WHERE (balance.account_id, balance.currency) = (wanted.account_id, wanted.currency)
      AND balance.available >= wanted.change
    RETURNING balance.account_id, balance.currency, balance.account_number, balance.currency_number,
              wanted.needed, wanted.change
), posted AS (
    INSERT INTO entry_posting (entry_number, of_settlement, account_number, currency_number, available, held)
    SELECT {entry}, account_number, currency_number, -change, change
    FROM moved WHERE change <> 0
    ORDER BY account_number, currency_number
), dropped AS (
    DELETE FROM hold WHERE cause_id = ANY(%(former_cause_ids)s)
), put AS (
    INSERT INTO hold (partner_id, cause_id, cause_kind, account_id, currency, quantity)
    SELECT %(partner_id)s, %(cause_id)s, %(cause_kind)s, account_id, currency, needed FROM moved WHERE needed > 0
), short AS (
    SELECT account_id, currency, max(needed) AS needed, max(already) AS already
    FROM (
        SELECT account_id, currency, needed, already, 1 AS side FROM wanted
        UNION ALL
        SELECT account_id, currency, needed, 0, -1 FROM moved
    ) AS part
    GROUP BY account_id, currency HAVING sum(side) > 0
)
SELECT account_id, currency, needed AS liability, already FROM short ORDER BY account_id, currency

-- name: replace_holds
-- Makes what a settlement holds equal to `liability`, and ends the holds of the given disputes. Returns the liabilities
-- that the balance does not cover. If there is one, the caller must roll the transaction back.
WITH wanted AS (
    SELECT account_id, currency, sum(needed) AS needed, sum(already) AS already, sum(needed - already) AS change
    FROM (
        SELECT account_id, currency, needed, 0 AS already FROM ({liability}) AS liability
        UNION ALL
        SELECT account_id, currency, 0, quantity FROM hold
        WHERE cause_id = %(cause_id)s OR cause_id = ANY(%(ended_cause_ids)s)
    ) AS part
    GROUP BY account_id, currency
    HAVING sum(needed) > 0 OR sum(already) > 0
), moved AS (
    UPDATE balance
    SET available = balance.available - wanted.change, held = balance.held + wanted.change
    FROM wanted
    WHERE (balance.account_id, balance.currency) = (wanted.account_id, wanted.currency)
      AND balance.available >= wanted.change
    RETURNING balance.account_id, balance.currency, balance.account_number, balance.currency_number,
              wanted.needed, wanted.change
), posted AS (
    INSERT INTO entry_posting (entry_number, of_settlement, account_number, currency_number, available, held)
    SELECT {entry}, account_number, currency_number, -change, change
    FROM moved WHERE change <> 0
    ORDER BY account_number, currency_number
), ended AS (
    DELETE FROM hold WHERE cause_id = ANY(%(ended_cause_ids)s)
), dropped AS (
    DELETE FROM hold USING wanted
    WHERE hold.cause_id = %(cause_id)s AND wanted.needed = 0
      AND (hold.account_id, hold.currency) = (wanted.account_id, wanted.currency)
), put AS (
    INSERT INTO hold (partner_id, cause_id, cause_kind, account_id, currency, quantity)
    SELECT %(partner_id)s, %(cause_id)s, %(cause_kind)s, account_id, currency, needed FROM moved WHERE needed > 0
    ON CONFLICT (cause_id, account_id, currency) DO UPDATE SET quantity = excluded.quantity
), short AS (
    SELECT account_id, currency, max(needed) AS needed, max(already) AS already
    FROM (
        SELECT account_id, currency, needed, already, 1 AS side FROM wanted
        UNION ALL
        SELECT account_id, currency, needed, 0, -1 FROM moved
    ) AS part
    GROUP BY account_id, currency HAVING sum(side) > 0
)
SELECT account_id, currency, needed AS liability, already FROM short ORDER BY account_id, currency

-- name: hand_holds_to_disputes
-- Moves holds of a settlement to the disputes in `dispute_target`: to each up to its quantity, lowest rank first. The
-- settlement keeps the rest.
WITH share AS (
    SELECT hold.account_id, hold.currency, hold.quantity AS held, target.dispute_id,
           least(target.quantity, hold.quantity - (target.up_to - target.quantity)) AS handed, target.up_to
    FROM hold
    JOIN (
        SELECT account_id, currency, dispute_id, quantity,
               sum(quantity) OVER (PARTITION BY account_id, currency ORDER BY rank) AS up_to
        FROM ({dispute_target}) AS dispute_target
    ) AS target USING (account_id, currency)
    WHERE hold.cause_id = %(settlement_id)s AND hold.quantity > target.up_to - target.quantity
), handed AS (
    INSERT INTO hold (partner_id, cause_id, cause_kind, account_id, currency, quantity)
    SELECT %(partner_id)s, dispute_id, 'dispute', account_id, currency, handed FROM share
), rest AS (
    SELECT account_id, currency, max(held) - sum(handed) AS keeps FROM share GROUP BY account_id, currency
), emptied AS (
    DELETE FROM hold USING rest
    WHERE hold.cause_id = %(settlement_id)s AND rest.keeps = 0
      AND (hold.account_id, hold.currency) = (rest.account_id, rest.currency)
)
UPDATE hold SET quantity = rest.keeps
FROM rest
WHERE hold.cause_id = %(settlement_id)s AND rest.keeps > 0
  AND (hold.account_id, hold.currency) = (rest.account_id, rest.currency)

-- name: lock_losing_balances
SELECT count(*) FROM (
    SELECT FROM balance JOIN ({run}) AS run USING (account_id, currency) WHERE run.quantity < 0 FOR UPDATE OF balance
) AS locked

-- name: uncovered_losses
-- A separate statement, so that it sees the balances as they are after they were locked.
SELECT run.account_id, run.currency, -run.quantity AS liability, coalesce(balance.available, 0) AS available
FROM ({run}) AS run LEFT JOIN balance USING (account_id, currency)
WHERE run.quantity < 0 AND coalesce(balance.available, 0) + run.quantity < 0
ORDER BY run.account_id, run.currency

-- name: settle_run
-- Executes `run`: releases what the settlement held on each balance, and adds the quantity, which is negative for a
-- loss. A gain first fills the holds of disputes up to the quantities of `dispute_target`, lowest rank first. The
-- partner's own account changes by the given quantities. A balance that does not exist yet is made by its gain; an
-- allocation may make it at the same time. Missing balances are looked for only if fewer moved than had to. Returns how
-- many balances had to move and how many moved.
WITH run AS MATERIALIZED (
    {run}
), settled AS (
    DELETE FROM hold WHERE cause_id = %(settlement_id)s RETURNING account_id, currency, quantity
), missing AS (
    SELECT target.account_id, target.currency, target.dispute_id, target.quantity - coalesce(hold.quantity, 0) AS quantity,
           sum(target.quantity - coalesce(hold.quantity, 0))
               OVER (PARTITION BY target.account_id, target.currency ORDER BY target.rank) AS up_to
    FROM ({dispute_target}) AS target
    LEFT JOIN hold ON (hold.cause_id, hold.account_id, hold.currency)
                    = (target.dispute_id, target.account_id, target.currency)
    WHERE target.quantity > coalesce(hold.quantity, 0)
), filling AS (
    SELECT account_id, currency, dispute_id, least(quantity, gained - (up_to - quantity)) AS quantity
    FROM (
        SELECT account_id, currency, dispute_id, quantity, up_to,
               max(gained) OVER (PARTITION BY account_id, currency) AS gained
        FROM (
            SELECT account_id, currency, dispute_id, quantity, up_to, NULL::numeric AS gained FROM missing
            UNION ALL
            SELECT account_id, currency, NULL, NULL, NULL, quantity FROM run
            WHERE quantity > 0 AND EXISTS (SELECT FROM missing)
        ) AS part
    ) AS beside
    WHERE dispute_id IS NOT NULL AND gained > up_to - quantity
), moving AS (
    SELECT account_id, currency, sum(available) AS available, sum(held) AS held
    FROM (
        SELECT account_id, currency, quantity AS available, -quantity AS held FROM settled
        UNION ALL
        SELECT account_id, currency, quantity, 0 FROM run
        UNION ALL
        SELECT account_id, currency, -quantity, quantity FROM filling
        UNION ALL
        SELECT %(partner_account_id)s, currency, quantity, 0
        FROM unnest(%(partner_currencies)s::text[], %(partner_quantities)s::numeric[]) AS given (currency, quantity)
    ) AS part
    GROUP BY account_id, currency
    HAVING sum(available) <> 0 OR sum(held) <> 0
), moved AS (
    UPDATE balance
    SET available = balance.available + moving.available, held = balance.held + moving.held
    FROM moving
    WHERE (balance.account_id, balance.currency) = (moving.account_id, moving.currency)
    RETURNING balance.account_number, balance.currency_number, moving.available, moving.held
), fresh AS MATERIALIZED (
    SELECT moving.account_id, moving.currency, account.number AS account_number,
           currency.number AS currency_number, moving.available, moving.held
    FROM moving LEFT JOIN balance USING (account_id, currency)
    JOIN account ON account.id = moving.account_id
    JOIN currency ON currency.name = moving.currency
    WHERE balance.account_id IS NULL AND (SELECT count(*) FROM moved) < (SELECT count(*) FROM moving)
), made AS (
    INSERT INTO balance (account_id, currency, account_number, currency_number, available, held)
    SELECT account_id, currency, account_number, currency_number, available, held FROM fresh
    ON CONFLICT (account_id, currency) DO UPDATE
    SET available = balance.available + excluded.available, held = balance.held + excluded.held
    RETURNING 1
), posted AS (
    INSERT INTO entry_posting (entry_number, of_settlement, account_number, currency_number, available, held)
    SELECT {entry}, account_number, currency_number, available, held
    FROM (SELECT account_number, currency_number, available, held FROM moved
          UNION ALL
          SELECT account_number, currency_number, available, held FROM fresh) AS part
    ORDER BY account_number, currency_number
), filled AS (
    INSERT INTO hold (partner_id, cause_id, cause_kind, account_id, currency, quantity)
    SELECT %(partner_id)s, dispute_id, 'dispute', account_id, currency, quantity FROM filling
    ON CONFLICT (cause_id, account_id, currency) DO UPDATE SET quantity = hold.quantity + excluded.quantity
)
SELECT (SELECT count(*) FROM moving) AS wanted,
       (SELECT count(*) FROM moved) + (SELECT count(*) FROM made) AS done

-- name: settle_each
-- Executes many settlements as `settle_run` does one, each with an entry of its own. A balance that several of them
-- move is moved once, by the sum. No dispute has a hold to fill.
WITH entry AS (
    SELECT ledger_entry.number, given.settlement_id
    FROM unnest(%(entry_ids)s::uuid[], %(cause_ids)s::uuid[]) AS given (entry_id, settlement_id)
    LEFT JOIN ledger_entry ON ledger_entry.id = given.entry_id
), run AS MATERIALIZED (
    {runs}
), settled AS (
    DELETE FROM hold WHERE cause_id = ANY(%(cause_ids)s)
    RETURNING cause_id AS settlement_id, account_id, currency, quantity
), moving AS (
    SELECT settlement_id, account_id, currency, sum(available) AS available, sum(held) AS held
    FROM (
        SELECT settlement_id, account_id, currency, quantity AS available, -quantity AS held FROM settled
        UNION ALL
        SELECT settlement_id, account_id, currency, quantity, 0 FROM run
        UNION ALL
        SELECT settlement_id, %(partner_account_id)s, currency, -quantity, 0 FROM run
    ) AS part
    GROUP BY settlement_id, account_id, currency
    HAVING sum(available) <> 0 OR sum(held) <> 0
), numbered AS MATERIALIZED (
    SELECT moving.settlement_id, moving.account_id, moving.currency, account.number AS account_number,
           currency.number AS currency_number, moving.available, moving.held
    FROM moving
    LEFT JOIN account ON account.id = moving.account_id
    LEFT JOIN currency ON currency.name = moving.currency
), total AS (
    SELECT account_id, currency, account_number, currency_number, sum(available) AS available, sum(held) AS held
    FROM numbered GROUP BY account_id, currency, account_number, currency_number
), moved AS (
    UPDATE balance
    SET available = balance.available + total.available, held = balance.held + total.held
    FROM total
    WHERE (balance.account_id, balance.currency) = (total.account_id, total.currency)
    RETURNING 1
), made AS (
    INSERT INTO balance (account_id, currency, account_number, currency_number, available, held)
    SELECT total.account_id, total.currency, total.account_number, total.currency_number, total.available, total.held
    FROM total LEFT JOIN balance USING (account_id, currency)
    WHERE balance.account_id IS NULL AND (SELECT count(*) FROM moved) < (SELECT count(*) FROM total)
    ON CONFLICT (account_id, currency) DO UPDATE
    SET available = balance.available + excluded.available, held = balance.held + excluded.held
    RETURNING 1
), posted AS (
    INSERT INTO entry_posting (entry_number, of_settlement, account_number, currency_number, available, held)
    SELECT entry.number, true, numbered.account_number, numbered.currency_number, numbered.available, numbered.held
    FROM numbered LEFT JOIN entry USING (settlement_id)
    ORDER BY entry.number, numbered.account_number, numbered.currency_number
)
SELECT (SELECT count(*) FROM total) AS wanted,
       (SELECT count(*) FROM moved) + (SELECT count(*) FROM made) AS done

-- name: release_holds
-- Releases everything that a cause holds, back to the available part of each balance.
WITH released AS (
    DELETE FROM hold WHERE cause_id = %(cause_id)s RETURNING account_id, currency, quantity
), moved AS (
    UPDATE balance
    SET available = balance.available + released.quantity, held = balance.held - released.quantity
    FROM released
    WHERE (balance.account_id, balance.currency) = (released.account_id, released.currency)
    RETURNING balance.account_number, balance.currency_number, released.quantity
), posted AS (
    INSERT INTO entry_posting (entry_number, of_settlement, account_number, currency_number, available, held)
    SELECT {entry}, account_number, currency_number, quantity, -quantity
    FROM moved
    ORDER BY account_number, currency_number
)
SELECT (SELECT count(*) FROM released) AS wanted, (SELECT count(*) FROM moved) AS done
