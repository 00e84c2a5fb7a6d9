-- columns: endpoint
id, enterprise_id, url, event_types, description, status, disabled_reason, failures, failing_since, retry_at,
created_by, created_at, updated_at

-- columns: seen_event_id
CASE WHEN delivery.as_client THEN client_event_id(event.id, delivery.enterprise_id) ELSE event.id END

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
SELECT {endpoint}
FROM webhook_endpoint WHERE id = %(id)s AND enterprise_id = %(enterprise_id)s AND deleted_at IS NULL

-- name: lock_endpoint
SELECT {endpoint}
FROM webhook_endpoint WHERE id = %(id)s AND enterprise_id = %(enterprise_id)s AND deleted_at IS NULL
FOR NO KEY UPDATE

-- name: list_endpoints
SELECT {endpoint}
FROM webhook_endpoint WHERE enterprise_id = %(enterprise_id)s AND deleted_at IS NULL

-- name: search_endpoints
SELECT {endpoint}
FROM webhook_endpoint
WHERE deleted_at IS NULL
  AND (%(ids)s::uuid[] IS NULL OR id = ANY(%(ids)s))
  AND (%(enterprise_ids)s::text[] IS NULL OR enterprise_id = ANY(%(enterprise_ids)s))
  AND (%(enabled)s::boolean IS NULL OR (status = 'enabled') = %(enabled)s)
  AND (%(created_on_or_after)s::timestamptz IS NULL OR created_at >= %(created_on_or_after)s)
  AND (%(created_before)s::timestamptz IS NULL OR created_at < %(created_before)s)

-- name: update_endpoint
-- A change by the owner resets the failures: those of the old address do not count for the new one.
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
-- Only the newest retired secret stays valid for a while, so that headers stay short and old secrets end.
UPDATE webhook_secret
SET valid_until = CASE WHEN valid_until IS NULL THEN %(valid_until)s ELSE %(now)s END
WHERE endpoint_id = %(endpoint_id)s AND (valid_until IS NULL OR valid_until > %(now)s)

-- name: valid_secrets
SELECT id, endpoint_id, encrypted_keys, public_key, created_at, valid_until FROM webhook_secret
WHERE endpoint_id = ANY(%(endpoint_ids)s) AND (valid_until IS NULL OR valid_until > %(now)s)
ORDER BY endpoint_id, valid_until DESC NULLS FIRST, id

-- name: has_events_to_deliver
SELECT EXISTS (SELECT FROM event_to_deliver)

-- name: lock_fan_out
-- Deliveries are made by one transaction after the other, in the order of the events.
SELECT pg_advisory_xact_lock(hashtext('clearwindow.fan_out'))

-- name: fan_out
-- Makes the deliveries of the oldest events that have none yet, up to a number of events and of owners (the first may
-- have more), and takes these events off the list. Returns their number. What is opt-in goes only to endpoints that
-- name it; a test goes to the one endpoint that it is for, and what was done with an endpoint to the others.
WITH first AS (
    SELECT listed.sequence, listed.event_id, event.clients + 1 AS owners,
           sum(event.clients + 1) OVER (ORDER BY listed.sequence) AS owners_so_far
    FROM (SELECT sequence, event_id FROM event_to_deliver ORDER BY sequence LIMIT %(events)s) AS listed
    JOIN event ON event.id = listed.event_id
), taken AS (
    DELETE FROM event_to_deliver AS listed USING first
    WHERE listed.sequence = first.sequence AND (owners_so_far = owners OR owners_so_far <= %(owners)s)
    RETURNING listed.event_id
), told AS (
    SELECT event.* FROM taken JOIN event ON event.id = taken.event_id
), owner AS (
    SELECT endpoint.id AS endpoint_id, endpoint.enterprise_id, told.id AS event_id, false AS as_client
    FROM told JOIN webhook_endpoint AS endpoint ON endpoint.enterprise_id = told.enterprise_id
    UNION ALL
    SELECT endpoint.id, endpoint.enterprise_id, told.id, true
    FROM told
    CROSS JOIN webhook_endpoint AS endpoint
    JOIN client ON client.enterprise_id = endpoint.enterprise_id
    WHERE told.clients > 0 AND endpoint.deleted_at IS NULL AND endpoint.status = 'enabled'
      AND EXISTS (SELECT FROM connection
                  JOIN settlement_party AS party
                    ON (party.settlement_id, party.connection_id) = (told.subject_id, connection.id)
                  WHERE connection.client_id = client.id)
), owed AS (
    INSERT INTO webhook_delivery (endpoint_id, enterprise_id, event_id, as_client, status, replayed, owed_since)
    SELECT endpoint.id, owner.enterprise_id, told.id, owner.as_client, 'owed', false, told.created_at
    FROM owner
    JOIN told ON told.id = owner.event_id
    JOIN webhook_endpoint AS endpoint ON endpoint.id = owner.endpoint_id
    WHERE endpoint.deleted_at IS NULL AND endpoint.status = 'enabled'
      AND CASE WHEN told.type = 'webhook_endpoint.test' THEN told.subject_id = endpoint.id
               WHEN told.type = 'webhook_endpoint.changed' AND told.subject_id = endpoint.id THEN false
               WHEN endpoint.event_types IS NULL THEN told.type <> 'balance.changed'
               ELSE told.type = ANY(endpoint.event_types)
          END
    ORDER BY told.sequence, owner.as_client, endpoint.id
)
SELECT count(*) FROM taken

-- name: find_seen_events
-- The events with these ids, as the enterprise sees them. A client's id of a settlement's event begins as the event's.
SELECT id, false AS as_client FROM event WHERE id = ANY(%(ids)s) AND enterprise_id = %(enterprise_id)s
UNION ALL
SELECT event.id, true
FROM unnest(%(ids)s::uuid[]) AS seen (id)
JOIN event ON event.id BETWEEN overlay(seen.id::text PLACING '0000-000000000000' FROM 20)::uuid
                           AND overlay(seen.id::text PLACING 'ffff-ffffffffffff' FROM 20)::uuid
WHERE event.clients > 0 AND seen.id = client_event_id(event.id, %(enterprise_id)s)
  AND EXISTS (SELECT FROM client
              JOIN connection ON connection.client_id = client.id
              JOIN settlement_party AS party
                ON (party.settlement_id, party.connection_id) = (event.subject_id, connection.id)
              WHERE client.enterprise_id = %(enterprise_id)s)

-- name: insert_replay
INSERT INTO webhook_delivery (endpoint_id, enterprise_id, event_id, as_client, status, replayed, owed_since)
VALUES (%(endpoint_id)s, %(enterprise_id)s, %(event_id)s, %(as_client)s, 'owed', true, %(now)s)

-- name: replay_range
-- Leaves out events that are owed already.
WITH owned AS (
    SELECT id, sequence, type, false AS as_client FROM event
    WHERE enterprise_id = %(enterprise_id)s AND created_at >= %(from_at)s AND created_at < %(until_at)s
      AND NOT (type = 'webhook_endpoint.changed' AND subject_id = %(endpoint_id)s)
    UNION ALL
    SELECT event.id, event.sequence, event.type, true FROM event
    WHERE event.clients > 0 AND created_at >= %(from_at)s AND created_at < %(until_at)s
      AND EXISTS (SELECT FROM client
                  JOIN connection ON connection.client_id = client.id
                  JOIN settlement_party AS party
                    ON (party.settlement_id, party.connection_id) = (event.subject_id, connection.id)
                  WHERE client.enterprise_id = %(enterprise_id)s)
)
INSERT INTO webhook_delivery (endpoint_id, enterprise_id, event_id, as_client, status, replayed, owed_since)
SELECT %(endpoint_id)s, %(enterprise_id)s, id, as_client, 'owed', true, %(now)s
FROM owned
WHERE CASE WHEN %(event_types)s::text[] IS NULL THEN type NOT IN ('balance.changed', 'webhook_endpoint.test')
           ELSE type = ANY(%(event_types)s) END
  AND NOT EXISTS (SELECT FROM webhook_delivery AS delivery
                  WHERE delivery.event_id = owned.id AND delivery.endpoint_id = %(endpoint_id)s
                    AND delivery.as_client = owned.as_client
                    AND (delivery.status = 'owed' OR (%(only_missed)s AND delivery.status = 'delivered')))
ORDER BY sequence, as_client
LIMIT %(limit)s

-- name: list_deliveries
SELECT delivery.endpoint_id, delivery.position, {seen_event_id} AS event_id, event.type AS event_type,
       delivery.status, delivery.replayed, delivery.attempts, delivery.owed_since, delivery.ended_at
FROM webhook_delivery AS delivery JOIN event ON event.id = delivery.event_id
WHERE delivery.endpoint_id = %(endpoint_id)s
  AND (%(statuses)s::text[] IS NULL OR delivery.status = ANY(%(statuses)s))
  AND (%(event_ids)s::uuid[] IS NULL
       OR (delivery.event_id = ANY(%(event_ids)s) AND {seen_event_id} = ANY(%(seen_ids)s)))
  AND (%(created_on_or_after)s::timestamptz IS NULL OR delivery.owed_since >= %(created_on_or_after)s)
  AND (%(created_before)s::timestamptz IS NULL OR delivery.owed_since < %(created_before)s)

-- name: outcomes
SELECT event_id, status, count(*) AS messages FROM webhook_delivery
WHERE event_id = ANY(%(event_ids)s) GROUP BY event_id, status

-- name: list_attempts
SELECT attempt.position, attempt.number, {seen_event_id} AS event_id, event.type AS event_type, attempt.started_at,
       attempt.duration_milliseconds, attempt.succeeded, attempt.status_code, attempt.problem
FROM webhook_attempt AS attempt
JOIN webhook_delivery AS delivery
  ON (delivery.endpoint_id, delivery.position) = (attempt.endpoint_id, attempt.position)
JOIN event ON event.id = attempt.event_id
WHERE attempt.endpoint_id = %(endpoint_id)s
  AND (%(succeeded)s::boolean IS NULL OR attempt.succeeded = %(succeeded)s)
  AND (%(event_ids)s::uuid[] IS NULL
       OR (attempt.event_id = ANY(%(event_ids)s) AND {seen_event_id} = ANY(%(seen_ids)s)))
  AND (%(created_on_or_after)s::timestamptz IS NULL OR attempt.started_at >= %(created_on_or_after)s)
  AND (%(created_before)s::timestamptz IS NULL OR attempt.started_at < %(created_before)s)

-- name: list_owing
-- The endpoints with owed messages, by jumps through the index from one endpoint to the next. The cost depends on
-- the number of endpoints, not of messages.
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
-- Leases those of the given endpoints that can be leased. Skips endpoints that another transaction has locked.
UPDATE webhook_endpoint AS endpoint
SET lease_id = %(lease_id)s, leased_until = %(leased_until)s
FROM (SELECT id AS claimable_id FROM webhook_endpoint
      WHERE id = ANY(%(ids)s) AND status = 'enabled' AND deleted_at IS NULL
        AND (retry_at IS NULL OR retry_at <= %(now)s) AND (leased_until IS NULL OR leased_until <= %(now)s)
      ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED) AS claimable
WHERE endpoint.id = claimable_id
RETURNING {endpoint}

-- name: drop_aged
UPDATE webhook_delivery SET status = 'dropped', ended_at = %(now)s
WHERE endpoint_id = ANY(%(endpoint_ids)s) AND status = 'owed' AND owed_since < %(owed_before)s

-- name: first_messages
-- The first messages of each endpoint, up to a number and up to the stored bytes (the first may be larger). A client's
-- message of a settlement has its connections there: at most those that it has with the partner, 40 bytes each. The
-- payload is returned as the text that is sent.
SELECT owed.endpoint_id, owed.position, owed.attempts, {seen_event_id} AS event_id, event.type,
       event_payload(event.payload, event.subject_id, delivery.enterprise_id, delivery.as_client)::text AS payload,
       event.created_at, event.traceparent
FROM unnest(%(endpoint_ids)s::uuid[]) AS claimed (id)
CROSS JOIN LATERAL (
    SELECT first.*, sum(first.bytes) OVER (ORDER BY first.position) AS bytes_so_far
    FROM (
        SELECT delivery.endpoint_id, delivery.position, delivery.attempts, delivery.event_id,
               pg_column_size(sized.payload)
               + CASE WHEN delivery.as_client
                      THEN 40 * (SELECT count(*) FROM client
                                 JOIN connection ON connection.client_id = client.id
                                 JOIN settlement ON settlement.partner_id = connection.partner_id
                                 WHERE client.enterprise_id = delivery.enterprise_id
                                   AND settlement.id = sized.subject_id)
                      ELSE 0 END AS bytes
        FROM webhook_delivery AS delivery JOIN event AS sized ON sized.id = delivery.event_id
        WHERE delivery.endpoint_id = claimed.id AND delivery.status = 'owed'
        ORDER BY delivery.position LIMIT %(per_endpoint)s
    ) AS first
) AS owed
JOIN webhook_delivery AS delivery ON (delivery.endpoint_id, delivery.position) = (owed.endpoint_id, owed.position)
JOIN event ON event.id = owed.event_id
WHERE owed.bytes_so_far = owed.bytes OR owed.bytes_so_far <= %(bytes_per_endpoint)s
ORDER BY owed.endpoint_id, owed.position

-- name: lock_leased
SELECT {endpoint}
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
    SELECT position, number, started_at, duration_milliseconds, status_code, problem
    FROM json_to_recordset(%(answers)s::json) AS given
        (position bigint, number integer, started_at timestamptz, duration_milliseconds integer, status_code integer,
         problem text)
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
SELECT %(endpoint_id)s, position, given.number, %(enterprise_id)s, delivery.event_id, given.started_at,
       given.duration_milliseconds, given.problem IS NULL, given.status_code, given.problem
FROM given JOIN webhook_delivery AS delivery USING (position) WHERE delivery.endpoint_id = %(endpoint_id)s

-- name: oldest_attempt_at
SELECT started_at FROM webhook_attempt ORDER BY started_at LIMIT 1

-- name: prune_attempts
-- Skips attempts that another worker is pruning.
DELETE FROM webhook_attempt
WHERE ctid = ANY(ARRAY(SELECT ctid FROM webhook_attempt WHERE started_at < %(started_before)s
                       ORDER BY started_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED))

-- name: count_owed_endpoints
-- The endpoints that could be posted to now.
SELECT count(*)
FROM webhook_endpoint AS endpoint
WHERE endpoint.status = 'enabled' AND endpoint.deleted_at IS NULL
  AND (endpoint.retry_at IS NULL OR endpoint.retry_at <= %(now)s)
  AND EXISTS (SELECT FROM webhook_delivery AS delivery
              WHERE delivery.endpoint_id = endpoint.id AND delivery.status = 'owed')

-- name: count_events_to_deliver
-- Nobody waits for them in a network without endpoints.
SELECT count(*) FROM event_to_deliver
WHERE EXISTS (SELECT FROM webhook_endpoint WHERE status = 'enabled' AND deleted_at IS NULL)

-- name: next_delivery_at
-- The earliest time at which an endpoint could or can be posted to, with the jumps of list_owing, or the time of the
-- oldest event without deliveries, if there are endpoints at all.
WITH RECURSIVE owing (endpoint_id) AS (
    (SELECT endpoint_id FROM webhook_delivery WHERE status = 'owed' ORDER BY endpoint_id LIMIT 1)
    UNION ALL
    SELECT (SELECT delivery.endpoint_id FROM webhook_delivery AS delivery
            WHERE delivery.status = 'owed' AND delivery.endpoint_id > owing.endpoint_id
            ORDER BY delivery.endpoint_id LIMIT 1)
    FROM owing WHERE owing.endpoint_id IS NOT NULL
)
SELECT least(min(greatest(first.owed_since, endpoint.retry_at)),
             (SELECT event.created_at FROM event_to_deliver AS listed JOIN event ON event.id = listed.event_id
              WHERE EXISTS (SELECT FROM webhook_endpoint WHERE status = 'enabled' AND deleted_at IS NULL)
              ORDER BY listed.sequence LIMIT 1))
FROM owing JOIN webhook_endpoint AS endpoint ON endpoint.id = owing.endpoint_id
CROSS JOIN LATERAL (
    SELECT owed_since FROM webhook_delivery AS delivery
    WHERE delivery.endpoint_id = endpoint.id AND delivery.status = 'owed'
    ORDER BY delivery.position LIMIT 1
) AS first
WHERE endpoint.status = 'enabled' AND endpoint.deleted_at IS NULL

-- name: count_leased
SELECT count(*) FROM webhook_endpoint WHERE leased_until > %(now)s AND deleted_at IS NULL
