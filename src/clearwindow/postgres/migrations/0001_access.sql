-- Who may do what: enterprises, their members, operators, tokens. Protocol §1, §2.

-- A row-wise foreign key looks up every row by itself, which for the 100 000 rows of a settlement is more work than all
-- else that is done with them. The tables that grow so fast refer to others by triggers in its place, which together
-- guarantee the same: what a statement puts in is looked up all at once, under the name that the foreign key would
-- have, and what is referred to can neither be removed nor get another key.

-- Arguments: the constraint's name; the columns that refer; the table they refer to; the condition that a row of it
-- is the one that `given` means. As with a foreign key, a NULL refers to nothing.
CREATE FUNCTION check_references() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    missing boolean;
BEGIN
    -- Dynamic, so that it is planned for the rows at hand: a plan kept from a single row is wrong for 100 000.
    EXECUTE format(
        'SELECT EXISTS (SELECT FROM (SELECT DISTINCT %1$s FROM new_row WHERE (%1$s) IS NOT NULL) AS given'
        ' WHERE NOT EXISTS (SELECT FROM %2$I WHERE %3$s))', TG_ARGV[1], TG_ARGV[2], TG_ARGV[3]
    ) INTO missing;
    IF missing THEN
        RAISE EXCEPTION 'a row of % refers to a % that does not exist', TG_TABLE_NAME, TG_ARGV[2]
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = TG_ARGV[0];
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION refuse_removal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are kept, and so are their keys: % refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_TABLE_NAME || '_kept';
END $$;

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
CREATE TRIGGER enterprise_kept BEFORE DELETE OR TRUNCATE OR UPDATE OF id ON enterprise
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();

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
