-- name: find_account
SELECT account.id, account.number, account.kind,
       coalesce(go_account.enterprise_id, client.enterprise_id) AS enterprise_id,
       coalesce(go_account.label, connection.name) AS label, connection.id AS connection_id,
       partner.enterprise_id AS partner_enterprise_id
FROM account
LEFT JOIN go_account ON go_account.account_id = account.id
LEFT JOIN connection ON connection.network_account_id = account.id
LEFT JOIN client ON client.id = connection.client_id
LEFT JOIN partner ON partner.id = connection.partner_id
WHERE account.id = %(id)s AND account.kind <> 'outside'

-- columns: posted
-- What entries changed of an account. Postings of settlements have no index by account: those of a network account are
-- found through the settlements in which its connection is a party, those of a partner's Go Account through the
-- partner's settlements. A settlement's entries are not older than the settlement, and hardly younger than its last
-- change: a day leaves room for the longest transaction.
SELECT entry.id, entry.number, entry.kind, entry.cause_id, entry.reference, entry.created_at, posting.currency_number,
           posting.available, posting.held
    FROM entry_posting AS posting
    JOIN ledger_entry AS entry ON entry.number = posting.entry_number
    WHERE posting.account_number = %(account_number)s AND NOT posting.of_settlement
      AND (%(on_or_after)s::timestamptz IS NULL OR entry.created_at >= %(on_or_after)s)
      AND (%(before)s::timestamptz IS NULL OR entry.created_at < %(before)s)
    UNION ALL
    SELECT entry.id, entry.number, entry.kind, entry.cause_id, entry.reference, entry.created_at,
           posting.currency_number, posting.available, posting.held
    FROM (
        SELECT party.settlement_id
        FROM settlement_party AS party WHERE party.connection_id = %(connection_id)s
        UNION ALL
        SELECT settlement.id
        FROM partner JOIN settlement ON settlement.partner_id = partner.id
        WHERE partner.go_account_id = %(account_id)s
    ) AS concerned
    JOIN settlement ON settlement.id = concerned.settlement_id
    JOIN ledger_entry AS entry ON entry.cause_id = settlement.id
    JOIN entry_posting AS posting
      ON (posting.entry_number, posting.account_number) = (entry.number, %(account_number)s)
    WHERE posting.of_settlement
      AND (%(on_or_after)s::timestamptz IS NULL
           OR (entry.created_at >= %(on_or_after)s::timestamptz
               AND settlement.updated_at >= %(on_or_after)s::timestamptz - interval '1 day'))
      AND (%(before)s::timestamptz IS NULL
           OR (entry.created_at < %(before)s AND settlement.created_at < %(before)s))

-- name: list_entries
SELECT posted.id, posted.number, posted.kind, posted.cause_id, posted.reference, posted.created_at,
       currency.name AS currency, posted.available, posted.held
FROM ({posted}) AS posted
JOIN currency ON currency.number = posted.currency_number
WHERE (%(currencies)s::text[] IS NULL OR currency.name = ANY(%(currencies)s))
  AND (%(kinds)s::text[] IS NULL OR posted.kind = ANY(%(kinds)s))

-- name: moved
-- What was changed of each currency since one moment, and since a later one.
SELECT currency.name AS currency, sum(posted.available) AS available, sum(posted.held) AS held,
       coalesce(sum(posted.available) FILTER (WHERE posted.created_at >= %(closing_at)s), 0) AS available_later,
       coalesce(sum(posted.held) FILTER (WHERE posted.created_at >= %(closing_at)s), 0) AS held_later
FROM ({posted}) AS posted
JOIN currency ON currency.number = posted.currency_number
GROUP BY currency.name

-- columns: partners
-- The partner of a network account, or the one whose Go Account it is.
SELECT connection.partner_id FROM connection WHERE connection.id = %(connection_id)s
        UNION ALL
        SELECT partner.id FROM partner WHERE partner.go_account_id = %(account_id)s

-- name: list_held
-- Holds of settlements have no index by account. They are found by the partner's open settlements.
SELECT cause_kind AS cause, cause_id, currency, quantity, count(*) OVER () AS total
FROM (
    SELECT cause_kind, cause_id, currency, quantity FROM hold
    WHERE account_id = %(account_id)s AND cause_kind <> 'settlement'
    UNION ALL
    SELECT hold.cause_kind, hold.cause_id, hold.currency, hold.quantity
    FROM settlement
    JOIN hold ON hold.cause_id = settlement.id AND hold.account_id = %(account_id)s
    WHERE settlement.partner_id IN ({partners}) AND hold.cause_kind = 'settlement'
      AND (settlement.state NOT IN ('completed', 'rejected') OR settlement.closures_wait)
) AS held
ORDER BY currency, quantity DESC, cause_id
LIMIT %(limit)s OFFSET %(offset)s

-- name: list_causes
-- What entries and holds are for. A deposit or withdrawal is its own cause, and is not among them.
SELECT settlement.id, settlement.id AS settlement_id, NULL::uuid AS dispute_id, settlement.external_id,
       partner.name AS partner_name
FROM settlement JOIN partner ON partner.id = settlement.partner_id
WHERE settlement.id = ANY(%(ids)s)
UNION ALL
SELECT allocation.id, NULL, NULL, allocation.client_external_id, partner.name
FROM allocation JOIN partner ON partner.id = allocation.partner_id
WHERE allocation.id = ANY(%(ids)s)
UNION ALL
SELECT dispute.id, settlement.id, dispute.id, settlement.external_id, partner.name
FROM dispute
JOIN settlement ON settlement.id = dispute.settlement_id
JOIN partner ON partner.id = settlement.partner_id
WHERE dispute.id = ANY(%(ids)s)
UNION ALL
SELECT closure.id, settlement.id, dispute.id, settlement.external_id, partner.name
FROM dispute_closure AS closure
JOIN dispute ON dispute.id = closure.dispute_id
JOIN settlement ON settlement.id = dispute.settlement_id
JOIN partner ON partner.id = settlement.partner_id
WHERE closure.id = ANY(%(ids)s)
UNION ALL
SELECT deposit.id, deposit.settlement_id, NULL, deposit.external_settlement_id, partner.name
FROM onchain_deposit AS deposit JOIN partner ON partner.id = deposit.partner_id
WHERE deposit.id = ANY(%(ids)s)

-- name: list_net_orders
-- What each pair of a settlement pays the other of each currency, if disputes stay as they are: + the connection gets.
-- A pair of two connections stands once, at the lower of their ids. A client (`own`) sees all other clients as one.
SELECT party.connection_id, connection.network_account_id AS account_id, net.other_id,
       other.network_account_id AS other_account_id, net.currency, net.quantity, net.transfers
FROM settlement
JOIN settlement_party AS party ON party.settlement_id = settlement.id
JOIN connection ON connection.id = party.connection_id
CROSS JOIN LATERAL (
    SELECT CASE
               WHEN leg.counterparty_connection_id IS NULL THEN %(partner)s::uuid
               WHEN %(own)s::uuid[] IS NULL THEN leg.counterparty_connection_id
               ELSE %(another)s::uuid
           END AS other_id,
           leg.currency, sum(leg.quantity) AS quantity, count(*) AS transfers
    FROM settlement_leg AS leg
    LEFT JOIN settlement_party AS theirs
      ON (theirs.settlement_id, theirs.connection_id) = (leg.settlement_id, leg.counterparty_connection_id)
    LEFT JOIN dispute_closure AS closure ON closure.id = leg.dispute_closure_id
    WHERE leg.settlement_id = settlement.id AND leg.connection_id = party.connection_id
      AND (%(own)s::uuid[] IS NOT NULL OR leg.counterparty_connection_id IS NULL
           OR leg.counterparty_connection_id > leg.connection_id)
      AND CASE
              WHEN leg.dispute_closure_id IS NOT NULL THEN closure.cancelled_at IS NULL
              ELSE settlement.state <> 'rejected' AND settlement.withdrawn_at IS NULL
                   AND NOT (party.disputed OR coalesce(theirs.disputed, false))
          END
    GROUP BY 1, 2
    HAVING sum(leg.quantity) <> 0
) AS net
LEFT JOIN connection AS other ON other.id = net.other_id
WHERE settlement.id = %(settlement_id)s
  AND (%(own)s::uuid[] IS NULL OR party.connection_id = ANY(%(own)s))
  AND (%(currencies)s::text[] IS NULL OR net.currency = ANY(%(currencies)s))
