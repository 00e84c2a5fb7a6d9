-- What we ask of partners' own endpoints, and what they answered. Protocol §4 and §8.

-- Where a partner is called; a row exists for each configuration that says more than the defaults.
CREATE TABLE partner_endpoint (
    enterprise_id      text        NOT NULL,
    callback_url       text,
    callback_paths     jsonb       NOT NULL,
    async_allocations  boolean     NOT NULL,
    updated_at         timestamptz NOT NULL,
    CONSTRAINT partner_endpoint_pkey PRIMARY KEY (enterprise_id),
    CONSTRAINT partner_endpoint_configuration_fkey FOREIGN KEY (enterprise_id)
        REFERENCES partner_configuration (enterprise_id)
);

-- The keys that calls are signed with. One is in use; those before it are shown for a while.
CREATE TABLE partner_call_key (
    id              text        NOT NULL,
    reference       text        NOT NULL,
    sealed_private  bytea       NOT NULL,
    public_jwk      jsonb       NOT NULL,
    created_at      timestamptz NOT NULL,
    retired_at      timestamptz,
    CONSTRAINT partner_call_key_pkey PRIMARY KEY (id),
    CONSTRAINT partner_call_key_reference_key UNIQUE (reference)
);
CREATE UNIQUE INDEX partner_call_key_one_in_use ON partner_call_key ((true)) WHERE retired_at IS NULL;

-- How a partner has answered of late. `open_until` stops calls to one that does not answer.
CREATE TABLE partner_circuit (
    partner_id       uuid        NOT NULL,
    failures         integer     NOT NULL,
    open_until       timestamptz,
    last_error       text,
    last_failed_at   timestamptz,
    CONSTRAINT partner_circuit_pkey PRIMARY KEY (partner_id),
    CONSTRAINT partner_circuit_partner_fkey FOREIGN KEY (partner_id) REFERENCES partner (id),
    CONSTRAINT partner_circuit_failures_counted CHECK (failures >= 0)
);

-- A call that a partner is owed: written with what it is about, due until it is answered. Its body never changes.
-- `leased_until` says that somebody is making it; whoever dies with it leaves it due again.
CREATE TABLE partner_call (
    id             uuid        NOT NULL,
    partner_id     uuid        NOT NULL,
    enterprise_id  text        NOT NULL,
    operation      text        NOT NULL,
    subject_id     uuid        NOT NULL,
    sealed_body    bytea       NOT NULL,
    created_at     timestamptz NOT NULL,
    due_at         timestamptz,
    leased_until   timestamptz,
    attempts       integer     NOT NULL DEFAULT 0,
    last_error     text,
    ended_at       timestamptz,
    CONSTRAINT partner_call_pkey PRIMARY KEY (id),
    CONSTRAINT partner_call_once UNIQUE (subject_id, operation),
    CONSTRAINT partner_call_partner_fkey FOREIGN KEY (partner_id) REFERENCES partner (id),
    CONSTRAINT partner_call_operation_known CHECK (operation IN (
        'connection', 'allocation', 'deallocation', 'allocation_clear', 'allocation_release',
        'deallocation_clear', 'deallocation_release', 'settlement_finalize')),
    CONSTRAINT partner_call_due_until_ended CHECK ((due_at IS NULL) = (ended_at IS NOT NULL)),
    CONSTRAINT partner_call_leased_while_due CHECK (leased_until IS NULL OR due_at IS NOT NULL)
);
CREATE INDEX partner_call_due ON partner_call (operation, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX partner_call_partner ON partner_call (partner_id, created_at, id);

-- A connection has the partner's names for it once the partner has answered.
ALTER TABLE connection
    ALTER COLUMN partners_client_id DROP NOT NULL,
    ALTER COLUMN partners_connection_id DROP NOT NULL,
    ADD COLUMN refused_reason text,
    ADD CONSTRAINT connection_named_as_a_whole CHECK
        ((partners_client_id IS NULL) = (partners_connection_id IS NULL)),
    ADD CONSTRAINT connection_refused_has_no_names CHECK
        (refused_reason IS NULL OR partners_connection_id IS NULL);
