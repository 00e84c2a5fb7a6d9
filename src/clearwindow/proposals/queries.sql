-- columns: proposal
id, act, subject_id, key, enterprise_id, request, target, summary, proposed_by, token_made_by, approvals_needed,
status, created_at, expires_at, due_at, ended_at, ended_by, reason, result, sealed_value, collected_at

-- name: insert_proposal
INSERT INTO proposal (id, act, subject_id, key, enterprise_id, request, target, summary, proposed_by, token_made_by,
                      approvals_needed, status, created_at, expires_at, due_at)
VALUES (%(id)s, %(act)s, %(subject_id)s, %(key)s, %(enterprise_id)s, %(request)s, %(target)s, %(summary)s,
        %(proposed_by)s, %(token_made_by)s, %(approvals_needed)s, 'pending', %(created_at)s, %(expires_at)s,
        %(expires_at)s)
ON CONFLICT (act, subject_id, key) WHERE status = 'pending' DO NOTHING

-- name: find_proposal
SELECT {proposal} FROM proposal WHERE id = %(id)s

-- name: lock_proposal
SELECT {proposal} FROM proposal WHERE id = %(id)s FOR UPDATE

-- name: lock_pending
SELECT {proposal} FROM proposal
WHERE (act, subject_id, key) = (%(act)s, %(subject_id)s, %(key)s) AND status = 'pending' FOR UPDATE

-- name: lock_due
-- Another worker may have locked it, or a request: it stays due.
SELECT {proposal} FROM proposal WHERE id = %(id)s AND due_at <= %(now)s FOR UPDATE SKIP LOCKED

-- name: list_due
SELECT id FROM proposal WHERE due_at <= %(now)s ORDER BY due_at, id LIMIT %(limit)s

-- name: next_due_at
SELECT min(due_at) FROM proposal WHERE due_at IS NOT NULL

-- name: count_due
SELECT count(*) FROM proposal WHERE due_at <= %(now)s

-- name: postpone
UPDATE proposal SET due_at = %(due_at)s WHERE id = %(id)s AND due_at IS NOT NULL

-- name: end_proposal
UPDATE proposal
SET status = %(status)s, due_at = %(due_at)s, ended_at = %(now)s, ended_by = %(ended_by)s, reason = %(reason)s,
    result = %(result)s, sealed_value = %(sealed_value)s
WHERE id = %(id)s AND status = 'pending'
RETURNING {proposal}

-- name: collect
UPDATE proposal SET sealed_value = NULL, due_at = NULL, collected_at = %(now)s
WHERE id = %(id)s AND sealed_value IS NOT NULL

-- name: destroy_value
UPDATE proposal SET sealed_value = NULL, due_at = NULL WHERE id = %(id)s AND sealed_value IS NOT NULL

-- name: insert_approval
INSERT INTO proposal_approval (proposal_id, operator_id, proposed_by, token_made_by, approved_at)
VALUES (%(proposal_id)s, %(operator_id)s, %(proposed_by)s, %(token_made_by)s, %(now)s)

-- name: list_approvals
SELECT proposal_id, operator_id, token_made_by, approved_at, may_approve(operator_id) AS counts
FROM proposal_approval WHERE proposal_id = ANY(%(proposal_ids)s) ORDER BY approved_at, operator_id

-- name: list_proposals
SELECT {proposal}
FROM proposal
WHERE (%(statuses)s::text[] IS NULL OR status = ANY(%(statuses)s))
  AND (%(acts)s::text[] IS NULL OR act = ANY(%(acts)s))
  AND (%(subject_ids)s::text[] IS NULL OR subject_id = ANY(%(subject_ids)s))
  AND (%(enterprise_ids)s::text[] IS NULL OR enterprise_id = ANY(%(enterprise_ids)s))
  AND (%(proposed_by)s::uuid[] IS NULL OR proposed_by = ANY(%(proposed_by)s))
  AND (%(created_on_or_after)s::timestamptz IS NULL OR created_at >= %(created_on_or_after)s)
  AND (%(created_before)s::timestamptz IS NULL OR created_at < %(created_before)s)
