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
