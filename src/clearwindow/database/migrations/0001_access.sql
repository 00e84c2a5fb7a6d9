-- Who may do what: enterprises, their members, operators, tokens. Protocol §1, §2.

CREATE TABLE enterprise (
    id          text        NOT NULL,
    name        text        NOT NULL,
    trust_org   text        NOT NULL,
    licensed    boolean     NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    CONSTRAINT enterprise_pkey PRIMARY KEY (id),
    CONSTRAINT enterprise_id_form CHECK (id <> '' AND length(id) <= 255)
);

CREATE TABLE network_user (
    id          text        NOT NULL,
    name        text        NOT NULL,
    email       text,
    created_at  timestamptz NOT NULL,
    CONSTRAINT network_user_pkey PRIMARY KEY (id)
);

CREATE TABLE membership (
    enterprise_id  text        NOT NULL,
    user_id        text        NOT NULL,
    created_at     timestamptz NOT NULL,
    CONSTRAINT membership_pkey PRIMARY KEY (enterprise_id, user_id),
    CONSTRAINT membership_enterprise_fkey FOREIGN KEY (enterprise_id) REFERENCES enterprise (id),
    CONSTRAINT membership_user_fkey FOREIGN KEY (user_id) REFERENCES network_user (id)
);

CREATE TABLE operator (
    id          uuid        NOT NULL,
    name        text        NOT NULL,
    created_at  timestamptz NOT NULL,
    CONSTRAINT operator_pkey PRIMARY KEY (id),
    CONSTRAINT operator_name_key UNIQUE (name)
);

CREATE TABLE access_token (
    id             uuid        NOT NULL,
    token_sha256   bytea       NOT NULL,
    enterprise_id  text,
    user_id        text,
    operator_id    uuid,
    scopes         text[]      NOT NULL,
    ip_allow_list  cidr[]      NOT NULL,
    label          text,
    created_at     timestamptz NOT NULL,
    expires_at     timestamptz,
    revoked_at     timestamptz,
    CONSTRAINT access_token_pkey PRIMARY KEY (id),
    CONSTRAINT access_token_sha256_key UNIQUE (token_sha256),
    CONSTRAINT access_token_membership_fkey FOREIGN KEY (enterprise_id, user_id)
        REFERENCES membership (enterprise_id, user_id),
    CONSTRAINT access_token_operator_fkey FOREIGN KEY (operator_id) REFERENCES operator (id),
    CONSTRAINT access_token_one_holder CHECK
        ((operator_id IS NULL) = (user_id IS NOT NULL) AND (user_id IS NULL) = (enterprise_id IS NULL)),
    CONSTRAINT access_token_scopes_known CHECK
        (scopes <@ ARRAY['settlement_network_read', 'settlement_network_write'])
);

CREATE TABLE audit_record (
    sequence       bigint      GENERATED ALWAYS AS IDENTITY,
    at             timestamptz NOT NULL,
    request_id     text        NOT NULL,
    actor_kind     text        NOT NULL,
    actor_id       text        NOT NULL,
    enterprise_id  text,
    action         text        NOT NULL,
    subject_id     text        NOT NULL,
    details        jsonb       NOT NULL,
    CONSTRAINT audit_record_pkey PRIMARY KEY (sequence),
    CONSTRAINT audit_record_actor_kind CHECK (actor_kind IN ('user', 'operator', 'system'))
);
CREATE INDEX audit_record_subject ON audit_record (subject_id, sequence);
