-- columns: pause
id, kind, partner_id, client_id, currency, go_account_id, reason, paused_by, paused_at, resume_asked_by,
       resume_asked_at, resume_reason, resumed_by, resumed_at, resumed_alone

-- name: lock_pauses
-- Waits for everybody who reads pauses in order to write, and lets nobody begin to. Other reads go on.
LOCK TABLE pause IN EXCLUSIVE MODE

-- name: first_standing
-- FOR KEY SHARE locks the table, too, before the statement sees anything: no pause can be made until the caller ends.
SELECT id FROM pause WHERE resumed_at IS NULL LIMIT 1 FOR KEY SHARE

-- name: standing_among
-- Like the next ones, after `first_standing`, so that it has the lock already.
SELECT {pause}
FROM pause
WHERE resumed_at IS NULL
  AND (kind = 'network' OR partner_id = ANY(%(partner_ids)s::uuid[]) OR client_id = ANY(%(client_ids)s::uuid[])
       OR currency = ANY(%(currencies)s::text[]) OR go_account_id = ANY(%(go_account_ids)s::uuid[]))
ORDER BY paused_at, id

-- name: standing_for_settlement
-- For all that a settlement touches. Its rows may be the caller's own.
SELECT {pause}
FROM pause
WHERE resumed_at IS NULL
  AND EXISTS (SELECT FROM paused_settlement AS paused
              WHERE paused.settlement_id = %(settlement_id)s AND paused.pause_id = pause.id)
ORDER BY paused_at, id

-- name: standing_for_amounts
-- For a settlement that is not stored, by what paused_settlement says of stored ones. Without a lock: for readers.
SELECT {pause}
FROM pause
WHERE resumed_at IS NULL
  AND CASE kind
      WHEN 'network' THEN true
      WHEN 'partner' THEN partner_id = %(partner_id)s
      WHEN 'currency' THEN currency = ANY(%(currencies)s::text[])
      WHEN 'client' THEN EXISTS (
          SELECT FROM connection
          WHERE connection.id = ANY(%(connection_ids)s::uuid[]) AND connection.client_id = pause.client_id)
      WHEN 'account' THEN EXISTS (
          SELECT FROM partner WHERE partner.id = %(partner_id)s AND partner.go_account_id = pause.go_account_id)
          OR EXISTS (
              SELECT FROM connection
              JOIN client ON client.id = connection.client_id
              WHERE connection.id = ANY(%(connection_ids)s::uuid[]) AND client.go_account_id = pause.go_account_id)
      END
ORDER BY paused_at, id

-- name: paused_settlements
SELECT DISTINCT settlement_id FROM paused_settlement WHERE settlement_id = ANY(%(settlement_ids)s::uuid[])

-- name: standing_for_allocation
-- For a reserved allocation.
SELECT {pause}
FROM pause
WHERE resumed_at IS NULL
  AND EXISTS (SELECT FROM paused_allocation AS paused
              WHERE paused.allocation_id = %(allocation_id)s AND paused.pause_id = pause.id)
ORDER BY paused_at, id

-- name: standing_for_account
-- For a movement of one currency between a Go Account and the outside. A paused client or partner stops it
-- if the account is its own.
SELECT {pause}
FROM pause
WHERE resumed_at IS NULL
  AND (kind = 'network' OR currency = %(currency)s OR go_account_id = %(go_account_id)s
       OR client_id IN (SELECT id FROM client WHERE client.go_account_id = %(go_account_id)s)
       OR partner_id IN (SELECT id FROM partner WHERE partner.go_account_id = %(go_account_id)s))
ORDER BY paused_at, id

-- name: seen_for_account
-- The same for all currencies, for readers: it takes no lock.
SELECT {pause}
FROM pause
WHERE resumed_at IS NULL
  AND (kind IN ('network', 'currency') OR go_account_id = %(go_account_id)s
       OR client_id IN (SELECT id FROM client WHERE client.go_account_id = %(go_account_id)s)
       OR partner_id IN (SELECT id FROM partner WHERE partner.go_account_id = %(go_account_id)s))
ORDER BY paused_at, id

-- name: is_subject_known
SELECT CASE %(kind)s::text
           WHEN 'partner' THEN EXISTS (SELECT FROM partner WHERE id = %(partner_id)s::uuid)
           WHEN 'client' THEN EXISTS (SELECT FROM client WHERE id = %(client_id)s::uuid)
           WHEN 'currency' THEN EXISTS (SELECT FROM currency WHERE name = %(currency)s::text)
           WHEN 'account' THEN EXISTS (SELECT FROM go_account WHERE account_id = %(go_account_id)s::uuid)
           ELSE true
       END

-- name: find_standing
SELECT {pause}
FROM pause
WHERE resumed_at IS NULL AND kind = %(kind)s
  AND (partner_id, client_id, currency, go_account_id)
      IS NOT DISTINCT FROM (%(partner_id)s::uuid, %(client_id)s::uuid, %(currency)s::text, %(go_account_id)s::uuid)

-- name: insert_pause
INSERT INTO pause (id, kind, partner_id, client_id, currency, go_account_id, reason, paused_by, paused_at)
VALUES (%(id)s, %(kind)s, %(partner_id)s, %(client_id)s, %(currency)s, %(go_account_id)s, %(reason)s, %(paused_by)s,
        %(paused_at)s)

-- name: find_pause
SELECT {pause}
FROM pause WHERE id = %(id)s

-- name: lock_pause
SELECT {pause}
FROM pause WHERE id = %(id)s FOR NO KEY UPDATE

-- name: update_pause
UPDATE pause
SET resume_asked_by = %(resume_asked_by)s, resume_asked_at = %(resume_asked_at)s, resume_reason = %(resume_reason)s,
    resumed_by = %(resumed_by)s, resumed_at = %(resumed_at)s, resumed_alone = %(resumed_alone)s
WHERE id = %(id)s AND resumed_at IS NULL

-- name: list_pauses
SELECT {pause}
FROM pause
WHERE (%(kinds)s::text[] IS NULL OR kind = ANY(%(kinds)s))
  AND (%(standing)s::boolean IS NULL OR (resumed_at IS NULL) = %(standing)s)
  AND (%(created_on_or_after)s::timestamptz IS NULL OR paused_at >= %(created_on_or_after)s)
  AND (%(created_before)s::timestamptz IS NULL OR paused_at < %(created_before)s)

-- name: count_standing
SELECT kind, count(*) AS count FROM pause WHERE resumed_at IS NULL GROUP BY kind ORDER BY kind

-- name: list_concerned
-- Who learns of a pause: all, if it is of the network; else the owner, and the other side of each of its connections. A
-- currency concerns the partners that use it, their clients, and everybody who has some of it.
WITH side AS (
    SELECT partner.id AS partner_id, partner.enterprise_id AS partner_enterprise,
           partner.go_account_id AS partner_account, client.id AS client_id,
           client.enterprise_id AS client_enterprise, client.go_account_id AS client_account
    FROM connection
    JOIN partner ON partner.id = connection.partner_id
    JOIN client ON client.id = connection.client_id
), concerned AS (
    SELECT id AS enterprise_id FROM enterprise WHERE %(kind)s = 'network'
    UNION SELECT enterprise_id FROM partner WHERE id = %(partner_id)s::uuid
    UNION SELECT enterprise_id FROM client WHERE id = %(client_id)s::uuid
    UNION SELECT enterprise_id FROM go_account WHERE account_id = %(go_account_id)s::uuid
    UNION SELECT client_enterprise FROM side
    WHERE partner_id = %(partner_id)s::uuid OR partner_account = %(go_account_id)s::uuid
    UNION SELECT partner_enterprise FROM side
    WHERE client_id = %(client_id)s::uuid OR client_account = %(go_account_id)s::uuid
    UNION SELECT enterprise_id FROM partner_currency WHERE currency = %(currency)s::text
    UNION SELECT side.client_enterprise FROM side
    JOIN partner_currency ON partner_currency.enterprise_id = side.partner_enterprise
    WHERE partner_currency.currency = %(currency)s::text
    UNION SELECT go_account.enterprise_id FROM balance
    JOIN go_account ON go_account.account_id = balance.account_id
    WHERE balance.currency = %(currency)s::text
)
SELECT enterprise_id,
       EXISTS (SELECT FROM go_account
               WHERE account_id = %(go_account_id)s::uuid
                 AND go_account.enterprise_id = concerned.enterprise_id) AS owns
FROM concerned ORDER BY enterprise_id
