-- columns: token
access_token.id, access_token.kind, access_token.enterprise_id, access_token.user_id, access_token.operator_id,
operator.name AS operator_name, access_token.scopes, access_token.ip_allow_list, access_token.label,
access_token.created_at, access_token.expires_at, access_token.revoked_at,
coalesce(enterprise.licensed, false) AS licensed,
access_token.role, operator.role AS operator_role, membership.role AS member_role,
coalesce(membership.may_use_custodian_key, false) AS may_use_custodian_key, access_token.made_by

-- name: find_token
SELECT {token}
FROM access_token
LEFT JOIN enterprise ON enterprise.id = access_token.enterprise_id
LEFT JOIN operator ON operator.id = access_token.operator_id
LEFT JOIN membership ON (membership.enterprise_id, membership.user_id)
                      = (access_token.enterprise_id, access_token.user_id)
WHERE access_token.token_sha256 = %(token_sha256)s

-- name: find_tokens
SELECT access_token.token_sha256, {token}
FROM access_token
LEFT JOIN enterprise ON enterprise.id = access_token.enterprise_id
LEFT JOIN operator ON operator.id = access_token.operator_id
LEFT JOIN membership ON (membership.enterprise_id, membership.user_id)
                      = (access_token.enterprise_id, access_token.user_id)
WHERE access_token.token_sha256 = ANY(%(hashes)s)

-- name: insert_token
INSERT INTO access_token (id, token_sha256, kind, sealed_secret, enterprise_id, user_id, operator_id, scopes,
                          ip_allow_list, label, created_at, expires_at, role, made_by)
VALUES (%(id)s, %(token_sha256)s, %(kind)s, %(sealed_secret)s, %(enterprise_id)s, %(user_id)s, %(operator_id)s,
        %(scopes)s, %(ip_allow_list)s::cidr[], %(label)s, %(now)s, %(expires_at)s, %(role)s, %(made_by)s)

-- name: find_sealed_secret
SELECT sealed_secret FROM access_token WHERE id = %(id)s AND sealed_secret IS NOT NULL

-- name: revoke_token
-- The row is locked before it is read: of two revocations at the same time, only one learns that it was the first.
WITH before AS (
    SELECT id, revoked_at FROM access_token WHERE id = %(id)s FOR UPDATE
)
UPDATE access_token SET revoked_at = coalesce(before.revoked_at, %(now)s), sealed_secret = NULL
FROM before WHERE access_token.id = before.id
RETURNING before.revoked_at IS NULL

-- columns: enterprise
id, name, trust_org, licensed, created_at, updated_at

-- name: insert_enterprise
INSERT INTO enterprise ({enterprise})
VALUES (%(id)s, %(name)s, %(trust_org)s, %(licensed)s, %(now)s, %(now)s)
ON CONFLICT (id) DO NOTHING

-- name: find_enterprise
SELECT {enterprise} FROM enterprise WHERE id = %(id)s

-- name: lock_enterprise
SELECT {enterprise} FROM enterprise WHERE id = %(id)s FOR NO KEY UPDATE

-- name: update_enterprise
UPDATE enterprise
SET name = coalesce(%(name)s, name), licensed = coalesce(%(licensed)s, licensed), updated_at = %(now)s
WHERE id = %(id)s
RETURNING {enterprise}

-- name: insert_user
INSERT INTO network_user (id, name, email, created_at) VALUES (%(id)s, %(name)s, %(email)s, %(now)s)
ON CONFLICT (id) DO NOTHING

-- name: find_user
SELECT id, name, email, created_at FROM network_user WHERE id = %(id)s

-- columns: membership
enterprise_id, user_id, role, may_use_custodian_key

-- name: insert_membership
INSERT INTO membership ({membership}, created_at)
VALUES (%(enterprise_id)s, %(user_id)s, %(role)s, %(may_use_custodian_key)s, %(now)s)
ON CONFLICT DO NOTHING

-- name: find_membership
SELECT {membership} FROM membership WHERE enterprise_id = %(enterprise_id)s AND user_id = %(user_id)s

-- name: list_administrators
SELECT user_id FROM membership WHERE enterprise_id = %(enterprise_id)s AND role = 'administrator'

-- name: update_membership
UPDATE membership SET role = %(role)s, may_use_custodian_key = %(may_use_custodian_key)s
WHERE enterprise_id = %(enterprise_id)s AND user_id = %(user_id)s

-- columns: operator
id, name, created_at, role

-- name: insert_operator
INSERT INTO operator ({operator}, look) VALUES (%(id)s, %(name)s, %(now)s, %(role)s, %(look)s)
ON CONFLICT (name) DO NOTHING

-- name: find_operator
SELECT {operator} FROM operator WHERE id = %(id)s

-- name: find_operator_by_name
SELECT {operator} FROM operator WHERE name = %(name)s

-- name: find_bootstrap_operator
-- After the network was opened there is none any more.
SELECT {operator} FROM operator WHERE name = %(name)s AND NOT EXISTS (SELECT FROM opening)

-- name: list_operator_names
SELECT name FROM operator ORDER BY name

-- name: lock_operator_administrators
-- In the order of their ids. After the network was opened, the operator of the settings' token counts no more.
SELECT id FROM operator
WHERE role = 'administrator' AND (name <> %(bootstrap)s OR NOT EXISTS (SELECT FROM opening))
ORDER BY id
FOR NO KEY UPDATE

-- name: lock_operator
SELECT {operator} FROM operator WHERE id = %(id)s FOR NO KEY UPDATE

-- name: update_operator_role
UPDATE operator SET role = %(role)s WHERE id = %(id)s

-- name: lock_operators
-- So that two openings do not both find nobody. Reading goes on.
LOCK TABLE operator IN SHARE ROW EXCLUSIVE MODE

-- name: revoke_tokens_of_operator
UPDATE access_token SET revoked_at = %(now)s WHERE operator_id = %(operator_id)s AND revoked_at IS NULL

-- name: insert_opening
INSERT INTO opening (opened_at, single_operator) VALUES (%(now)s, %(single_operator)s) ON CONFLICT DO NOTHING

-- name: find_opening
SELECT opened_at, single_operator FROM opening

-- name: insert_audit_record
INSERT INTO audit_record (at, request_id, actor_kind, actor_id, enterprise_id, action, subject_id, details)
VALUES (%(at)s, %(request_id)s, %(actor_kind)s, %(actor_id)s, %(enterprise_id)s, %(action)s, %(subject_id)s,
        %(details)s)

-- name: list_audit_records
SELECT sequence, at, request_id, actor_kind, actor_id, enterprise_id, action, subject_id, details,
       count(*) OVER () AS total
FROM audit_record
WHERE (%(subject_id)s::text IS NULL OR subject_id = %(subject_id)s)
  AND (%(actor_id)s::text IS NULL OR actor_id = %(actor_id)s)
  AND (%(enterprise_id)s::text IS NULL OR enterprise_id = %(enterprise_id)s)
  AND (%(action)s::text IS NULL OR action = %(action)s)
ORDER BY sequence DESC
LIMIT %(limit)s OFFSET %(offset)s

-- name: audited_requests
SELECT DISTINCT request_id FROM audit_record WHERE request_id = ANY(%(request_ids)s)
