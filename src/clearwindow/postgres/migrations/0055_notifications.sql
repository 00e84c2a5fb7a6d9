-- How people hear of events: by e-mail and by chat. Protocol §9.

-- What one person wants to hear: a user of an enterprise, or an operator.
CREATE TABLE notification_recipient (
    id             uuid        NOT NULL,
    enterprise_id  text,
    user_id        text,
    operator_id    uuid,
    event_types    text[]      NOT NULL,
    time_zone      text        NOT NULL,
    quiet_from     time,
    quiet_until    time,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    CONSTRAINT notification_recipient_pkey PRIMARY KEY (id),
    CONSTRAINT notification_recipient_membership_fkey FOREIGN KEY (enterprise_id, user_id)
        REFERENCES membership (enterprise_id, user_id),
    CONSTRAINT notification_recipient_operator_fkey FOREIGN KEY (operator_id) REFERENCES operator (id),
    CONSTRAINT notification_recipient_member_key UNIQUE (enterprise_id, user_id),
    CONSTRAINT notification_recipient_operator_key UNIQUE (operator_id),
    CONSTRAINT notification_recipient_is_one_person CHECK
        ((operator_id IS NULL) = (user_id IS NOT NULL) AND (user_id IS NULL) = (enterprise_id IS NULL)),
    CONSTRAINT notification_recipient_quiet_whole CHECK ((quiet_from IS NULL) = (quiet_until IS NULL))
);

-- An address of this person. It never changes: another address is another channel. The code that proves an e-mail
-- address, and the URL of a chat, which holds its password, are encrypted.
CREATE TABLE notification_channel (
    id              uuid        NOT NULL,
    recipient_id    uuid        NOT NULL,
    kind            text        NOT NULL,
    address         text        NOT NULL,
    form            text,
    sealed_url      bytea,
    sealed_code     bytea,
    code_ends_at    timestamptz,
    code_failures   integer     NOT NULL DEFAULT 0,
    status          text        NOT NULL,
    ended_reason    text,
    failures        integer     NOT NULL DEFAULT 0,
    failing_since   timestamptz,
    retry_at        timestamptz,
    problem         text,
    lease_id        uuid,
    leased_until    timestamptz,
    hour_began_at   timestamptz,
    sent_in_hour    integer     NOT NULL DEFAULT 0,
    digest_after    timestamptz,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    CONSTRAINT notification_channel_pkey PRIMARY KEY (id),
    CONSTRAINT notification_channel_recipient_fkey FOREIGN KEY (recipient_id) REFERENCES notification_recipient (id),
    CONSTRAINT notification_channel_kind_known CHECK (kind IN ('email', 'chat')),
    CONSTRAINT notification_channel_status_known CHECK (status IN ('unverified', 'active', 'ended')),
    CONSTRAINT notification_channel_ended_for_a_reason CHECK ((status = 'ended') = (ended_reason IS NOT NULL)),
    CONSTRAINT notification_channel_chat_has_url CHECK
        ((kind = 'chat') = (sealed_url IS NOT NULL) AND (kind = 'chat') = (form IS NOT NULL)),
    CONSTRAINT notification_channel_code_whole CHECK
        ((sealed_code IS NULL) = (code_ends_at IS NULL) AND (sealed_code IS NULL OR status = 'unverified')),
    CONSTRAINT notification_channel_counts CHECK (failures >= 0 AND code_failures >= 0 AND sent_in_hour >= 0),
    CONSTRAINT notification_channel_lease_whole CHECK ((lease_id IS NULL) = (leased_until IS NULL))
);
-- A person has one address of each kind.
CREATE UNIQUE INDEX notification_channel_one ON notification_channel (recipient_id, kind) WHERE status <> 'ended';
CREATE INDEX notification_channel_created ON notification_channel (created_at, id);
CREATE INDEX notification_channel_address ON notification_channel (address) WHERE kind = 'email';

-- What operators hear of that belongs to no enterprise, or to several.
CREATE TABLE operator_event (
    id          uuid        NOT NULL,
    sequence    bigint      GENERATED ALWAYS AS IDENTITY,
    type        text        NOT NULL,
    subject_id  uuid        NOT NULL,
    payload     jsonb       NOT NULL,
    created_at  timestamptz NOT NULL,
    CONSTRAINT operator_event_pkey PRIMARY KEY (id)
);
CREATE TRIGGER operator_event_kept BEFORE DELETE OR UPDATE OR TRUNCATE ON operator_event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();

-- One thing that a channel is told. `position` is the order. Those with one `message_id` are one message; it is chosen
-- before the message is sent, so that a repeat has the same. `held_until`: quiet hours, or the next digest.
CREATE TABLE notification (
    channel_id         uuid        NOT NULL,
    position           bigint      GENERATED ALWAYS AS IDENTITY,
    kind               text        NOT NULL,
    event_id           uuid,
    operator_event_id  uuid,
    as_client          boolean     NOT NULL DEFAULT false,
    status             text        NOT NULL,
    message_id         uuid,
    attempts           integer     NOT NULL DEFAULT 0,
    problem            text,
    held_until         timestamptz,
    owed_since         timestamptz NOT NULL,
    ended_at           timestamptz,
    CONSTRAINT notification_pkey PRIMARY KEY (channel_id, position),
    CONSTRAINT notification_channel_fkey FOREIGN KEY (channel_id) REFERENCES notification_channel (id),
    CONSTRAINT notification_event_fkey FOREIGN KEY (event_id) REFERENCES event (id),
    CONSTRAINT notification_operator_event_fkey FOREIGN KEY (operator_event_id) REFERENCES operator_event (id),
    CONSTRAINT notification_kind_known CHECK (kind IN ('event', 'code', 'test', 'ended')),
    CONSTRAINT notification_names_its_event CHECK ((kind = 'event') = (num_nonnulls(event_id, operator_event_id) = 1)),
    CONSTRAINT notification_status_known CHECK (status IN ('owed', 'sent', 'refused', 'dropped')),
    CONSTRAINT notification_ended CHECK ((status = 'owed') = (ended_at IS NULL))
);
CREATE INDEX notification_owed ON notification (channel_id, position) WHERE status = 'owed';
CREATE UNIQUE INDEX notification_once ON notification (event_id, channel_id, as_client) WHERE event_id IS NOT NULL;
-- The order of the list of what a person is told.
CREATE INDEX notification_in_order ON notification (position);
CREATE INDEX notification_codes ON notification (owed_since) WHERE kind = 'code';

CREATE FUNCTION check_notification_end() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a notification cannot go from % to %', OLD.status, NEW.status
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'notification_ends_once';
END $$;
CREATE TRIGGER notification_end BEFORE UPDATE OF status ON notification
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status AND OLD.status <> 'owed')
    EXECUTE FUNCTION check_notification_end();

-- The events that nobody was told of yet. A network in which nobody wants to hear has none.
CREATE TABLE event_to_tell (
    sequence  bigint NOT NULL,
    event_id  uuid   NOT NULL,
    CONSTRAINT event_to_tell_pkey PRIMARY KEY (sequence)
);
CREATE FUNCTION queue_events_to_tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM notification_channel WHERE status = 'active') THEN
        INSERT INTO event_to_tell (sequence, event_id) SELECT sequence, id FROM new_row;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER event_queued_to_tell AFTER INSERT ON event
    REFERENCING NEW TABLE AS new_row FOR EACH STATEMENT EXECUTE FUNCTION queue_events_to_tell();

-- Operators are few: what they hear of is owed at once.
CREATE FUNCTION owe_operator_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO notification (channel_id, kind, operator_event_id, status, owed_since)
    SELECT channel.id, 'event', new_row.id, 'owed', new_row.created_at
    FROM new_row
    JOIN notification_recipient AS recipient ON new_row.type = ANY(recipient.event_types)
    JOIN operator ON operator.id = recipient.operator_id AND operator.removed_at IS NULL
    JOIN notification_channel AS channel ON channel.recipient_id = recipient.id AND channel.status = 'active'
    ORDER BY new_row.sequence, channel.id;
    RETURN NULL;
END $$;
CREATE TRIGGER operator_event_owed AFTER INSERT ON operator_event
    REFERENCING NEW TABLE AS new_row FOR EACH STATEMENT EXECUTE FUNCTION owe_operator_events();
CREATE INDEX notification_channel_active ON notification_channel (recipient_id) WHERE status = 'active';
