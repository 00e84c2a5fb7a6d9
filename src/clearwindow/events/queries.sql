-- columns: seen
CASE WHEN page.as_client = 1 THEN client_event_id(event.id, page.enterprise_id) ELSE event.id END AS id,
       event.sequence, page.enterprise_id, event.type, event.subject_id,
       event_payload(event.payload, event.subject_id, page.enterprise_id, page.as_client = 1) AS payload,
       event.created_at, page.as_client

-- columns: wanted
(%(subject_id)s::uuid IS NULL OR event.subject_id = %(subject_id)s)
      AND (%(types)s::text[] IS NULL OR event.type = ANY(%(types)s))
      AND (%(created_on_or_after)s::timestamptz IS NULL OR event.created_at >= %(created_on_or_after)s)
      AND (%(created_before)s::timestamptz IS NULL OR event.created_at < %(created_before)s)

-- columns: after
%(after_0)s::bigint IS NULL
       OR (sequence, as_client, enterprise_id COLLATE "C")
          < (%(after_0)s::bigint, %(after_1)s::bigint, %(after_2)s::text COLLATE "C")

-- columns: newest_first
sequence DESC, as_client DESC, enterprise_id COLLATE "C" DESC

-- name: insert_events
INSERT INTO event (id, enterprise_id, type, subject_id, payload, created_at)
SELECT gen_random_uuid(), given.enterprise_id, given.type, given.subject_id, given.payload, %(now)s
FROM unnest(%(enterprise_ids)s::text[], %(types)s::text[], %(subject_ids)s::uuid[], %(payloads)s::jsonb[])
    WITH ORDINALITY AS given (enterprise_id, type, subject_id, payload, position)
ORDER BY given.position

-- name: insert_operator_event
INSERT INTO operator_event (id, type, subject_id, payload, created_at)
VALUES (%(id)s, %(type)s, %(subject_id)s, %(payload)s, %(now)s)

-- name: insert_step
-- One event for each type. It also belongs to the clients with a connection in the settlement.
WITH involved AS (
    SELECT count(DISTINCT connection.client_id) AS clients
    FROM settlement_party AS party JOIN connection ON connection.id = party.connection_id
    WHERE party.settlement_id = %(settlement_id)s
)
INSERT INTO event (id, enterprise_id, type, subject_id, payload, created_at, clients)
SELECT (%(id_prefix)s || substr(gen_random_uuid()::text, 16))::uuid, %(enterprise_id)s, given.type, %(settlement_id)s,
       given.payload, %(now)s, involved.clients
FROM unnest(%(types)s::text[], %(payloads)s::jsonb[]) WITH ORDINALITY AS given (type, payload, position)
CROSS JOIN involved
ORDER BY given.position

-- name: insert_steps
WITH involved AS (
    SELECT party.settlement_id, count(DISTINCT connection.client_id) AS clients
    FROM settlement_party AS party JOIN connection ON connection.id = party.connection_id
    WHERE party.settlement_id = ANY(%(settlement_ids)s)
    GROUP BY party.settlement_id
)
INSERT INTO event (id, enterprise_id, type, subject_id, payload, created_at, clients)
SELECT (%(id_prefix)s || substr(gen_random_uuid()::text, 16))::uuid, given.enterprise_id, given.type,
       given.settlement_id, given.payload, %(now)s, coalesce(involved.clients, 0)
FROM unnest(%(enterprise_ids)s::text[], %(settlement_ids)s::uuid[], %(types)s::text[], %(payloads)s::jsonb[])
    WITH ORDINALITY AS given (enterprise_id, settlement_id, type, payload, position)
LEFT JOIN involved USING (settlement_id)
ORDER BY given.position

-- name: list_events
-- The events of all enterprises. A step of a settlement has a row for each owner; only those of the page are made. Each
-- event has at least one row, so that the page's rows are among the next so many events. Of the event in which the
-- last page ended, some rows were shown already.
WITH latest AS (
    SELECT id, sequence, clients + 1 AS owners FROM event
    WHERE {wanted} AND (%(after_0)s::bigint IS NULL OR sequence <= %(after_0)s)
    ORDER BY sequence DESC LIMIT %(offset)s::bigint + %(limit)s::bigint + 1
), matching AS (
    SELECT id, owners, sum(owners) OVER (ORDER BY sequence DESC) AS up_to,
           CASE WHEN %(after_0)s::bigint IS NULL THEN 0
                ELSE first_value(owners) OVER (ORDER BY sequence DESC) END AS shown
    FROM latest
), near AS (
    SELECT id, up_to - owners AS before FROM matching
    WHERE up_to > %(offset)s::bigint AND up_to - owners < %(offset)s::bigint + %(limit)s::bigint + shown
), owned AS (
    SELECT event.id, event.sequence, event.enterprise_id, 0 AS as_client
    FROM near JOIN event ON event.id = near.id
    UNION ALL
    SELECT event.id, event.sequence, client.enterprise_id, 1
    FROM near JOIN event ON event.id = near.id AND event.clients > 0
    JOIN LATERAL (
        SELECT DISTINCT connection.client_id
        FROM settlement_party AS party JOIN connection ON connection.id = party.connection_id
        WHERE party.settlement_id = event.subject_id
    ) AS involved ON true
    JOIN client ON client.id = involved.client_id
), page AS (
    SELECT * FROM owned WHERE {after}
    ORDER BY {newest_first}
    LIMIT %(limit)s OFFSET %(offset)s - (SELECT coalesce(min(before), %(offset)s) FROM near)
)
SELECT {seen}
FROM page JOIN event ON event.id = page.id
ORDER BY event.sequence DESC, page.as_client DESC, page.enterprise_id COLLATE "C" DESC

-- name: count_events
SELECT coalesce(sum(owners), 0) FROM (SELECT clients + 1 AS owners FROM event WHERE {wanted} LIMIT %(most)s) AS counted

-- columns: owned_by_enterprise
SELECT id, sequence, enterprise_id, 0 AS as_client
FROM event
WHERE enterprise_id = %(enterprise_id)s AND {wanted}
UNION ALL
SELECT event.id, event.sequence, %(enterprise_id)s, 1
FROM (
    SELECT DISTINCT party.settlement_id
    FROM client
    JOIN connection ON connection.client_id = client.id
    JOIN settlement_party AS party ON party.connection_id = connection.id
    WHERE client.enterprise_id = %(enterprise_id)s
      AND (%(subject_id)s::uuid IS NULL OR party.settlement_id = %(subject_id)s)
) AS own
JOIN event ON event.subject_id = own.settlement_id AND event.clients > 0
WHERE {wanted}

-- name: list_events_of_enterprise
WITH owned AS (
{owned_by_enterprise}
), page AS (
    SELECT * FROM owned WHERE {after}
    ORDER BY {newest_first} LIMIT %(limit)s OFFSET %(offset)s
)
SELECT {seen}
FROM page JOIN event ON event.id = page.id
ORDER BY event.sequence DESC, page.as_client DESC

-- name: count_events_of_enterprise
SELECT count(*) FROM (SELECT FROM (
{owned_by_enterprise}
) AS owned LIMIT %(most)s) AS counted
