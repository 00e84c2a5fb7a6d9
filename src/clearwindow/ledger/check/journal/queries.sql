-- Balances and the journal. Each statement finds the rows that violate one invariant (protocol §10). All of them read
-- the tables of all rooms directly: a check that used the code it checks would repeat its mistakes.

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

-- name: balance_not_negative
SELECT balance.account_id, balance.currency, balance.available, balance.held, count(*) OVER () AS total
FROM balance JOIN account ON account.id = balance.account_id
WHERE balance.held < 0 OR (balance.available < 0 AND account.kind <> 'outside')
ORDER BY balance.account_id, balance.currency
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
