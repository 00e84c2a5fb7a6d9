-- name: holds_of_account
-- The largest holds of each currency of an account, and how many there are. Holds of settlements are found by the
-- partner's open settlements.
WITH held AS (
    SELECT cause_kind, cause_id, currency, quantity FROM hold
    WHERE account_id = %(account_id)s AND cause_kind <> 'settlement'
    UNION ALL
    SELECT hold.cause_kind, hold.cause_id, hold.currency, hold.quantity
    FROM settlement
    JOIN hold ON hold.cause_id = settlement.id AND hold.account_id = %(account_id)s
    WHERE settlement.partner_id = %(partner_id)s AND hold.cause_kind = 'settlement'
      AND (settlement.state NOT IN ('completed', 'rejected') OR settlement.closures_wait)
)
SELECT cause_kind AS cause, cause_id, currency, quantity, hold_count
FROM (
    SELECT cause_kind, cause_id, currency, quantity, count(*) OVER (PARTITION BY currency) AS hold_count,
           row_number() OVER (PARTITION BY currency ORDER BY quantity DESC, cause_id) AS place
    FROM held
) AS placed
WHERE place <= %(most)s
ORDER BY currency, place
