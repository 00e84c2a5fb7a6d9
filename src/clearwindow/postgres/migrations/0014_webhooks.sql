-- Where an enterprise hears of events: its webhook endpoints, and what each is owed. Protocol §9.

CREATE TABLE webhook_endpoint (
    id               uuid        NOT NULL,
    enterprise_id    text        NOT NULL,
    url              text        NOT NULL,
    event_types      text[],
    description      text,
    status           text        NOT NULL,
    disabled_reason  text,
    failures         integer     NOT NULL DEFAULT 0,
    failing_since    timestamptz,
    retry_at         timestamptz,
    lease_id         uuid,
    leased_until     timestamptz,
    created_by       text        NOT NULL,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    deleted_at       timestamptz,
    CONSTRAINT webhook_endpoint_pkey PRIMARY KEY (id),
    CONSTRAINT webhook_endpoint_enterprise_fkey FOREIGN KEY (enterprise_id) REFERENCES enterprise (id),
    CONSTRAINT webhook_endpoint_status_known CHECK (status IN ('enabled', 'disabled')),
    CONSTRAINT webhook_endpoint_disabled_for_a_reason CHECK ((status = 'disabled') = (disabled_reason IS NOT NULL)),
    CONSTRAINT webhook_endpoint_failing_whole CHECK
        (failures >= 0 AND (failures > 0) = (failing_since IS NOT NULL) AND (failures > 0 OR retry_at IS NULL)),
    CONSTRAINT webhook_endpoint_lease_whole CHECK ((lease_id IS NULL) = (leased_until IS NULL))
);
CREATE INDEX webhook_endpoint_enterprise ON webhook_endpoint (enterprise_id, created_at, id) WHERE deleted_at IS NULL;

-- What an endpoint's messages are signed with. The latest has no end; those before it end a while after it came.
CREATE TABLE webhook_secret (
    id                uuid        NOT NULL,
    endpoint_id       uuid        NOT NULL,
    encrypted_keys    bytea       NOT NULL,
    public_key        bytea       NOT NULL,
    created_at        timestamptz NOT NULL,
    valid_until       timestamptz,
    CONSTRAINT webhook_secret_pkey PRIMARY KEY (id),
    CONSTRAINT webhook_secret_endpoint_fkey FOREIGN KEY (endpoint_id) REFERENCES webhook_endpoint (id)
);
CREATE UNIQUE INDEX webhook_secret_latest ON webhook_secret (endpoint_id) WHERE valid_until IS NULL;
CREATE INDEX webhook_secret_endpoint ON webhook_secret (endpoint_id, created_at);

-- One event owed to one endpoint. `position` is the order in which an endpoint hears.
CREATE TABLE webhook_delivery (
    endpoint_id    uuid        NOT NULL,
    position       bigint      GENERATED ALWAYS AS IDENTITY,
    enterprise_id  text        NOT NULL,
    event_id       uuid        NOT NULL,
    status         text        NOT NULL,
    replayed       boolean     NOT NULL,
    attempts       integer     NOT NULL DEFAULT 0,
    owed_since     timestamptz NOT NULL,
    ended_at       timestamptz,
    CONSTRAINT webhook_delivery_pkey PRIMARY KEY (endpoint_id, position),
    CONSTRAINT webhook_delivery_status_known CHECK (status IN ('owed', 'delivered', 'dropped')),
    CONSTRAINT webhook_delivery_ended CHECK ((status = 'owed') = (ended_at IS NULL))
);
CREATE INDEX webhook_delivery_owed ON webhook_delivery (endpoint_id, position) WHERE status = 'owed';
CREATE INDEX webhook_delivery_event ON webhook_delivery (event_id, endpoint_id);
CREATE TRIGGER webhook_delivery_endpoint_fkey AFTER INSERT ON webhook_delivery
    REFERENCING NEW TABLE AS new_row FOR EACH STATEMENT
    EXECUTE FUNCTION check_references('webhook_delivery_endpoint_fkey', 'endpoint_id', 'webhook_endpoint',
        'webhook_endpoint.id = given.endpoint_id');
CREATE TRIGGER webhook_delivery_event_fkey AFTER INSERT ON webhook_delivery
    REFERENCING NEW TABLE AS new_row FOR EACH STATEMENT
    EXECUTE FUNCTION check_references('webhook_delivery_event_fkey', 'event_id', 'event', 'event.id = given.event_id');

CREATE FUNCTION check_delivery_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a delivery cannot go from % to %', OLD.status, NEW.status
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'webhook_delivery_transition_allowed';
END $$;
CREATE TRIGGER webhook_delivery_transition BEFORE UPDATE OF status ON webhook_delivery
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status AND OLD.status <> 'owed')
    EXECUTE FUNCTION check_delivery_transition();

CREATE TABLE webhook_attempt (
    endpoint_id            uuid        NOT NULL,
    position               bigint      NOT NULL,
    number                 integer     NOT NULL,
    enterprise_id          text        NOT NULL,
    event_id               uuid        NOT NULL,
    started_at             timestamptz NOT NULL,
    duration_milliseconds  integer     NOT NULL,
    succeeded              boolean     NOT NULL,
    status_code            integer,
    problem                text,
    CONSTRAINT webhook_attempt_pkey PRIMARY KEY (endpoint_id, position, number),
    CONSTRAINT webhook_attempt_problem_where_failed CHECK (succeeded = (problem IS NULL))
);
CREATE INDEX webhook_attempt_started ON webhook_attempt (endpoint_id, started_at, position, number);

-- Whoever records an event owes it: the deliveries are made by the same statement, for each endpoint of the
-- enterprise that wants to hear of it. What is opt-in goes only to endpoints that name it; a test goes to the one
-- endpoint it is for.
CREATE FUNCTION owe_deliveries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO webhook_delivery (endpoint_id, enterprise_id, event_id, status, replayed, owed_since)
    SELECT endpoint.id, new_row.enterprise_id, new_row.id, 'owed', false, new_row.created_at
    FROM new_row
    JOIN webhook_endpoint AS endpoint ON endpoint.enterprise_id = new_row.enterprise_id
    WHERE endpoint.deleted_at IS NULL AND endpoint.status = 'enabled'
      AND CASE WHEN new_row.type = 'webhook_endpoint.test' THEN new_row.subject_id = endpoint.id
               WHEN endpoint.event_types IS NULL THEN new_row.type <> 'balance.changed'
               ELSE new_row.type = ANY(endpoint.event_types)
          END
    ORDER BY new_row.sequence, endpoint.id;
    RETURN NULL;
END $$;
CREATE TRIGGER event_owed AFTER INSERT ON event
    REFERENCING NEW TABLE AS new_row FOR EACH STATEMENT EXECUTE FUNCTION owe_deliveries();

CREATE INDEX event_created ON event (enterprise_id, created_at);
