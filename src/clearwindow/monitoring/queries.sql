-- name: open_settlements
-- A pause stops executions, which are not late then. Dispute windows end all the same.
SELECT state, count(*) AS count,
       coalesce(extract(epoch FROM %(now)s - min(due_at) FILTER (
           WHERE due_at < %(now)s
             AND (state = 'dispute_window'
                  OR NOT EXISTS (SELECT FROM paused_settlement AS paused WHERE paused.settlement_id = settlement.id))
       )), 0)::float8 AS late_seconds
FROM settlement
WHERE state NOT IN ('completed', 'rejected') OR closures_wait
GROUP BY state ORDER BY state

-- name: waiting
SELECT (SELECT count(*) FROM dispute
        WHERE NOT retracted AND settled_in_settlement_id IS NULL
          AND NOT EXISTS (SELECT FROM dispute_closure AS closure
                          WHERE closure.dispute_id = dispute.id AND closure.status <> 'rejected')
          AND NOT EXISTS (SELECT FROM settlement
                          WHERE settlement.id = dispute.settlement_id
                            AND (settlement.state = 'rejected' OR settlement.withdrawn_at IS NOT NULL))) AS disputes_open,
       (SELECT count(*) FROM dispute_closure WHERE status = 'pending_review') AS closures_pending,
       (SELECT count(*) FROM proposal WHERE status = 'pending') AS proposals_pending,
       (SELECT count(*) FROM partner_circuit WHERE open_until > %(now)s) AS circuits_open,
       (SELECT count(*) FROM webhook_endpoint WHERE status = 'disabled' AND deleted_at IS NULL)
           AS webhook_endpoints_disabled

-- name: checks
SELECT kind, greatest(extract(epoch FROM %(now)s - checked_at), 0)::float8 AS age_seconds, seconds, violated
FROM book_check ORDER BY kind

-- name: lock_waits
-- Other roles' sessions do not show what they wait for. All of ours have one role.
SELECT count(*) AS count,
       coalesce(max(extract(epoch FROM clock_timestamp() - query_start)), 0)::float8 AS longest_seconds
FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'

-- name: archive
SELECT failed_count AS failed, coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false) AS failing,
       extract(epoch FROM clock_timestamp() - last_archived_time)::float8 AS last_archived_seconds
FROM pg_stat_archiver
WHERE current_setting('archive_mode') <> 'off'
