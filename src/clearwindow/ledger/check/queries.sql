-- name: begin_snapshot
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY

-- name: take_the_time_it_needs
-- More memory for each sort and hash than requests get: the check reads whole tables, and is alone in its session.
SELECT set_config('statement_timeout', '0', true), set_config('work_mem', '64MB', true)

-- name: record_check
-- A check that began earlier and ended later says less than the one that is recorded.
INSERT INTO book_check (kind, checked_at, seconds, violated)
VALUES (%(kind)s, %(checked_at)s, %(seconds)s, %(violated)s)
ON CONFLICT (kind) DO UPDATE
SET checked_at = EXCLUDED.checked_at, seconds = EXCLUDED.seconds, violated = EXCLUDED.violated
WHERE book_check.checked_at <= EXCLUDED.checked_at
