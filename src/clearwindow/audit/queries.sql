-- name: insert_record
INSERT INTO audit_record (at, request_id, actor_kind, actor_id, enterprise_id, action, subject_id, details)
VALUES (%(at)s, %(request_id)s, %(actor_kind)s, %(actor_id)s, %(enterprise_id)s, %(action)s, %(subject_id)s,
        %(details)s)

-- name: list_records
SELECT sequence, at, request_id, actor_kind, actor_id, enterprise_id, action, subject_id, details,
       count(*) OVER () AS total
FROM audit_record
WHERE (%(subject_id)s::text IS NULL OR subject_id = %(subject_id)s)
  AND (%(actor_id)s::text IS NULL OR actor_id = %(actor_id)s)
  AND (%(enterprise_id)s::text IS NULL OR enterprise_id = %(enterprise_id)s)
  AND (%(action)s::text IS NULL OR action = %(action)s)
ORDER BY sequence DESC
LIMIT %(limit)s OFFSET %(offset)s
