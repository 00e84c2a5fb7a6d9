-- columns: token
-- A token dies with its user's membership, or with its operator.
access_token.id, access_token.kind, access_token.enterprise_id, access_token.user_id, access_token.operator_id,
operator.name AS operator_name, access_token.scopes, access_token.ip_allow_list, access_token.label,
access_token.created_at, access_token.expires_at,
coalesce(access_token.revoked_at, membership.removed_at, operator.removed_at) AS revoked_at,
coalesce(enterprise.licensed, false) AS licensed,
access_token.role, operator.role AS operator_role, membership.role AS member_role,
coalesce(membership.may_use_custodian_key, false) AS may_use_custodian_key, access_token.made_by,
access_token.program, access_token.deposits_only, access_token.deposits_proposal_id

-- columns: token_tables
access_token
LEFT JOIN enterprise ON enterprise.id = access_token.enterprise_id
LEFT JOIN operator ON operator.id = access_token.operator_id
LEFT JOIN membership ON (membership.enterprise_id, membership.user_id)
                      = (access_token.enterprise_id, access_token.user_id)

-- name: find_token
SELECT {token} FROM {token_tables} WHERE access_token.token_sha256 = %(token_sha256)s

-- name: find_tokens
SELECT access_token.token_sha256, {token} FROM {token_tables} WHERE access_token.token_sha256 = ANY(%(hashes)s)

-- name: find_token_by_id
SELECT {token} FROM {token_tables} WHERE access_token.id = %(id)s

-- name: list_tokens
SELECT {token}
FROM {token_tables}
WHERE (%(ids)s::uuid[] IS NULL OR access_token.id = ANY(%(ids)s))
  AND (%(enterprise_ids)s::text[] IS NULL OR access_token.enterprise_id = ANY(%(enterprise_ids)s))
  AND (%(user_ids)s::text[] IS NULL OR access_token.user_id = ANY(%(user_ids)s))
  AND (%(operator_ids)s::uuid[] IS NULL OR access_token.operator_id = ANY(%(operator_ids)s))
  AND (%(kinds)s::text[] IS NULL OR access_token.kind = ANY(%(kinds)s))
  AND (%(active)s::boolean IS NULL OR %(active)s =
       (coalesce(access_token.revoked_at, membership.removed_at, operator.removed_at) IS NULL
        AND (access_token.expires_at IS NULL OR access_token.expires_at > %(now)s)))
  AND (%(created_on_or_after)s::timestamptz IS NULL OR access_token.created_at >= %(created_on_or_after)s)
  AND (%(created_before)s::timestamptz IS NULL OR access_token.created_at < %(created_before)s)

-- name: insert_token
INSERT INTO access_token (id, token_sha256, kind, sealed_secret, enterprise_id, user_id, operator_id, scopes,
                          ip_allow_list, label, created_at, expires_at, role, made_by, program, deposits_only,
                          deposits_proposal_id)
VALUES (%(id)s, %(token_sha256)s, %(kind)s, %(sealed_secret)s, %(enterprise_id)s, %(user_id)s, %(operator_id)s,
        %(scopes)s, %(ip_allow_list)s::cidr[], %(label)s, %(now)s, %(expires_at)s, %(role)s, %(made_by)s,
        %(program)s, %(deposits_only)s, %(deposits_proposal_id)s)

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

-- name: revoke_tokens_of_member
UPDATE access_token SET revoked_at = %(now)s, sealed_secret = NULL
WHERE enterprise_id = %(enterprise_id)s AND user_id = %(user_id)s AND revoked_at IS NULL
RETURNING id

-- name: revoke_tokens_of_operator
UPDATE access_token SET revoked_at = %(now)s WHERE operator_id = %(operator_id)s AND revoked_at IS NULL
RETURNING id

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
-- Who comes back begins anew: with the rights of a new member, and with none of the former tokens.
INSERT INTO membership ({membership}, created_at)
VALUES (%(enterprise_id)s, %(user_id)s, %(role)s, %(may_use_custodian_key)s, %(now)s)
ON CONFLICT (enterprise_id, user_id) DO UPDATE
SET removed_at = NULL, created_at = excluded.created_at, role = excluded.role,
    may_use_custodian_key = excluded.may_use_custodian_key
WHERE membership.removed_at IS NOT NULL

-- name: has_had_members
SELECT EXISTS (SELECT FROM membership WHERE enterprise_id = %(enterprise_id)s)

-- name: hold_member
-- A removal waits, and then finds the tokens that were made meanwhile.
SELECT true FROM membership
WHERE enterprise_id = %(enterprise_id)s AND user_id = %(user_id)s AND removed_at IS NULL FOR SHARE

-- name: remove_member
-- The row is locked before it is read, so that only one of two concurrent removals reports that it removed.
WITH before AS (
    SELECT enterprise_id, user_id, removed_at FROM membership
    WHERE enterprise_id = %(enterprise_id)s AND user_id = %(user_id)s FOR NO KEY UPDATE
)
UPDATE membership SET removed_at = coalesce(before.removed_at, %(now)s)
FROM before WHERE (membership.enterprise_id, membership.user_id) = (before.enterprise_id, before.user_id)
RETURNING before.removed_at IS NULL

-- name: find_membership
SELECT {membership} FROM membership
WHERE enterprise_id = %(enterprise_id)s AND user_id = %(user_id)s AND removed_at IS NULL

-- name: list_administrators
SELECT user_id FROM membership
WHERE enterprise_id = %(enterprise_id)s AND role = 'administrator' AND removed_at IS NULL

-- name: update_membership
UPDATE membership SET role = %(role)s, may_use_custodian_key = %(may_use_custodian_key)s
WHERE enterprise_id = %(enterprise_id)s AND user_id = %(user_id)s

-- columns: operator
id, name, created_at, role

-- name: insert_operator
-- Whoever comes back under a name is the same person, and cannot review what they made before.
INSERT INTO operator ({operator}, look) VALUES (%(id)s, %(name)s, %(now)s, %(role)s, %(look)s)
ON CONFLICT (name) DO UPDATE SET removed_at = NULL, role = excluded.role WHERE operator.removed_at IS NOT NULL

-- name: find_operator
SELECT {operator}, removed_at FROM operator WHERE id = %(id)s

-- name: hold_operator
-- A removal waits, and then finds the tokens that were made meanwhile.
SELECT {operator} FROM operator WHERE id = %(id)s AND removed_at IS NULL FOR SHARE

-- name: hold_in_office
-- After the network was opened, the operator of the settings' token is none any more.
SELECT {operator} FROM operator
WHERE id = %(id)s AND removed_at IS NULL AND (name <> %(bootstrap)s OR NOT EXISTS (SELECT FROM opening)) FOR SHARE

-- name: makers_of_tokens
SELECT made_by FROM makers_of_tokens(%(enterprise_id)s, %(since)s) AS made_by

-- name: remove_operator
UPDATE operator SET removed_at = %(now)s WHERE id = %(id)s

-- name: find_operator_by_name
SELECT {operator}, removed_at FROM operator WHERE name = %(name)s

-- name: find_bootstrap_operator
-- After the network was opened there is none any more.
SELECT {operator} FROM operator WHERE name = %(name)s AND NOT EXISTS (SELECT FROM opening)

-- name: list_operator_names
SELECT name FROM operator ORDER BY name

-- name: lock_operator_administrators
-- In the order of their ids. After the network was opened, the operator of the settings' token counts no more.
SELECT id FROM operator
WHERE role = 'administrator' AND removed_at IS NULL AND (name <> %(bootstrap)s OR NOT EXISTS (SELECT FROM opening))
ORDER BY id
FOR NO KEY UPDATE

-- name: lock_operator
SELECT {operator}, removed_at FROM operator WHERE id = %(id)s FOR NO KEY UPDATE

-- name: update_operator_role
UPDATE operator SET role = %(role)s WHERE id = %(id)s

-- name: lock_operators
-- So that two openings do not both find nobody. Reading goes on.
LOCK TABLE operator IN SHARE ROW EXCLUSIVE MODE

-- name: insert_opening
INSERT INTO opening (opened_at, single_operator) VALUES (%(now)s, %(single_operator)s) ON CONFLICT DO NOTHING

-- name: find_opening
SELECT opened_at, single_operator FROM opening

-- name: insert_audit_record
INSERT INTO audit_record (at, request_id, actor_kind, actor_id, enterprise_id, action, subject_id, details)
VALUES (%(at)s, %(request_id)s, %(actor_kind)s, %(actor_id)s, %(enterprise_id)s, %(action)s, %(subject_id)s,
        %(details)s)

-- name: list_audit_records
SELECT sequence, at, request_id, actor_kind, actor_id, enterprise_id, action, subject_id, details
FROM audit_record
WHERE (%(subject_id)s::text IS NULL OR subject_id = %(subject_id)s)
  AND (%(actor_id)s::text IS NULL OR actor_id = %(actor_id)s)
  AND (%(enterprise_id)s::text IS NULL OR enterprise_id = %(enterprise_id)s)
  AND (%(action)s::text IS NULL OR action = %(action)s)
  AND (%(on_or_after)s::timestamptz IS NULL OR at >= %(on_or_after)s)
  AND (%(before)s::timestamptz IS NULL OR at < %(before)s)

-- name: audited_requests
SELECT DISTINCT request_id FROM audit_record WHERE request_id = ANY(%(request_ids)s)

-- name: list_enterprises
SELECT {enterprise}
FROM enterprise
WHERE (%(ids)s::text[] IS NULL OR id = ANY(%(ids)s))
  AND (%(names)s::text[] IS NULL OR name = ANY(%(names)s))
  AND (%(trust_orgs)s::text[] IS NULL OR trust_org = ANY(%(trust_orgs)s))
  AND (%(licensed)s::boolean IS NULL OR licensed = %(licensed)s)
  AND (%(created_on_or_after)s::timestamptz IS NULL OR created_at >= %(created_on_or_after)s)
  AND (%(created_before)s::timestamptz IS NULL OR created_at < %(created_before)s)

-- name: list_users
-- A member is one whose membership has not ended.
SELECT id, name, email, created_at
FROM network_user
WHERE (%(ids)s::text[] IS NULL OR id = ANY(%(ids)s))
  AND (%(names)s::text[] IS NULL OR name = ANY(%(names)s))
  AND (%(emails)s::text[] IS NULL OR email = ANY(%(emails)s))
  AND (%(enterprise_ids)s::text[] IS NULL
       OR EXISTS (SELECT FROM membership
                  WHERE membership.user_id = network_user.id AND membership.removed_at IS NULL
                    AND membership.enterprise_id = ANY(%(enterprise_ids)s)))
  AND (%(created_on_or_after)s::timestamptz IS NULL OR created_at >= %(created_on_or_after)s)
  AND (%(created_before)s::timestamptz IS NULL OR created_at < %(created_before)s)

-- name: list_memberships
SELECT membership.enterprise_id, membership.user_id, network_user.name AS user_name, network_user.email AS user_email,
       membership.role, membership.may_use_custodian_key, membership.created_at, membership.removed_at
FROM membership JOIN network_user ON network_user.id = membership.user_id
WHERE (%(enterprise_ids)s::text[] IS NULL OR membership.enterprise_id = ANY(%(enterprise_ids)s))
  AND (%(user_ids)s::text[] IS NULL OR membership.user_id = ANY(%(user_ids)s))
  AND (%(roles)s::text[] IS NULL OR membership.role = ANY(%(roles)s))
  AND (%(removed)s::boolean IS NULL OR (membership.removed_at IS NOT NULL) = %(removed)s)
  AND (%(created_on_or_after)s::timestamptz IS NULL OR membership.created_at >= %(created_on_or_after)s)
  AND (%(created_before)s::timestamptz IS NULL OR membership.created_at < %(created_before)s)

-- name: list_operators
SELECT {operator}, removed_at
FROM operator
WHERE (%(ids)s::uuid[] IS NULL OR id = ANY(%(ids)s))
  AND (%(names)s::text[] IS NULL OR name = ANY(%(names)s))
  AND (%(roles)s::text[] IS NULL OR role = ANY(%(roles)s))
  AND (%(removed)s::boolean IS NULL OR (removed_at IS NOT NULL) = %(removed)s)
  AND (%(created_on_or_after)s::timestamptz IS NULL OR created_at >= %(created_on_or_after)s)
  AND (%(created_before)s::timestamptz IS NULL OR created_at < %(created_before)s)
