-- Balances and the journal. Each statement finds the rows that violate one invariant (protocol §10). All of them read
-- the tables of all rooms directly: a check that used the code it checks would repeat its mistakes.

-- name: balance_equals_its_postings
-- A balance also keeps the numbers of its account and its currency, under which it is posted.
WITH posted AS (
    SELECT account.id AS account_id, currency.name AS currency, sums.available, sums.held
    FROM (SELECT account_number, currency_number, sum(available) AS available, sum(held) AS held
          FROM entry_posting GROUP BY account_number, currency_number) AS sums
    LEFT JOIN account ON account.number = sums.account_number
    LEFT JOIN currency ON currency.number = sums.currency_number
), kept AS (
    SELECT balance.account_id, balance.currency, balance.available, balance.held,
           (balance.account_number, balance.currency_number) = (account.number, currency.number) AS numbered
    FROM balance
    LEFT JOIN account ON account.id = balance.account_id
    LEFT JOIN currency ON currency.name = balance.currency
)
SELECT account_id, currency, kept.available, posted.available AS posted_available, kept.held,
       posted.held AS posted_held, count(*) OVER () AS total
FROM kept FULL JOIN posted USING (account_id, currency)
WHERE (coalesce(kept.available, 0), coalesce(kept.held, 0))
      <> (coalesce(posted.available, 0), coalesce(posted.held, 0))
   OR (kept.account_id IS NOT NULL AND kept.numbered IS NOT TRUE)
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
SELECT entry.id AS entry_id, sums.entry_number, currency.name AS currency, sums.sum, count(*) OVER () AS total
FROM (SELECT entry_number, currency_number, sum(available + held) AS sum
      FROM entry_posting GROUP BY entry_number, currency_number HAVING sum(available + held) <> 0) AS sums
LEFT JOIN ledger_entry AS entry ON entry.number = sums.entry_number
LEFT JOIN currency ON currency.number = sums.currency_number
ORDER BY sums.entry_number, sums.currency_number
LIMIT %(limit)s

-- name: posting_has_its_entry
SELECT posting.entry_number, entry.id AS entry_id, posting.account_number, account.id AS account_id,
       posting.currency_number, currency.name AS currency, posting.available, posting.held, posting.of_settlement,
       count(*) OVER () AS total
FROM entry_posting AS posting
LEFT JOIN ledger_entry AS entry ON entry.number = posting.entry_number
LEFT JOIN account ON account.number = posting.account_number
LEFT JOIN currency ON currency.number = posting.currency_number
WHERE account.id IS NULL OR currency.name IS NULL
   OR posting.of_settlement
      IS DISTINCT FROM (entry.kind IN ('settlement_held', 'settlement_executed', 'settlement_rejected'))
ORDER BY posting.entry_number, posting.account_number, posting.currency_number
LIMIT %(limit)s
