-- name: insert_events
INSERT INTO event (id, enterprise_id, type, subject_id, payload, created_at)
SELECT gen_random_uuid(), given.enterprise_id, given.type, given.subject_id, given.payload, %(now)s
FROM unnest(%(enterprise_ids)s::text[], %(types)s::text[], %(subject_ids)s::uuid[], %(payloads)s::jsonb[])
    WITH ORDINALITY AS given (enterprise_id, type, subject_id, payload, position)
ORDER BY given.position

-- name: list_events
SELECT id, sequence, enterprise_id, type, subject_id, payload, created_at, count(*) OVER () AS total
FROM event
WHERE (%(enterprise_id)s::text IS NULL OR enterprise_id = %(enterprise_id)s)
  AND (%(subject_id)s::uuid IS NULL OR subject_id = %(subject_id)s)
  AND (%(types)s::text[] IS NULL OR type = ANY(%(types)s))
ORDER BY sequence DESC
LIMIT %(limit)s OFFSET %(offset)s
