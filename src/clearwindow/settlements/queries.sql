-- columns: settlement
id, partner_id, external_id, state, settlement_type, request_sha256, staged_answer, notes, initiated_by,
       cutoff_at, created_at, updated_at, dispute_deadline_at, top_up_deadline_at, execute_when_funded, immediate,
       due_at, attempts, last_error, finalized_at, reason, rt_id, loss_sla_alert_sent, gain_sla_alert_sent,
       closures_wait, warnings, withdrawn_at, withdrawn_reason,
       (SELECT min(paused.paused_at) FROM paused_settlement AS paused
        WHERE paused.settlement_id = settlement.id) AS paused_since

-- name: insert_settlement
INSERT INTO settlement (id, partner_id, external_id, state, settlement_type, request_sha256, staged_answer, notes,
                        initiated_by, cutoff_at, created_at, updated_at, dispute_deadline_at, top_up_deadline_at,
                        execute_when_funded, immediate, due_at, reason, rt_id, amount_scale, warnings)
VALUES (%(id)s, %(partner_id)s, %(external_id)s, %(state)s, %(settlement_type)s, %(request_sha256)s, '', %(notes)s,
        %(initiated_by)s, %(cutoff_at)s, %(created_at)s, %(created_at)s, %(dispute_deadline_at)s,
        %(top_up_deadline_at)s, %(execute_when_funded)s, %(immediate)s, %(due_at)s, %(reason)s, %(rt_id)s, %(amount_scale)s,
        %(warnings)s)

-- name: find_amount_scale
SELECT amount_scale FROM settlement WHERE id = %(id)s

-- name: set_staged_answer
UPDATE settlement SET staged_answer = %(staged_answer)s WHERE id = %(id)s AND staged_answer = ''

-- name: find_settlement
SELECT {settlement}
FROM settlement WHERE id = %(id)s

-- name: lock_settlement
SELECT {settlement}
FROM settlement WHERE id = %(id)s FOR UPDATE

-- name: find_by_external_id
SELECT {settlement}
FROM settlement WHERE partner_id = %(partner_id)s AND external_id = %(external_id)s

-- name: find_of_enterprise
SELECT {settlement}
FROM settlement
WHERE partner_id = (SELECT partner.id FROM partner WHERE partner.enterprise_id = %(enterprise_id)s)
  AND external_id = %(external_id)s

-- name: last_cutoff
SELECT cutoff_at FROM settlement
WHERE partner_id = %(partner_id)s AND cutoff_at IS NOT NULL AND state <> 'rejected' AND withdrawn_at IS NULL
ORDER BY created_at DESC, id DESC LIMIT 1

-- name: change_state
UPDATE settlement
SET state = %(to)s, due_at = %(due_at)s, reason = %(reason)s, finalized_at = %(finalized_at)s,
    closures_wait = %(closures_wait)s, updated_at = %(now)s, attempts = 0, last_error = NULL
WHERE id = %(id)s AND state = %(from)s

-- name: set_withdrawn
UPDATE settlement
SET withdrawn_at = %(now)s, withdrawn_reason = %(reason)s, withdrawn_by = %(user_id)s, updated_at = %(now)s
WHERE id = %(id)s AND state = 'dispute_window' AND withdrawn_at IS NULL

-- name: change_states
UPDATE settlement
SET state = %(to)s, due_at = given.due_at, reason = NULL, finalized_at = %(finalized_at)s, closures_wait = false,
    updated_at = %(now)s, attempts = 0, last_error = NULL
FROM unnest(%(ids)s::uuid[], %(states)s::text[], %(due_times)s::timestamptz[]) AS given (id, state, due_at)
WHERE settlement.id = given.id AND settlement.state = given.state

-- name: lock_due
SELECT {settlement}
FROM settlement
WHERE partner_id = %(partner_id)s AND due_at <= %(now)s AND settlement_type = 'offchain'
  AND NOT EXISTS (SELECT FROM paused_step AS paused WHERE paused.settlement_id = settlement.id)
ORDER BY due_at, created_at, id LIMIT %(limit)s
FOR UPDATE

-- name: set_due
UPDATE settlement SET due_at = %(due_at)s, attempts = 0, last_error = NULL WHERE id = %(id)s

-- name: record_failed_attempt
-- Only while the step is still due. An attempt that lost its connection may have committed, or another worker may have
-- been faster: then the next step must not be taken before its own time.
UPDATE settlement
SET attempts = attempts + 1, last_error = %(error)s,
    due_at = %(now)s + make_interval(secs => least(300, power(2, least(attempts, 10))))
WHERE id = %(id)s AND due_at <= %(now)s

-- name: claim_step
-- If the worker dies, the step is due again at this time. Earlier attempts stay recorded.
UPDATE settlement SET due_at = %(due_at)s WHERE id = %(id)s

-- name: record_failed_step
-- A step that calls out has set its next time before the call, so that it is no longer due.
UPDATE settlement
SET attempts = attempts + 1, last_error = %(error)s,
    due_at = %(now)s + make_interval(secs => least(300, power(2, least(attempts, 10))))
WHERE id = %(id)s AND due_at IS NOT NULL

-- name: mark_sla_alerts
UPDATE settlement
SET loss_sla_alert_sent = loss_sla_alert_sent OR %(loss)s, gain_sla_alert_sent = gain_sla_alert_sent OR %(gain)s,
    updated_at = %(now)s
WHERE id = %(id)s

-- name: wake_waiting
-- All get the same due time, unless they are due already. So they are tried by `created_at`, the oldest first. An
-- immediate settlement is tried again only by a request or an operator.
UPDATE settlement SET due_at = least(due_at, %(due_at)s)
WHERE partner_id = ANY(%(partner_ids)s) AND settlement_type = 'offchain' AND NOT immediate
  AND (state = 'failed' OR (state = 'top_up_window' AND execute_when_funded)
       -- Once their time has come and the money did not suffice.
       OR (closures_wait AND due_at IS NULL))

-- name: list_due
SELECT id, partner_id, traceparent FROM (
    SELECT DISTINCT ON (partner_id) id, partner_id, due_at, traceparent FROM settlement
    WHERE due_at <= %(now)s AND settlement_type = %(settlement_type)s
      AND NOT EXISTS (SELECT FROM paused_step AS paused WHERE paused.settlement_id = settlement.id)
    ORDER BY partner_id, due_at, created_at, id
) AS first_of_partner
ORDER BY due_at, id LIMIT %(limit)s

-- name: first_due
SELECT id FROM settlement
WHERE partner_id = %(partner_id)s AND due_at <= %(now)s AND settlement_type = %(settlement_type)s
  AND NOT EXISTS (SELECT FROM paused_step AS paused WHERE paused.settlement_id = settlement.id)
ORDER BY due_at, created_at, id LIMIT 1

-- name: count_due
SELECT count(*) FROM settlement
WHERE due_at <= %(now)s AND settlement_type = %(settlement_type)s
  AND NOT EXISTS (SELECT FROM paused_step AS paused WHERE paused.settlement_id = settlement.id)

-- name: next_due_at
SELECT min(due_at) FROM settlement
WHERE due_at IS NOT NULL AND settlement_type = %(settlement_type)s
  AND NOT EXISTS (SELECT FROM paused_step AS paused WHERE paused.settlement_id = settlement.id)

-- name: list_work
SELECT {settlement}
FROM settlement WHERE due_at IS NOT NULL
  AND (%(partner_ids)s::uuid[] IS NULL OR partner_id = ANY(%(partner_ids)s))
  AND (%(states)s::text[] IS NULL OR state = ANY(%(states)s))
  AND (%(due_on_or_after)s::timestamptz IS NULL OR due_at >= %(due_on_or_after)s)
  AND (%(due_before)s::timestamptz IS NULL OR due_at < %(due_before)s)

-- name: list_settlements
SELECT {settlement}
FROM settlement
WHERE (%(partner_ids)s::uuid[] IS NULL OR partner_id = ANY(%(partner_ids)s))
  AND (%(own_connection_ids)s::uuid[] IS NULL
       -- An array, so that a client's settlements are found by their ids: every settlement there is would be probed.
       OR id = ANY(ARRAY(SELECT party.settlement_id FROM settlement_party AS party
                         WHERE party.connection_id = ANY(%(own_connection_ids)s))))
  AND (%(party_connection_ids)s::uuid[] IS NULL
       OR EXISTS (SELECT FROM settlement_party AS party
                  WHERE party.settlement_id = settlement.id AND party.connection_id = ANY(%(party_connection_ids)s)))
  AND (%(counterparty_connection_ids)s::uuid[] IS NULL
       OR EXISTS (SELECT FROM settlement_leg AS leg
                  WHERE leg.settlement_id = settlement.id
                    AND leg.counterparty_connection_id = ANY(%(counterparty_connection_ids)s)
                    AND (%(party_connection_ids)s::uuid[] IS NULL
                         OR leg.connection_id = ANY(%(party_connection_ids)s))))
  AND (%(settlement_ids)s::uuid[] IS NULL OR id = ANY(%(settlement_ids)s))
  AND (%(external_ids)s::text[] IS NULL OR external_id = ANY(%(external_ids)s))
  AND (%(states)s::text[] IS NULL OR state = ANY(%(states)s))
  AND (%(created_on_or_after)s::timestamptz IS NULL OR created_at >= %(created_on_or_after)s)
  AND (%(created_before)s::timestamptz IS NULL OR created_at < %(created_before)s)
  AND (%(updated_on_or_after)s::timestamptz IS NULL OR updated_at >= %(updated_on_or_after)s)
  AND (%(updated_before)s::timestamptz IS NULL OR updated_at < %(updated_before)s)
  AND (NOT %(only_disputed)s
       OR EXISTS (SELECT FROM dispute
                  WHERE dispute.settlement_id = settlement.id AND NOT dispute.retracted
                    AND (%(own_connection_ids)s::uuid[] IS NULL
                         OR dispute.connection_id = ANY(%(own_connection_ids)s))))

-- name: keep_failed
UPDATE settlement SET due_at = NULL, reason = %(reason)s, updated_at = %(now)s, attempts = 0, last_error = NULL
WHERE id = %(id)s AND state = 'failed'

-- name: end_closures
UPDATE settlement SET closures_wait = false, due_at = NULL, updated_at = %(now)s, attempts = 0, last_error = NULL
WHERE id = %(id)s AND closures_wait
