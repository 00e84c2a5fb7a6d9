-- name: insert_events
INSERT INTO event (id, enterprise_id, type, subject_id, payload, created_at)
SELECT gen_random_uuid(), given.enterprise_id, given.type, given.subject_id, given.payload, %(now)s
FROM unnest(%(enterprise_ids)s::text[], %(types)s::text[], %(subject_ids)s::uuid[], %(payloads)s::jsonb[])
    WITH ORDINALITY AS given (enterprise_id, type, subject_id, payload, position)
ORDER BY given.position

-- name: insert_events_for_audience
-- One event for each enterprise of the temporary table `audience` (enterprise_id, connection_ids), in the order of
-- their names whatever the database sorts by, so that sequences do not depend on how rows happened to lie.
INSERT INTO event (id, enterprise_id, type, subject_id, payload, created_at)
SELECT (%(id_prefix)s || substr(gen_random_uuid()::text, 16))::uuid, enterprise_id, %(type)s, %(subject_id)s,
       %(payload)s || jsonb_build_object('connectionIds', connection_ids), %(now)s
FROM audience ORDER BY enterprise_id COLLATE "C"

-- name: list_events
SELECT id, sequence, enterprise_id, type, subject_id, payload, created_at, count(*) OVER () AS total
FROM event
WHERE (%(enterprise_id)s::text IS NULL OR enterprise_id = %(enterprise_id)s)
  AND (%(subject_id)s::uuid IS NULL OR subject_id = %(subject_id)s)
  AND (%(types)s::text[] IS NULL OR type = ANY(%(types)s))
ORDER BY sequence DESC
LIMIT %(limit)s OFFSET %(offset)s

-- name: insert_event
INSERT INTO event (id, enterprise_id, type, subject_id, payload, created_at)
VALUES (%(id)s, %(enterprise_id)s, %(type)s, %(subject_id)s, %(payload)s, %(now)s)

-- name: insert_endpoint
INSERT INTO webhook_endpoint
    (id, enterprise_id, url, event_types, description, status, created_by, created_at, updated_at)
VALUES (%(id)s, %(enterprise_id)s, %(url)s, %(event_types)s, %(description)s, 'enabled', %(created_by)s, %(now)s, %(now)s)

-- name: count_endpoints
SELECT count(*) FROM webhook_endpoint WHERE enterprise_id = %(enterprise_id)s AND deleted_at IS NULL

-- name: find_endpoint
SELECT id, enterprise_id, url, event_types, description, status, disabled_reason, failures, failing_since, retry_at,
       created_by, created_at, updated_at
FROM webhook_endpoint WHERE id = %(id)s AND enterprise_id = %(enterprise_id)s AND deleted_at IS NULL

-- name: lock_endpoint
SELECT id, enterprise_id, url, event_types, description, status, disabled_reason, failures, failing_since, retry_at,
       created_by, created_at, updated_at
FROM webhook_endpoint WHERE id = %(id)s AND enterprise_id = %(enterprise_id)s AND deleted_at IS NULL
FOR NO KEY UPDATE

-- name: list_endpoints
SELECT id, enterprise_id, url, event_types, description, status, disabled_reason, failures, failing_since, retry_at,
       created_by, created_at, updated_at, count(*) OVER () AS total
FROM webhook_endpoint WHERE enterprise_id = %(enterprise_id)s AND deleted_at IS NULL
ORDER BY created_at, id LIMIT %(limit)s OFFSET %(offset)s

-- name: update_endpoint
-- What was changed by its owner starts anew: failures of an old address say nothing of the new one.
UPDATE webhook_endpoint
SET url = %(url)s, event_types = %(event_types)s, description = %(description)s, status = %(status)s,
    disabled_reason = %(disabled_reason)s, failures = 0, failing_since = NULL, retry_at = NULL, updated_at = %(now)s
WHERE id = %(id)s

-- name: delete_endpoint
UPDATE webhook_endpoint
SET deleted_at = %(now)s, updated_at = %(now)s, lease_id = NULL, leased_until = NULL
WHERE id = %(id)s

-- name: drop_all_owed
UPDATE webhook_delivery SET status = 'dropped', ended_at = %(now)s
WHERE endpoint_id = %(endpoint_id)s AND status = 'owed'

-- name: insert_secret
INSERT INTO webhook_secret (id, endpoint_id, encrypted_keys, public_key, created_at)
VALUES (%(id)s, %(endpoint_id)s, %(encrypted_keys)s, %(public_key)s, %(now)s)

-- name: retire_secrets
-- Of the retired ones only the latest stays valid for a while: more would make headers long, and secrets linger.
UPDATE webhook_secret
SET valid_until = CASE WHEN valid_until IS NULL THEN %(valid_until)s ELSE %(now)s END
WHERE endpoint_id = %(endpoint_id)s AND (valid_until IS NULL OR valid_until > %(now)s)

-- name: valid_secrets
SELECT id, endpoint_id, encrypted_keys, public_key, created_at, valid_until FROM webhook_secret
WHERE endpoint_id = ANY(%(endpoint_ids)s) AND (valid_until IS NULL OR valid_until > %(now)s)
ORDER BY endpoint_id, valid_until DESC NULLS FIRST

-- name: replay_event
INSERT INTO webhook_delivery (endpoint_id, enterprise_id, event_id, status, replayed, owed_since)
SELECT %(endpoint_id)s, enterprise_id, id, 'owed', true, %(now)s
FROM event WHERE id = %(event_id)s AND enterprise_id = %(enterprise_id)s

-- name: replay_range
-- What is owed already is not owed twice.
INSERT INTO webhook_delivery (endpoint_id, enterprise_id, event_id, status, replayed, owed_since)
SELECT %(endpoint_id)s, enterprise_id, id, 'owed', true, %(now)s
FROM event
WHERE enterprise_id = %(enterprise_id)s
  AND created_at >= %(from_at)s AND created_at < %(until_at)s
  AND CASE WHEN %(event_types)s::text[] IS NULL THEN type NOT IN ('balance.changed', 'webhook_endpoint.test')
           ELSE type = ANY(%(event_types)s) END
  AND NOT EXISTS (SELECT FROM webhook_delivery AS delivery
                  WHERE delivery.event_id = event.id AND delivery.endpoint_id = %(endpoint_id)s
                    AND (delivery.status = 'owed' OR (%(only_missed)s AND delivery.status = 'delivered')))
ORDER BY sequence
LIMIT %(limit)s

-- name: list_deliveries
SELECT delivery.endpoint_id, delivery.position, delivery.event_id, event.type AS event_type, delivery.status,
       delivery.replayed, delivery.attempts, delivery.owed_since, delivery.ended_at, count(*) OVER () AS total
FROM webhook_delivery AS delivery JOIN event ON event.id = delivery.event_id
WHERE delivery.endpoint_id = %(endpoint_id)s
  AND (%(statuses)s::text[] IS NULL OR delivery.status = ANY(%(statuses)s))
  AND (%(event_ids)s::uuid[] IS NULL OR delivery.event_id = ANY(%(event_ids)s))
ORDER BY delivery.position DESC LIMIT %(limit)s OFFSET %(offset)s

-- name: list_attempts
SELECT attempt.position, attempt.number, attempt.event_id, event.type AS event_type, attempt.started_at,
       attempt.duration_milliseconds, attempt.succeeded, attempt.status_code, attempt.problem,
       count(*) OVER () AS total
FROM webhook_attempt AS attempt JOIN event ON event.id = attempt.event_id
WHERE attempt.endpoint_id = %(endpoint_id)s
  AND (%(succeeded)s::boolean IS NULL OR attempt.succeeded = %(succeeded)s)
  AND (%(event_ids)s::uuid[] IS NULL OR attempt.event_id = ANY(%(event_ids)s))
ORDER BY attempt.started_at DESC, attempt.position DESC, attempt.number DESC LIMIT %(limit)s OFFSET %(offset)s

-- name: list_owing
-- The endpoints that are owed something, by jumping through the index from one to the next: their number counts,
-- not that of what they are owed.
WITH RECURSIVE owing (endpoint_id) AS (
    (SELECT endpoint_id FROM webhook_delivery WHERE status = 'owed' ORDER BY endpoint_id LIMIT 1)
    UNION ALL
    SELECT (SELECT delivery.endpoint_id FROM webhook_delivery AS delivery
            WHERE delivery.status = 'owed' AND delivery.endpoint_id > owing.endpoint_id
            ORDER BY delivery.endpoint_id LIMIT 1)
    FROM owing WHERE owing.endpoint_id IS NOT NULL
)
SELECT endpoint.id
FROM owing JOIN webhook_endpoint AS endpoint ON endpoint.id = owing.endpoint_id
WHERE endpoint.status = 'enabled' AND endpoint.deleted_at IS NULL
  AND (endpoint.retry_at IS NULL OR endpoint.retry_at <= %(now)s)
  AND (endpoint.leased_until IS NULL OR endpoint.leased_until <= %(now)s)
ORDER BY endpoint.retry_at NULLS FIRST, endpoint.id

-- name: claim_endpoints
-- The claimable ones among those given; whoever is at one of them at this very moment is left to it.
UPDATE webhook_endpoint AS endpoint
SET lease_id = %(lease_id)s, leased_until = %(leased_until)s
FROM (SELECT id FROM webhook_endpoint
      WHERE id = ANY(%(ids)s) AND status = 'enabled' AND deleted_at IS NULL
        AND (retry_at IS NULL OR retry_at <= %(now)s) AND (leased_until IS NULL OR leased_until <= %(now)s)
      ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED) AS claimable
WHERE endpoint.id = claimable.id
RETURNING endpoint.id, endpoint.enterprise_id, endpoint.url, endpoint.event_types, endpoint.description,
          endpoint.status, endpoint.disabled_reason, endpoint.failures, endpoint.failing_since, endpoint.retry_at,
          endpoint.created_by, endpoint.created_at, endpoint.updated_at

-- name: drop_aged
UPDATE webhook_delivery SET status = 'dropped', ended_at = %(now)s
WHERE endpoint_id = ANY(%(endpoint_ids)s) AND status = 'owed' AND owed_since < %(owed_before)s

-- name: first_messages
-- So many for each endpoint, of which all but the first fit in so many bytes as stored: a payload grows with the
-- connections of its settlement. It is given as text, for that is what is sent.
SELECT owed.endpoint_id, owed.position, owed.attempts, event.id AS event_id, event.type, event.payload::text AS payload,
       event.created_at
FROM unnest(%(endpoint_ids)s::uuid[]) AS claimed (id)
CROSS JOIN LATERAL (
    SELECT first.*, sum(first.bytes) OVER (ORDER BY first.position) AS bytes_so_far
    FROM (
        SELECT delivery.endpoint_id, delivery.position, delivery.attempts, delivery.event_id,
               pg_column_size(sized.payload) AS bytes
        FROM webhook_delivery AS delivery JOIN event AS sized ON sized.id = delivery.event_id
        WHERE delivery.endpoint_id = claimed.id AND delivery.status = 'owed'
        ORDER BY delivery.position LIMIT %(per_endpoint)s
    ) AS first
) AS owed
JOIN event ON event.id = owed.event_id
WHERE owed.bytes_so_far = owed.bytes OR owed.bytes_so_far <= %(bytes_per_endpoint)s
ORDER BY owed.endpoint_id, owed.position

-- name: lock_leased
SELECT id, enterprise_id, url, event_types, description, status, disabled_reason, failures, failing_since, retry_at,
       created_by, created_at, updated_at
FROM webhook_endpoint WHERE id = %(id)s AND lease_id = %(lease_id)s AND deleted_at IS NULL
FOR NO KEY UPDATE

-- name: return_endpoint
UPDATE webhook_endpoint
SET lease_id = NULL, leased_until = NULL, failures = %(failures)s, failing_since = %(failing_since)s,
    retry_at = %(retry_at)s, status = %(status)s, disabled_reason = %(disabled_reason)s
WHERE id = %(id)s

-- name: give_up_lease
UPDATE webhook_endpoint SET lease_id = NULL, leased_until = NULL WHERE id = %(id)s

-- name: record_answers
WITH given AS (
    SELECT position, number, event_id, started_at, duration_milliseconds, status_code, problem
    FROM json_to_recordset(%(answers)s::json) AS given
        (position bigint, number integer, event_id uuid, started_at timestamptz, duration_milliseconds integer,
         status_code integer, problem text)
), ended AS (
    UPDATE webhook_delivery
    SET attempts = attempts + 1,
        status = CASE WHEN given.problem IS NULL THEN 'delivered' ELSE status END,
        ended_at = CASE WHEN given.problem IS NULL THEN %(now)s ELSE ended_at END
    FROM given
    WHERE endpoint_id = %(endpoint_id)s AND webhook_delivery.position = given.position AND status = 'owed'
)
INSERT INTO webhook_attempt (endpoint_id, position, number, enterprise_id, event_id, started_at,
                             duration_milliseconds, succeeded, status_code, problem)
SELECT %(endpoint_id)s, position, number, %(enterprise_id)s, event_id, started_at, duration_milliseconds,
       problem IS NULL, status_code, problem
FROM given

-- name: oldest_attempt_at
SELECT started_at FROM webhook_attempt ORDER BY started_at LIMIT 1

-- name: prune_attempts
-- What another worker prunes at this moment is left to it.
DELETE FROM webhook_attempt
WHERE ctid = ANY(ARRAY(SELECT ctid FROM webhook_attempt WHERE started_at < %(started_before)s
                       ORDER BY started_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED))

-- name: count_owed_endpoints
-- Endpoints that could be posted to now.
SELECT count(*)
FROM webhook_endpoint AS endpoint
WHERE endpoint.status = 'enabled' AND endpoint.deleted_at IS NULL
  AND (endpoint.retry_at IS NULL OR endpoint.retry_at <= %(now)s)
  AND EXISTS (SELECT FROM webhook_delivery AS delivery
              WHERE delivery.endpoint_id = endpoint.id AND delivery.status = 'owed')

-- name: next_delivery_at
-- Since when the first endpoint could be posted to, or from when on it can; found by the jumps of list_owing.
WITH RECURSIVE owing (endpoint_id) AS (
    (SELECT endpoint_id FROM webhook_delivery WHERE status = 'owed' ORDER BY endpoint_id LIMIT 1)
    UNION ALL
    SELECT (SELECT delivery.endpoint_id FROM webhook_delivery AS delivery
            WHERE delivery.status = 'owed' AND delivery.endpoint_id > owing.endpoint_id
            ORDER BY delivery.endpoint_id LIMIT 1)
    FROM owing WHERE owing.endpoint_id IS NOT NULL
)
SELECT min(greatest(first.owed_since, endpoint.retry_at))
FROM owing JOIN webhook_endpoint AS endpoint ON endpoint.id = owing.endpoint_id
CROSS JOIN LATERAL (
    SELECT owed_since FROM webhook_delivery AS delivery
    WHERE delivery.endpoint_id = endpoint.id AND delivery.status = 'owed'
    ORDER BY delivery.position LIMIT 1
) AS first
WHERE endpoint.status = 'enabled' AND endpoint.deleted_at IS NULL

-- name: count_leased
SELECT count(*) FROM webhook_endpoint WHERE leased_until > %(now)s AND deleted_at IS NULL
