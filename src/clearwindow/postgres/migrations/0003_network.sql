-- Partners, clients and the connections between them. Protocol §1.

CREATE TABLE partner_configuration (
    enterprise_id                 text        NOT NULL,
    amount_unit                   text        NOT NULL,
    execute_when_funded           boolean     NOT NULL,
    auto_approve_client_closures  boolean     NOT NULL,
    updated_at                    timestamptz NOT NULL,
    CONSTRAINT partner_configuration_pkey PRIMARY KEY (enterprise_id),
    CONSTRAINT partner_configuration_enterprise_fkey FOREIGN KEY (enterprise_id) REFERENCES enterprise (id),
    CONSTRAINT partner_configuration_unit_known CHECK (amount_unit IN ('base', 'decimal'))
);

CREATE TABLE partner_currency (
    enterprise_id  text NOT NULL,
    partner_name   text NOT NULL,
    currency       text NOT NULL,
    CONSTRAINT partner_currency_pkey PRIMARY KEY (enterprise_id, partner_name),
    CONSTRAINT partner_currency_configuration_fkey FOREIGN KEY (enterprise_id)
        REFERENCES partner_configuration (enterprise_id),
    CONSTRAINT partner_currency_currency_fkey FOREIGN KEY (currency) REFERENCES currency (name)
);

CREATE TABLE client (
    id             uuid        NOT NULL,
    enterprise_id  text        NOT NULL,
    go_account_id  uuid        NOT NULL,
    active         boolean     NOT NULL,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    CONSTRAINT client_pkey PRIMARY KEY (id),
    CONSTRAINT client_enterprise_key UNIQUE (enterprise_id),
    CONSTRAINT client_enterprise_fkey FOREIGN KEY (enterprise_id) REFERENCES enterprise (id),
    CONSTRAINT client_go_account_fkey FOREIGN KEY (go_account_id) REFERENCES go_account (account_id)
);

CREATE TABLE partner (
    id                             uuid        NOT NULL,
    enterprise_id                  text        NOT NULL,
    go_account_id                  uuid        NOT NULL,
    client_id                      uuid        NOT NULL,
    name                           text        NOT NULL,
    broker                         boolean     NOT NULL,
    institution_id                 text,
    institution_identifier         text        NOT NULL,
    connection_key_schema          text        NOT NULL,
    active                         boolean     NOT NULL,
    stable_partner                 boolean     NOT NULL,
    allocation_policies_enabled    boolean     NOT NULL,
    client_dispute_window_minutes  numeric,
    top_up_window_minutes          numeric,
    request_sha256                 bytea       NOT NULL,
    created_at                     timestamptz NOT NULL,
    updated_at                     timestamptz NOT NULL,
    CONSTRAINT partner_pkey PRIMARY KEY (id),
    CONSTRAINT partner_enterprise_key UNIQUE (enterprise_id),
    CONSTRAINT partner_configuration_fkey FOREIGN KEY (enterprise_id)
        REFERENCES partner_configuration (enterprise_id),
    CONSTRAINT partner_go_account_fkey FOREIGN KEY (go_account_id) REFERENCES go_account (account_id),
    CONSTRAINT partner_client_fkey FOREIGN KEY (client_id) REFERENCES client (id),
    CONSTRAINT partner_key_schema_known CHECK
        (connection_key_schema IN ('token', 'tokenAndSignature', 'apiKeyAndSecret', 'clearloop')),
    CONSTRAINT partner_windows_range CHECK
        (client_dispute_window_minutes BETWEEN 0 AND 525600 AND top_up_window_minutes BETWEEN 0 AND 525600)
);

CREATE TABLE connection (
    id                       uuid        NOT NULL,
    partner_id               uuid        NOT NULL,
    client_id                uuid        NOT NULL,
    network_account_id       uuid        NOT NULL,
    name                     text        NOT NULL,
    active                   boolean     NOT NULL,
    encrypted_key            bytea       NOT NULL,
    nonce                    text        NOT NULL,
    proof                    text        NOT NULL,
    partners_client_id       text        NOT NULL,
    partners_connection_id   text        NOT NULL,
    initiated_by             text        NOT NULL,
    created_at               timestamptz NOT NULL,
    updated_at               timestamptz NOT NULL,
    CONSTRAINT connection_pkey PRIMARY KEY (id),
    CONSTRAINT connection_partner_fkey FOREIGN KEY (partner_id) REFERENCES partner (id),
    CONSTRAINT connection_client_fkey FOREIGN KEY (client_id) REFERENCES client (id),
    CONSTRAINT connection_account_fkey FOREIGN KEY (network_account_id) REFERENCES account (id),
    CONSTRAINT connection_account_key UNIQUE (network_account_id),
    CONSTRAINT connection_nonce_key UNIQUE (client_id, nonce)
);
CREATE TRIGGER connection_kept BEFORE DELETE OR TRUNCATE OR UPDATE OF id ON connection
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
CREATE INDEX connection_partner ON connection (partner_id, created_at, id);
CREATE INDEX connection_client ON connection (client_id, created_at, id);

-- A nonce serves one signed request of an enterprise; its byte-identical repeat is a retry. Protocol §3.
CREATE TABLE nonce (
    enterprise_id   text        NOT NULL,
    nonce           text        NOT NULL,
    request_sha256  bytea       NOT NULL,
    used_at         timestamptz NOT NULL,
    CONSTRAINT nonce_pkey PRIMARY KEY (enterprise_id, nonce),
    CONSTRAINT nonce_enterprise_fkey FOREIGN KEY (enterprise_id) REFERENCES enterprise (id)
);

-- Allocations and deallocations. Protocol §4.
CREATE TABLE allocation (
    id                   uuid        NOT NULL,
    partner_id           uuid        NOT NULL,
    client_id            uuid        NOT NULL,
    connection_id        uuid        NOT NULL,
    type                 text        NOT NULL,
    status               text        NOT NULL,
    currency             text        NOT NULL,
    quantity             base_units  NOT NULL,
    client_external_id   text        NOT NULL,
    partner_external_id  text,
    request_sha256       bytea       NOT NULL,
    initiated_by         text        NOT NULL,
    notes                text,
    refusal              text,
    reason               text,
    retriable            boolean     NOT NULL,
    created_at           timestamptz NOT NULL,
    updated_at           timestamptz NOT NULL,
    CONSTRAINT allocation_pkey PRIMARY KEY (id),
    CONSTRAINT allocation_external_id_key UNIQUE (connection_id, type, client_external_id),
    CONSTRAINT allocation_client_fkey FOREIGN KEY (client_id) REFERENCES client (id),
    CONSTRAINT allocation_connection_fkey FOREIGN KEY (connection_id) REFERENCES connection (id),
    CONSTRAINT allocation_currency_fkey FOREIGN KEY (currency) REFERENCES currency (name),
    CONSTRAINT allocation_type_known CHECK (type IN ('allocation', 'deallocation')),
    CONSTRAINT allocation_status_known CHECK (status IN ('reserved', 'cleared', 'released')),
    CONSTRAINT allocation_positive CHECK (quantity > 0),
    CONSTRAINT allocation_retriable_while_reserved CHECK (status = 'reserved' OR NOT retriable),
    CONSTRAINT allocation_released_for_a_reason CHECK
        ((status = 'released') = (refusal IS NOT NULL) AND (status <> 'released' OR reason IS NOT NULL))
);
CREATE INDEX allocation_client ON allocation (client_id, created_at, id);
CREATE INDEX allocation_partner ON allocation (partner_id, created_at, id);

CREATE FUNCTION check_allocation_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an allocation cannot go from % to %', OLD.status, NEW.status
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'allocation_transition_allowed';
END $$;
CREATE TRIGGER allocation_transition BEFORE UPDATE OF status ON allocation
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status AND OLD.status <> 'reserved')
    EXECUTE FUNCTION check_allocation_transition();
