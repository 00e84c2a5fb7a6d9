-- columns: recipient
id, enterprise_id, user_id, operator_id, event_types, time_zone, quiet_from, quiet_until, created_at, updated_at

-- columns: channel
id, recipient_id, kind, address, form, sealed_url, sealed_code, code_ends_at, code_failures, status, ended_reason,
failures, failing_since, retry_at, problem, hour_began_at, sent_in_hour, digest_after, created_at, updated_at

-- columns: of_person
(enterprise_id = %(enterprise_id)s AND user_id = %(user_id)s) OR operator_id = %(operator_id)s

-- columns: told_to_member
-- Only administrators hear of who may do what, and of where the enterprise's events go.
membership.removed_at IS NULL AND told.type = ANY(recipient.event_types)
      AND (membership.role = 'administrator' OR told.type <> ALL(%(administrators_types)s))

-- name: find_recipient
SELECT {recipient} FROM notification_recipient WHERE {of_person}

-- name: lock_recipient
SELECT {recipient} FROM notification_recipient WHERE {of_person} FOR NO KEY UPDATE

-- name: insert_recipient
INSERT INTO notification_recipient
    (id, enterprise_id, user_id, operator_id, event_types, time_zone, quiet_from, quiet_until, created_at, updated_at)
VALUES (%(id)s, %(enterprise_id)s, %(user_id)s, %(operator_id)s, %(event_types)s, %(time_zone)s, %(quiet_from)s,
        %(quiet_until)s, %(now)s, %(now)s)
ON CONFLICT DO NOTHING

-- name: update_recipient
UPDATE notification_recipient
SET event_types = %(event_types)s, time_zone = %(time_zone)s, quiet_from = %(quiet_from)s,
    quiet_until = %(quiet_until)s, updated_at = %(now)s
WHERE id = %(id)s

-- name: open_channels
SELECT {channel} FROM notification_channel WHERE recipient_id = %(recipient_id)s AND status <> 'ended' ORDER BY kind

-- name: last_channels
-- The channels of a person: those that are open, and of each kind without one the last that ended by itself.
SELECT DISTINCT ON (kind) {channel} FROM notification_channel
WHERE recipient_id = %(recipient_id)s AND (status <> 'ended' OR ended_reason IN ('gone', 'failing'))
ORDER BY kind, created_at DESC, id

-- name: insert_channel
INSERT INTO notification_channel
    (id, recipient_id, kind, address, form, sealed_url, sealed_code, code_ends_at, status, created_at, updated_at)
VALUES (%(id)s, %(recipient_id)s, %(kind)s, %(address)s, %(form)s, %(sealed_url)s, %(sealed_code)s, %(code_ends_at)s,
        %(status)s, %(now)s, %(now)s)

-- name: change_form
UPDATE notification_channel SET form = %(form)s, updated_at = %(now)s WHERE id = %(id)s

-- name: set_code
UPDATE notification_channel
SET sealed_code = %(sealed_code)s, code_ends_at = %(code_ends_at)s, code_failures = %(code_failures)s,
    updated_at = %(now)s
WHERE id = %(id)s

-- name: activate
UPDATE notification_channel
SET status = 'active', sealed_code = NULL, code_ends_at = NULL, code_failures = 0, updated_at = %(now)s
WHERE id = %(id)s

-- name: end_channels
UPDATE notification_channel
SET status = 'ended', ended_reason = %(reason)s, sealed_code = NULL, code_ends_at = NULL, updated_at = %(now)s
WHERE id = ANY(%(ids)s) AND status <> 'ended'

-- name: drop_owed
UPDATE notification SET status = 'dropped', ended_at = %(now)s
WHERE channel_id = ANY(%(channel_ids)s) AND status = 'owed'

-- name: drop_aged
UPDATE notification SET status = 'dropped', ended_at = %(now)s
WHERE channel_id = ANY(%(channel_ids)s) AND status = 'owed' AND owed_since < %(owed_before)s

-- name: drop_hidden
-- What was owed to an administrator who is none any more.
UPDATE notification SET status = 'dropped', ended_at = %(now)s
FROM event, notification_channel AS channel, notification_recipient AS recipient, membership
WHERE notification.channel_id = ANY(%(channel_ids)s) AND notification.status = 'owed'
  AND event.id = notification.event_id AND event.type = ANY(%(administrators_types)s)
  AND channel.id = notification.channel_id AND recipient.id = channel.recipient_id
  AND (membership.enterprise_id, membership.user_id) = (recipient.enterprise_id, recipient.user_id)
  AND membership.role <> 'administrator'

-- name: release_held
-- The quiet hours have changed: what waits is planned anew.
UPDATE notification SET held_until = NULL
WHERE channel_id = ANY(%(channel_ids)s) AND status = 'owed' AND held_until IS NOT NULL

-- name: owe
INSERT INTO notification (channel_id, kind, status, owed_since)
SELECT channel_id, %(kind)s, 'owed', %(now)s FROM unnest(%(channel_ids)s::uuid[]) AS given (channel_id)

-- name: lock_address
-- Several people may ask for codes to one address. Each has a recipient of its own, which locks nothing for the others.
SELECT pg_advisory_xact_lock(hashtext('clearwindow.codes'), hashtext(%(address)s))

-- name: codes_since
SELECT count(*) FROM notification
JOIN notification_channel AS channel ON channel.id = notification.channel_id
WHERE notification.kind = 'code' AND notification.owed_since > %(since)s
  AND (channel.recipient_id = %(recipient_id)s OR (channel.kind = 'email' AND channel.address = %(address)s))

-- name: has_events_to_tell
SELECT EXISTS (SELECT FROM event_to_tell)

-- name: lock_telling
-- Notifications are made by one transaction after the other, in the order of the events.
SELECT pg_advisory_xact_lock(hashtext('clearwindow.telling'))

-- name: tell
-- Makes the notifications of the oldest events that nobody was told of, up to a number of events and of owners (the
-- first may have more), and takes these events off the list. Returns their number. A step of a settlement is told to
-- its partner and its clients as webhooks tell it.
WITH first AS (
    SELECT listed.sequence, event.clients + 1 AS owners,
           sum(event.clients + 1) OVER (ORDER BY listed.sequence) AS owners_so_far
    FROM (SELECT sequence, event_id FROM event_to_tell ORDER BY sequence LIMIT %(events)s) AS listed
    JOIN event ON event.id = listed.event_id
), taken AS (
    DELETE FROM event_to_tell AS listed USING first
    WHERE listed.sequence = first.sequence AND (owners_so_far = owners OR owners_so_far <= %(owners)s)
    RETURNING listed.event_id
), told AS (
    SELECT event.* FROM taken JOIN event ON event.id = taken.event_id
), owner AS (
    SELECT recipient.id AS recipient_id, told.id AS event_id, told.sequence, told.created_at, false AS as_client
    FROM told
    JOIN notification_recipient AS recipient ON recipient.enterprise_id = told.enterprise_id
    JOIN membership ON (membership.enterprise_id, membership.user_id) = (recipient.enterprise_id, recipient.user_id)
    WHERE {told_to_member}
    UNION ALL
    SELECT recipient.id, told.id, told.sequence, told.created_at, true
    FROM told
    JOIN notification_recipient AS recipient ON told.clients > 0
    JOIN client ON client.enterprise_id = recipient.enterprise_id
    JOIN membership ON (membership.enterprise_id, membership.user_id) = (recipient.enterprise_id, recipient.user_id)
    WHERE {told_to_member}
      AND EXISTS (SELECT FROM connection
                  JOIN settlement_party AS party
                    ON (party.settlement_id, party.connection_id) = (told.subject_id, connection.id)
                  WHERE connection.client_id = client.id)
    UNION ALL
    SELECT recipient.id, told.id, told.sequence, told.created_at, false
    FROM told
    JOIN notification_recipient AS recipient ON told.type = ANY(recipient.event_types)
    JOIN operator ON operator.id = recipient.operator_id AND operator.removed_at IS NULL
    WHERE told.type = 'settlement.failed'
), owed AS (
    INSERT INTO notification (channel_id, kind, event_id, as_client, status, owed_since)
    SELECT channel.id, 'event', owner.event_id, owner.as_client, 'owed', owner.created_at
    FROM owner JOIN notification_channel AS channel ON channel.recipient_id = owner.recipient_id AND channel.status = 'active'
    ORDER BY owner.sequence, owner.as_client, channel.id
)
SELECT count(*) FROM taken

-- name: claim_channels
-- Leases channels with something to send. Skips those that another transaction has locked.
UPDATE notification_channel AS channel
SET lease_id = %(lease_id)s, leased_until = %(leased_until)s
FROM (SELECT id AS claimable_id FROM notification_channel
      WHERE id IN (SELECT channel_id FROM notification
                   WHERE status = 'owed' AND (held_until IS NULL OR held_until <= %(now)s))
        AND (retry_at IS NULL OR retry_at <= %(now)s) AND (leased_until IS NULL OR leased_until <= %(now)s)
      ORDER BY retry_at NULLS FIRST, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED) AS claimable
WHERE channel.id = claimable_id
RETURNING {channel}

-- name: recipients_in_force
-- The people who own these channels and are still members, or operators.
SELECT {recipient} FROM notification_recipient AS recipient
WHERE id = ANY(%(ids)s)
  AND (EXISTS (SELECT FROM membership
               WHERE (membership.enterprise_id, membership.user_id) = (recipient.enterprise_id, recipient.user_id)
                 AND membership.removed_at IS NULL)
       OR EXISTS (SELECT FROM operator WHERE operator.id = recipient.operator_id AND operator.removed_at IS NULL))

-- name: first_owed
-- The first notifications of each channel, with what they tell: an event as the owner of the channel may see it.
SELECT owed.channel_id, owed.position, owed.kind, owed.message_id, coalesce(event.type, own.type) AS type,
       coalesce(event.subject_id, own.subject_id) AS subject_id,
       coalesce(own.payload,
                event_payload(event.payload, event.subject_id, recipient.enterprise_id, owed.as_client)) AS payload,
       owed.as_client, coalesce(event.created_at, own.created_at, owed.owed_since) AS created_at,
       partner.name AS partner_name
FROM notification_channel AS channel
JOIN notification_recipient AS recipient ON recipient.id = channel.recipient_id
CROSS JOIN LATERAL (
    SELECT * FROM notification
    WHERE channel_id = channel.id AND status = 'owed' AND (held_until IS NULL OR held_until <= %(now)s)
    ORDER BY position LIMIT %(per_channel)s
) AS owed
LEFT JOIN event ON event.id = owed.event_id
LEFT JOIN operator_event AS own ON own.id = owed.operator_event_id
LEFT JOIN settlement ON settlement.id = event.subject_id
LEFT JOIN partner ON partner.id = settlement.partner_id
WHERE channel.id = ANY(%(channel_ids)s)
ORDER BY owed.channel_id, owed.position

-- name: settlement_totals
-- What a client's connections lose and gain by the new amounts of a settlement.
SELECT wanted.settlement_id, wanted.enterprise_id, leg.currency,
       coalesce(sum(-leg.quantity) FILTER (WHERE leg.quantity < 0), 0) AS lost,
       coalesce(sum(leg.quantity) FILTER (WHERE leg.quantity > 0), 0) AS gained
FROM unnest(%(settlement_ids)s::uuid[], %(enterprise_ids)s::text[]) AS wanted (settlement_id, enterprise_id)
JOIN client ON client.enterprise_id = wanted.enterprise_id
JOIN connection ON connection.client_id = client.id
JOIN settlement_leg AS leg ON (leg.settlement_id, leg.connection_id) = (wanted.settlement_id, connection.id)
WHERE leg.dispute_closure_id IS NULL
GROUP BY wanted.settlement_id, wanted.enterprise_id, leg.currency
ORDER BY wanted.settlement_id, wanted.enterprise_id, leg.currency

-- name: partner_totals
-- The same for the partner: what it pays is what the connections gain.
SELECT wanted.settlement_id, wanted.enterprise_id, transfer.currency,
       coalesce(sum(transfer.quantity) FILTER (WHERE transfer.quantity > 0), 0) AS lost,
       coalesce(sum(-transfer.quantity) FILTER (WHERE transfer.quantity < 0), 0) AS gained
FROM unnest(%(settlement_ids)s::uuid[], %(enterprise_ids)s::text[]) AS wanted (settlement_id, enterprise_id)
JOIN settlement_transfer AS transfer ON transfer.settlement_id = wanted.settlement_id
WHERE transfer.dispute_closure_id IS NULL AND transfer.counterparty_connection_id IS NULL
GROUP BY wanted.settlement_id, wanted.enterprise_id, transfer.currency
ORDER BY wanted.settlement_id, wanted.enterprise_id, transfer.currency

-- name: units
SELECT name, backing, decimals FROM currency

-- name: keep_plans
-- Chooses the message of each notification, or until when it waits.
WITH given AS (
    SELECT * FROM unnest(%(channel_ids)s::uuid[], %(positions)s::bigint[], %(message_ids)s::uuid[],
                         %(holds)s::timestamptz[]) AS given (channel_id, position, message_id, held_until)
)
UPDATE notification
SET message_id = coalesce(notification.message_id, given.message_id), held_until = given.held_until
FROM given
WHERE (notification.channel_id, notification.position) = (given.channel_id, given.position)

-- name: keep_paces
UPDATE notification_channel AS channel
SET hour_began_at = given.hour_began_at, sent_in_hour = given.sent_in_hour, digest_after = given.digest_after
FROM unnest(%(ids)s::uuid[], %(hour_starts)s::timestamptz[], %(sent_in_hour)s::integer[],
            %(next_digests)s::timestamptz[]) AS given (id, hour_began_at, sent_in_hour, digest_after)
WHERE channel.id = given.id

-- name: give_up_leases
UPDATE notification_channel SET lease_id = NULL, leased_until = NULL WHERE id = ANY(%(ids)s)

-- name: lock_leased
SELECT {channel} FROM notification_channel WHERE id = %(id)s AND lease_id = %(lease_id)s FOR NO KEY UPDATE

-- name: record_results
UPDATE notification
SET attempts = attempts + 1, problem = given.problem,
    status = given.status, ended_at = CASE WHEN given.status = 'owed' THEN NULL ELSE %(now)s END
FROM unnest(%(message_ids)s::uuid[], %(statuses)s::text[], %(problems)s::text[]) AS given (message_id, status, problem)
WHERE notification.channel_id = %(channel_id)s AND notification.message_id = given.message_id
  AND notification.status = 'owed'

-- name: return_channel
UPDATE notification_channel
SET lease_id = NULL, leased_until = NULL, failures = %(failures)s, failing_since = %(failing_since)s,
    retry_at = %(retry_at)s, problem = %(problem)s
WHERE id = %(id)s

-- name: list_notifications
SELECT notification.position, notification.kind, channel.kind AS channel_kind, channel.address,
       coalesce(event.type, own.type) AS type, notification.status, notification.message_id, notification.attempts,
       notification.problem, notification.held_until, notification.owed_since, notification.ended_at
FROM notification
JOIN notification_channel AS channel ON channel.id = notification.channel_id
JOIN notification_recipient AS recipient ON recipient.id = channel.recipient_id
LEFT JOIN event ON event.id = notification.event_id
LEFT JOIN operator_event AS own ON own.id = notification.operator_event_id
WHERE ((recipient.enterprise_id = %(enterprise_id)s AND recipient.user_id = %(user_id)s)
       OR recipient.operator_id = %(operator_id)s)
  AND (%(statuses)s::text[] IS NULL OR notification.status = ANY(%(statuses)s))
  AND (%(created_on_or_after)s::timestamptz IS NULL OR notification.owed_since >= %(created_on_or_after)s)
  AND (%(created_before)s::timestamptz IS NULL OR notification.owed_since < %(created_before)s)

-- name: list_channels
SELECT channel.id, recipient.enterprise_id, recipient.user_id, recipient.operator_id, channel.kind, channel.address,
       channel.form, channel.status, channel.ended_reason, channel.failures, channel.failing_since, channel.retry_at,
       channel.problem, channel.created_at, channel.updated_at
FROM notification_channel AS channel
JOIN notification_recipient AS recipient ON recipient.id = channel.recipient_id
WHERE (%(enterprise_ids)s::text[] IS NULL OR recipient.enterprise_id = ANY(%(enterprise_ids)s))
  AND (%(statuses)s::text[] IS NULL OR channel.status = ANY(%(statuses)s))
  AND (%(failing)s::boolean IS NULL OR (channel.failures > 0) = %(failing)s)
  AND (%(created_on_or_after)s::timestamptz IS NULL OR channel.created_at >= %(created_on_or_after)s)
  AND (%(created_before)s::timestamptz IS NULL OR channel.created_at < %(created_before)s)

-- name: count_due
SELECT (SELECT count(*) FROM event_to_tell)
       + (SELECT count(DISTINCT notification.channel_id) FROM notification
          JOIN notification_channel AS channel ON channel.id = notification.channel_id
          WHERE notification.status = 'owed' AND (notification.held_until IS NULL OR notification.held_until <= %(now)s)
            AND (channel.retry_at IS NULL OR channel.retry_at <= %(now)s))

-- name: next_due_at
SELECT least(
    (SELECT event.created_at FROM event_to_tell AS listed JOIN event ON event.id = listed.event_id
     ORDER BY listed.sequence LIMIT 1),
    (SELECT min(greatest(notification.owed_since, notification.held_until, channel.retry_at))
     FROM notification JOIN notification_channel AS channel ON channel.id = notification.channel_id
     WHERE notification.status = 'owed'))
