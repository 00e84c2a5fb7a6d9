-- name: begin_snapshot
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY

-- name: take_the_time_it_needs
-- More memory for each sort and hash than requests get: the check reads whole tables, and is alone in its session.
SELECT set_config('statement_timeout', '0', true), set_config('work_mem', '64MB', true)
