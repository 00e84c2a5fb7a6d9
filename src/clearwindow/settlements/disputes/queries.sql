-- columns: closure
id, partner_id, dispute_id, status, closed_by, user_id, notes, adjusted_transfers, request_sha256, reviewed_by,
       review_notes, reviewed_at, created_at, updated_at, cancelled_at, token_made_by, claimed_transfers,
       -- Only a closure from before evidence was kept has its own.
       coalesce(payload, (SELECT kept.payload FROM signed_request AS kept
                          WHERE kept.subject_id = dispute_closure.id
                            AND kept.request_sha256 = dispute_closure.request_sha256)) AS payload,
       coalesce(signature, (SELECT kept.signature FROM signed_request AS kept
                            WHERE kept.subject_id = dispute_closure.id
                              AND kept.request_sha256 = dispute_closure.request_sha256)) AS signature

-- columns: dispute
id, partner_id, settlement_id, connection_id, user_id, reason, expected_transfers, retracted, retracted_by,
       retracted_at, retracted_reason, settled_in_settlement_id, created_at, updated_at, client_hands

-- name: insert_dispute
INSERT INTO dispute (id, partner_id, settlement_id, connection_id, user_id, reason, expected_transfers, retracted,
                     created_at, updated_at, raised_with, client_hands)
VALUES (%(id)s, %(partner_id)s, %(settlement_id)s, %(connection_id)s, %(user_id)s, %(reason)s,
        %(expected_transfers)s, false, %(now)s, %(now)s, %(raised_with)s, %(client_hands)s)

-- name: find_raised_with
SELECT raised_with FROM dispute WHERE id = %(id)s

-- name: find_dispute
SELECT {dispute}
FROM dispute WHERE id = %(id)s

-- name: lock_dispute
SELECT {dispute}
FROM dispute WHERE id = %(id)s FOR UPDATE

-- name: find_dispute_of_party
SELECT {dispute}
FROM dispute WHERE settlement_id = %(settlement_id)s AND connection_id = %(connection_id)s

-- name: retract_dispute
UPDATE dispute
SET retracted = true, retracted_by = %(user_id)s, retracted_at = %(now)s, retracted_reason = %(reason)s,
    updated_at = %(now)s
WHERE id = %(id)s AND NOT retracted

-- name: restore_dispute
UPDATE dispute
SET retracted = false, retracted_by = NULL, retracted_at = NULL, retracted_reason = NULL,
    reason = coalesce(%(reason)s, reason),
    expected_transfers = coalesce(%(expected_transfers)s, expected_transfers), updated_at = %(now)s
WHERE id = %(id)s

-- name: touch_dispute
UPDATE dispute SET updated_at = %(now)s WHERE id = %(id)s

-- name: add_client_hand
UPDATE dispute SET client_hands = client_hands || %(operator_id)s::uuid
WHERE id = %(id)s AND NOT %(operator_id)s::uuid = ANY(client_hands)

-- name: client_hands_in
-- Of the disputes about the settlement, and of those whose closures it has taken.
SELECT DISTINCT unnest(client_hands) FROM dispute
WHERE %(settlement_id)s::uuid IN (settlement_id, settled_in_settlement_id)

-- name: client_hands_of_closure
SELECT unnest(dispute.client_hands)
FROM dispute_closure JOIN dispute ON dispute.id = dispute_closure.dispute_id WHERE dispute_closure.id = %(id)s

-- name: insert_closure
INSERT INTO dispute_closure (id, partner_id, dispute_id, status, closed_by, user_id, notes, adjusted_transfers,
                             request_sha256, created_at, updated_at, token_made_by, claimed_transfers)
VALUES (%(id)s, %(partner_id)s, %(dispute_id)s, 'pending_review', %(closed_by)s, %(user_id)s, %(notes)s,
        %(adjusted_transfers)s, %(request_sha256)s, %(now)s, %(now)s, %(token_made_by)s, %(claimed_transfers)s)

-- name: find_closure
SELECT {closure}
FROM dispute_closure WHERE id = %(id)s

-- name: find_closure_of_request
SELECT {closure}
FROM dispute_closure WHERE dispute_id = %(dispute_id)s AND request_sha256 = %(request_sha256)s
ORDER BY created_at DESC, id DESC LIMIT 1

-- name: standing_closures
SELECT {closure}
FROM dispute_closure WHERE dispute_id = ANY(%(dispute_ids)s) AND status <> 'rejected'

-- name: review_closure
UPDATE dispute_closure
SET status = %(status)s, reviewed_by = %(reviewed_by)s, review_notes = %(review_notes)s, reviewed_at = %(now)s,
    updated_at = %(now)s
WHERE id = %(id)s AND status = 'pending_review'

-- name: cancel_closure
UPDATE dispute_closure SET cancelled_at = %(now)s, updated_at = %(now)s
WHERE id = %(id)s AND status = 'approved' AND cancelled_at IS NULL

-- name: settles_disputes
SELECT EXISTS (SELECT FROM dispute WHERE settled_in_settlement_id = %(settlement_id)s)

-- columns: approved_closure
SELECT dispute.id AS dispute_id, closure.id AS closure_id, dispute.connection_id,
       dispute.settlement_id AS disputed_settlement_id
FROM dispute
JOIN dispute_closure AS closure ON closure.dispute_id = dispute.id AND closure.status = 'approved'
WHERE dispute.partner_id = %(partner_id)s AND dispute.settled_in_settlement_id IS NULL AND NOT dispute.retracted
ORDER BY dispute.id

-- name: approved_closures
{approved_closure}

-- name: lock_approved_closures
{approved_closure}
FOR UPDATE OF dispute

-- name: set_settled_in
UPDATE dispute SET settled_in_settlement_id = %(settlement_id)s, updated_at = %(now)s
WHERE id = ANY(%(dispute_ids)s) AND settled_in_settlement_id IS NULL

-- name: objections
SELECT dispute.id AS dispute_id, dispute.connection_id, closure.closed_by
FROM dispute
LEFT JOIN dispute_closure AS closure ON closure.dispute_id = dispute.id AND closure.status = 'approved'
WHERE dispute.settlement_id = %(settlement_id)s AND NOT dispute.retracted
ORDER BY dispute.created_at, dispute.id

-- name: involved_in_disputes
SELECT settlement_id FROM dispute WHERE settlement_id = ANY(%(settlement_ids)s) AND NOT retracted
UNION
SELECT settled_in_settlement_id FROM dispute WHERE settled_in_settlement_id = ANY(%(settlement_ids)s)

-- name: disputed_among
SELECT DISTINCT settlement_id FROM dispute
WHERE settlement_id = ANY(%(settlement_ids)s) AND NOT retracted
  AND (%(connection_ids)s::uuid[] IS NULL OR connection_id = ANY(%(connection_ids)s))

-- name: list_disputes
SELECT dispute.id, dispute.partner_id, dispute.settlement_id, dispute.connection_id, dispute.user_id,
       dispute.reason, dispute.expected_transfers, dispute.retracted, dispute.retracted_by, dispute.retracted_at,
       dispute.retracted_reason, dispute.settled_in_settlement_id, dispute.created_at, dispute.updated_at
FROM dispute
JOIN connection ON connection.id = dispute.connection_id
JOIN settlement ON settlement.id = dispute.settlement_id
LEFT JOIN settlement AS settled_in ON settled_in.id = dispute.settled_in_settlement_id
LEFT JOIN dispute_closure AS closure ON closure.dispute_id = dispute.id AND closure.status <> 'rejected'
WHERE (%(partner_ids)s::uuid[] IS NULL OR dispute.partner_id = ANY(%(partner_ids)s))
  AND (%(own_connection_ids)s::uuid[] IS NULL OR dispute.connection_id = ANY(%(own_connection_ids)s))
  AND (%(connection_ids)s::uuid[] IS NULL OR dispute.connection_id = ANY(%(connection_ids)s))
  AND (%(dispute_ids)s::uuid[] IS NULL OR dispute.id = ANY(%(dispute_ids)s))
  AND (%(settlement_ids)s::uuid[] IS NULL OR dispute.settlement_id = ANY(%(settlement_ids)s))
  AND (%(settled_in_settlement_ids)s::uuid[] IS NULL
       OR dispute.settled_in_settlement_id = ANY(%(settled_in_settlement_ids)s))
  AND (%(closure_ids)s::uuid[] IS NULL OR closure.id = ANY(%(closure_ids)s))
  AND (%(client_ids)s::uuid[] IS NULL OR connection.client_id = ANY(%(client_ids)s))
  AND (%(settlement_external_ids)s::text[] IS NULL
       OR settlement.external_id = ANY(%(settlement_external_ids)s))
  AND (%(settled_in_settlement_external_ids)s::text[] IS NULL
       OR settled_in.external_id = ANY(%(settled_in_settlement_external_ids)s))
  AND (%(closed)s::boolean IS NULL OR (closure.id IS NOT NULL) = %(closed)s)
  AND (%(show_retracted)s OR NOT dispute.retracted)
  AND (%(retracted)s::boolean IS NULL OR dispute.retracted = %(retracted)s)
  AND (%(created_on_or_after)s::timestamptz IS NULL OR dispute.created_at >= %(created_on_or_after)s)
  AND (%(created_before)s::timestamptz IS NULL OR dispute.created_at < %(created_before)s)

-- name: list_closures
SELECT {closure}
FROM dispute_closure
WHERE (%(statuses)s::text[] IS NULL OR status = ANY(%(statuses)s))
  AND (%(dispute_ids)s::uuid[] IS NULL OR dispute_id = ANY(%(dispute_ids)s))
  AND (%(partner_ids)s::uuid[] IS NULL OR partner_id = ANY(%(partner_ids)s))
  AND (%(created_on_or_after)s::timestamptz IS NULL OR created_at >= %(created_on_or_after)s)
  AND (%(created_before)s::timestamptz IS NULL OR created_at < %(created_before)s)
